/** The start and the end of a day, as the desk serves them under /day. */

export type Moment = "start" | "end";
export type CheckState = "ok" | "warn" | "fail";

export interface DayCheck {
  id: string;
  state: CheckState;
  text: string;
  remedy: string | null;
}

export interface SignOff {
  principal: string;
  role: string;
  checks_sha256: string;
  failed: string[];
  reason_code: string | null;
  note: string;
  signed: string;
}

export interface MomentView {
  moment: Moment;
  session: string | null;
  checks: DayCheck[];
  checks_sha256: string;
  failed: string[];
  signed: SignOff | null;
}

export interface Day {
  run: string;
  stage: string;
  require_sign_off: boolean;
  start: MomentView;
  end: MomentView;
}
