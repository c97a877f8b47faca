/** Shapes of long-term memory: what is found, how much there is, and the runbooks. */

export type MemoryKind = "case" | "lesson" | "explanation" | "runbook";

export interface MemoryItem {
  id: string;
  kind: MemoryKind;
  /** Id of the case, lesson or runbook that it is about. */
  subject: string;
  symbol: string;
  strategy: string;
  market: string;
  text: string;
  known_index: number;
  age_sessions: number;
  outcome: string | null;
  excess_return: number | null;
  /** Of a lesson. */
  state: string | null;
  similarity: number;
  weight_outcome: number;
  weight_recency: number;
  weight_regime: number;
  score: number;
  alike: number;
  tainted: boolean;
  superseded: boolean;
}

export interface MemoryAnswer {
  run: string;
  as_of_index: number;
  market_now: string;
  items: MemoryItem[];
}

export interface MemoryStatus {
  items: number;
  index: "folder" | "server";
  state: string;
  detail: string;
  kinds: { run: string; kind: MemoryKind; items: number }[];
}

export interface Runbook {
  id: string;
  title: string;
  when: string;
  codes: string[];
  text: string;
}
