import { WhatIfTable } from "../parts/what_if";
import { ApiError } from "../api/client";
import { useResource } from "../api/live";
import type { CaseDetail, Explanation, Outcome } from "../api/types";
import { Empty, Facts, Failed, Id, Loading, Notice, Panel, State } from "../parts/basics";
import { CaseTitle } from "../parts/change";
import { Checks } from "../parts/checks";
import { DecisionLines } from "../parts/decisions";
import { EvidenceList } from "../parts/evidence";
import { ExplanationPanels } from "../parts/explanation";
import { OverrideNotice, OverridePanel } from "../parts/override";
import { ProposalFacts, ReviewLines } from "../parts/proposal";
import { FillsTable, OrdersTable } from "../parts/tables";
import { WhyNotPanel } from "../parts/why_not";
import { Worked } from "../parts/worked";
import { money, percent, words } from "../lib/format";
import { link } from "../lib/router";
import { day, instant } from "../lib/time";

const UNASKED = new Set(["not_selected", "blocked"]);
const SENT = new Set(["submitted", "unknown", "done", "cancelled", "settled"]);

/** The whole life of one case: what was explained, who decided, what was sent and filled, how it ended. */
export function CasePage({ id }: { id: string }) {
  const detail = useResource<CaseDetail>(`/cases/${encodeURIComponent(id)}`, ["cases"]);
  const explained = useResource<Explanation>(`/explanations/${encodeURIComponent(id)}`, ["cases"]);
  const item = detail.data;
  if (!item) {
    if (!detail.error) return <Loading what="the case" />;
    const missing = detail.error instanceof ApiError && detail.error.status === 404;
    return missing
      ? <Empty>No case has the id {id}. <a href={link("history")}>All cases</a></Empty>
      : <Failed error={detail.error} retry={detail.reload} />;
  }
  return (
    <article className="stack narrow">
      <header className="subject">
        <a href={link("history")} className="back always">All cases</a>
        <div className="subject-line">
          <h1 tabIndex={-1} className="subject-title"><CaseTitle item={item} /></h1>
          <span data-testid="case-state"><State state={item.state} /></span>
          <span className="muted">{words(item.strategy)}, opened {day(item.opened)}</span>
          <Id value={item.id} length={24} />
          {item.state === "awaiting" && item.approval_id && (
            <a className="button small push" href={link("approvals", item.approval_id)}>Decide</a>
          )}
        </div>
        {item.reason && <p>{words(item.state)}: {item.reason}</p>}
      </header>
      {item.override && <OverrideNotice override={item.override} />}
      <OverridePanel item={item} reload={detail.reload} />
      <Panel title="Decisions">
        {item.decisions.length === 0 && <Empty>{item.approval_id ? "Nobody has decided." : "No person was asked."}</Empty>}
        <DecisionLines items={item.decisions} />
      </Panel>
      {item.proposal?.working && SENT.has(item.state) && <Panel title="Worked order"><Worked id={item.id} /></Panel>}
      {item.proposal && <Panel title="Orders"><OrdersTable items={item.orders} /></Panel>}
      {item.proposal && <Panel title="Fills"><FillsTable items={item.fills} /></Panel>}
      {item.outcome && <Panel title="Outcome"><OutcomeFacts outcome={item.outcome} /></Panel>}
      {explained.data
        ? <ExplanationPanels explanation={explained.data} evidence={item.evidence} />
        : explained.error
          ? UNASKED.has(item.state) && item.proposal
            ? <WhyNotPanel id={id} />
            : <Notice>No explanation was made: only a case that is asked, or that acts, is explained.</Notice>
          : <Loading what="the explanation" />}
      <Panel title="Proposal"><ProposalFacts item={item} equity={null} /></Panel>
      <Panel title="Evidence" aside={`${item.evidence.length} items`}>
        {item.evidence.length ? <EvidenceList items={item.evidence} /> : <Empty>No evidence is attached.</Empty>}
      </Panel>
      {item.review && <Panel title="Review"><ReviewLines review={item.review} /></Panel>}
      {item.checks && item.proposal && <Panel title="Checks"><Checks checks={item.checks} /></Panel>}
      {item.what_if && <Panel title="Risk after this order"><WhatIfTable found={item.what_if} /></Panel>}
      <Panel title="History">
        <ol className="timeline">
          {item.history.map((entry) => (
            <li key={entry.seq}>
              <span className="num muted">{entry.seq}</span> <b>{words(entry.kind)}</b> <span className="muted">{instant(entry.at)}</span>
              <details><summary>Record</summary><pre>{JSON.stringify(entry.content, null, 2)}</pre></details>
            </li>
          ))}
        </ol>
      </Panel>
    </article>
  );
}

function OutcomeFacts({ outcome }: { outcome: Outcome }) {
  return (
    <Facts
      rows={[
        ["What became of it", outcome.settled ? words(outcome.disposition) : "not known before it is settled"],
        ["Horizon", `${outcome.horizon_sessions} sessions, due ${day(outcome.due)}`],
        ["Entry, exit", `${money(outcome.entry_price)}, ${outcome.exit_price ? money(outcome.exit_price) : "not yet"}`],
        ["Return of the view", percent(outcome.view_return, 2, true)],
        ["Index", percent(outcome.index_return, 2, true)],
        ["Against index", percent(outcome.excess_return, 2, true)],
        ["Settled", outcome.settled ? "yes" : "not yet"],
      ]}
    />
  );
}
