import { useState } from "react";
import { post } from "../api/client";
import { useLive } from "../api/live";
import { useSession } from "../api/session";
import type { Approval, CaseDecision, DecisionResult } from "../api/types";
import { useDraft } from "../lib/drafts";
import { REJECT_CODES } from "../lib/refusals";
import { whyNot } from "../lib/rights";
import { Notice, Panel } from "./basics";
import { CodeSelect, NEEDS_REASON } from "./decide_form";
import { ProblemNote, problemOf, type Problem } from "./decision_notes";

/** Another person's no to what is approved but not sent yet. One refusal beats any number of approvals until then. */
export function LateRefusal({ approval, decisions, me }: { approval: Approval; decisions: readonly CaseDecision[]; me: string | null }) {
  const { store } = useLive();
  const { session } = useSession();
  const [reason, setReason, clear] = useDraft(`${approval.id}.refuse`);
  const [code, setCode] = useDraft(`${approval.id}.refuse-code`, "other");
  const [missing, setMissing] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [result, setResult] = useState<DecisionResult | null>(null);
  const [busy, setBusy] = useState(false);

  const standing = approval.status === "approved" && approval.case.state === "approved";
  if (!standing && !result) return null;
  const signers = (approval.signed ?? decisions).filter((item) => item.decision !== "respond").map((item) => item.principal);
  const mine = me !== null && signers.includes(me);
  const barred = whyNot(session, "decide") ?? (mine ? "You approved it; another person can refuse it, and anybody can halt the desk." : null);

  async function refuse() {
    setMissing(!reason.trim());
    if (!reason.trim()) return document.getElementById("refuse-reason")?.focus();
    setBusy(true);
    setProblem(null);
    try {
      const path = `/approvals/${encodeURIComponent(approval.id)}/decision`;
      setResult(await post<DecisionResult>(path, { decision: "reject", digest: approval.digest, reason: reason.trim(), reason_code: code, edit: null }));
      clear();
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setBusy(false);
      store.touch(["approvals", "cases", "desk"]);
    }
  }

  return (
    <Panel title="Approved, not sent yet" className="decision">
      <div aria-live="polite">
        {result && <Notice title={`Refused by ${result.decided_by}`} testId="refuse-result">Its approval counts no more; nothing is sent.</Notice>}
        {problem && <ProblemNote problem={problem} caseId={approval.case_id} kept={reason} />}
      </div>
      {!result && barred && <p className="barred" data-testid="refuse-barred">{barred}</p>}
      {!result && !barred && (
        <form onSubmit={(event) => { event.preventDefault(); void refuse(); }} noValidate>
          <p>{signers.length ? `Signed by ${[...new Set(signers)].join(", ")}.` : "Signed."} Until it is sent at the next open, you can still refuse it.</p>
          <label className="field" htmlFor="refuse-reason">
            Reason
            <textarea id="refuse-reason" data-testid="refuse-reason" rows={2} maxLength={2000} value={reason} aria-invalid={missing}
              onChange={(e) => { setReason(e.target.value); setMissing(false); }} />
          </label>
          {missing && <p className="field-error" role="alert">{NEEDS_REASON}</p>}
          <CodeSelect label="Because of" codes={REJECT_CODES} value={code} change={setCode} testId="refuse-code" />
          <div className="decision-actions">
            <button type="submit" className="button bad" data-testid="refuse" disabled={busy}>{busy ? "Refusing…" : "Refuse"}</button>
          </div>
        </form>
      )}
    </Panel>
  );
}
