/** Rules against model, and what model calls may cost. Money is a decimal string, returns are fractions. */

export interface SignTest {
  below_zero: number;
  above_zero: number;
  p_value: number | null;
}

export interface ScoreGroup {
  name: string;
  reviews: number;
  settled: number;
  mean_excess_return: number | null;
  sign_test: SignTest;
}

export interface ModelDecision {
  case_id: string;
  opened: string;
  symbol: string;
  strategy: string;
  framework: string;
  ruled: string;
  said: string;
  verdict: string;
  factor: string;
  changed: boolean;
  abstain_reason: string | null;
  agreement: number | null;
  tokens: number;
  money: string | null;
  excess_return: number | null;
}

export interface ModelCost {
  calls: number;
  input_tokens: number;
  output_tokens: number;
  money: string | null;
  median_latency_ms: number | null;
}

export interface AgentCost {
  agent: string;
  unusable: number;
  cost: ModelCost;
}

export interface Scorecard {
  run: string | null;
  reviews: number;
  changed: number;
  overruled: number;
  abstained: number;
  cost: ModelCost;
  agents: AgentCost[];
  money_per_change: string | null;
  groups: ScoreGroup[];
  conclusion: string;
  caution: string;
  decisions: ModelDecision[];
}

export interface ModelBudget {
  run: string | null;
  day: string;
  lines: { scope: string; unit: string; limit: string | null; spent: string; left: string | null }[];
  models: { model: string; asked: string | null; answered: string | null }[];
  unsettled: number;
  unpriced_calls: number;
}
