import type { Question } from "../api/types";
import { wallTime } from "../lib/time";

/** What people asked about this case and what the agent answered. */
export function Questions({ items }: { items: readonly Question[] }) {
  if (items.length === 0) return null;
  return (
    <div className="questions" data-testid="questions" aria-live="polite">
      <h3>Questions asked</h3>
      <ol>
        {items.map((item, i) => (
          <li key={i}>
            <p><b>{item.question}</b> <span className="muted">{item.principal}, {wallTime(item.at)}</span></p>
            <p className="answer">{item.answer ?? "No answer yet."}</p>
          </li>
        ))}
      </ol>
    </div>
  );
}
