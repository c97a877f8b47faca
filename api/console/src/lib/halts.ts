import type { Halt, HaltAction, HaltScope } from "../api/types";

export const ACTIONS: { action: HaltAction; name: string; text: string }[] = [
  { action: "no_new", name: "No new orders", text: "Nothing that adds risk is asked, approved or sent. Working orders stay." },
  { action: "cancel", name: "Cancel", text: "As above, and orders that add risk are cancelled. Protective stops and exits stay." },
  { action: "reduce_only", name: "Reduce only", text: "As above, and waiting questions that add risk are voided. Reductions go on." },
  { action: "flatten", name: "Flatten", text: "As above, and positions are closed at the next opens, with a price protection and a cap on volume." },
];

export const SCOPES: { scope: HaltScope; name: string; target: string | null }[] = [
  { scope: "firm", name: "The whole firm", target: null },
  { scope: "symbol", name: "One symbol", target: "Symbol, such as AAPL" },
  { scope: "strategy", name: "One strategy", target: "Strategy, such as trend" },
  { scope: "agent", name: "One agent or reasoner", target: "decision, rules, model or a strategy that proposes" },
  { scope: "order", name: "One case or order", target: "Case id or client order id" },
];

const DONE: Record<HaltAction, string> = {
  no_new: "no new orders",
  cancel: "orders that add risk cancelled",
  reduce_only: "reductions only",
  flatten: "positions being closed",
};

/** What a halt names: "firm" or "symbol AAPL". */
export function named(halt: Pick<Halt, "scope" | "target">): string {
  return halt.target ? `${halt.scope} ${halt.target}` : halt.scope;
}

export function does(halt: Pick<Halt, "action" | "carried_out">): string {
  return halt.action === "flatten" && halt.carried_out ? "positions closed" : DONE[halt.action];
}

/** Who engaged it: a person by name, else the control, the file or the watchdog. */
export function by(halt: Pick<Halt, "source" | "principal">): string {
  if (halt.source.startsWith("control:")) return `control ${halt.source.slice(8).replaceAll("_", " ")}`;
  return halt.source === "file" ? "the HALT file" : halt.source === "watchdog" ? "the watchdog" : halt.principal;
}

export function ends(halt: Pick<Halt, "ends_index">): string {
  return halt.ends_index === null ? "until released" : `ends at session ${halt.ends_index}`;
}

/** The command that does the same where the console cannot reach the desk. */
export function command(action: HaltAction, scope: HaltScope, target: string): string {
  const where = scope === "firm" ? "" : ` --scope ${scope} --target ${target || "…"}`;
  return `quarterdeck halt --action ${action}${where} --reason "…"`;
}
