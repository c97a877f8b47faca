import { useState } from "react";
import { post, sayError } from "../api/client";
import { useLive } from "../api/live";
import type { Approval, BulkItem } from "../api/types";
import { classWords, decideProblem, tally, type BulkDecision } from "../lib/bulk";
import { REJECT_CODES, refusalSentence } from "../lib/refusals";
import { Notice, Tag } from "./basics";
import { CaseFigures, caseSubject } from "./change";
import { CodeSelect, NEEDS_REASON } from "./decide_form";
import { Dialog } from "./dialog";

/** Select several of one class and decide them together; each is logged by itself. */
export function BulkBar({ selecting, start, stop, chosen, queue }: {
  selecting: boolean;
  start: () => void;
  stop: () => void;
  chosen: ReadonlyMap<string, Approval>;
  queue: readonly Approval[];
}) {
  const [decision, setDecision] = useState<BulkDecision | null>(null);
  const [list, setList] = useState<Approval[]>([]);
  function open(what: BulkDecision) {
    setList([...chosen.values()]);
    setDecision(what);
  }
  return (
    <div className="bulk-bar">
      {!selecting && <button type="button" className="button small" data-testid="bulk-start" onClick={start}>Select several</button>}
      {selecting && (
        <>
          <span role="status">{chosen.size} selected</span>
          <button type="button" className="button small good" disabled={chosen.size === 0} data-testid="bulk-approve" onClick={() => open("approve")}>Approve…</button>
          <button type="button" className="button small bad" disabled={chosen.size === 0} data-testid="bulk-reject" onClick={() => open("reject")}>Reject…</button>
          <button type="button" className="button small" data-testid="bulk-stop" onClick={stop}>Done</button>
        </>
      )}
      <Dialog open={decision !== null} title={decision === "reject" ? "Reject together" : "Approve together"} onClose={() => setDecision(null)}>
        {decision && <BulkForm decision={decision} items={list} queue={queue} close={() => setDecision(null)} finish={() => { setDecision(null); stop(); }} />}
      </Dialog>
    </div>
  );
}

function BulkForm({ decision, items, queue, close, finish }: {
  decision: BulkDecision;
  items: readonly Approval[];
  queue: readonly Approval[];
  close: () => void;
  finish: () => void;
}) {
  const { store } = useLive();
  const [reason, setReason] = useState("");
  const [code, setCode] = useState("other");
  const [problem, setProblem] = useState("");
  const [results, setResults] = useState<BulkItem[] | null>(null);
  const [busy, setBusy] = useState(false);
  const first = items[0];
  if (!first) return null;
  const rows = items.map((seen) => {
    const current = queue.find((item) => item.id === seen.id);
    return { seen, problem: current ? decideProblem(current, decision, seen.digest) : "It left the queue." };
  });
  const ready = rows.filter((row) => row.problem === null).map((row) => row.seen);
  const verb = decision === "approve" ? "Approve" : "Reject";

  async function submit() {
    if (!reason.trim()) return setProblem(NEEDS_REASON);
    setBusy(true);
    setProblem("");
    try {
      const answer = await post<{ results: BulkItem[] }>("/approvals/decisions", {
        decision, reason: reason.trim(), reason_code: decision === "reject" ? code : null,
        items: ready.map((item) => ({ id: item.id, digest: item.digest })),
      });
      setResults(answer.results);
    } catch (error) {
      setProblem(sayError(error));
    } finally {
      setBusy(false);
      store.touch(["approvals", "cases", "desk"]);
    }
  }

  return (
    <form onSubmit={(event) => { event.preventDefault(); void submit(); }} noValidate>
      <p>{classWords(first)}. Each is decided and logged by itself.</p>
      <ul className="bulk-list" data-testid="bulk-list">
        {rows.map(({ seen, problem: left }) => (
          <li key={seen.id}>
            <b className="symbol">{caseSubject(seen.case)}</b> <CaseFigures item={seen.case} />
            <Outcome result={results?.find((item) => item.id === seen.id)} left={results && !left ? null : left} done={results !== null} />
          </li>
        ))}
      </ul>
      <div aria-live="polite">
        {results && <Notice tone={results.every((item) => item.ok) ? "good" : "warn"} title={tally(results, decision)} testId="bulk-result" />}
      </div>
      {!results && (
        <>
          <label className="field">
            Reason, the same for all
            <textarea rows={2} maxLength={2000} value={reason} data-first data-testid="bulk-reason" onChange={(e) => { setReason(e.target.value); setProblem(""); }} />
          </label>
          {decision === "reject" && <CodeSelect label="Because of" codes={REJECT_CODES} value={code} change={setCode} testId="bulk-code" />}
        </>
      )}
      {problem && <Notice tone="bad" testId="bulk-problem">{problem}</Notice>}
      <div className="dialog-actions">
        {!results && <button type="button" className="button" onClick={close}>Cancel</button>}
        {!results && (
          <button type="submit" className={`button ${decision === "approve" ? "good" : "bad"}`} disabled={busy || ready.length === 0} data-testid="bulk-confirm">
            {busy ? "Sending…" : `${verb} ${ready.length}`}
          </button>
        )}
        {results && <button type="button" className="button primary" onClick={finish} data-testid="bulk-finish">Done</button>}
      </div>
    </form>
  );
}

function Outcome({ result, left, done }: { result: BulkItem | undefined; left: string | null; done: boolean }) {
  if (result?.ok) return <span className="push"><Tag tone="good">{result.result.status}</Tag></span>;
  if (result) return <span className="push down">{refusalSentence(result.error.code) ?? result.error.message}</span>;
  if (left) return <span className="push urgent">{done ? "Not sent. " : "Left out. "}{left}</span>;
  return null;
}
