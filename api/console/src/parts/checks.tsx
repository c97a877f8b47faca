import type { Check, Verdict } from "../api/types";
import { NONE, compareDecimals, decimal, money, sharePercent, words } from "../lib/format";
import { gauge } from "../lib/scale";
import { Tag, type Tone } from "./basics";

const TONE: Record<Verdict, Tone> = { pass: "good", warn: "warn", block: "bad" };
const ORDER: Record<Verdict, number> = { block: 0, warn: 1, pass: 2 };

export function quantityOf(value: string | null, unit: Check["unit"]): string {
  if (value === null) return NONE;
  switch (unit) {
    case "money": return money(value, 0);
    case "price": return money(value, 2);
    case "share": return sharePercent(value, 2);
    case "hours": return `${decimal(value, 1)} h`;
    case "flag": return Number(value) === 0 ? "no" : "yes";
    default: return decimal(value, 0);
  }
}

/** Checks that block first, then warnings, then the one nearest to its limit. */
export function sortChecks(checks: readonly Check[]): Check[] {
  const nearness = (check: Check) => gauge(check.value, check.limit)?.fill ?? 0;
  return [...checks].sort((a, b) => ORDER[a.verdict] - ORDER[b.verdict] || nearness(b) - nearness(a));
}

/** True for a limit from below: the value is beyond it and passes all the same. */
function isLeast(check: Check): boolean {
  return check.verdict !== "block" && check.value !== null && check.limit !== null && compareDecimals(check.value, check.limit) > 0;
}

export function Checks({ checks }: { checks: readonly Check[] }) {
  const passed = checks.filter((check) => check.verdict === "pass").length;
  return (
    <>
      <ul className="checks" data-testid="checks">
        {sortChecks(checks).map((check) => <Row key={check.control} check={check} />)}
      </ul>
      <p className="foot">{passed} of {checks.length} pass. The tick marks the limit. All are run again before anything is sent.</p>
    </>
  );
}

function Row({ check }: { check: Check }) {
  const least = isLeast(check);
  const bar = check.unit === "flag" || least ? null : gauge(check.value, check.limit);
  const value = quantityOf(check.value, check.unit);
  const limit = quantityOf(check.limit, check.unit);
  return (
    <li className={`check verdict-${check.verdict}`}>
      <span className="check-name" title={`${check.message} (${check.rule})`}>{words(check.control).replace(/\badv\b/i, "ADV")}</span>
      <span className="check-bar" aria-hidden="true">
        {bar && (
          <>
            <span className="check-fill" style={{ width: `${bar.fill * 100}%` }} />
            <span className="check-mark" style={{ left: `${bar.mark * 100}%` }} />
          </>
        )}
      </span>
      <span className="check-value num">
        {check.value !== null ? value : check.verdict === "pass" ? "does not apply" : "not evaluated"}
        {check.limit !== null && check.unit !== "flag" && <span className="muted"> {least ? "at least" : "of"} {limit}</span>}
      </span>
      <Tag tone={TONE[check.verdict]}>{check.verdict}</Tag>
      {check.verdict !== "pass" && <span className="check-message">{check.message}</span>}
    </li>
  );
}
