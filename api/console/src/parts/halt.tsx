import { useState, type FormEvent } from "react";
import { post, sayError } from "../api/client";
import { ALL_TOPICS } from "../api/events";
import { useLive } from "../api/live";
import { useSession } from "../api/session";
import type { Desk, Halt, HaltAction, HaltScope } from "../api/types";
import { ACTIONS, SCOPES, command } from "../lib/halts";
import { whyNot } from "../lib/rights";
import { Notice } from "./basics";
import { Dialog } from "./dialog";

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

/** What a halt form begins with. */
interface Start {
  action: HaltAction | null;
  scope: HaltScope;
  target: string | null;
}

export function HaltForm({ positions, close, start }: { positions: number | null; close: () => void; start?: Start }) {
  const { store } = useLive();
  const [action, setAction] = useState<HaltAction>(start?.action ?? "no_new");
  const [scope, setScope] = useState<HaltScope>(start?.scope ?? "firm");
  const [target, setTarget] = useState(start?.target ?? "");
  const wanted = SCOPES.find((item) => item.scope === scope)?.target ?? null;
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const [sending, setSending] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (wanted && !target.trim()) return setProblem(`Say which: ${wanted}.`);
    if (!reason.trim()) return setProblem("Give a reason; it goes into the ledger.");
    setSending(true);
    setProblem("");
    try {
      await post<Halt>("/halts", { action, reason: reason.trim(), scope, target: wanted ? target.trim() : null });
      store.touch(ALL_TOPICS);
      close();
    } catch (error) {
      setProblem(`${sayError(error)} If the console cannot reach the desk, run: ${command(action, scope, target.trim())}`);
    } finally {
      setSending(false);
    }
  }

  return (
    <form onSubmit={submit} noValidate>
      <div className="halt-scope">
        <label className="field">
          What should stop
          <select value={scope} data-testid="halt-scope" onChange={(e) => { setScope(e.target.value as HaltScope); setTarget(""); }}>
            {SCOPES.map((item) => <option key={item.scope} value={item.scope}>{item.name}</option>)}
          </select>
        </label>
        {wanted && (
          <label className="field">
            Which
            <input type="text" maxLength={80} value={target} placeholder={wanted} data-testid="halt-target" autoComplete="off" spellCheck={false}
              onChange={(e) => setTarget(scope === "symbol" ? e.target.value.toUpperCase() : e.target.value)} />
          </label>
        )}
      </div>
      <fieldset className="choices">
        <legend>How hard</legend>
        {ACTIONS.map((item) => (
          <label key={item.action} className="choice">
            <input type="radio" name="halt-action" value={item.action} data-testid={`halt-action-${item.action}`}
              checked={action === item.action} onChange={() => setAction(item.action)} />
            <span>
              <b>{item.name}</b>
              <small>{item.text}{item.action === "flatten" && scope === "firm" && positions !== null ? ` ${positions} open now.` : ""}</small>
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

export { HaltBanner } from "./halt_banner";
