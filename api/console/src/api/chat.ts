import { ApiError, request } from "./client";
import { SseParser } from "./sse";
import type { HaltAction, HaltScope } from "./types";

/** Where something that was said stands: a record below /api/v1 and a JSON pointer in it. */
export interface Ref {
  record: string;
  pointer: string;
}

export interface Span {
  text: string;
  ref: Ref | null;
}

/** A dialog that the desk proposes to open; a person fills and confirms it. */
export interface ChatAction {
  open_dialog: "halt" | "resume";
  action: HaltAction | null;
  scope: HaltScope;
  target: string | null;
}

export interface ChatDone {
  evidenceIds: string[];
  action: ChatAction | null;
}

export interface ChatThread {
  id: string;
  title: string;
  questions: number;
  last: string;
}

export interface ChatTurn {
  question_id: number;
  question: string;
  answer: string | null;
  spans: Span[];
  action: ChatAction | null;
  evidence_ids: string[];
}

/** What arrives while an answer streams. */
export interface Listener {
  onThread: (id: string) => void;
  onLooking: (tool: string) => void;
  onSpan: (span: Span) => void;
}

interface Message {
  type?: string;
  text?: string;
  tool?: string;
  ref?: Ref;
  thread_id?: string | null;
  evidence_ids?: string[];
  action?: ChatAction | null;
  message?: string;
  code?: string;
}

/** Ask the operator agent. Resolves when the answer is whole; rejects when it was refused or cut off. */
export async function ask(text: string, threadId: string | null, told: Listener, signal: AbortSignal): Promise<ChatDone> {
  const response = await request("/chat", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify({ text, thread_id: threadId }),
    signal,
  });
  let done: ChatDone | null = null;
  if (response.body) {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parser = new SseParser();
    for (;;) {
      const chunk = await reader.read();
      const part = chunk.done ? decoder.decode() + "\n\n" : decoder.decode(chunk.value, { stream: true });
      for (const data of parser.feed(part)) done = hear(JSON.parse(data) as Message, told) ?? done;
      if (chunk.done) break;
    }
  }
  if (!done) throw new ApiError(0, "cut_off", "The answer stopped before its end. Your question is kept; ask again.");
  return done;
}

function hear(message: Message, told: Listener): ChatDone | null {
  if (message.thread_id) told.onThread(message.thread_id);
  if (message.type === "looking") told.onLooking(message.tool ?? "");
  if (message.type === "token") told.onSpan({ text: message.text ?? "", ref: message.ref ?? null });
  if (message.type === "error") throw new ApiError(200, message.code ?? "error", message.message ?? "The answer failed.");
  return message.type === "done" ? { evidenceIds: message.evidence_ids ?? [], action: message.action ?? null } : null;
}
