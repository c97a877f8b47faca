import { ApiError, sayError } from "../api/client";
import type { Approval, DecisionResult } from "../api/types";
import { money, words } from "../lib/format";
import { changesBetween, notional, priorDecision, type Change, type PriorDecision } from "../lib/queue";
import { pastOf, refusalSentence } from "../lib/refusals";
import { link } from "../lib/router";
import { wallTime } from "../lib/time";
import { Notice } from "./basics";

export type Problem =
  | { kind: "other" | "stale" | "expired"; text: string }
  | { kind: "refused"; text: string; sentence: string | null }
  | { kind: "decided"; text: string; prior: PriorDecision };

/** Sort a failed decision by what the person can do about it. */
export function problemOf(error: unknown): Problem {
  const text = sayError(error);
  if (!(error instanceof ApiError)) return { kind: "other", text };
  const prior = priorDecision(error.detail);
  switch (error.status) {
    case 410: return { kind: "expired", text };
    case 403: return { kind: "refused", text, sentence: refusalSentence(error.code) };
    case 409:
      if (error.code === "stale_digest") return { kind: "stale", text };
      return error.code === "decided" || prior.by ? { kind: "decided", text, prior } : { kind: "other", text };
    default: return { kind: "other", text };
  }
}

export function ProblemNote({ problem, caseId, kept }: { problem: Problem; caseId: string; kept: string }) {
  const open = <a href={link("cases", caseId)}>Open the case</a>;
  switch (problem.kind) {
    case "expired":
      return (
        <Notice tone="warn" title="This request has expired" testId="decision-result">
          {problem.text} Nothing was sent. <Kept text={kept} /> {open}
        </Notice>
      );
    case "decided":
      return (
        <Notice tone="warn" title={firstWords(problem.prior)} testId="decision-result">
          {problem.text} <Kept text={kept} /> {open}
        </Notice>
      );
    case "stale":
      return <Notice tone="warn" title="The proposal changed while you were reading" testId="decision-result">{problem.text} Nothing was saved.</Notice>;
    case "refused":
      return (
        <Notice tone="bad" title={problem.sentence ?? "You may not do this"} testId="decision-result">
          {problem.text} Nothing was saved; your text is still here.
        </Notice>
      );
    default:
      return <Notice tone="bad" title="The decision was not saved" testId="decision-result">{problem.text}</Notice>;
  }
}

function firstWords({ by, decision, at }: PriorDecision): string {
  if (!by) return "Already decided otherwise";
  return `Already decided otherwise: ${by} ${decision ? pastOf(decision) : "decided"} this first${at ? `, at ${wallTime(at)}` : ""}`;
}

function Kept({ text }: { text: string }) {
  return text.trim() ? <>Your text is kept: <q>{text.trim()}</q></> : null;
}

export function Result({ result, edited, next, order = true }: { result: DecisionResult; edited: boolean; next: string | null; order?: boolean }) {
  const open = result.status === "pending";
  const title = open
    ? edited ? `Your edit is recorded; ${result.given} of ${result.required} signed` : `Your approval is recorded, ${result.given} of ${result.required}`
    : `${words(result.status).replace(/^./, (c) => c.toUpperCase())}${edited ? " as edited" : ""} by ${result.decided_by}${result.on_behalf_of ? ` for ${result.on_behalf_of}` : ""}`;
  return (
    <Notice tone={result.status === "approved" ? "good" : "plain"} title={title} testId="decision-result">
      {open && "Another person has to sign before anything is sent. "}
      {result.status === "approved" && (result.not_before
        ? `It is checked again and ${order ? "sent at the next open, not before" : "put in force at"} ${wallTime(result.not_before)}. `
        : order ? "It is checked again and sent at the next open. " : "It is in force. ")}
      {result.status === "approved" && (order || result.not_before) && "Until then another person can still refuse it. "}
      {result.status === "rejected" && "Nothing is sent. "}
      {result.repeated && "This repeats an earlier decision; nothing changed. "}
      <a href={link("cases", result.case_id)}>Open the case</a>
      {next && <>, or <a href={link("approvals", next)} data-testid="decision-next">go to the next one waiting</a></>}
    </Notice>
  );
}

export function Changed({ before, after, accept }: { before: Approval; after: Approval; accept: () => void }) {
  const [old, now] = [notional(before.case.proposal), notional(after.case.proposal)];
  const moved: Change[] = old === now ? [] : [{ field: "notional", before: money(old, 0), after: money(now, 0) }];
  const changes = [...changesBetween(before, after), ...moved];
  const editor = after.edited_by && after.edited_by !== before.edited_by ? after.edited_by : null;
  return (
    <Notice tone="warn" title={editor ? `${editor} edited this after you opened it` : "This proposal changed after you opened it"} testId="decision-changed">
      {changes.length > 0
        ? <ChangeList items={changes} />
        : <p>Its content or evidence is different. Read it again before deciding.</p>}
      <button type="button" className="button" data-testid="decision-accept-version" onClick={accept}>Decide on the new version</button>
    </Notice>
  );
}

export function ChangeList({ items }: { items: readonly Change[] }) {
  return <ul className="lines">{items.map((c) => <li key={c.field}>{c.field}: <del>{c.before}</del> <ins>{c.after}</ins></li>)}</ul>;
}
