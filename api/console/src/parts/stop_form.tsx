import { useState } from "react";
import { post } from "../api/client";
import type { Parent, ParentDetail } from "../api/parents";
import { useSession } from "../api/session";
import { useDraft } from "../lib/drafts";
import { whyNot } from "../lib/rights";
import { Failed } from "./basics";
import { NEEDS_REASON } from "./decide_form";

/** Stop a worked order at this child, with a reason. Stopping an exit needs who may refuse one. */
export function StopForm({ parent, reload }: { parent: Parent; reload: () => void }) {
  const { session } = useSession();
  const [reason, setReason, clear] = useDraft(`stop.${parent.id}`);
  const [missing, setMissing] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const barred = whyNot(session, parent.role_to_stop === "approver" ? "decide" : "halt");
  const field = `stop-${parent.id}`;
  if (barred) return <p className="barred">Stopping it is off: {barred}</p>;

  async function stop() {
    setMissing(!reason.trim());
    if (!reason.trim()) return document.getElementById(field)?.focus();
    setBusy(true);
    setError(null);
    try {
      await post<ParentDetail>(`/parents/${encodeURIComponent(parent.id)}/stop`, { reason: reason.trim() });
      clear();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
      reload();
    }
  }

  return (
    <form onSubmit={(event) => { event.preventDefault(); void stop(); }} noValidate>
      {error !== null && <Failed error={error} />}
      <div className="inline-form">
        <label className="field grow" htmlFor={field}>
          Why it stops
          <input id={field} data-testid="stop-reason" value={reason} maxLength={2000} autoComplete="off" aria-invalid={missing}
            onChange={(e) => { setReason(e.target.value); setMissing(false); }} />
        </label>
        <button type="submit" className="button bad" data-testid="stop-worked" disabled={busy}>{busy ? "Stopping…" : "Stop here"}</button>
      </div>
      {missing && <p className="field-error" role="alert">{NEEDS_REASON}</p>}
    </form>
  );
}
