import { useState } from "react";
import { post } from "../api/client";
import type { Proposed } from "../api/law";
import { useLive } from "../api/live";
import { useSession } from "../api/session";
import type { LessonDetail, LessonState } from "../api/types";
import { whyNot } from "../lib/rights";
import { ReasonText, useReasonForm } from "./reason_form";

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
  const form = useReasonForm(`lesson.${to}.${lesson.id}`, `lesson-reason-${lesson.id}`, () => store.touch(["lessons", "approvals", "cases"]));

  const send = () => form.send(async (reason) => {
    await post<Proposed>(`/lessons/${encodeURIComponent(lesson.id)}/changes`, { to, reason });
    done();
  });

  return (
    <form onSubmit={(event) => { event.preventDefault(); void send(); }} noValidate>
      <ReasonText form={form} label="Why, for those who decide it" testId="lesson-reason" />
      <div className="decision-actions">
        <button type="submit" className="button" data-testid="lesson-send" disabled={form.busy}>Open the case</button>
      </div>
    </form>
  );
}
