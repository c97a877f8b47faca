import type { MomentView } from "../api/day";
import type { Session } from "../api/types";
import type { ReasonCode } from "./refusals";
import { reaches, whyNot } from "./rights";

/** Why a failed check may be signed over. */
export const DAY_CODES: readonly ReasonCode[] = [
  { code: "known_break", name: "a known break" },
  { code: "data_late", name: "data come late" },
  { code: "waiting_for_broker", name: "waiting for the broker" },
  { code: "accepted_risk", name: "accepted risk" },
  { code: "other", name: "other" },
];

/** Null when the session may sign this moment, else why not. The desk checks it again. */
export function whyNotSign(session: Session | null, view: MomentView): string | null {
  if (view.failed.length > 0 && session?.role && !reaches(session.role, "risk_officer")) {
    return "A check failed: only a risk officer can sign over it.";
  }
  return whyNot(session, view.moment === "start" ? "run" : "decide");
}

/** What a sign-off sends: the checks as shown, and a code only where one is needed. */
export function signOffBody(view: MomentView, note: string, code: string): Record<string, string> {
  const body: Record<string, string> = { phase: view.moment, note: note.trim(), checks_sha256: view.checks_sha256 };
  if (view.session) body.session = view.session;
  if (view.failed.length > 0) body.reason_code = code;
  return body;
}
