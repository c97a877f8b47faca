/** What is in force, and what waits to be: answers of GET /law and POST /changes. */

export interface Difference {
  field: string;
  before: string | null;
  after: string | null;
  effect: "tighter" | "looser" | "unclear" | "neutral";
}

/** A change of the desk itself, where an order has its proposal. */
export interface DeskChange {
  id: string;
  kind: "limits.activation" | "policy.activation" | "lesson.shadow" | "lesson.promotion" | "lesson.retirement";
  subject: string;
  title: string;
  reason: string;
  proposer: string;
  before_sha256: string | null;
  after_sha256: string;
  text: string;
  differences: Difference[];
  risk_effect: "increases" | "reduces";
}

export interface LawItem {
  kind: "limits" | "policy";
  version: string;
  sha256: string;
  activated: string;
  activated_by: string;
  file: { state: "same" | "differs" | "unusable"; message: string | null };
  pending_case: string | null;
  pending_approval: string | null;
}

export interface Law {
  items: LawItem[];
}

export interface Proposed {
  case_id: string;
  approval_id: string;
}
