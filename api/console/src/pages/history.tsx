import { useState } from "react";
import { query } from "../api/client";
import { useResource } from "../api/live";
import type { Case, Desk, Page } from "../api/types";
import { LedgerList } from "./ledger";
import { Lessons } from "./lessons";
import { MemorySearch } from "./memory";
import { Empty, Failed, Loading, SideWord, State } from "../parts/basics";
import { caseSubject } from "../parts/change";
import { decimal, money, words } from "../lib/format";
import { notional } from "../lib/queue";
import { link, type HistoryTab } from "../lib/router";
import { day } from "../lib/time";

const TABS: HistoryTab[] = ["cases", "lessons", "memory", "ledger"];

export function HistoryPage({ tab, desk }: { tab: HistoryTab; desk: Desk | null }) {
  return (
    <div className="stack">
      <header className="page-head">
        <h1 tabIndex={-1}>History</h1>
        <nav className="subtabs" aria-label="History">
          {TABS.map((name) => (
            <a key={name} href={link("history", name)} aria-current={name === tab ? "page" : undefined}>
              {name.replace(/^./, (c) => c.toUpperCase())}
            </a>
          ))}
        </nav>
      </header>
      {tab === "cases" && <Cases />}
      {tab === "lessons" && <Lessons />}
      {tab === "memory" && <MemorySearch />}
      {tab === "ledger" && <LedgerList entries={desk?.ledger.entries ?? null} />}
    </div>
  );
}

const STATES = [
  "awaiting", "approved", "rejected", "expired", "voided", "submitted", "done", "settled", "blocked", "not_selected", "cancelled", "unknown",
];

function Pager({ trail, next, go }: { trail: string[]; next: string | null; go: (trail: string[]) => void }) {
  if (trail.length === 0 && !next) return null;
  return (
    <p className="pager">
      <button type="button" className="button small" disabled={trail.length === 0} onClick={() => go(trail.slice(0, -1))}>Back</button>
      <button type="button" className="button small" disabled={!next} onClick={() => next && go([...trail, next])}>More</button>
    </p>
  );
}

function Cases() {
  const [state, setState] = useState("");
  const [symbol, setSymbol] = useState("");
  const [trail, setTrail] = useState<string[]>([]);
  const path = "/cases" + query({ limit: 50, state, symbol: symbol.trim().toUpperCase(), after: trail[trail.length - 1] });
  const { data, error, reload } = useResource<Page<Case>>(path, ["cases"]);
  return (
    <section className="panel" aria-label="Cases">
      <div className="filters">
        <label className="inline-field">State{" "}
          <select value={state} onChange={(e) => { setState(e.target.value); setTrail([]); }}>
            <option value="">any</option>
            {STATES.map((s) => <option key={s} value={s}>{words(s)}</option>)}
          </select>
        </label>
        <label className="inline-field">Symbol{" "}
          <input value={symbol} size={8} maxLength={10} spellCheck={false} onChange={(e) => { setSymbol(e.target.value); setTrail([]); }} />
        </label>
        {data && <span className="muted push">{decimal(String(data.total), 0)} cases</span>}
      </div>
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="cases" />}
      {data && data.items.length === 0 && <Empty>No case matches.</Empty>}
      {data && data.items.length > 0 && (
        <div className="scroll">
          <table data-testid="cases-table">
            <thead><tr><th>Symbol</th><th>Side</th><th className="num">Shares</th><th className="num">Notional</th><th>State</th><th>Strategy</th><th>Opened</th><th>Why</th></tr></thead>
            <tbody>
              {data.items.map((item) => (
                <tr key={item.id}>
                  <td><a className="symbol" href={link("cases", item.id)}>{caseSubject(item)}</a></td>
                  <td>{item.side && <SideWord side={item.side} />}</td>
                  <td className="num">{item.proposal && decimal(String(item.proposal.quantity), 0)}</td>
                  <td className="num">{item.proposal && money(notional(item.proposal), 0)}</td>
                  <td><State state={item.state} /></td>
                  <td>{words(item.strategy)}</td>
                  <td className="nowrap">{day(item.opened)}</td>
                  <td className="summary">{item.reason ?? item.change?.title ?? ""}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {data && <Pager trail={trail} next={data.next} go={setTrail} />}
    </section>
  );
}
