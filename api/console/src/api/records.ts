import type { Evidence, Json, Side } from "./types";

/** Shapes of the book and of the record: positions, orders, fills, findings, outcomes, ledger, events. */

export interface Position {
  symbol: string;
  quantity: number;
  average_price: string;
  mark: string;
  market_value: string;
  unrealised: string;
  realised: string;
  sector: string;
  strategy: string;
  case_id: string | null;
  stop_price: string | null;
}

export interface Order {
  client_order_id: string;
  case_id: string | null;
  leg: string;
  symbol: string;
  side: Side;
  quantity: number;
  filled_quantity: number;
  average_price: string | null;
  state: string;
  stop_price: string | null;
  created: string;
  reason: string | null;
}

export interface Fill {
  execution_id: string;
  case_id: string | null;
  client_order_id: string;
  symbol: string;
  side: Side;
  quantity: number;
  price: string;
  commission: string;
  slippage: string;
  session: string;
}

export interface Finding {
  id: string;
  code: string;
  severity: "info" | "warning" | "critical";
  component: string;
  symbol: string | null;
  message: string;
  recommendation: string;
  as_of: string;
  recommends_halt: boolean;
  evidence_ids: string[];
  rule: string;
  figures: Record<string, number>;
  state: FindingState;
  worst: "info" | "warning" | "critical";
  first_as_of: string;
  times_seen: number;
  cleared_as_of: string | null;
  acknowledged_by: string | null;
  acknowledged_reason: string | null;
  acknowledged_at: string | null;
  silenced_by: string | null;
  silenced_reason: string | null;
  silenced_until: string | null;
  silenced_sessions: number | null;
  longest_silence_hours: number;
  longest_silence_sessions: number;
  /** The runbook that says what to do, if there is one. */
  runbook?: string | null;
}

export type FindingState = "open" | "acknowledged" | "silenced" | "cleared";

export interface FindingDetail extends Finding {
  evidence: Evidence[];
}

export interface Outcome {
  id: string;
  case_id: string;
  strategy: string;
  symbol: string;
  side: Side;
  disposition: string;
  opened: string;
  due: string;
  horizon_sessions: number;
  entry_price: string;
  exit_price: string | null;
  view_return: number | null;
  index_return: number | null;
  excess_return: number | null;
  settled: boolean;
}

export interface LedgerEntry {
  seq: number;
  kind: string;
  case_id: string | null;
  step: string;
  revision: number;
  desk_time: string;
  content: { [key: string]: Json };
  hash: string;
  at: string;
}

export interface LedgerVerification {
  verified: boolean;
  entries: number;
  head: string;
  content_sha256: string;
  problems: (string | { [key: string]: Json })[];
}

export interface DeskEvent {
  seq: number;
  kind: string;
  case_id: string | null;
  symbol: string | null;
  at: string;
}
