import type { Decision } from "../api/types";

export interface ReasonCode {
  code: string;
  name: string;
}

export const REJECT_CODES: readonly ReasonCode[] = [
  { code: "other", name: "other" },
  { code: "thesis_wrong", name: "the thesis is wrong" },
  { code: "risk_too_high", name: "risk too high" },
  { code: "bad_timing", name: "bad timing" },
  { code: "data_doubtful", name: "data is doubtful" },
  { code: "news", name: "news" },
  { code: "not_understood", name: "not understood" },
];

export const EDIT_CODES: readonly ReasonCode[] = [
  { code: "smaller_size", name: "smaller size" },
  { code: "tighter_stop", name: "tighter stop" },
  { code: "other", name: "other" },
];

/** What a reason code means in words; an unknown code as it is, with spaces. */
export function reasonWords(code: string): string {
  return [...REJECT_CODES, ...EDIT_CODES].find((item) => item.code === code)?.name ?? code.replace(/_/g, " ");
}

const PAST: Record<string, string> = {
  approve: "approved", reject: "rejected", edit: "edited", respond: "asked", extend: "extended", acknowledge: "acknowledged",
};

/** A decision in the past tense: `approve` and `approved` both give `approved`. */
export function pastOf(decision: Decision | string): string {
  return PAST[decision] ?? decision.replace(/_/g, " ");
}

const SENTENCES: Record<string, string> = {
  role: "Your role may not do this.",
  scope: "The key in use may not do this.",
  own_limit: "This is above your own limit, per order or for the day. Somebody with a higher limit has to sign.",
  separation: "Whoever proposed or edited this may not sign it. Another person has to.",
  halted: "The desk is halted, so nothing is approved. Rejecting still works; a risk officer can resume.",
  evidence_unopened: "Open the evidence first: this tier is not approved unread.",
  stand_in: "A stand-in answers here. Only a person may decide this.",
  mode: "In this mode the desk only advises: nothing can be approved for sending.",
  cross_site: "The request came from another site's page. Use the console that the desk serves.",
};

/** Why a 403 happened, in one plain sentence; null for a code that has none of its own. */
export function refusalSentence(code: string): string | null {
  return SENTENCES[code] ?? null;
}

const LOCKS = new Set(["locked", "session_locked"]);

/** True when a 401 says that the session idles, not that nobody is signed in. */
export function isLock(code: string): boolean {
  return LOCKS.has(code);
}
