import { useState } from "react";
import { post } from "../api/client";
import type { TicketAnswer } from "../api/parents";
import { useSession } from "../api/session";
import { useDraft } from "../lib/drafts";
import { words } from "../lib/format";
import { whyNot } from "../lib/rights";
import { link } from "../lib/router";
import { EMPTY, readTicket, type TicketField, type TicketText } from "../lib/ticket";
import { Failed, Notice, Panel } from "./basics";
import { NEEDS_REASON } from "./decide_form";
import { Field } from "./field";

/** Propose a hedge or an exit by hand. What it does to risk is the desk's word; it is asked like any other case. */
export function TicketPanel() {
  const { session } = useSession();
  const [saved, save, clear] = useDraft("ticket");
  const [reason, setReason, clearReason] = useDraft("ticket.reason");
  const [told, setTold] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [made, setMade] = useState<TicketAnswer | null>(null);
  const text: TicketText = { ...EMPTY, ...(saved ? JSON.parse(saved) as Partial<TicketText> : {}) };
  const view = readTicket(text);
  const barred = whyNot(session, "ticket");
  const change = (part: Partial<TicketText>) => save(JSON.stringify({ ...text, ...part }));
  const problem = (field: TicketField) => (told ? view.problems[field] ?? null : null);
  const missing = told && !reason.trim();

  async function send() {
    setTold(true);
    setMade(null);
    if (!view.ticket) return document.getElementById(`ticket-${Object.keys(view.problems)[0]}`)?.focus();
    if (!reason.trim()) return document.getElementById("ticket-reason")?.focus();
    setBusy(true);
    setError(null);
    try {
      setMade(await post<TicketAnswer>("/tickets", { ...view.ticket, working: view.ticket.working ? { ...view.ticket.working } : null, reason: reason.trim() }));
      setTold(false);
      clear();
      clearReason();
    } catch (trouble) {
      setError(trouble);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Panel title="Ticket" id="ticket" aside="a hedge or an exit by hand">
      {made && (
        <Notice tone="good" testId="ticket-made">
          {words(made.kind)} proposed; it {made.risk_effect} risk. The desk checks it now: <a href={link("cases", made.case_id)}>its case</a>.
        </Notice>
      )}
      {barred ? <p className="barred" data-testid="ticket-barred">{barred}</p> : (
        <details open={told || saved !== ""}>
          <summary data-testid="ticket-open">Write a ticket</summary>
          <form className="form" onSubmit={(event) => { event.preventDefault(); void send(); }} noValidate data-testid="ticket-form">
            {error !== null && <Failed error={error} />}
            <div className="pair">
              <label className="field" htmlFor="ticket-side">
                Side
                <select id="ticket-side" data-testid="ticket-side" value={text.side} onChange={(e) => change({ side: e.target.value })}>
                  <option value="buy">Buy</option>
                  <option value="sell">Sell</option>
                </select>
              </label>
              <Field id="ticket-symbol" label="Symbol" value={text.symbol} change={(symbol) => change({ symbol })} mode="text" problem={problem("symbol")} />
              <Field id="ticket-quantity" label="Shares" value={text.quantity} change={(quantity) => change({ quantity })} mode="numeric" problem={problem("quantity")} />
              <label className="field" htmlFor="ticket-how">
                How it is worked
                <select id="ticket-how" data-testid="ticket-how" value={text.how} onChange={(e) => change({ how: e.target.value })}>
                  <option value="once">One order at the next open</option>
                  <option value="twap">TWAP: the same at each open</option>
                  <option value="vwap">VWAP: by expected volume</option>
                </select>
              </label>
              {text.how !== "once" && (
                <>
                  <Field id="ticket-sessions" label="Over sessions" value={text.sessions} change={(sessions) => change({ sessions })} mode="numeric" problem={problem("sessions")} />
                  <Field id="ticket-participation" label="At most % of expected volume" value={text.participation} change={(participation) => change({ participation })} mode="decimal" problem={problem("participation")} />
                </>
              )}
              <Field id="ticket-limit" label="Not beyond this open (optional)" value={text.limit} change={(limit) => change({ limit })} mode="decimal" problem={problem("limit")} />
              <Field id="ticket-stop" label="Protective stop of an entry (optional)" value={text.stop} change={(stop) => change({ stop })} mode="decimal" problem={problem("stop")} />
            </div>
            <label className="field" htmlFor="ticket-reason">
              Reason
              <textarea id="ticket-reason" data-testid="ticket-reason" rows={2} maxLength={2000} value={reason} aria-invalid={missing}
                placeholder="Why; it is part of the proposal" onChange={(e) => setReason(e.target.value)} />
            </label>
            {missing && <p className="field-error" role="alert">{NEEDS_REASON}</p>}
            <div className="decision-actions">
              <button type="submit" className="button primary" data-testid="ticket-send" disabled={busy}>{busy ? "Proposing…" : "Propose"}</button>
            </div>
          </form>
        </details>
      )}
    </Panel>
  );
}
