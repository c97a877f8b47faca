import { useState } from "react";
import { post } from "../api/client";
import { useSession } from "../api/session";
import type { CaseDetail, Override } from "../api/types";
import { useDraft } from "../lib/drafts";
import { words } from "../lib/format";
import { whyNot } from "../lib/rights";
import { Failed, Notice, Panel } from "./basics";
import { NEEDS_REASON } from "./decide_form";

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
  const [reason, setReason, clear] = useDraft(`override.${item.id}`);
  const [missing, setMissing] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const blocking = (item.checks ?? []).filter((check) => check.verdict === "block");
  if (item.state !== "blocked" || blocking.length === 0 || blocking.some((check) => check.hard)) return null;
  const names = blocking.map((check) => words(check.control)).join(" and ");
  const barred = whyNot(session, "override");

  async function ask() {
    setMissing(!reason.trim());
    if (!reason.trim()) return document.getElementById("override-reason")?.focus();
    setBusy(true);
    setError(null);
    try {
      await post<Override>(`/cases/${encodeURIComponent(item.id)}/override`, { reason: reason.trim(), controls: blocking.map((check) => check.control) });
      clear();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
      reload();
    }
  }

  return (
    <Panel title="Let this order past">
      <p>Only soft limits block it: {names}. A risk officer may ask to let it past, and another person must agree before the next open.</p>
      {barred ? <p className="barred" data-testid="override-barred">{barred}</p> : (
        <form onSubmit={(event) => { event.preventDefault(); void ask(); }} noValidate>
          {error !== null && <Failed error={error} />}
          <label className="field" htmlFor="override-reason">
            Why this order may pass
            <textarea id="override-reason" data-testid="override-reason" rows={2} maxLength={2000} value={reason} aria-invalid={missing}
              onChange={(e) => { setReason(e.target.value); setMissing(false); }} />
          </label>
          {missing && <p className="field-error" role="alert">{NEEDS_REASON}</p>}
          <div className="decision-actions">
            <button type="submit" className="button bad" data-testid="ask-override" disabled={busy}>{busy ? "Asking…" : `Ask to let it past ${names}`}</button>
          </div>
        </form>
      )}
    </Panel>
  );
}
