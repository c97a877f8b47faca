import type { Approval, BulkItem } from "../api/types";
import { words } from "./format";

export type BulkDecision = "approve" | "reject";

/** What has to be equal for deciding several at once: kind, strategy and tier. */
export function classOf({ case: item, tier }: Approval): string {
  return [item.kind, item.strategy, tier ?? "normal"].join("|");
}

export function classWords({ case: item, tier }: Approval): string {
  return `${words(item.kind)}, ${words(item.strategy)}${tier ? `, ${tier} tier` : ""}`;
}

/** Why `item` cannot join the selection, or null. */
export function selectProblem(item: Approval, selected: readonly Approval[]): string | null {
  const first = selected.find((other) => other.id !== item.id);
  if (first && classOf(first) !== classOf(item)) return `Only one class at a time: ${classWords(first)}.`;
  if (item.may_sign === false) return item.may_not_because ?? "You may not sign this one.";
  return null;
}

/** Why `item` cannot be decided together with others, or null. */
export function decideProblem(item: Approval, decision: BulkDecision, seenDigest: string): string | null {
  if (item.status !== "pending") return `It is ${words(item.status)} by now.`;
  if (item.digest !== seenDigest) return "It changed after you selected it: read it again.";
  if (decision === "approve" && item.evidence_required) return "Its tier asks for the evidence to be opened: decide it by itself.";
  return null;
}

/** `2 rejected, 1 not` over the results. */
export function tally(results: readonly BulkItem[], decision: BulkDecision): string {
  const done = results.filter((result) => result.ok).length;
  const past = decision === "approve" ? "approved" : "rejected";
  const failed = results.length - done;
  return failed === 0 ? `${done} ${past}` : `${done} ${past}, ${failed} not`;
}
