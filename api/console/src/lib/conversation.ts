import { useCallback, useRef, useState } from "react";
import { ask, type ChatAction, type ChatThread, type ChatTurn, type Span } from "../api/chat";
import { get, request, sayError } from "../api/client";

export interface Turn {
  id: number;
  question: string;
  spans: Span[];
  looking: string[];
  evidence: string[];
  action: ChatAction | null;
  state: "streaming" | "done" | "stopped" | "failed";
  problem: string;
}

export interface Chat {
  turns: Turn[];
  busy: boolean;
  threadId: string | null;
  threads: ChatThread[];
  problem: string;
  send: (question: string) => void;
  stop: () => void;
  begin: () => void;
  open: (id: string) => void;
  putAway: (id: string) => void;
  refresh: () => void;
}

const KEPT = "The answer was cut off. The question is kept.";

function kept(turn: ChatTurn): Turn {
  const whole = turn.answer !== null;
  return {
    id: turn.question_id, question: turn.question, spans: turn.spans, looking: [], evidence: turn.evidence_ids,
    action: turn.action, state: whole ? "done" : "failed", problem: whole ? "" : KEPT,
  };
}

/** The conversation; held above the pages so that leaving Ask does not cut an answer off. */
export function useChat(): Chat {
  const [turns, setTurns] = useState<Turn[]>([]);
  const [threadId, setThreadId] = useState<string | null>(null);
  const [threads, setThreads] = useState<ChatThread[]>([]);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const abort = useRef<AbortController | null>(null);

  const refresh = useCallback(() => {
    get<{ items: ChatThread[] }>("/chat/threads").then((found) => setThreads(found.items), (error) => setProblem(sayError(error)));
  }, []);

  async function send(question: string) {
    if (abort.current) return;
    const control = new AbortController();
    abort.current = control;
    setBusy(true);
    setProblem("");
    const id = Date.now();
    const update = (change: (turn: Turn) => Partial<Turn>) =>
      setTurns((all) => all.map((turn) => (turn.id === id ? { ...turn, ...change(turn) } : turn)));
    const fresh: Turn = { id, question, spans: [], looking: [], evidence: [], action: null, state: "streaming", problem: "" };
    setTurns((all) => [...all, fresh]);
    try {
      const done = await ask(question, threadId, {
        onThread: setThreadId,
        onLooking: (tool) => update((turn) => ({ looking: [...turn.looking, tool] })),
        onSpan: (span) => update((turn) => ({ spans: [...turn.spans, span] })),
      }, control.signal);
      update(() => ({ state: "done", evidence: done.evidenceIds, action: done.action }));
    } catch (error) {
      update(() => control.signal.aborted ? { state: "stopped" } : { state: "failed", problem: sayError(error) });
    } finally {
      abort.current = null;
      setBusy(false);
      refresh();
    }
  }

  function begin() {
    abort.current?.abort();
    setTurns([]);
    setThreadId(null);
    setProblem("");
  }

  async function open(id: string) {
    if (abort.current) return;
    try {
      const found = await get<{ id: string; turns: ChatTurn[] }>(`/chat/threads/${encodeURIComponent(id)}`);
      setTurns(found.turns.map(kept));
      setThreadId(found.id);
      setProblem("");
    } catch (error) {
      setProblem(sayError(error));
    }
  }

  async function putAway(id: string) {
    try {
      await request(`/chat/threads/${encodeURIComponent(id)}`, { method: "DELETE" });
      if (id === threadId) begin();
    } catch (error) {
      setProblem(sayError(error));
    }
    refresh();
  }

  return {
    turns, busy, threadId, threads, problem, refresh, begin,
    send: (question) => void send(question), stop: () => abort.current?.abort(),
    open: (id) => void open(id), putAway: (id) => void putAway(id),
  };
}
