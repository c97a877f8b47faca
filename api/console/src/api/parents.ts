import type { Role, Side } from "./types";

/** Worked orders, as the desk serves them under /parents. Money is a decimal string; positive basis points are a cost. */

export type Algorithm = "twap" | "vwap";

export interface Working {
  algorithm: Algorithm;
  sessions: number;
  participation: string;
}

export type SliceState = "planned" | "working" | "filled" | "partly_filled" | "not_filled" | "held_back" | "left_out";

export interface Slice {
  number: number;
  session: string;
  planned: number;
  capacity: number;
  state: SliceState;
  sent: number;
  filled: number;
  average_price: string | null;
  client_order_id: string | null;
  reason: string | null;
}

export interface Cost {
  arrival_price: string;
  average_price: string | null;
  arrival_bps: string | null;
  interval_vwap: string | null;
  vwap_bps: string | null;
  interval: string;
  price_cost: string;
  fees: string;
  opportunity_cost: string;
  shortfall: string;
  shortfall_bps: string;
  children: { number: number; quantity: number; average_price: string; shortfall_bps: string; vwap_bps: string | null }[];
}

export interface Parent {
  id: string;
  case_id: string;
  symbol: string;
  side: Side;
  risk_effect: string;
  strategy: string;
  algorithm: Algorithm;
  basis: string;
  sessions: number;
  participation: string | null;
  quantity: number;
  sent: number;
  filled: number;
  remaining: number;
  average_price: string | null;
  status: "open" | "done" | "stopped";
  reason: string | null;
  role_to_stop: Role;
  opened: string;
  slices: Slice[];
}

export interface ParentDetail extends Parent {
  cost: Cost | null;
  cost_unknown: string | null;
}

export interface TicketAnswer {
  case_id: string;
  kind: string;
  risk_effect: string;
  state: string;
}
