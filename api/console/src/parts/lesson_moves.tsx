import { useState } from "react";
import { post } from "../api/client";
import type { Proposed } from "../api/law";
import { useLive } from "../api/live";
import { useSession } from "../api/session";
import type { LessonDetail, LessonState } from "../api/types";
import { useDraft } from "../lib/drafts";
import { whyNot } from "../lib/rights";
import { Failed } from "./basics";
import { NEEDS_REASON } from "./decide_form";

const VERB: Record<LessonState, string> = { shadow: "Try in shadow", promoted: "Promote", retired: "Retire", quarantined: "" };

/** Buttons for what a lesson may become, why it may not become the rest, and the reason that opens the case. */
export function LessonMoves({ lesson, done }: { lesson: LessonDetail; done: () => void }) {
  const { session } = useSession();
  const [to, setTo] = useState<LessonState | null>(null);
  const barred = whyNot(session, "run");
  const able = lesson.next.filter((move) => move.refused === null);
  const refused = lesson.next.filter((move) => move.refused !== null);
  return (
    <div data-testid="lesson-moves">
      <div className="finding-actions">
        {able.map((move) => (
          <button key={move.to} type="button" className="button small" data-testid={`lesson-to-${move.to}`} aria-expanded={to === move.to}
            disabled={barred !== null} title={barred ?? undefined} onClick={() => setTo(to === move.to ? null : move.to)}>{lesson.state === "promoted" && move.to === "shadow" ? "Back to shadow" : VERB[move.to]}…</button>
        ))}
      </div>
      {barred && able.length > 0 && <p className="barred">{barred}</p>}
      {to && <MoveForm key={to} lesson={lesson} to={to} done={() => { setTo(null); done(); }} />}
      {refused.length > 0 && (
        <ul className="lines muted">{refused.map((move) => <li key={move.to}>{VERB[move.to]}: {move.refused}.</li>)}</ul>
      )}
    </div>
  );
}

function MoveForm({ lesson, to, done }: { lesson: LessonDetail; to: LessonState; done: () => void }) {
  const { store } = useLive();
  const [reason, setReason, clear] = useDraft(`lesson.${to}.${lesson.id}`);
  const [missing, setMissing] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const field = `lesson-reason-${lesson.id}`;

  async function send() {
    const said = reason.trim();
    setMissing(!said);
    if (!said) return document.getElementById(field)?.focus();
    setBusy(true);
    setError(null);
    try {
      await post<Proposed>(`/lessons/${encodeURIComponent(lesson.id)}/changes`, { to, reason: said });
      clear();
      done();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
      store.touch(["lessons", "approvals", "cases"]);
    }
  }

  return (
    <form onSubmit={(event) => { event.preventDefault(); void send(); }} noValidate>
      {error !== null && <Failed error={error} />}
      <label className="field" htmlFor={field}>
        Why, for those who decide it
        <textarea id={field} data-testid="lesson-reason" rows={2} maxLength={2000} value={reason} aria-invalid={missing}
          onChange={(e) => { setReason(e.target.value); setMissing(false); }} />
      </label>
      {missing && <p className="field-error" role="alert">{NEEDS_REASON}</p>}
      <div className="decision-actions">
        <button type="submit" className="button" data-testid="lesson-send" disabled={busy}>Open the case</button>
      </div>
    </form>
  );
}
