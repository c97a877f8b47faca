import type { Approval, Json, Proposal } from "../api/types";
import { compareDecimals, money } from "./format";

export type QueueOrder = "rank" | "impact" | "expiry";

/** Money the proposal moves: the tools' notional, or quantity times reference price where it is not sent. */
export function notional(proposal: Proposal): string {
  if (proposal.notional) return proposal.notional;
  const [whole = "0", fraction = ""] = proposal.reference_price.split(".");
  const product = (BigInt(whole + fraction) * BigInt(proposal.quantity)).toString().padStart(fraction.length + 1, "0");
  const cut = product.length - fraction.length;
  return fraction ? `${product.slice(0, cut)}.${product.slice(cut)}` : product;
}

function rankOf(approval: Approval): number {
  return approval.case.rank ?? Number.MAX_SAFE_INTEGER;
}

/** Order the queue; ties fall back to the desk's rank, then to the id, so rows never swap by themselves. */
export function sortQueue(items: readonly Approval[], order: QueueOrder): Approval[] {
  const impact = (a: Approval, b: Approval) => compareDecimals(notional(b.case.proposal), notional(a.case.proposal));
  const expiry = (a: Approval, b: Approval) => a.sessions_left - b.sessions_left;
  return [...items].sort(
    (a, b) =>
      (order === "impact" ? impact(a, b) : order === "expiry" ? expiry(a, b) : 0) ||
      rankOf(a) - rankOf(b) ||
      (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
  );
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
    decision: text("status", "decision"),
    at: text("decided_at", "at"),
  };
}
