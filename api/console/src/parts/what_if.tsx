import type { WhatIf, WhatIfChange } from "../api/risk";
import { NONE, compareDecimals, decimal, percent, sharePercent, words } from "../lib/format";
import { Tag } from "./basics";

/** The book before and after one order, everything pending counted as filled. */
export function WhatIfTable({ found }: { found: WhatIf }) {
  return (
    <>
      <table className="what-if" data-testid="what-if">
        <thead>
          <tr><th>Measure</th><th className="num">Before</th><th className="num">After</th><th className="num">Limit</th></tr>
        </thead>
        <tbody>
          {found.changes.map((item) => (
            <tr key={item.measure} className={item.measure === found.largest ? "largest" : undefined}>
              <td>
                {item.label} {item.measure === found.largest && <Tag>most of its room</Tag>}
                {item.missing && <small className="muted"> {item.missing}</small>}
              </td>
              <td className="num">{amount(item, item.before)}</td>
              <td className="num">{amount(item, item.after)} {beyond(item) && <Tag tone="bad">above</Tag>}</td>
              <td className="num muted" title={item.against ? words(item.against) : undefined}>{sharePercent(item.limit)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="foot">
        Shares are of equity, pending orders counted as filled. Value at risk is historical over one session at {percent(found.confidence, 0)},
        from {found.window_sessions} sessions; the order adds {sharePercent(found.incremental_var, 3)}, at the margin {sharePercent(found.marginal_var, 3)}.
        A loss is positive.
      </p>
    </>
  );
}

function amount(item: WhatIfChange, value: string | null): string {
  if (value === null) return NONE;
  return item.unit === "share" ? sharePercent(value) : decimal(value, 2);
}

function beyond(item: WhatIfChange): boolean {
  return item.after !== null && item.limit !== null && compareDecimals(item.after, item.limit) > 0;
}
