import { useRef } from "react";
import { ApiError } from "../api/client";
import { useResource } from "../api/live";
import type { Approval, CaseDetail, Explanation } from "../api/types";
import { Empty, Failed, Loading, Panel, SideWord, State } from "../parts/basics";
import { Checks } from "../parts/checks";
import { DecisionForm } from "../parts/decision";
import { EvidenceList } from "../parts/evidence";
import { ExplanationPanels } from "../parts/explanation";
import { ProposalFacts, ReviewLines } from "../parts/proposal";
import { decimal, money, words } from "../lib/format";
import { notional } from "../lib/queue";
import { link } from "../lib/router";
import { countdown, day } from "../lib/time";

/** One approval: evidence first, the decision last. It stays on screen after it left the queue. */
export function ApprovalDetail({ id, listed, next, equity }: {
  id: string;
  listed: Approval | null;
  next: string | null;
  equity: string | null;
}) {
  const single = useResource<Approval>(listed ? null : `/approvals/${encodeURIComponent(id)}`, ["approvals"]);
  const last = useRef<Approval | null>(null);
  last.current = listed ?? single.data ?? last.current;
  const approval = last.current;

  const caseId = approval?.case_id ?? null;
  const detail = useResource<CaseDetail>(caseId && `/cases/${encodeURIComponent(caseId)}`, ["cases"]);
  const explained = useResource<Explanation>(caseId && `/explanations/${encodeURIComponent(caseId)}`, ["cases"]);

  if (!approval) {
    if (!single.error) return <Loading what="the proposal" />;
    if (!(single.error instanceof ApiError && single.error.status === 404)) return <Failed error={single.error} retry={single.reload} />;
    return <Empty>No approval has the id {id}. <a href={link("approvals")}>Back to the queue</a></Empty>;
  }

  const item = detail.data ?? approval.case;
  const p = approval.case.proposal;
  const checks = detail.data?.checks ?? approval.case.checks;
  return (
    <article className="stack" aria-label={`Proposal ${p.symbol}`}>
      <header className="subject">
        <a href={link("approvals")} className="back">All approvals</a>
        <div className="subject-line">
          <h2 className="subject-title"><SideWord side={p.side} /> {decimal(String(p.quantity), 0)} {p.symbol}</h2>
          <span className="num">{money(notional(p), 0)}</span>
          <span className="muted">{words(approval.case.strategy)}</span>
          <State state={approval.status} />
          <span className={approval.sessions_left <= 1 ? "urgent" : "muted"} title={`Expires with the open of ${day(approval.expires)}`}>
            {approval.status === "pending" && countdown(approval.sessions_left)}
          </span>
          <button type="button" className="button small push" onClick={toDecision}>Go to decision</button>
        </div>
      </header>
      {detail.error ? <Failed error={detail.error} retry={detail.reload} /> : null}
      <Panel title="Proposal"><ProposalFacts item={approval.case} equity={equity} /></Panel>
      <Panel title="Evidence" aside={detail.data ? `${detail.data.evidence.length} items` : null}>
        {detail.data ? <EvidenceList items={detail.data.evidence} /> : <Loading what="evidence" />}
      </Panel>
      {item.review && <Panel title="Review"><ReviewLines review={item.review} /></Panel>}
      <Panel title="Checks">{checks ? <Checks checks={checks} /> : <Empty>The limits have not been checked yet.</Empty>}</Panel>
      {explained.data && <ExplanationPanels explanation={explained.data} evidence={detail.data?.evidence ?? []} />}
      {!explained.data && (
        <Panel title="Explanation">
          {approval.explanation
            ? <p className="prose">{approval.explanation.prose}</p>
            : explained.error ? <Failed error={explained.error} retry={explained.reload} /> : <Loading what="the explanation" />}
        </Panel>
      )}
      <DecisionForm approval={approval} decisions={detail.data?.decisions ?? []} next={next} />
    </article>
  );
}

function toDecision(): void {
  const reason = document.getElementById("decision-reason");
  (reason ?? document.getElementById("decision"))?.scrollIntoView({ block: "center" });
  reason?.focus({ preventScroll: true });
}
