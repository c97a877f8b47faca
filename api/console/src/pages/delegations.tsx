import { useState, type FormEvent } from "react";
import { deskNow, post, sayError } from "../api/client";
import { useLive, useResource } from "../api/live";
import type { Delegation, Page } from "../api/types";
import { useDraft } from "../lib/drafts";
import { instant } from "../lib/time";
import { Empty, Failed, Loading, Notice, Panel, Tag } from "../parts/basics";
import { Input } from "../parts/input";

/** Absence: who signs for whom, from when until when. Every entry ends by itself. */
export function DelegationsPage({ me, admin, mayLend }: { me: string | null; admin: boolean; mayLend: boolean }) {
  const { data, error, reload } = useResource<Page<Delegation>>("/delegations?limit=200", ["people"]);
  return (
    <>
      <Panel title="Delegations">
        {error ? <Failed error={error} retry={reload} /> : null}
        {!data && !error && <Loading what="delegations" />}
        {data && data.items.length === 0 && <Empty>Nobody signs for somebody else.</Empty>}
        {data && data.items.length > 0 && (
          <div className="scroll">
            <table data-testid="delegations-table" className="stacked">
              <thead><tr><th>From</th><th>To</th><th>Starts</th><th>Ends</th><th>Reason</th><th><span className="visually-hidden">End</span></th></tr></thead>
              <tbody>
                {data.items.map((item) => <Row key={item.id} item={item} mayEnd={admin || item.from === me || item.to === me} />)}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
      {mayLend && <AddDelegation me={me} admin={admin} />}
    </>
  );
}

function standing(item: Delegation, now: number): "ended" | "running" | "planned" {
  if (item.ended || Date.parse(item.ends) <= now) return "ended";
  return Date.parse(item.starts) > now ? "planned" : "running";
}

function Row({ item, mayEnd }: { item: Delegation; mayEnd: boolean }) {
  const { store } = useLive();
  const [problem, setProblem] = useState("");
  const state = standing(item, Date.now());
  async function end() {
    setProblem("");
    try {
      await post<unknown>(`/delegations/${encodeURIComponent(item.id)}/end`, {});
    } catch (error) {
      setProblem(sayError(error));
    }
    store.touch(["people", "approvals"]);
  }
  return (
    <tr>
      <td data-label="From">{item.from}</td>
      <td data-label="To">{item.to}</td>
      <td data-label="Starts">{instant(item.starts)}</td>
      <td data-label="Ends">{instant(item.ends)} <Tag tone={state === "running" ? "warn" : "plain"}>{state}</Tag></td>
      <td data-label="Reason" className="summary">{item.reason}</td>
      <td>
        {state !== "ended" && mayEnd && <button type="button" className="button small" data-testid="delegation-end" onClick={() => void end()}>End now</button>}
        {problem && <span className="down" role="alert"> {problem}</span>}
      </td>
    </tr>
  );
}

/** A `datetime-local` value read in the browser's zone, as an ISO instant; null when it is none. */
function toInstant(text: string): string | null {
  const at = new Date(text);
  return text && !Number.isNaN(at.getTime()) ? at.toISOString() : null;
}

function AddDelegation({ me, admin }: { me: string | null; admin: boolean }) {
  const { store } = useLive();
  const [from, setFrom] = useDraft("delegation.from", me ?? "");
  const [to, setTo, clearTo] = useDraft("delegation.to");
  const [starts, setStarts, clearStarts] = useDraft("delegation.starts");
  const [ends, setEnds, clearEnds] = useDraft("delegation.ends");
  const [reason, setReason, clearReason] = useDraft("delegation.reason");
  const [note, setNote] = useState<{ good: boolean; text: string } | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    const [first, last] = [starts ? toInstant(starts) : new Date(deskNow()).toISOString(), toInstant(ends)];
    if (!from.trim() || !to.trim() || !reason.trim()) return setNote({ good: false, text: "From, to and reason are needed." });
    if (!first || !last || first >= last) return setNote({ good: false, text: "It needs an end that lies after its start." });
    setBusy(true);
    setNote(null);
    try {
      await post<unknown>("/delegations", { from: from.trim(), to: to.trim(), starts: first, ends: last, reason: reason.trim() });
      setNote({ good: true, text: `${to.trim()} may answer for ${from.trim()} until ${instant(last)}.` });
      [clearTo, clearStarts, clearEnds, clearReason].forEach((clear) => clear());
    } catch (error) {
      setNote({ good: false, text: sayError(error) });
    } finally {
      setBusy(false);
      store.touch(["people", "approvals"]);
    }
  }

  return (
    <Panel title="Let somebody sign in your absence">
      <p className="foot lead">
        Whoever it is, they may answer the queue with this role for the time given, and nothing else. Both names stand on record, for one
        proposal the two count as one person, and the stricter of both own limits holds.
      </p>
      <form className="form wide" onSubmit={(event) => void submit(event)} noValidate data-testid="delegation-form">
        <div className="pair">
          <Input label="From" value={from} change={setFrom} testId="delegation-from" readOnly={!admin && me !== null} />
          <Input label="To" value={to} change={setTo} testId="delegation-to" />
          <Input label="Starts" type="datetime-local" value={starts} change={setStarts} testId="delegation-starts" note="Empty: now" />
          <Input label="Ends" type="datetime-local" value={ends} change={setEnds} testId="delegation-ends" />
        </div>
        <Input label="Reason" value={reason} change={setReason} testId="delegation-reason" />
        <div aria-live="polite">{note && <Notice tone={note.good ? "good" : "bad"} testId="delegation-note">{note.text}</Notice>}</div>
        <div><button type="submit" className="button primary" disabled={busy} data-testid="delegation-add">Add</button></div>
      </form>
    </Panel>
  );
}
