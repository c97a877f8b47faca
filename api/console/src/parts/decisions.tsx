import type { CaseDecision } from "../api/types";
import { words } from "../lib/format";
import { wallTime } from "../lib/time";

const PAST: Record<string, string> = { approve: "approved", reject: "rejected" };

/** Who decided what, when and why. */
export function DecisionLines({ items }: { items: readonly CaseDecision[] }) {
  if (items.length === 0) return null;
  return (
    <ul className="lines" data-testid="decisions">
      {items.map((item, i) => (
        <li key={i}>
          <b>{PAST[item.decision] ?? words(item.decision)}</b> by {item.principal}, {wallTime(item.at)}: {item.reason}
        </li>
      ))}
    </ul>
  );
}
