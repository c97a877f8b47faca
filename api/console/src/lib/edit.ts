import type { Edit, Proposal } from "../api/types";
import { distance, isPrice, product } from "./decimals";
import { compareDecimals, decimal, money } from "./format";
import type { Change } from "./queue";

export interface EditView {
  /** What to send; null while it is incomplete, refused, or changes nothing. */
  edit: Edit | null;
  quantityProblem: string | null;
  stopProblem: string | null;
  /** What differs from the proposal, the money it moves and what the stop puts at risk included. */
  changes: Change[];
}

/** Read an edit as typed. It may only lower risk: fewer shares, or a stop nearer to the price. */
export function readEdit(proposal: Proposal, quantityText: string, stopText: string): EditView {
  const quantity = readQuantity(proposal, quantityText.trim());
  const stop = readStop(proposal, stopText.trim());
  const edit: Edit = {};
  if (quantity.value !== null && quantity.value !== proposal.quantity) edit.quantity = quantity.value;
  if (stop.value !== null && proposal.stop_price && compareDecimals(stop.value, proposal.stop_price) !== 0) edit.stop_price = stop.value;
  const sound = quantity.problem === null && stop.problem === null;
  const some = edit.quantity !== undefined || edit.stop_price !== undefined;
  return {
    edit: sound && some ? edit : null,
    quantityProblem: quantity.problem,
    stopProblem: stop.problem,
    changes: sound && some ? changesOf(proposal, edit) : [],
  };
}

interface Reading<T> {
  value: T | null;
  problem: string | null;
}

function readQuantity(proposal: Proposal, text: string): Reading<number> {
  if (text === "") return { value: null, problem: null };
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(value >= 1)) return { value: null, problem: "A whole number of shares, at least 1." };
  if (value > proposal.quantity) {
    return { value: null, problem: `Only fewer: the proposal has ${decimal(String(proposal.quantity), 0)} shares.` };
  }
  return { value, problem: null };
}

function readStop(proposal: Proposal, text: string): Reading<string> {
  const { stop_price: now, reference_price: price } = proposal;
  if (text === "" || !now) return { value: null, problem: null };
  if (!isPrice(text)) return { value: null, problem: "A price such as 114.80." };
  const long = proposal.side === "buy";
  const looser = compareDecimals(text, now) * (long ? 1 : -1) < 0;
  if (looser) return { value: null, problem: `Only tighter: ${long ? "above" : "below"} ${money(now)}.` };
  const beyond = compareDecimals(text, price) * (long ? 1 : -1) >= 0;
  if (beyond) return { value: null, problem: `It has to stay ${long ? "below" : "above"} the price of ${money(price)}.` };
  return { value: text, problem: null };
}

function changesOf(proposal: Proposal, edit: Edit): Change[] {
  const quantity = edit.quantity ?? proposal.quantity;
  const stop = edit.stop_price ?? proposal.stop_price;
  const price = proposal.reference_price;
  const atRisk = (level: string | null, shares: number) => (level ? money(product(distance(price, level), shares), 0) : "none");
  const rows: Change[] = [
    { field: "shares", before: decimal(String(proposal.quantity), 0), after: decimal(String(quantity), 0) },
    { field: "protective stop", before: money(proposal.stop_price), after: money(stop) },
    { field: "notional", before: money(product(price, proposal.quantity), 0), after: money(product(price, quantity), 0) },
    { field: "loss if stopped out", before: atRisk(proposal.stop_price, proposal.quantity), after: atRisk(stop, quantity) },
  ];
  return rows.filter((row) => row.before !== row.after);
}
