import type { Span } from "../api/chat";
import { words } from "../lib/format";
import type { Turn } from "../lib/conversation";
import { pageOf, placeOf } from "../lib/records";
import { link } from "../lib/router";
import { Id, Notice } from "./basics";

/** One question and its answer; every figure leads to the record it stands in. */
export function TurnView({ turn, again, openDialog }: { turn: Turn; again: () => void; openDialog: () => void }) {
  const looking = turn.state === "streaming" && turn.spans.length === 0;
  return (
    <article className="turn">
      <p className="question">{turn.question}</p>
      {turn.looking.length > 0 && (
        <p className="foot" data-testid="chat-looking">{looking ? "Looking at" : "Looked at"}: {[...new Set(turn.looking)].map(words).join(", ")}</p>
      )}
      <div className="answer" data-testid="chat-answer" data-state={turn.state}>
        {turn.spans.map((span, i) => <SpanView key={i} span={span} />)}
        {turn.state === "streaming" && <span className="caret" aria-hidden="true" />}
      </div>
      {turn.action && (
        <p><button type="button" className="button small" data-testid="chat-action" onClick={openDialog}>
          Open the {turn.action.open_dialog} dialog
        </button></p>
      )}
      {turn.state === "stopped" && <p className="foot">Stopped. <Again ask={again} /></p>}
      {turn.state === "failed" && <Notice tone="bad">{turn.problem} <Again ask={again} /></Notice>}
      {turn.evidence.length > 0 && (
        <p className="foot">Evidence {turn.evidence.map((id) => <span key={id}><a href={link("evidence", id)}><Id value={id} /></a>{" "}</span>)}</p>
      )}
    </article>
  );
}

function Again({ ask }: { ask: () => void }) {
  return <button type="button" className="linklike" data-testid="chat-again" onClick={ask}>Ask again</button>;
}

function SpanView({ span }: { span: Span }) {
  const page = span.ref && pageOf(span.ref.record);
  if (!span.ref || !page) return <>{span.text}</>;
  return <a className="figure" href={page} title={placeOf(span.ref.record, span.ref.pointer)}>{span.text}</a>;
}
