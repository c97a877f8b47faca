import { useState } from "react";
import { get, query, sayError } from "../api/client";
import { useResource } from "../api/live";
import type { LedgerEntry, LedgerVerification, Page } from "../api/types";
import { decimal } from "../lib/format";
import { newestWindow } from "../lib/paging";
import { link } from "../lib/router";
import { instant } from "../lib/time";
import { Failed, Id, Loading, Notice } from "../parts/basics";

const SIZE = 50;

/** The ledger, newest first; filtered by kind it reads from the beginning. */
export function LedgerList({ entries }: { entries: number | null }) {
  const [kind, setKind] = useState("");
  const [page, setPage] = useState(0);
  const [trail, setTrail] = useState<string[]>([]);
  const filter = kind.trim();
  const window = newestWindow(entries ?? 0, page, SIZE);
  const path = filter
    ? "/ledger" + query({ limit: SIZE, kind: filter, after: trail[trail.length - 1] })
    : "/ledger" + query({ limit: window.limit, after: window.after });
  const { data, error, reload } = useResource<Page<LedgerEntry>>(entries === null ? null : path, ["ledger"]);
  const rows = filter ? (data?.items ?? []) : [...(data?.items ?? [])].reverse();
  const older = filter ? (data?.next ?? null) !== null : window.after > 0;
  const newer = filter ? trail.length > 0 : page > 0;

  function move(step: 1 | -1) {
    if (!filter) return setPage(page + step);
    setTrail(step === 1 && data?.next ? [...trail, data.next] : trail.slice(0, -1));
  }

  return (
    <section className="panel" aria-label="Ledger">
      <div className="filters">
        <label className="inline-field">Kind{" "}
          <input value={kind} size={18} spellCheck={false} placeholder="fill.booked"
            onChange={(e) => { setKind(e.target.value); setPage(0); setTrail([]); }} />
        </label>
        <Verify />
        {data && <span className="muted push">{decimal(String(data.total), 0)} entries</span>}
      </div>
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="the ledger" />}
      {data && (
        <div className="scroll">
          <table data-testid="ledger-table">
            <thead><tr><th className="num">Seq</th><th>Kind</th><th>Case</th><th>Desk time</th><th>Hash</th><th>Content</th></tr></thead>
            <tbody>
              {rows.map((entry) => (
                <tr key={entry.seq}>
                  <td className="num">{entry.seq}</td>
                  <td className="nowrap">{entry.kind}</td>
                  <td>{entry.case_id && <a href={link("cases", entry.case_id)}><Id value={entry.case_id} /></a>}</td>
                  <td className="nowrap">{instant(entry.desk_time)}</td>
                  <td><Id value={entry.hash} length={10} /></td>
                  <td><details><summary>Show</summary><pre>{JSON.stringify(entry.content, null, 2)}</pre></details></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {(older || newer) && (
        <p className="pager">
          <button type="button" className="button small" disabled={!newer} onClick={() => move(-1)}>{filter ? "Earlier" : "Newer"}</button>
          <button type="button" className="button small" disabled={!older} onClick={() => move(1)}>{filter ? "Later" : "Older"}</button>
        </p>
      )}
    </section>
  );
}

function Verify() {
  const [verdict, setVerdict] = useState<LedgerVerification | string | null>(null);

  async function verify() {
    setVerdict("Verifying\u2026");
    try {
      setVerdict(await get<LedgerVerification>("/ledger/verify"));
    } catch (problem) {
      setVerdict(sayError(problem));
    }
  }

  return (
    <>
      <button type="button" className="button small" onClick={verify} data-testid="ledger-verify">Verify</button>
      {typeof verdict === "string" && <Notice>{verdict}</Notice>}
      {verdict && typeof verdict === "object" && (
        <Notice tone={verdict.verified ? "good" : "bad"} testId="ledger-verdict"
          title={verdict.verified ? `Verified: ${decimal(String(verdict.entries), 0)} entries, head ${verdict.head.slice(0, 16)}` : "The ledger does not verify"}>
          {verdict.problems.map((p, i) => <p key={i}>{typeof p === "string" ? p : String(p["message"] ?? JSON.stringify(p))}</p>)}
        </Notice>
      )}
    </>
  );
}
