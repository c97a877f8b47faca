import { post } from "../api/client";
import { useSession } from "../api/session";
import type { CaseDetail, Override } from "../api/types";
import { words } from "../lib/format";
import { whyNot } from "../lib/rights";
import { Notice, Panel } from "./basics";
import { ReasonText, useReasonForm } from "./reason_form";

/** What a risk officer asked to let this order past, and why. */
export function OverrideNotice({ override }: { override: Override }) {
  return (
    <Notice tone="warn" title={`${override.principal} asks to let it past ${override.controls.map(words).join(" and ")}`} testId="override">
      {override.reason} Somebody else must agree. It holds for this order only and ends with the question.
    </Notice>
  );
}

/** Ask to let one blocked order past its soft limits; nothing to show where a hard limit blocks it. */
export function OverridePanel({ item, reload }: { item: CaseDetail; reload: () => void }) {
  const { session } = useSession();
  const form = useReasonForm(`override.${item.id}`, "override-reason", reload);

  const blocking = (item.checks ?? []).filter((check) => check.verdict === "block");
  if (item.state !== "blocked" || blocking.length === 0 || blocking.some((check) => check.hard)) return null;
  const names = blocking.map((check) => words(check.control)).join(" and ");
  const barred = whyNot(session, "override");

  const ask = () => form.send((reason) => post<Override>(`/cases/${encodeURIComponent(item.id)}/override`, { reason, controls: blocking.map((check) => check.control) }));

  return (
    <Panel title="Let this order past">
      <p>Only soft limits block it: {names}. A risk officer may ask to let it past, and another person must agree before the next open.</p>
      {barred ? <p className="barred" data-testid="override-barred">{barred}</p> : (
        <form onSubmit={(event) => { event.preventDefault(); void ask(); }} noValidate>
          <ReasonText form={form} label="Why this order may pass" testId="override-reason" />
          <div className="decision-actions">
            <button type="submit" className="button bad" data-testid="ask-override" disabled={form.busy}>{form.busy ? "Asking…" : `Ask to let it past ${names}`}</button>
          </div>
        </form>
      )}
    </Panel>
  );
}
