/** Our book against the broker's, as the desk serves it under /reconciliation. */

export type BreakDecision = "explain" | "adopt" | "leave";

export interface Break {
  id: string;
  kind: string;
  subject: string;
  symbol: string | null;
  status: "open" | "explained" | "adopted" | "left" | "closed";
  ours: string;
  theirs: string;
  message: string;
  remedy: string;
  opened: string;
  principal: string | null;
  reason: string | null;
  case_id: string | null;
}

export interface Comparison {
  run: string;
  broker: string;
  occasion: string;
  as_of: string;
  at_wall: string;
  orders: number;
  fills: number;
  positions: number;
  whole: boolean;
  found: number;
  error: string | null;
}

export interface Reconciliation {
  report: Comparison | null;
  open: number;
  breaks: Break[];
  ended: Break[];
}
