import { ApiError, request } from "./client";
import { SseParser } from "./sse";

export interface ChatDone {
  threadId: string | null;
  evidenceIds: string[];
}

interface Message {
  type?: string;
  text?: string;
  thread_id?: string | null;
  evidence_ids?: string[];
  message?: string;
  code?: string;
}

/** Ask the operator agent; `onToken` gets the text as it streams. Resolves with the thread and cited evidence. */
export async function ask(
  text: string,
  threadId: string | null,
  onToken: (text: string) => void,
  signal: AbortSignal,
): Promise<ChatDone> {
  const response = await request("/chat", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify({ text, thread_id: threadId }),
    signal,
  });
  const done: ChatDone = { threadId, evidenceIds: [] };
  if (!response.body) return done;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  let finished = false;
  for (;;) {
    const chunk = await reader.read();
    const text = chunk.done ? decoder.decode() + "\n\n" : decoder.decode(chunk.value, { stream: true });
    for (const data of parser.feed(text)) {
      const message = JSON.parse(data) as Message;
      if (message.type === "token") onToken(message.text ?? "");
      if (message.type === "error") throw new ApiError(200, message.code ?? "error", message.message ?? "The answer failed.");
      if (message.type === "done") {
        finished = true;
        done.threadId = message.thread_id ?? threadId;
        done.evidenceIds = message.evidence_ids ?? [];
      }
    }
    if (chunk.done) break;
  }
  if (!finished) throw new ApiError(0, "cut_off", "The answer stopped before its end. Ask again.");
  return done;
}
