import { useCallback, useEffect, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { ask } from "../api/chat";
import { sayError } from "../api/client";
import { useDraft } from "../lib/drafts";
import { Id, Notice } from "../parts/basics";

interface Turn {
  id: number;
  question: string;
  answer: string;
  evidence: string[];
  state: "streaming" | "done" | "stopped" | "failed";
  problem: string;
}

export interface Chat {
  turns: Turn[];
  busy: boolean;
  send: (question: string) => void;
  stop: () => void;
}

/** The conversation; held above the pages so that leaving Ask does not cut an answer off. */
export function useChat(): Chat {
  const [turns, setTurns] = useState<Turn[]>([]);
  const thread = useRef<string | null>(null);
  const abort = useRef<AbortController | null>(null);
  const [busy, setBusy] = useState(false);

  const send = useCallback(async (question: string) => {
    if (abort.current) return;
    const control = new AbortController();
    abort.current = control;
    setBusy(true);
    const id = Date.now();
    const update = (change: (turn: Turn) => Partial<Turn>) =>
      setTurns((all) => all.map((turn) => (turn.id === id ? { ...turn, ...change(turn) } : turn)));
    setTurns((all) => [...all, { id, question, answer: "", evidence: [], state: "streaming", problem: "" }]);
    try {
      const done = await ask(question, thread.current, (text) => update((turn) => ({ answer: turn.answer + text })), control.signal);
      thread.current = done.threadId;
      update(() => ({ state: "done", evidence: done.evidenceIds }));
    } catch (error) {
      update(() => control.signal.aborted ? { state: "stopped" } : { state: "failed", problem: sayError(error) });
    } finally {
      abort.current = null;
      setBusy(false);
    }
  }, []);

  return { turns, busy, send: (question) => void send(question), stop: () => abort.current?.abort() };
}

const SUGGESTIONS = [
  "What is waiting for me?",
  "What changed since the last session?",
  "How much of the limits is used?",
  "What is our exposure by sector?",
  "Why did we not buy IBM?",
];

export function AskPage({ chat }: { chat: Chat }) {
  const [text, setText, clear] = useDraft("chat");
  const end = useRef<HTMLDivElement>(null);
  const { turns, busy } = chat;

  useEffect(() => {
    end.current?.scrollIntoView({ block: "nearest" });
  }, [turns]);

  function send(question: string) {
    if (busy || !question.trim()) return;
    chat.send(question.trim());
    clear();
  }
  function key(event: KeyboardEvent<HTMLTextAreaElement>) {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send(text);
  }

  return (
    <div className="ask">
      <header className="page-head">
        <h1 tabIndex={-1}>Ask the desk</h1>
      </header>
      <div className="turns" aria-live="polite" aria-busy={busy}>
        {turns.length === 0 && (
          <p className="empty">Answers come from the desk's own records and cite them. Decisions are taken on the Approvals page, never here.</p>
        )}
        {turns.map((turn) => <TurnView key={turn.id} turn={turn} />)}
        <div ref={end} />
      </div>
      <div className="ask-box">
        <ul className="suggestions" aria-label="Suggested questions">
          {SUGGESTIONS.map((question) => (
            <li key={question}><button type="button" className="button small" disabled={busy} onClick={() => send(question)} data-testid="chat-suggestion">{question}</button></li>
          ))}
        </ul>
        <form onSubmit={(event: FormEvent) => { event.preventDefault(); send(text); }}>
          <label className="visually-hidden" htmlFor="chat-input">Question</label>
          <textarea id="chat-input" data-testid="chat-input" rows={2} maxLength={2000} value={text}
            placeholder="Why, why not, what changed, what is waiting" onChange={(e) => setText(e.target.value)} onKeyDown={key} />
          {busy
            ? <button type="button" className="button" onClick={chat.stop} data-testid="chat-stop">Stop</button>
            : <button type="submit" className="button primary" data-testid="chat-send" disabled={!text.trim()}>Ask</button>}
        </form>
      </div>
    </div>
  );
}

function TurnView({ turn }: { turn: Turn }) {
  return (
    <article className="turn">
      <p className="question">{turn.question}</p>
      <div className="answer" data-testid="chat-answer" data-state={turn.state}>
        {turn.answer}
        {turn.state === "streaming" && <span className="caret" aria-hidden="true" />}
      </div>
      {turn.state === "stopped" && <p className="foot">Stopped.</p>}
      {turn.state === "failed" && <Notice tone="bad">{turn.problem}</Notice>}
      {turn.evidence.length > 0 && (
        <p className="foot">From {turn.evidence.map((id) => <span key={id}><Id value={id} />{" "}</span>)}</p>
      )}
    </article>
  );
}
