import { useState } from "react";
import { post } from "../api/client";
import type { MomentView } from "../api/day";
import { useSession } from "../api/session";
import { DAY_CODES, signOffBody, whyNotSign } from "../lib/day";
import { useDraft } from "../lib/drafts";
import { words } from "../lib/format";
import { wallTime } from "../lib/time";
import { Failed, Notice } from "./basics";
import { CodeSelect, NEEDS_REASON } from "./decide_form";

/** Who signed a moment, or the form to sign it. */
export function SignOffForm({ view, reload }: { view: MomentView; reload: () => void }) {
  const { session } = useSession();
  const [note, setNote, clear] = useDraft(`day.${view.moment}`);
  const [code, setCode] = useState("known_break");
  const [missing, setMissing] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  if (view.signed) {
    const { principal, role, signed, reason_code, note: said } = view.signed;
    return (
      <Notice tone="good" title={`Signed by ${principal}`} testId={`signed-${view.moment}`}>
        {words(role)}, {wallTime(signed)}{reason_code ? `, over a failed check: ${words(reason_code)}` : ""}. {said}
      </Notice>
    );
  }
  if (!view.session) return null;
  const barred = whyNotSign(session, view);
  if (barred) return <p className="barred" data-testid={`barred-${view.moment}`}>{barred}</p>;

  async function sign() {
    setMissing(!note.trim());
    if (!note.trim()) return document.getElementById(`note-${view.moment}`)?.focus();
    setBusy(true);
    setError(null);
    try {
      await post<unknown>("/day/sign-off", signOffBody(view, note, code));
      clear();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
      reload();
    }
  }

  return (
    <form onSubmit={(event) => { event.preventDefault(); void sign(); }} noValidate>
      {error !== null && <Failed error={error} />}
      <label className="field" htmlFor={`note-${view.moment}`}>
        What you looked at
        <textarea id={`note-${view.moment}`} data-testid={`note-${view.moment}`} rows={2} maxLength={2000} value={note} aria-invalid={missing}
          onChange={(e) => { setNote(e.target.value); setMissing(false); }} />
      </label>
      {missing && <p className="field-error" role="alert">{NEEDS_REASON}</p>}
      {view.failed.length > 0 && <CodeSelect label="Signing over a failed check because of" codes={DAY_CODES} value={code} change={setCode} testId={`code-${view.moment}`} />}
      <div className="decision-actions">
        <button type="submit" className={`button ${view.failed.length ? "bad" : "good"}`} data-testid={`sign-${view.moment}`} disabled={busy}>
          {busy ? "Signing…" : `Sign the ${view.moment} of day`}
        </button>
      </div>
    </form>
  );
}
