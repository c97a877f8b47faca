import { useEffect, useState } from "react";
import { post } from "../api/client";
import { useLive } from "../api/live";
import { useSession } from "../api/session";
import type { Approval, CaseDecision, Decision, DecisionResult, Edit } from "../api/types";
import { words } from "../lib/format";
import { useDraft } from "../lib/drafts";
import { whyNot } from "../lib/rights";
import { link } from "../lib/router";
import { Notice, Panel } from "./basics";
import { AskForm } from "./ask_form";
import { DecideForm } from "./decide_form";
import { Changed, ProblemNote, Result, problemOf, type Problem } from "./decision_notes";
import { DecisionLines } from "./decisions";
import { EditForm } from "./edit_form";
import { Questions } from "./questions";
import { Signing } from "./signing";

export interface Answer {
  decision: Decision;
  reason: string;
  code?: string;
  edit?: Edit;
}

const MODES = [["decide", "Approve or reject"], ["edit", "Edit"], ["ask", "Ask the agent"]] as const;

/** The decision on one approval. What is sent is the digest of the version that was on screen when it was read. */
export function DecisionForm({ approval, decisions, next, opened, halted, tellView }: {
  approval: Approval;
  decisions: readonly CaseDecision[];
  next: string | null;
  opened: boolean;
  halted: boolean;
  tellView: () => Promise<void>;
}) {
  const { store } = useLive();
  const { session } = useSession();
  const [seen, setSeen] = useState(approval);
  const [mode, setMode] = useDraft(`${approval.id}.mode`, "decide");
  const [reason, setReason, clearReason] = useDraft(approval.id);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [sending, setSending] = useState<Decision | null>(null);
  const [result, setResult] = useState<DecisionResult | null>(null);
  const [edited, setEdited] = useState(false);

  const made = result?.digest;
  useEffect(() => {
    if (made && approval.digest === made) setSeen(approval);
  }, [approval, made]);

  const modern = approval.tier !== undefined;
  const changed = approval.digest !== seen.digest && approval.digest !== made;
  const open = approval.status === "pending" && problem?.kind !== "expired" && problem?.kind !== "decided";
  const signed = (approval.signed ?? []).some((item) => item.principal === session?.name);
  const noRole = whyNot(session, "decide");
  const barred = noRole ?? (signed ? "You have signed already; somebody else has to sign too." : null);
  const unread = approval.evidence_required && !opened ? "Open the evidence first: this tier is not approved unread." : null;
  const refused = approval.may_sign === false ? approval.may_not_because ?? "You may not sign this one." : null;
  const hint = halted && !barred ? refused : null;
  const noSign = hint ? unread : refused ?? barred ?? unread;

  async function answer({ decision, reason: text, code, edit }: Answer): Promise<boolean> {
    setSending(decision);
    setProblem(null);
    try {
      if (modern) await tellView();
      const path = `/approvals/${encodeURIComponent(approval.id)}/decision`;
      const extra = modern ? { reason_code: code ?? null, edit: edit ? { ...edit } : null } : {};
      const got = await post<DecisionResult>(path, { decision, digest: seen.digest, reason: text, ...extra });
      if (decision !== "respond") {
        setResult(got);
        setEdited(decision === "edit");
        clearReason();
        setMode("decide");
      }
      return true;
    } catch (error) {
      setProblem(problemOf(error));
      return false;
    } finally {
      setSending(null);
      store.touch(["approvals", "cases", "desk"]);
    }
  }

  const shared = { approval: seen, reason, setReason, sending, blocked: changed, answer };
  return (
    <Panel title="Decision" id="decision" className="decision">
      <div aria-live="polite">
        {result && <Result result={result} edited={edited} next={next} order={approval.case.proposal !== null} />}
        {problem && !result && <ProblemNote problem={problem} caseId={approval.case_id} kept={reason} />}
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
      {open && modern && <Signing approval={approval} barred={noRole} />}
      <Questions items={approval.questions ?? []} />
      {(!result || result.status === "pending") && open && (
        <>
          {modern && (
            <div className="modes" role="group" aria-label="What to do">
              {MODES.filter(([key]) => approval.case.proposal || key !== "edit").map(([key, name]) => (
                <button key={key} type="button" className="mode-choice" aria-pressed={mode === key} data-testid={`mode-${key}`}
                  onClick={() => setMode(key)}>{name}</button>
              ))}
            </div>
          )}
          {modern && mode === "edit" && seen.case.proposal && <EditForm key={seen.digest} {...shared} proposal={seen.case.proposal} barred={barred ?? unread} />}
          {modern && mode === "ask" && <AskForm {...shared} barred={noRole} />}
          {(!modern || (mode !== "edit" && mode !== "ask")) && (
            <DecideForm {...shared} noSign={noSign} noReject={barred} hint={hint} modern={modern} />
          )}
        </>
      )}
    </Panel>
  );
}
