import type { Case, Json } from "./types";

/** Shapes of who may decide what: approvals, people, delegations, policy. A field that an older desk does not send is optional. */

export type Decision = "approve" | "reject" | "edit" | "respond";
export type Role = "viewer" | "operator" | "approver" | "risk_officer" | "admin";
export type Tier = "low" | "normal" | "high";
export type ApprovalStatus = "pending" | "approved" | "rejected" | "expired" | "voided";

export interface Signature {
  principal: string;
  decision: string;
  at: string;
  /** Who lent the role for it. */
  on_behalf_of?: string | null;
}

export interface Question {
  principal: string;
  question: string;
  answer: string | null;
  at: string;
}

export interface Approval {
  id: string;
  case_id: string;
  status: ApprovalStatus;
  digest: string;
  required: number;
  given: number;
  roles: string[];
  rule: string;
  policy_version: string;
  expires: string;
  /** Null for a change of the desk: it waits on the wall clock only. */
  sessions_left: number | null;
  asked: string;
  band: { low: string; high: string };
  case: Case;
  explanation: { prose: string; sha256: string } | null;
  tier?: Tier;
  disposition?: "ask" | "advise";
  facts?: { [key: string]: Json };
  expires_wall?: string | null;
  escalation_level?: number;
  acknowledged_by?: string | null;
  evidence_required?: boolean;
  separate?: string[];
  edited_by?: string | null;
  signed?: Signature[];
  /** Signatures still needed. */
  missing?: number;
  /** Whether the asking identity may sign, and if not, why. */
  may_sign?: boolean;
  may_not_because?: string | null;
  questions?: Question[];
  /** Percent of the time to live that has passed, at the last warning. */
  warned?: number;
}

export interface Edit {
  quantity?: number;
  stop_price?: string;
}

export interface DecisionResult {
  approval_id: string;
  case_id: string;
  status: ApprovalStatus;
  given: number;
  required: number;
  decided_by: string;
  on_behalf_of?: string | null;
  decided_at: string;
  repeated: boolean;
  digest?: string;
  answer?: string | null;
  /** The earliest instant at which it is sent, when a cooling-off time runs. */
  not_before?: string | null;
}

export type BulkItem =
  | { id: string; ok: true; result: DecisionResult }
  | { id: string; ok: false; error: { code: string; message: string } };

/** A role that somebody lends the person in this session; it is good for answering the queue. */
export interface Loan {
  from: string;
  role: Role;
  ends: string;
}

export interface Session {
  name: string | null;
  role: Role | null;
  kind: "person" | "local_operator";
  scopes: string[];
  idle_seconds?: number | null;
  idle_lock_minutes?: number | null;
  login_required?: boolean;
  lent?: Loan[];
}

export interface PersonKey {
  id: string;
  scopes: string[];
  created: string;
  revoked: string | null;
}

export interface Person {
  name: string;
  role: Role;
  disabled?: boolean;
  state?: "active" | "disabled";
  order_limit: string | null;
  day_limit: string | null;
  keys: PersonKey[];
}

/** A person who was just added; the key is in this answer and nowhere else. */
export interface AddedPerson extends Partial<Person> {
  name: string;
  api_key?: string | null;
}

export interface Delegation {
  id: string;
  from: string;
  to: string;
  starts: string;
  ends: string;
  reason: string;
  ended?: string | null;
}

export interface CapacityLine {
  name: string;
  entries: number;
  settled: number;
  mean_excess_return: number | null;
}

/** What was asked against what was left out for want of people. */
export interface CapacityCost {
  asked: CapacityLine;
  not_selected: CapacityLine;
  reasons: CapacityLine[];
  given_up: number | null;
}

export interface Target {
  name: string;
  channel: "webhook" | "email";
  address: string;
  events: string[];
}

export interface Notification {
  id: string;
  event: string;
  subject_id: string;
  target: string;
  status: "pending" | "sent" | "given_up";
  attempts: number;
  last_error: string | null;
  next_attempt: string | null;
  created: string;
  closed: string | null;
}

export interface Trial {
  target: string;
  channel: string;
  ok: boolean;
  error: string | null;
}

export interface PolicyRule {
  name: string;
  when: { [key: string]: Json };
  approvers: number;
  roles: string[];
  tier?: Tier;
  [key: string]: Json | undefined;
}

export interface Policy {
  version: string;
  profile: string;
  mode?: string;
  sha256?: string;
  rules: PolicyRule[];
  [key: string]: Json | PolicyRule[] | undefined;
}
