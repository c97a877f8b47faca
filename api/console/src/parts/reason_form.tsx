import { useState } from "react";
import { useDraft } from "../lib/drafts";
import { Failed } from "./basics";
import { NEEDS_REASON } from "./decide_form";

export interface ReasonForm {
  id: string;
  reason: string;
  type: (text: string) => void;
  missing: boolean;
  error: unknown;
  busy: boolean;
  /** Run `act` with the trimmed reason; without one, ask for it. What was typed goes only when `act` succeeded. */
  send: (act: (reason: string) => Promise<unknown>) => Promise<void>;
}

/** The state of a form that does one thing for a reason: the draft, what is missing, what went wrong. `after` runs in either case. */
export function useReasonForm(draft: string, id: string, after?: () => void): ReasonForm {
  const [reason, setReason, clear] = useDraft(draft);
  const [missing, setMissing] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  async function send(act: (reason: string) => Promise<unknown>) {
    setMissing(!reason.trim());
    if (!reason.trim()) return document.getElementById(id)?.focus();
    setBusy(true);
    setError(null);
    try {
      await act(reason.trim());
      clear();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
      after?.();
    }
  }

  return { id, reason, missing, error, busy, send, type: (text) => { setReason(text); setMissing(false); } };
}

/** What the desk refused, the reason, and that it is needed. */
export function ReasonText({ form, label, testId }: { form: ReasonForm; label: string; testId: string }) {
  return (
    <>
      {form.error !== null && <Failed error={form.error} />}
      <label className="field" htmlFor={form.id}>
        {label}
        <textarea id={form.id} data-testid={testId} rows={2} maxLength={2000} value={form.reason} aria-invalid={form.missing}
          onChange={(e) => form.type(e.target.value)} />
      </label>
      {form.missing && <p className="field-error" role="alert">{NEEDS_REASON}</p>}
    </>
  );
}
