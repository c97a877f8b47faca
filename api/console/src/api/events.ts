import type { DeskEvent } from "./types";

/** What a page can depend on; an event names the topics that are stale after it. */
export type Topic =
  | "desk"
  | "cases"
  | "approvals"
  | "positions"
  | "orders"
  | "fills"
  | "findings"
  | "outcomes"
  | "lessons"
  | "ledger"
  | "equity"
  | "people"
  | "policy";

export const ALL_TOPICS: readonly Topic[] = [
  "desk", "cases", "approvals", "positions", "orders", "fills", "findings", "outcomes", "lessons", "ledger", "equity",
  "people", "policy",
];

const BY_FAMILY: Record<string, readonly Topic[]> = {
  case: ["cases", "approvals"],
  approval: ["approvals", "cases"],
  grant: ["approvals", "cases"],
  explanation: ["approvals", "cases"],
  order: ["orders", "cases"],
  parent: ["orders", "cases"],
  fill: ["fills", "orders", "positions", "cases", "equity"],
  position: ["positions"],
  break: ["positions", "orders", "findings", "desk"],
  stops: ["positions", "orders"],
  exit: ["cases"],
  finding: ["findings"],
  outcome: ["outcomes", "cases"],
  lesson: ["lessons"],
  halt: ["approvals", "cases", "orders"],
  person: ["people"],
  key: ["people"],
  login: ["people"],
  delegation: ["people", "approvals"],
  policy: ["policy", "approvals"],
};

const QUIET = new Set(["approval.viewed", "session.ended", "session.locked", "login.succeeded"]);

/** True for what is recorded but is no news to a reader, such as somebody looking at a proposal. */
export function isQuiet(kind: string): boolean {
  return QUIET.has(kind);
}

/** Topics made stale by an event of this kind; an unknown family makes everything stale. */
export function topicsOf(kind: string): readonly Topic[] {
  if (isQuiet(kind)) return ["ledger"];
  const family = kind.split(".")[0] ?? "";
  const topics = BY_FAMILY[family];
  return topics ? ["desk", "ledger", ...topics] : ALL_TOPICS;
}

export interface Feed {
  /** Highest ledger sequence seen; what a reconnect resumes after. */
  last: number;
  /** Latest events, newest first. */
  recent: readonly DeskEvent[];
}

const KEEP = 30;

export function startFeed(after: number): Feed {
  return { last: after, recent: [] };
}

/** Fold one event in. A repeated or older sequence changes nothing, so a resume may overlap. */
export function reduceFeed(feed: Feed, event: DeskEvent): Feed {
  if (event.seq <= feed.last) return feed;
  return { last: event.seq, recent: [event, ...feed.recent].slice(0, KEEP) };
}

/** Read a message of the event socket; null for a ping or anything that is not an event. */
export function readEvent(data: string): DeskEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (typeof value !== "object" || value === null) return null;
  const { seq, kind, case_id, symbol, at } = value as Record<string, unknown>;
  if (typeof seq !== "number" || typeof kind !== "string") return null;
  return {
    seq,
    kind,
    case_id: typeof case_id === "string" ? case_id : null,
    symbol: typeof symbol === "string" ? symbol : null,
    at: typeof at === "string" ? at : "",
  };
}

/** Milliseconds before reconnect number `attempt` (0, 1, ...): doubling from 0.5 s to 15 s, with up to 30 % jitter. */
export function backOff(attempt: number, random: number): number {
  const base = Math.min(15_000, 500 * 2 ** Math.min(attempt, 10));
  return Math.round(base * (1 + 0.3 * random));
}

const WORDS: Record<string, string> = {
  "case.awaiting": "waits for a person",
  "case.drafted": "drafted",
  "case.blocked": "blocked",
  "case.not_selected": "not selected",
  "case.expired": "expired unanswered",
  "case.voided": "voided",
  "case.submitted": "submitted",
  "case.settled": "settled",
  "case.approved": "approved",
  "case.rejected": "rejected",
  "case.done": "done",
  "approval.given": "approval given",
  "approval.decided": "decided",
  "approval.edited": "edited",
  "approval.extended": "given more time",
  "approval.acknowledged": "acknowledged",
  "approval.escalated": "escalated",
  "approval.warned": "runs out of time",
  "approval.refused": "refused after approval",
  "login.failed": "Login failed",
  "order.submitted": "order submitted",
  "order.child": "child order written",
  "order.held_back": "child order held back",
  "parent.stopped": "is worked no further",
  "parent.done": "worked to the end of its plan",
  "order.protective_stop": "protective stop placed",
  "order.stop_moved": "protective stop moved",
  "stops.tightened": "Stops tightened",
  "exit.unattended": "leaves with nobody there",
  "day.signed": "Day signed",
  "fill.booked": "fill booked",
  "halt.engaged": "Halt engaged",
  "halt.released": "Halt released",
  "session.closed": "Session closed",
  "session.opened": "Session opened",
};

/** The event in a few words, e.g. `IBM fill booked`. */
export function describeEvent(event: DeskEvent): string {
  const words = WORDS[event.kind] ?? event.kind.replace(/[._]/g, " ");
  return event.symbol ? `${event.symbol} ${words}` : words;
}
