import type { Approval, Json, Proposal, Tier } from "../api/types";
import { product } from "./decimals";
import { compareDecimals, money, words } from "./format";
import { countdown, timeLeft } from "./time";

export type QueueOrder = "rank" | "impact" | "age" | "expiry" | "tier";
export const QUEUE_ORDERS: readonly QueueOrder[] = ["rank", "impact", "age", "expiry", "tier"];

/** Money the proposal moves: the tools' notional, or quantity times reference price where it is not sent. */
export function notional(proposal: Proposal | null): string {
  if (!proposal) return "0";
  return proposal.notional || product(proposal.reference_price, proposal.quantity);
}

function rankOf(approval: Approval): number {
  return approval.case.rank ?? Number.MAX_SAFE_INTEGER;
}

const TIER: Record<Tier, number> = { high: 0, normal: 1, low: 2 };

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type Order = (a: Approval, b: Approval) => number;

const BY: Record<QueueOrder, Order> = {
  rank: () => 0,
  impact: (a, b) => compareDecimals(notional(b.case.proposal), notional(a.case.proposal)),
  age: (a, b) => compareText(a.asked, b.asked),
  expiry: (a, b) =>
    a.expires_wall && b.expires_wall ? compareText(a.expires_wall, b.expires_wall) : (a.sessions_left ?? 0) - (b.sessions_left ?? 0),
  tier: (a, b) => TIER[a.tier ?? "normal"] - TIER[b.tier ?? "normal"],
};

/** Order the queue; ties fall back to the desk's rank, then to the id, so rows never swap by themselves. */
export function sortQueue(items: readonly Approval[], order: QueueOrder): Approval[] {
  return [...items].sort((a, b) => BY[order](a, b) || rankOf(a) - rankOf(b) || compareText(a.id, b.id));
}

const URGENT_MS = 10 * 60_000;

/** How long the question stands: by the wall clock where it has one, else in sessions. `now` in milliseconds. */
export function expiryOf(approval: Approval, now: number): { text: string; urgent: boolean } {
  const wall = approval.expires_wall;
  const late = (approval.warned ?? 0) >= 80;
  const sessions = approval.sessions_left ?? 0;
  if (!wall) return { text: countdown(sessions), urgent: late || sessions <= 1 };
  return { text: timeLeft(wall, now), urgent: late || new Date(wall).getTime() - now < URGENT_MS };
}

/** How many still have to sign and as what, e.g. `2, approver or above`; null when nobody has to. */
export function missingWords(approval: Approval): string | null {
  const missing = approval.missing ?? Math.max(0, approval.required - approval.given);
  if (missing <= 0 || approval.status !== "pending") return null;
  const roles = approval.roles.length ? approval.roles.map(words).join(" or ") : "approver";
  return `${missing}${approval.given > 0 ? " more" : ""}, ${roles} or above`;
}

/** Who may not be the one to sign, with the reason, e.g. `ann (edited it)`. */
export function barredNames(approval: Approval): string[] {
  const editor = (approval.separate ?? []).includes("editor") ? approval.edited_by : null;
  const signers = [...new Set((approval.signed ?? []).flatMap((item) => [item.principal, ...(item.on_behalf_of ? [item.on_behalf_of] : [])]))].filter((name) => name !== editor);
  return [...(editor ? [`${editor} (edited it)`] : []), ...signers.map((name) => `${name} (signed already)`)];
}

export interface Change {
  field: string;
  before: string;
  after: string;
}

/** What differs between the version that was read and the current one, in words for a person. */
export function changesBetween(before: Approval, after: Approval): Change[] {
  const view = (approval: Approval): Record<string, string> => {
    const p = approval.case.proposal;
    if (!p) return {};
    return {
      side: p.side,
      quantity: String(p.quantity),
      "reference price": money(p.reference_price),
      "protective stop": p.stop_price ? money(p.stop_price) : "none",
      "price band": `${money(p.band.low)} to ${money(p.band.high)}`,
      "strategy view": p.thesis,
      "scale factor": p.factor,
    };
  };
  const old = view(before);
  return Object.entries(view(after)).flatMap(([field, value]) =>
    old[field] === value ? [] : [{ field, before: old[field] ?? "", after: value }],
  );
}

export interface PriorDecision {
  by: string | null;
  decision: string | null;
  at: string | null;
}

/** Who decided, out of the detail of a 409 answer, as far as it says. */
export function priorDecision(detail: Json | undefined): PriorDecision {
  const text = (...keys: string[]): string | null => {
    if (!detail || typeof detail !== "object" || Array.isArray(detail)) return null;
    for (const key of keys) {
      const value = detail[key];
      if (typeof value === "string" && value) return value;
    }
    return null;
  };
  return {
    by: text("decided_by", "principal", "by"),
    decision: text("decision", "status"),
    at: text("decided_at", "at"),
  };
}
