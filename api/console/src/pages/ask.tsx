import { useEffect, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import type { ChatAction } from "../api/chat";
import { useSession } from "../api/session";
import type { Desk } from "../api/types";
import type { Chat } from "../lib/conversation";
import { useDraft } from "../lib/drafts";
import { whyNot } from "../lib/rights";
import { Notice } from "../parts/basics";
import { Dialog } from "../parts/dialog";
import { HaltForm } from "../parts/halt";
import { ResumeForm } from "../parts/halt_banner";
import { Threads } from "../parts/threads";
import { TurnView } from "../parts/turn";

const SUGGESTIONS = [
  "What is waiting for me?",
  "What changed since the last session?",
  "How much of the limits is used?",
  "What is our exposure by sector?",
  "What is the value at risk?",
  "Why did we not buy IBM?",
  "What would have changed it?",
  "Compare it with last time",
  "What if the sector cap were 5 %?",
  "What if we bought 100 IBM?",
  "What if the market fell 10 %?",
  "Are there findings?",
  "Halt",
];

export function AskPage({ chat, desk }: { chat: Chat; desk: Desk | null }) {
  const [text, setText, clear] = useDraft("chat");
  const [dialog, setDialog] = useState<ChatAction | null>(null);
  const end = useRef<HTMLDivElement>(null);
  const { turns, busy } = chat;
  const last = turns.at(-1);
  const shown = useRef(last?.id);

  useEffect(() => {
    end.current?.scrollIntoView({ block: "nearest" });
  }, [turns]);

  useEffect(() => {
    if (!last || last.state !== "done" || shown.current === last.id) return;
    shown.current = last.id;
    if (last.action && last.looking.length === 0 && Date.now() - last.id < 60_000) setDialog(last.action);
  }, [last]);

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
        {turns.length > 0 && <button type="button" className="button small" data-testid="chat-new" onClick={chat.begin}>New conversation</button>}
      </header>
      <Threads chat={chat} />
      {chat.problem && <Notice tone="bad">{chat.problem}</Notice>}
      <div className="turns" aria-live="polite" aria-busy={busy}>
        {turns.length === 0 && (
          <p className="empty">Answers come from the desk's own records, and each figure leads to its record. Decisions are taken on the Approvals page, never here.</p>
        )}
        {turns.map((turn) => (
          <TurnView key={turn.id} turn={turn} again={() => send(turn.question)} openDialog={() => setDialog(turn.action)} />
        ))}
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
      <Prepared action={dialog} desk={desk} close={() => setDialog(null)} />
    </div>
  );
}

/** The halt or resume dialog with what was asked for filled in. Nothing happens until a person confirms it. */
function Prepared({ action, desk, close }: { action: ChatAction | null; desk: Desk | null; close: () => void }) {
  const { session } = useSession();
  const halts = desk?.halts ?? [];
  const resuming = action?.open_dialog === "resume";
  const barred = whyNot(session, resuming ? "release" : "halt");
  return (
    <Dialog open={action !== null} title={resuming ? "Resume the desk" : "Halt the desk"} onClose={close}>
      {barred && <Notice tone="warn">{barred}</Notice>}
      {!barred && resuming && halts.length === 0 && <Notice>Nothing is halted.</Notice>}
      {!barred && resuming && halts.length > 0 && <ResumeForm chosen={halts} all close={close} />}
      {!barred && action && !resuming && <HaltForm start={action} positions={desk?.positions ?? null} close={close} />}
    </Dialog>
  );
}
