import { useState, type FormEvent } from "react";
import { ApiError, post, sayError } from "../api/client";
import { useLive } from "../api/live";
import type { Approval, CaseDecision, Decision, DecisionResult } from "../api/types";
import { words } from "../lib/format";
import { useDraft } from "../lib/drafts";
import { changesBetween, priorDecision, type PriorDecision } from "../lib/queue";
import { link } from "../lib/router";
import { countdown, wallTime } from "../lib/time";
import { Id, Notice, Panel } from "./basics";
import { DecisionLines } from "./decisions";
import { orderSentence } from "./proposal";

type Problem =
  | { kind: "reason" | "other"; text: string }
  | { kind: "stale"; text: string }
  | { kind: "expired"; text: string }
  | { kind: "decided"; text: string; prior: PriorDecision };

function problemOf(error: unknown): Problem {
  const text = sayError(error);
  if (error instanceof ApiError) {
    if (error.status === 410) return { kind: "expired", text };
    if (error.status === 409 && error.code === "stale_digest") return { kind: "stale", text };
    if (error.status === 409) return { kind: "decided", text, prior: priorDecision(error.detail) };
  }
  return { kind: "other", text };
}

/** The decision on one approval. What is sent is the digest of the version that was on screen when it was read. */
export function DecisionForm({ approval, decisions, next }: {
  approval: Approval;
  decisions: readonly CaseDecision[];
  next: string | null;
}) {
  const { store } = useLive();
  const [seen, setSeen] = useState(approval);
  const [reason, setReason, clearReason] = useDraft(approval.id);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [sending, setSending] = useState<Decision | null>(null);
  const [result, setResult] = useState<DecisionResult | null>(null);

  const changed = approval.digest !== seen.digest;
  const open = approval.status === "pending" && problem?.kind !== "expired" && problem?.kind !== "decided";

  async function decide(decision: Decision) {
    if (!reason.trim()) {
      setProblem({ kind: "reason", text: "Give a reason; it goes into the ledger with your name." });
      document.getElementById("decision-reason")?.focus();
      return;
    }
    setSending(decision);
    setProblem(null);
    try {
      const path = `/approvals/${encodeURIComponent(approval.id)}/decision`;
      setResult(await post<DecisionResult>(path, { decision, digest: seen.digest, reason: reason.trim() }));
      clearReason();
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setSending(null);
      store.touch(["approvals", "cases", "desk"]);
    }
  }

  return (
    <Panel title="Decision" id="decision" className="decision">
      <div aria-live="polite">
        {result && <Result result={result} next={next} />}
        {problem && problem.kind !== "reason" && !result && <ProblemNote problem={problem} caseId={approval.case_id} />}
        {!result && approval.status !== "pending" && problem?.kind !== "decided" && problem?.kind !== "expired" && (
          <Notice title={`This request is ${words(approval.status)}`} testId="decision-result">
            <DecisionLines items={decisions} /> <a href={link("cases", approval.case_id)}>Open the case</a>
          </Notice>
        )}
        {problem?.kind === "decided" && <DecisionLines items={decisions} />}
        {open && !result && changed && (
          <Changed before={seen} after={approval} accept={() => { setSeen(approval); setProblem(null); }} />
        )}
      </div>
      {(!result || result.status === "pending") && open && (
        <form onSubmit={(event: FormEvent) => event.preventDefault()} noValidate>
          {!changed && <p className="releases">Approving releases: <b>{orderSentence(seen.case)}</b></p>}
          <label className="field" htmlFor="decision-reason">
            Reason
            <textarea id="decision-reason" data-testid="decision-reason" rows={3} maxLength={2000} required value={reason}
              aria-invalid={problem?.kind === "reason"} aria-describedby="decision-help" placeholder="Why this should, or should not, go out"
              onChange={(e) => { setReason(e.target.value); if (problem?.kind === "reason") setProblem(null); }} />
          </label>
          {problem?.kind === "reason" && <p className="field-error" role="alert">{problem.text}</p>}
          <p className="foot" id="decision-help">
            {approval.given} of {approval.required} {approval.required === 1 ? "approval" : "approvals"} given, {countdown(approval.sessions_left)}.
            No answer counts as a rejection. Rule {approval.rule}; bound to <Id value={seen.digest} length={12} />
          </p>
          <div className="decision-actions">
            <button type="button" className="button good" data-testid="decision-approve" disabled={sending !== null || changed}
              onClick={() => decide("approve")}>{sending === "approve" ? "Approving…" : "Approve"}</button>
            <button type="button" className="button bad" data-testid="decision-reject" disabled={sending !== null || changed}
              onClick={() => decide("reject")}>{sending === "reject" ? "Rejecting…" : "Reject"}</button>
          </div>
        </form>
      )}
    </Panel>
  );
}

function Result({ result, next }: { result: DecisionResult; next: string | null }) {
  const tone = result.status === "approved" ? "good" : "plain";
  const title = result.status === "pending"
    ? `Your approval is recorded, ${result.given} of ${result.required}`
    : `${words(result.status).replace(/^./, (c) => c.toUpperCase())} by ${result.decided_by}`;
  return (
    <Notice tone={tone} title={title} testId="decision-result">
      {result.status === "approved" && "It is checked again and sent at the next open. "}
      {result.status === "rejected" && "Nothing is sent. "}
      {result.repeated && "This repeats an earlier decision; nothing changed. "}
      <a href={link("cases", result.case_id)}>Open the case</a>
      {next && <>, or <a href={link("approvals", next)} data-testid="decision-next">go to the next one waiting</a></>}
    </Notice>
  );
}

function ProblemNote({ problem, caseId }: { problem: Problem; caseId: string }) {
  const open = <a href={link("cases", caseId)}>Open the case</a>;
  switch (problem.kind) {
    case "expired":
      return <Notice tone="warn" title="This request has expired" testId="decision-result">{problem.text} Nothing was sent. {open}</Notice>;
    case "decided": {
      const { by, decision, at } = problem.prior;
      const who = by ? ` ${decision ? words(decision) : "decided"} by ${by}${at ? ` at ${wallTime(at)}` : ""}.` : "";
      return <Notice tone="warn" title="Already decided otherwise" testId="decision-result">{problem.text}{who} Your text is kept. {open}</Notice>;
    }
    case "stale":
      return <Notice tone="warn" title="The proposal changed while you were reading" testId="decision-result">{problem.text} Nothing was saved.</Notice>;
    default:
      return <Notice tone="bad" title="The decision was not saved" testId="decision-result">{problem.text}</Notice>;
  }
}

function Changed({ before, after, accept }: { before: Approval; after: Approval; accept: () => void }) {
  const changes = changesBetween(before, after);
  return (
    <Notice tone="warn" title="This proposal changed after you opened it" testId="decision-changed">
      {changes.length > 0
        ? <ul className="lines">{changes.map((c) => <li key={c.field}>{c.field}: <del>{c.before}</del> <ins>{c.after}</ins></li>)}</ul>
        : <p>Its content or evidence is different. Read it again before deciding.</p>}
      <button type="button" className="button" data-testid="decision-accept-version" onClick={accept}>Decide on the new version</button>
    </Notice>
  );
}
