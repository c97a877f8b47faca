import type { Check, Side } from "./types";

/** Shapes of /risk, /exposure, /risk/stress and /risk/what-if. Statistics are numbers, money and shares decimal strings. */

export interface Missing {
  status: "not_enough_data";
  needed: number;
  available: number;
  message: string;
}

export type Measured<T> = (T & { status: "ok" }) | Missing;

export interface Convention {
  method: string;
  confidence: number;
  horizon_sessions: number;
  quantile: string;
  scaling: string;
  window_sessions: number;
}

export interface Tail {
  var: number;
  cvar: number;
  convention: Convention;
}

export interface Volatility {
  value: number;
  method: "ewma" | "realised";
  decay: number | null;
}

export interface Contribution {
  symbol: string;
  weight: number;
  marginal_var: number;
  component_var: number;
  component_volatility: number;
  share_of_volatility: number | null;
}

export interface PositionStress {
  symbol: string;
  sector: string;
  value: string;
  move: number;
  change: string;
  used: string;
  beta: number | null;
  source: string;
}

export interface Stress {
  scenario: { id: string; name: string; hindsight: boolean; market_move: number | null };
  positions: PositionStress[];
  change: string;
  loss_share: string;
  equity_after: string;
  crossings: { limit: string; value: string; maximum: string; crossed: boolean }[];
}

export interface Protection {
  state: { drawdown: string; target: string; factor: string };
  policy: { curve: { drawdown: string; factor: string }[]; restore_per_session: string };
  binds: boolean;
  restoring: boolean;
}

export interface Risk {
  run: string;
  session: string;
  label: string;
  equity: string;
  positions: number;
  pending: number;
  window_sessions: number;
  limits_version: string;
  limits: { limit: string; value: string; maximum: string; use: string }[];
  tail: Record<"historical" | "normal" | "cornish_fisher", Measured<Tail>>;
  volatility: Record<"ewma" | "realised", Measured<Volatility>>;
  drawdown: Measured<{ current: number; maximum: number; sessions_under_water: number; longest_under_water: number }>;
  index: Measured<{ beta: number; correlation: number | null }>;
  concentration: { herfindahl: number; effective_names: number; largest_share: number; largest_symbol: string | null; sector_herfindahl: number };
  contributions: Measured<{ var: number; volatility: number; items: Contribution[] }>;
  stress: Stress[];
  protection: Protection;
  sizing: { method: string; by_strategy: Record<string, string> };
}

export interface ExposureLine {
  name: string;
  long: string;
  short: string;
  gross: string;
  net: string;
  pending: string;
  open_risk: string;
  share: string;
  limit: string | null;
  use: string | null;
}

export const DIMENSIONS = ["sector", "strategy", "agent", "symbol"] as const;

export type Exposure = Record<(typeof DIMENSIONS)[number], ExposureLine[]> & { equity: string; total: ExposureLine };

export interface WhatIfChange {
  measure: string;
  label: string;
  unit: "share" | "ratio";
  before: string | null;
  after: string | null;
  limit: string | null;
  against: string | null;
  missing: string | null;
}

export interface WhatIf {
  symbol: string;
  side: Side;
  quantity: number;
  price: string;
  changes: WhatIfChange[];
  largest: string | null;
  incremental_var: string | null;
  marginal_var: string | null;
  confidence: number;
  window_sessions: number;
}

export interface ControlUse {
  control: string;
  rule: string;
  limit: string | null;
  use: string | null;
  value: string | null;
  unit: Check["unit"];
  hard: boolean;
  basis: "book" | "orders";
}
