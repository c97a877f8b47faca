import type { Json } from "./types";
import type { Outcome } from "./records";

/** Answers of GET /lessons and GET /lessons/{id}. Means and intervals are fractions over the index. */

export type LessonState = "quarantined" | "shadow" | "promoted" | "retired";

export interface Lesson {
  id: string;
  scope: string;
  about: string;
  claim: string;
  hypothesis: string | null;
  model_abstained: string | null;
  reading: "not_enough_data" | "not_distinguishable" | "better" | "worse" | null;
  sample_size: number;
  effective_size: number | null;
  blocks: number | null;
  mean_excess_return: number | null;
  interval_low: number | null;
  interval_high: number | null;
  confidence: number | null;
  scopes_examined: number | null;
  as_of: string;
  state: LessonState;
  enough_data: boolean;
  taint: boolean;
  pending_approval: string | null;
}

export interface ShadowResult {
  since_index: number;
  reviews: number;
  changed: number;
  agreement: number | null;
  outcomes: { size: number; mean: number | null; low: number | null; high: number | null };
  enough: boolean;
}

export interface LessonDetail extends Lesson {
  shadow: ShadowResult | null;
  outcomes: Outcome[];
  history: { seq: number; kind: string; at: string; content: { [key: string]: Json } }[];
  next: { to: LessonState; refused: string | null }[];
  trouble: string | null;
}
