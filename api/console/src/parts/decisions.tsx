import type { CaseDecision } from "../api/types";
import { pastOf, reasonWords } from "../lib/refusals";
import { wallTime } from "../lib/time";

/** Who decided what, when and why. */
export function DecisionLines({ items }: { items: readonly CaseDecision[] }) {
  if (items.length === 0) return null;
  return (
    <ul className="lines" data-testid="decisions">
      {items.map((item, i) => (
        <li key={i}>
          <b>{pastOf(item.decision)}</b> by {item.principal}, {wallTime(item.at)}
          {item.reason_code && item.reason_code !== "other" && <> ({reasonWords(item.reason_code)})</>}: {item.reason}
        </li>
      ))}
    </ul>
  );
}
