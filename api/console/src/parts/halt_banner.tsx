import { useState, type FormEvent } from "react";
import { post, sayError } from "../api/client";
import { ALL_TOPICS } from "../api/events";
import { useLive } from "../api/live";
import { useSession } from "../api/session";
import type { Halt } from "../api/types";
import { by, does, ends, named } from "../lib/halts";
import { whyNot } from "../lib/rights";
import { wallTime } from "../lib/time";
import { Notice } from "./basics";
import { Dialog } from "./dialog";

interface Released {
  released: string[];
  voided_cases: string[];
  waiting: string[];
}

/** What is halted, by whom and until when; each halt may be released alone. */
export function HaltBanner({ halts }: { halts: Halt[] }) {
  const [chosen, setChosen] = useState<Halt[] | null>(null);
  const barred = whyNot(useSession().session, "release");
  const firm = halts.some((halt) => halt.scope === "firm");
  return (
    <div className="halt-banner" role="alert" data-testid="halt-banner">
      <div>
        <strong>{firm ? "Halted" : "Partly halted"}</strong>
        <ul>
          {halts.map((halt) => (
            <li key={halt.id} data-testid="halt-item">
              <b>{named(halt)}</b>, {does(halt)}: {halt.reason}{" "}
              <span className="muted">{by(halt)}, {wallTime(halt.engaged)}, {ends(halt)}</span>
              {halts.length > 1 && !barred && (
                <button type="button" className="linklike" data-testid="release-one" onClick={() => setChosen([halt])}>release this one</button>
              )}
              {halt.detail && <small className="halt-detail">{halt.detail}</small>}
            </li>
          ))}
        </ul>
      </div>
      <div className="halt-resume">
        <button type="button" className="button" data-testid="resume-open" disabled={barred !== null} onClick={() => setChosen(halts)}>{halts.length > 1 ? "Release all…" : "Resume…"}</button>
        {barred && <small>{barred}</small>}
      </div>
      <Dialog open={chosen !== null} title={chosen?.length === 1 && halts.length > 1 ? "Release one halt" : "Resume the desk"} onClose={() => setChosen(null)}>
        <ResumeForm chosen={chosen ?? []} all={chosen?.length === halts.length} close={() => setChosen(null)} />
      </Dialog>
    </div>
  );
}

export function ResumeForm({ chosen, all, close }: { chosen: Halt[]; all: boolean; close: () => void }) {
  const { store } = useLive();
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const [waits, setWaits] = useState(false);
  const [sending, setSending] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!reason.trim()) return setProblem("Give a reason; it goes into the ledger.");
    setSending(true);
    try {
      const path = all ? "/halts/release" : `/halts/${encodeURIComponent(chosen[0]?.id ?? "")}/release`;
      const answer = await post<Released>(path, { reason: reason.trim() });
      store.touch(ALL_TOPICS);
      if (answer.waiting.length > 0) setWaits(true);
      else close();
    } catch (error) {
      setProblem(sayError(error));
    } finally {
      setSending(false);
    }
  }

  if (waits) {
    return (
      <>
        <Notice tone="warn" testId="resume-waits">Your word is kept. A flatten is released by two people: another risk officer must release it too.</Notice>
        <div className="dialog-actions"><button type="button" className="button" onClick={close}>Close</button></div>
      </>
    );
  }
  return (
    <form onSubmit={submit} noValidate>
      <p>
        {all ? "All halts are released." : `The halt of ${chosen[0] ? named(chosen[0]) : "one thing"} is released; the others stand.`}{" "}
        What was held is voided, not sent; the desk asks again if it still wants it.
      </p>
      <label className="field">
        Reason
        <textarea rows={2} maxLength={2000} value={reason} required data-first data-testid="resume-reason"
          onChange={(e) => setReason(e.target.value)} />
      </label>
      {problem && <Notice tone="bad">{problem}</Notice>}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={close}>Stay halted</button>
        <button type="submit" className="button primary" data-testid="resume-confirm" disabled={sending}>
          {sending ? "Resuming…" : "Resume"}
        </button>
      </div>
    </form>
  );
}
