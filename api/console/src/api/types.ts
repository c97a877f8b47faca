import type { DeskChange } from "./law";
import type { Working } from "./parents";
import type { Fill, Order, Outcome } from "./records";
import type { WhatIf } from "./risk";

export type * from "./lessons";
export type * from "./oversight";
export type * from "./records";

/** Shapes of the HTTP API, as served under /api/v1. Money and prices are decimal strings, times are ISO UTC. */

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type Mode = "replay" | "paper" | "live";
export type Side = "buy" | "sell";
export type Verdict = "pass" | "warn" | "block";
export type HaltAction = "no_new" | "cancel" | "reduce_only" | "flatten";
export type HaltScope = "firm" | "symbol" | "strategy" | "agent" | "order";

export interface Page<T> {
  items: T[];
  next: string | null;
  total: number;
}

export interface Halt {
  id: string;
  scope: string;
  target: string | null;
  action: HaltAction;
  reason: string;
  principal: string;
  engaged: string;
  source: string;
  /** The session at which it ends by itself; null is never. */
  ends_index: number | null;
  carried_out: boolean;
  /** What is still to be done, or what the broker has not answered. */
  detail: string | null;
}

export interface CurvePoint {
  session: string;
  equity: string;
  drawdown: number;
  index_close: number | null;
}

export interface Trouble {
  code: string;
  message: string;
  remedy: string;
}

export interface Desk {
  mode: Mode;
  label: string;
  venue: string;
  troubles: Trouble[];
  run: string | null;
  session: string | null;
  session_index: number | null;
  sessions_total: number;
  phase: "open" | "close" | null;
  stage: "waiting" | "playing" | "starting" | "halted" | "finished" | "safe";
  holding: boolean;
  as_of: string | null;
  equity: string;
  equity_start: string;
  cash: string;
  drawdown: number;
  day_change: number | null;
  gross: string;
  positions: number;
  waiting: number;
  data_age_hours: number | null;
  principal: string;
  reasoner: string;
  model: string;
  halts: Halt[];
  findings_open: number;
  ledger: { entries: number; head: string };
  speed: number | null;
  version: string;
  curve: CurvePoint[];
}

export interface Command {
  id: string;
  kind: string;
  status: "pending" | "done" | "refused";
  detail: string | null;
}

export interface Health {
  status: "ok" | "degraded" | "down";
  components: { component: string; state: string; detail: string; at: string | null; pid: number | null; remedy: string }[];
}

export interface Proposal {
  id: string;
  kind: "order.entry" | "order.exit";
  strategy: string;
  symbol: string;
  side: Side;
  quantity: number;
  reference_price: string;
  band: { low: string; high: string };
  stop_price: string | null;
  atr: string;
  risk_effect: "increases" | "reduces" | "mixed";
  horizon_sessions: number;
  strength: number;
  confidence: number;
  factor: string;
  thesis: string;
  evidence_ids: string[];
  taint: boolean;
  as_of: string;
  notional?: string;
  /** How it is worked over several opens; absent for one order at the next. */
  working?: Working;
}

export interface Review {
  proposal_id: string;
  verdict: "keep" | "veto" | "scale" | "escalate" | "abstain";
  factor: string;
  reasons: { code: string; text: string; evidence_ids: string[] }[];
  abstain_reason: string | null;
  reasoner: "rules" | "model";
  dissent: string | null;
}

export interface Check {
  control: string;
  value: string | null;
  limit: string | null;
  unit: "money" | "share" | "quantity" | "price" | "hours" | "seconds" | "count" | "flag";
  verdict: Verdict;
  rule: string;
  message: string;
  hard: boolean;
}

export interface Counterfactual {
  field: string;
  original: string;
  changed: string;
  verdict: "pass" | "block" | "not_selected";
  binding_control: string | null;
  text: string;
}

export interface Evidence {
  id: string;
  kind: string;
  source: string;
  symbol: string | null;
  event_time: string;
  known_at: string;
  taint: boolean;
  payload: { [key: string]: Json };
}

export interface Case {
  id: string;
  run_id: string;
  cycle_id: string;
  strategy: string;
  symbol: string;
  side: Side | "";
  kind: string;
  state: string;
  reason: string | null;
  revision: number;
  rank: number | null;
  risk_effect: string;
  digest: string;
  opened: string;
  /** Null where the case is about the desk itself (`change`), and where its record is damaged. */
  proposal: Proposal | null;
  change?: DeskChange | null;
  damaged?: boolean;
  review: Review | null;
  checks: Check[] | null;
  approval_id: string | null;
  updated: string;
}

export interface CaseDecision {
  principal: string;
  decision: string;
  reason: string;
  reason_code?: string | null;
  at: string;
}

export interface CaseDetail extends Case {
  evidence: Evidence[];
  decisions: CaseDecision[];
  orders: Order[];
  fills: Fill[];
  outcome: Outcome | null;
  history: { seq: number; kind: string; at: string; content: { [key: string]: Json } }[];
  what_if?: WhatIf | null;
  override?: Override | null;
}

export interface Override {
  case_id: string;
  controls: string[];
  principal: string;
  reason: string;
}

export interface NumberRef {
  text: string;
  value: number | string;
  unit: string;
  evidence_id: string;
  pointer: string;
}

export interface Claim {
  id: string;
  kind: string;
  text: string;
  evidence_ids: string[];
  numbers: NumberRef[];
  taint: boolean;
}

export interface RecalledCase {
  case_id: string;
  symbol: string;
  strategy: string;
  similarity: number;
  state: string;
  opened: string;
  excess_return: number | null;
  summary: string;
}

export interface WhyNot {
  case_id: string;
  because: string;
  rank: number;
  proposals: number;
  taken_by: { case_id: string; symbol: string; strategy: string; rank: number; state: string | null }[];
  changes: Counterfactual[];
  override: "possible" | "asked" | "none";
  sentences: string[];
}

export interface Explanation {
  case_id: string;
  sha256: string;
  claims: Claim[];
  binding_constraint: Check | null;
  counterfactuals: Counterfactual[];
  dissent: string | null;
  unknowns: string[];
  similar_cases: RecalledCase[];
  prose: string;
  reasoner: string;
  model_abstained: string | null;
  stats: { claims: number; numbers: number; unresolved: number; dropped: number };
}
