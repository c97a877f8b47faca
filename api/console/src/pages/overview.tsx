import { useLive, useResource } from "../api/live";
import { describeEvent } from "../api/events";
import type { Approval, Desk, Page, Position } from "../api/types";
import { Empty, Failed, Facts, Loading, Panel } from "../parts/basics";
import { CaseFigures, caseSubject } from "../parts/change";
import { EquityChart } from "../parts/chart";
import { ReconciliationPanel } from "../parts/reconciliation";
import { FindingsPanel } from "../parts/findings";
import { PositionsTable } from "../parts/tables";
import { TicketPanel } from "../parts/ticket";
import { WorkedPanel } from "../parts/worked";
import { decimal, money } from "../lib/format";
import { sortQueue } from "../lib/queue";
import { link } from "../lib/router";
import { countdown, wallTime } from "../lib/time";

export function OverviewPage({ desk, error }: { desk: Desk | null; error: unknown }) {
  return (
    <>
      <h1 tabIndex={-1} className="visually-hidden">Overview</h1>
      {error ? <Failed error={error} /> : null}
      <div className="overview">
        <div className="stack">
          <Panel title="Equity and drawdown" aside={desk?.label}>
            {desk ? <EquityChart curve={desk.curve} start={desk.equity_start} /> : <Loading what="the curve" />}
          </Panel>
          <Positions desk={desk} />
          <WorkedPanel />
          <TicketPanel />
          <ReconciliationPanel />
        </div>
        <div className="stack">
          <Waiting />
          <FindingsPanel />
          {desk && <Book desk={desk} />}
          <Recent />
        </div>
      </div>
    </>
  );
}

function Positions({ desk }: { desk: Desk | null }) {
  const { data, error, reload } = useResource<Page<Position>>("/positions?limit=200", ["positions"]);
  return (
    <Panel title="Positions" aside={desk && <>gross {money(desk.gross, 0)}, cash {money(desk.cash, 0)}</>}>
      {error ? <Failed error={error} retry={reload} /> : null}
      {data ? <PositionsTable items={data.items} /> : !error && <Loading what="positions" />}
    </Panel>
  );
}

function Waiting() {
  const { data, error, reload } = useResource<Page<Approval>>("/approvals?status=pending&limit=200", ["approvals"]);
  const queue = sortQueue(data?.items ?? [], "rank");
  const shown = queue.slice(0, 6);
  return (
    <Panel title="Waiting for a person" aside={data && (data.total > shown.length ? <a href={link("approvals")}>all {data.total}</a> : data.total || null)}>
      {error ? <Failed error={error} retry={reload} /> : null}
      {data && queue.length === 0 && <Empty>Nothing waits.</Empty>}
      <ul className="rows">
        {shown.map((item) => (
          <li key={item.id}>
            <a href={link("approvals", item.id)} className="row-link" data-testid="waiting-row">
              <b className="symbol">{caseSubject(item.case)}</b>
              <CaseFigures item={item.case} />
              {item.sessions_left !== null && <span className={`push ${item.sessions_left <= 1 ? "urgent" : "muted"}`}>{countdown(item.sessions_left)}</span>}
            </a>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Book({ desk }: { desk: Desk }) {
  return (
    <Panel title="Desk">
      <Facts
        rows={[
          ["Run", desk.run ? <code>{desk.run}</code> : "none yet"],
          ["Signed in as", desk.principal],
          ["Started with", money(desk.equity_start, 0)],
          ["Reasoner", desk.reasoner],
          ["Model", desk.model],
          ...(desk.venue ? [["Venue", <span data-testid="venue">{desk.venue}</span>] as const] : []),
          ["Pace", desk.speed ? `${desk.speed} s per session` : "held for people"],
          ["Ledger", <a href={link("history", "ledger")}>{decimal(String(desk.ledger.entries), 0)} entries</a>],
          ["Version", desk.version],
        ]}
      />
    </Panel>
  );
}

function Recent() {
  const { recent } = useLive();
  return (
    <Panel title="Just happened">
      {recent.length === 0 && <Empty>Events appear here as the desk records them.</Empty>}
      <ul className="rows recent">
        {recent.slice(0, 8).map((event) => (
          <li key={event.seq}>
            {event.case_id ? <a href={link("cases", event.case_id)}>{describeEvent(event)}</a> : describeEvent(event)}
            <span className="muted push num">{wallTime(event.at)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
