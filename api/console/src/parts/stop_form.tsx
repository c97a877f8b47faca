import { post } from "../api/client";
import type { Parent, ParentDetail } from "../api/parents";
import { useSession } from "../api/session";
import { whyNot } from "../lib/rights";
import { ReasonText, useReasonForm } from "./reason_form";

/** Stop a worked order at this child, with a reason. Stopping an exit needs who may refuse one. */
export function StopForm({ parent, reload }: { parent: Parent; reload: () => void }) {
  const { session } = useSession();
  const form = useReasonForm(`stop.${parent.id}`, `stop-${parent.id}`, reload);
  const barred = whyNot(session, parent.role_to_stop === "approver" ? "decide" : "halt");
  if (barred) return <p className="barred">Stopping it is off: {barred}</p>;

  const stop = () => form.send((reason) => post<ParentDetail>(`/parents/${encodeURIComponent(parent.id)}/stop`, { reason }));

  return (
    <form onSubmit={(event) => { event.preventDefault(); void stop(); }} noValidate>
      <ReasonText form={form} label="Why it stops" testId="stop-reason" />
      <div className="decision-actions">
        <button type="submit" className="button bad" data-testid="stop-worked" disabled={form.busy}>{form.busy ? "Stopping…" : "Stop here"}</button>
      </div>
    </form>
  );
}
