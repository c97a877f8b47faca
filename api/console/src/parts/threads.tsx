import { useEffect } from "react";
import type { Chat } from "../lib/conversation";
import { wallTime } from "../lib/time";

/** Conversations of whoever is signed in: go on with one, begin a new one, put one away. */
export function Threads({ chat }: { chat: Chat }) {
  const { refresh } = chat;
  useEffect(refresh, [refresh]);
  return (
    <details className="threads" data-testid="chat-threads">
      <summary>Earlier conversations ({chat.threads.length})</summary>
      {chat.threads.length === 0 && <p className="empty">None yet.</p>}
      <ul>
        {chat.threads.map((thread) => (
          <li key={thread.id}>
            <button type="button" className="linklike" data-testid="chat-thread" disabled={chat.busy} onClick={() => chat.open(thread.id)}
              aria-current={thread.id === chat.threadId ? "true" : undefined}>{thread.title}</button>
            <span className="muted">{wallTime(thread.last)}</span>
            <button type="button" className="linklike" aria-label={`Put away: ${thread.title}`} onClick={() => chat.putAway(thread.id)}>Put away</button>
          </li>
        ))}
      </ul>
    </details>
  );
}
