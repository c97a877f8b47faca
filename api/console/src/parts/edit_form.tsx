import { useState } from "react";
import type { Proposal } from "../api/types";
import { useDraft } from "../lib/drafts";
import { readEdit } from "../lib/edit";
import { decimal, money } from "../lib/format";
import { notional } from "../lib/queue";
import { EDIT_CODES } from "../lib/refusals";
import { CodeSelect, NEEDS_REASON, ReasonField, type FormProps } from "./decide_form";
import { ChangeList } from "./decision_notes";
import { Field } from "./field";

/** Change the order towards less risk. The edited order gets a digest of its own and is checked again. */
export function EditForm({ approval, reason, setReason, sending, blocked, answer, barred, proposal }: FormProps & { barred: string | null; proposal: Proposal }) {
  const { id } = approval;
  const [quantity, setQuantity, clearQuantity] = useDraft(`${id}.quantity`, String(proposal.quantity));
  const [stop, setStop, clearStop] = useDraft(`${id}.stop`, proposal.stop_price ?? "");
  const [code, setCode, clearCode] = useDraft(`${id}.edit-code`, "smaller_size");
  const [problem, setProblem] = useState("");
  const view = readEdit(proposal, quantity, stop);

  async function send() {
    if (!view.edit) return;
    if (!reason.trim()) {
      setProblem(NEEDS_REASON);
      document.getElementById("decision-reason")?.focus();
      return;
    }
    if (!(await answer({ decision: "edit", reason: reason.trim(), code, edit: view.edit }))) return;
    [clearQuantity, clearStop, clearCode].forEach((clear) => clear());
  }

  return (
    <form onSubmit={(event) => event.preventDefault()} noValidate data-testid="edit-form">
      <p className="foot">An edit may only lower risk: fewer shares, or a stop nearer to the price. Above a threshold another person has to sign it.</p>
      <div className="pair">
        <Field id="edit-quantity" label={`Shares, at most ${decimal(String(proposal.quantity), 0)}`} value={quantity} change={setQuantity}
          mode="numeric" problem={view.quantityProblem} />
        {proposal.stop_price && (
          <Field id="edit-stop" label={`Protective stop, now ${money(proposal.stop_price)}`} value={stop} change={setStop}
            mode="decimal" problem={view.stopProblem} />
        )}
      </div>
      <div className="edit-preview" aria-live="polite" data-testid="edit-preview">
        {view.changes.length > 0
          ? <ChangeList items={view.changes} />
          : <p className="muted">{view.quantityProblem || view.stopProblem ? "Not possible as typed." : `Nothing changes yet; notional ${money(notional(proposal), 0)}.`}</p>}
      </div>
      <CodeSelect label="Because of" codes={EDIT_CODES} value={code} change={setCode} testId="edit-code" />
      <ReasonField value={reason} change={(text) => { setReason(text); setProblem(""); }} problem={problem} placeholder="Why this change" />
      <div className="decision-actions">
        <button type="button" className="button primary" data-testid="edit-send" onClick={() => void send()}
          disabled={sending !== null || blocked || barred !== null || !view.edit} aria-describedby={barred ? "edit-barred" : undefined}>
          {sending === "edit" ? "Sending…" : "Sign with this edit"}
        </button>
      </div>
      {barred && <p className="barred" id="edit-barred">Edit is off: {barred}</p>}
    </form>
  );
}
