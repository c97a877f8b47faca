import { useState } from "react";
import { useSession } from "../api/session";
import type { Approval, Decision } from "../api/types";
import { useDraft } from "../lib/drafts";
import { useDeskClock } from "../lib/clock";
import { expiryOf } from "../lib/queue";
import { lender } from "../lib/rights";
import { REJECT_CODES, type ReasonCode } from "../lib/refusals";
import { LOCAL_HINT } from "./account";
import { Id } from "./basics";
import type { Answer } from "./decision";
import { orderSentence } from "./proposal";

export interface FormProps {
  approval: Approval;
  reason: string;
  setReason: (text: string) => void;
  sending: Decision | null;
  /** True while the version on screen is not the current one. */
  blocked: boolean;
  answer: (answer: Answer) => Promise<boolean>;
}

export const NEEDS_REASON = "Give a reason; it goes into the ledger with your name.";

/** The reason with its error; focuses nothing by itself. */
export function ReasonField({ value, change, problem, placeholder, describedBy }: {
  value: string;
  change: (text: string) => void;
  problem: string;
  placeholder: string;
  describedBy?: string;
}) {
  return (
    <>
      <label className="field" htmlFor="decision-reason">
        Reason
        <textarea id="decision-reason" data-testid="decision-reason" rows={3} maxLength={2000} required value={value}
          aria-invalid={problem !== ""} aria-describedby={describedBy} placeholder={placeholder} onChange={(e) => change(e.target.value)} />
      </label>
      {problem && <p className="field-error" role="alert">{problem}</p>}
    </>
  );
}

export function CodeSelect({ label, codes, value, change, testId }: {
  label: string;
  codes: readonly ReasonCode[];
  value: string;
  change: (code: string) => void;
  testId: string;
}) {
  return (
    <label className="inline-field">
      {label}{" "}
      <select value={value} onChange={(e) => change(e.target.value)} data-testid={testId}>
        {codes.map((item) => <option key={item.code} value={item.code}>{item.name}</option>)}
      </select>
    </label>
  );
}

export function DecideForm({ approval, reason, setReason, sending, blocked, answer, noSign, noReject, hint, modern }: FormProps & {
  noSign: string | null;
  noReject: string | null;
  /** What stands in the way for everybody, such as a halt; the desk says so again when it is tried. */
  hint: string | null;
  modern: boolean;
}) {
  const { session } = useSession();
  const [problem, setProblem] = useState("");
  const [code, setCode, clearCode] = useDraft(`${approval.id}.reject-code`, "other");
  const now = useDeskClock(!!approval.expires_wall);
  const busy = sending !== null || blocked;

  async function decide(decision: "approve" | "reject") {
    if (!reason.trim()) {
      setProblem(NEEDS_REASON);
      document.getElementById("decision-reason")?.focus();
      return;
    }
    const sent = await answer({ decision, reason: reason.trim(), ...(decision === "reject" ? { code } : {}) });
    if (sent) clearCode();
  }

  return (
    <form onSubmit={(event) => event.preventDefault()} noValidate>
      {!blocked && <p className="releases">Approving releases: <b>{orderSentence(approval.case)}</b></p>}
      {approval.disposition === "advise" && <p className="foot">Advice only: in this mode the desk sends nothing, whatever is decided.</p>}
      <ReasonField value={reason} change={(text) => { setReason(text); setProblem(""); }} problem={problem}
        placeholder="Why this should, or should not, go out" describedBy="decision-help" />
      {modern && <CodeSelect label="If rejected, because of" codes={REJECT_CODES} value={code} change={setCode} testId="reject-code" />}
      <p className="foot" id="decision-help">
        {approval.given} of {approval.required} {approval.required === 1 ? "approval" : "approvals"} given, {expiryOf(approval, now).text}.
        No answer counts as a rejection. Rule {approval.rule}; bound to <Id value={approval.digest} length={12} />
        {lender(session) && <> You answer with the role of {lender(session)}: both names go on record.</>}
        {session?.kind === "local_operator" && <> You sign as {session.name}. {LOCAL_HINT}</>}
      </p>
      <div className="decision-actions">
        <button type="button" className="button good" data-testid="decision-approve" disabled={busy || noSign !== null}
          aria-describedby={noSign ? "decision-barred" : undefined} title={noSign ?? undefined}
          onClick={() => void decide("approve")}>{sending === "approve" ? "Approving…" : "Approve"}</button>
        <button type="button" className="button bad" data-testid="decision-reject" disabled={busy || noReject !== null}
          aria-describedby={noReject ? "decision-barred" : undefined} title={noReject ?? undefined}
          onClick={() => void decide("reject")}>{sending === "reject" ? "Rejecting…" : "Reject"}</button>
      </div>
      {hint && <p className="barred" data-testid="decision-hint">{hint}</p>}
      {(noSign ?? noReject) && (
        <p className="barred" id="decision-barred" data-testid="decision-barred">
          {noSign && noReject ? "Both are off: " : "Approve is off: "}{noSign ?? noReject}
        </p>
      )}
    </form>
  );
}
