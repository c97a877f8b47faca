import { useState, type FormEvent } from "react";
import { post, sayError } from "../api/client";
import { ALL_TOPICS } from "../api/events";
import { useLive } from "../api/live";
import { useSession } from "../api/session";
import type { Desk, Halt, HaltAction } from "../api/types";
import { whyNot } from "../lib/rights";
import { wallTime } from "../lib/time";
import { Notice } from "./basics";
import { Dialog } from "./dialog";

const ACTIONS: { action: HaltAction; name: string; text: string }[] = [
  { action: "no_new", name: "No new orders", text: "Nothing that raises risk is sent. Open orders and stops stay." },
  { action: "cancel", name: "Cancel", text: "As above, and open entry orders are cancelled. Protective stops stay." },
  { action: "flatten", name: "Flatten", text: "As above, and every position is closed." },
];

const DONE: Record<HaltAction, string> = {
  no_new: "no new orders",
  cancel: "open orders cancelled",
  flatten: "positions being closed",
};

export function HaltButton({ desk }: { desk: Desk | null }) {
  const [open, setOpen] = useState(false);
  const barred = whyNot(useSession().session, "halt");
  return (
    <>
      <button type="button" className="button halt" data-testid="halt-open" disabled={barred !== null} title={barred ?? undefined}
        onClick={() => setOpen(true)}>Halt</button>
      <Dialog open={open} title="Halt the desk" onClose={() => setOpen(false)}>
        <HaltForm positions={desk?.positions ?? null} close={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

function HaltForm({ positions, close }: { positions: number | null; close: () => void }) {
  const { store } = useLive();
  const [action, setAction] = useState<HaltAction>("no_new");
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const [sending, setSending] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!reason.trim()) return setProblem("Give a reason; it goes into the ledger.");
    setSending(true);
    setProblem("");
    try {
      await post<Halt>("/halts", { action, reason: reason.trim(), scope: "firm", target: null });
      store.touch(ALL_TOPICS);
      close();
    } catch (error) {
      setProblem(`${sayError(error)} If the console cannot reach the desk, run: quarterdeck halt --action ${action.replace("_", "-")} --reason "…"`);
    } finally {
      setSending(false);
    }
  }

  return (
    <form onSubmit={submit} noValidate>
      <fieldset className="choices">
        <legend>What should stop</legend>
        {ACTIONS.map((item) => (
          <label key={item.action} className="choice">
            <input type="radio" name="halt-action" value={item.action} data-testid={`halt-action-${item.action}`}
              checked={action === item.action} onChange={() => setAction(item.action)} />
            <span>
              <b>{item.name}</b>
              <small>{item.text}{item.action === "flatten" && positions !== null ? ` ${positions} open now.` : ""}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <label className="field">
        Reason
        <textarea rows={2} maxLength={2000} value={reason} required data-first data-testid="halt-reason"
          onChange={(e) => setReason(e.target.value)} />
      </label>
      {problem && <Notice tone="bad" testId="halt-problem">{problem}</Notice>}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={close}>Do not halt</button>
        <button type="submit" className="button halt" data-testid="halt-confirm" disabled={sending}>
          {sending ? "Halting…" : "Halt now"}
        </button>
      </div>
    </form>
  );
}

export function HaltBanner({ halts }: { halts: Halt[] }) {
  const [open, setOpen] = useState(false);
  const barred = whyNot(useSession().session, "release");
  return (
    <div className="halt-banner" role="alert" data-testid="halt-banner">
      <div>
        <strong>Halted</strong>
        <ul>
          {halts.map((halt) => (
            <li key={halt.id}>
              {DONE[halt.action]}{halt.target ? ` (${halt.scope} ${halt.target})` : ""}: {halt.reason}{" "}
              <span className="muted">{halt.principal}, {wallTime(halt.engaged)}</span>
            </li>
          ))}
        </ul>
      </div>
      <div className="halt-resume">
        <button type="button" className="button" data-testid="resume-open" disabled={barred !== null} onClick={() => setOpen(true)}>Resume…</button>
        {barred && <small>{barred}</small>}
      </div>
      <Dialog open={open} title="Resume the desk" onClose={() => setOpen(false)}>
        <ResumeForm close={() => setOpen(false)} />
      </Dialog>
    </div>
  );
}

function ResumeForm({ close }: { close: () => void }) {
  const { store } = useLive();
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const [sending, setSending] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!reason.trim()) return setProblem("Give a reason; it goes into the ledger.");
    setSending(true);
    try {
      await post<{ released: string[]; voided_cases: string[] }>("/halts/release", { reason: reason.trim() });
      store.touch(ALL_TOPICS);
      close();
    } catch (error) {
      setProblem(sayError(error));
    } finally {
      setSending(false);
    }
  }

  return (
    <form onSubmit={submit} noValidate>
      <p>All halts are released. What was pending is voided, not sent; the desk asks again if it still wants it.</p>
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
