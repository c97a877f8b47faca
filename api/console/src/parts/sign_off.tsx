import { useState } from "react";
import { post } from "../api/client";
import type { MomentView } from "../api/day";
import { useSession } from "../api/session";
import { DAY_CODES, signOffBody, whyNotSign } from "../lib/day";
import { words } from "../lib/format";
import { wallTime } from "../lib/time";
import { Notice } from "./basics";
import { CodeSelect } from "./decide_form";
import { ReasonText, useReasonForm } from "./reason_form";

/** Who signed a moment, or the form to sign it. */
export function SignOffForm({ view, reload }: { view: MomentView; reload: () => void }) {
  const { session } = useSession();
  const form = useReasonForm(`day.${view.moment}`, `note-${view.moment}`, reload);
  const [code, setCode] = useState("known_break");

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

  const sign = () => form.send((note) => post<unknown>("/day/sign-off", signOffBody(view, note, code)));

  return (
    <form onSubmit={(event) => { event.preventDefault(); void sign(); }} noValidate>
      <ReasonText form={form} label="What you looked at" testId={`note-${view.moment}`} />
      {view.failed.length > 0 && <CodeSelect label="Signing over a failed check because of" codes={DAY_CODES} value={code} change={setCode} testId={`code-${view.moment}`} />}
      <div className="decision-actions">
        <button type="submit" className={`button ${view.failed.length ? "bad" : "good"}`} data-testid={`sign-${view.moment}`} disabled={form.busy}>
          {form.busy ? "Signing…" : `Sign the ${view.moment} of day`}
        </button>
      </div>
    </form>
  );
}
