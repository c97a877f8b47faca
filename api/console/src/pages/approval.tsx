import { useRef, useState } from "react";
import { ApiError } from "../api/client";
import { useResource } from "../api/live";
import { useSession } from "../api/session";
import { useViews } from "../api/views";
import type { Approval, CaseDetail, Explanation } from "../api/types";
import { Empty, Facts, Failed, Loading, Panel, State } from "../parts/basics";
import { CaseTitle } from "../parts/change";
import { Checks } from "../parts/checks";
import { DecisionForm } from "../parts/decision";
import { EvidenceGate } from "../parts/evidence_gate";
import { ExplanationPanels } from "../parts/explanation";
import { OverrideNotice } from "../parts/override";
import { ProposalFacts, ReviewLines } from "../parts/proposal";
import { LateRefusal } from "../parts/refuse";
import { TierTag } from "../parts/tier";
import { WhatIfTable } from "../parts/what_if";
import { useDeskClock } from "../lib/clock";
import { readDraft, writeDraft } from "../lib/drafts";
import { columnName, figure } from "../lib/figures";
import { money, words } from "../lib/format";
import { expiryOf, notional } from "../lib/queue";
import { link } from "../lib/router";
import { day } from "../lib/time";

/** One approval: evidence first, the decision last. It stays on screen after it left the queue. */
export function ApprovalDetail({ id, listed, next, equity, principal, halted }: {
  id: string;
  listed: Approval | null;
  next: string | null;
  equity: string | null;
  principal: string | null;
  halted: boolean;
}) {
  const { session, access } = useSession();
  const single = useResource<Approval>(listed ? null : `/approvals/${encodeURIComponent(id)}`, ["approvals"]);
  const last = useRef<Approval | null>(null);
  last.current = listed ?? single.data ?? last.current;
  const approval = last.current;

  const [opened, setOpened] = useState(() => readDraft(`${id}.opened`) !== "");
  const pending = approval?.status === "pending";
  const tellView = useViews(id, pending && approval?.tier !== undefined && access.state === "open", opened);
  const now = useDeskClock(pending && !!approval?.expires_wall);
  const open = () => {
    writeDraft(`${id}.opened`, "yes");
    setOpened(true);
  };

  const caseId = approval?.case_id ?? null;
  const detail = useResource<CaseDetail>(caseId && `/cases/${encodeURIComponent(caseId)}`, ["cases"]);
  const explained = useResource<Explanation>(caseId && `/explanations/${encodeURIComponent(caseId)}`, ["cases"]);

  if (!approval) {
    if (!single.error) return <Loading what="the proposal" />;
    if (!(single.error instanceof ApiError && single.error.status === 404)) return <Failed error={single.error} retry={single.reload} />;
    return <Empty>No approval has the id {id}. <a href={link("approvals")}>Back to the queue</a></Empty>;
  }

  const item = detail.data ?? approval.case;
  const decisions = detail.data?.decisions ?? [];
  const p = approval.case.proposal;
  const expiry = expiryOf(approval, now);
  const checks = detail.data?.checks ?? approval.case.checks;
  return (
    <article className="stack" aria-label={`Proposal ${approval.case.symbol}`}>
      <header className="subject">
        <a href={link("approvals")} className="back">All approvals</a>
        <div className="subject-line">
          <h2 className="subject-title"><CaseTitle item={approval.case} /></h2>
          {p && <span className="num">{money(notional(p), 0)}</span>}
          <span className="muted">{words(approval.case.strategy)}</span>
          <State state={approval.status} />
          <TierTag tier={approval.tier} />
          <span className={`clock ${expiry.urgent ? "urgent" : "muted"}`} title={p ? `Expires with the open of ${day(approval.expires)}` : undefined}>
            {pending && expiry.text}
          </span>
          <button type="button" className="button small push" onClick={toDecision}>Go to decision</button>
        </div>
      </header>
      {detail.error ? <Failed error={detail.error} retry={detail.reload} /> : null}
      {detail.data?.override && <OverrideNotice override={detail.data.override} />}
      <Panel title="Proposal"><ProposalFacts item={approval.case} equity={equity} /></Panel>
      <Panel title="Evidence" aside={detail.data ? `${detail.data.evidence.length} items` : null}>
        {detail.data
          ? <EvidenceGate items={detail.data.evidence} gated={pending && approval.evidence_required === true} opened={opened} open={open} />
          : <Loading what="evidence" />}
      </Panel>
      {item.review && <Panel title="Review"><ReviewLines review={item.review} /></Panel>}
      {p && <Panel title="Checks">{checks ? <Checks checks={checks} /> : <Empty>The limits have not been checked yet.</Empty>}</Panel>}
      {detail.data?.what_if && <Panel title="Risk after this order"><WhatIfTable found={detail.data.what_if} /></Panel>}
      {explained.data && <ExplanationPanels explanation={explained.data} evidence={detail.data?.evidence ?? []} />}
      {!explained.data && (
        <Panel title="Explanation">
          {approval.explanation
            ? <p className="prose">{approval.explanation.prose}</p>
            : explained.error ? <Failed error={explained.error} retry={explained.reload} /> : <Loading what="the explanation" />}
        </Panel>
      )}
      {approval.facts && <PolicyFacts approval={approval} />}
      <DecisionForm approval={approval} decisions={decisions} next={next} opened={opened} halted={halted} tellView={tellView} />
      <LateRefusal approval={approval} decisions={decisions} me={session?.name ?? principal} />
    </article>
  );
}

/** What the policy knew when it asked for a person, and the rule that answered. */
function PolicyFacts({ approval }: { approval: Approval }) {
  const facts = Object.entries(approval.facts ?? {}).filter(([, value]) => value !== null && value !== "" && !Array.isArray(value));
  return (
    <Panel title="Why a person is asked" aside={`rule ${words(approval.rule)}, policy ${approval.policy_version}`}>
      <Facts
        rows={[
          ["Signatures", `${approval.required === 1 ? "one" : approval.required}, ${approval.roles.map(words).join(" or ")} or above`],
          ...facts.map(([key, value]) => [columnName(key), figure(key, value)] as const),
        ]}
      />
    </Panel>
  );
}

function toDecision(): void {
  const reason = document.getElementById("decision-reason");
  (reason ?? document.getElementById("decision"))?.scrollIntoView({ block: "center" });
  reason?.focus({ preventScroll: true });
}
