import { useState, type ReactNode } from "react";
import type { Contribution, Convention, ExposureLine, Measured, Risk } from "../api/risk";
import { NONE, decimal, money, percent, sharePercent, words } from "../lib/format";
import { gauge } from "../lib/scale";
import { Empty } from "./basics";

/** Limits of the book as bars; the tick marks the limit. */
export function LimitBars({ limits }: { limits: Risk["limits"] }) {
  return (
    <ul className="checks" data-testid="limit-bars">
      {limits.map((item) => {
        const bar = gauge(item.value, item.maximum);
        const used = Number(item.use);
        return (
          <li key={item.limit} className={`check verdict-${used > 1 ? "block" : used >= 0.8 ? "warn" : "pass"}`}>
            <span className="check-name">{words(item.limit.replace("max_", ""))}</span>
            <span className="check-bar" aria-hidden="true">
              {bar && <><span className="check-fill" style={{ width: `${bar.fill * 100}%` }} /><span className="check-mark" style={{ left: `${bar.mark * 100}%` }} /></>}
            </span>
            <span className="check-value num">{sharePercent(item.value)}<span className="muted"> of {sharePercent(item.maximum, 0)}</span></span>
            <span className="num muted">{sharePercent(item.use, 0)}</span>
          </li>
        );
      })}
    </ul>
  );
}

const FIRST = 10;

/** The first ten of a long list, and a button for the rest. */
function useFirst<T>(items: readonly T[]): [shown: readonly T[], more: ReactNode] {
  const [all, setAll] = useState(false);
  if (all || items.length <= FIRST + 2) return [items, null];
  return [items.slice(0, FIRST), <button type="button" className="linklike more" onClick={() => setAll(true)}>Show all {items.length}</button>];
}

type Line = readonly [name: string, value: string, how: string];

/** Every measure with the convention it was made by; what cannot be measured says why. */
export function MeasuresTable({ risk }: { risk: Risk }) {
  return (
    <div className="scroll">
      <table data-testid="measures-table" className="measures">
        <thead><tr><th>Measure</th><th className="num">Value</th><th>Convention</th></tr></thead>
        <tbody>
          {lines(risk).map(([name, value, how]) => (
            <tr key={name}><td>{name}</td><td className="num">{value}</td><td className="summary muted">{how}</td></tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function lines(risk: Risk): Line[] {
  const { concentration: names, drawdown, index } = risk;
  return [
    ...Object.entries(risk.tail).flatMap(([method, tail]): Line[] =>
      tail.status === "ok"
        ? [[`VaR, ${words(method)}`, percent(tail.var), convention(tail.convention)], [`CVaR, ${words(method)}`, percent(tail.cvar), convention(tail.convention)]]
        : [missing(`VaR, ${words(method)}`, tail)]),
    ...Object.entries(risk.volatility).map(([method, spread]): Line =>
      spread.status === "ok"
        ? [`Volatility, ${method === "ewma" ? "EWMA" : method}`, percent(spread.value), spread.decay ? `a year of 252 sessions, lambda ${spread.decay}` : "a year of 252 sessions"]
        : missing(`Volatility, ${method}`, spread)),
    index.status === "ok"
      ? ["Beta", index.beta.toFixed(2), `to the S&P 500, correlation ${index.correlation === null ? NONE : index.correlation.toFixed(2)}`]
      : missing("Beta", index),
    drawdown.status === "ok"
      ? ["Drawdown", percent(drawdown.current), `deepest ${percent(drawdown.maximum)}, under water ${drawdown.sessions_under_water} sessions, at longest ${drawdown.longest_under_water}`]
      : missing("Drawdown", drawdown),
    ["Effective names", names.effective_names.toFixed(1), `one over Herfindahl's ${names.herfindahl.toFixed(3)}; largest ${names.largest_symbol ?? NONE} with ${percent(names.largest_share, 1)} of gross`],
  ];
}

function missing(name: string, what: { message: string }): Line {
  return [name, "not enough data", what.message];
}

function convention(c: Convention): string {
  const span = c.horizon_sessions === 1 ? "1 session" : `${c.horizon_sessions} sessions by ${c.scaling}`;
  return `${percent(c.confidence, 0)}, ${span}, ${c.quantile}`;
}

export function ExposureTable({ title, items }: { title: string; items: readonly ExposureLine[] }) {
  const [shown, more] = useFirst(items);
  if (items.length === 0) return <Empty>No exposure.</Empty>;
  const short = items.some((item) => Number(item.short) > 0);
  return (
    <div className="scroll">
      <table data-testid={`exposure-${title}`}>
        <thead>
          <tr>
            <th>{title.slice(0, 1).toUpperCase() + title.slice(1)}</th><th className="num">Gross</th>{short && <><th className="num">Long</th><th className="num">Short</th></>}
            <th className="num phone-hide">Pending</th><th className="num phone-hide">To the stops</th><th className="num">Of equity</th><th className="num">Of limit</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((item) => (
            <tr key={item.name}>
              <td>{item.name}</td>
              <td className="num">{money(item.gross, 0)}</td>
              {short && <><td className="num">{money(item.long, 0)}</td><td className="num">{money(item.short, 0)}</td></>}
              <td className="num phone-hide">{money(item.pending, 0)}</td>
              <td className="num phone-hide">{money(item.open_risk, 0)}</td>
              <td className="num">{sharePercent(item.share)}</td>
              <td className="num muted">{item.use === null ? NONE : sharePercent(item.use, 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {more}
    </div>
  );
}

export function ContributionTable({ found }: { found: Measured<{ var: number; volatility: number; items: Contribution[] }> }) {
  const items = found.status === "ok" ? [...found.items].sort((a, b) => b.component_var - a.component_var) : [];
  const [shown, more] = useFirst(items);
  if (found.status !== "ok") return <Empty>{found.message}</Empty>;
  if (items.length === 0) return <Empty>The book is empty.</Empty>;
  return (
    <>
      <div className="scroll">
        <table data-testid="contributions">
          <thead><tr><th>Symbol</th><th className="num">Weight</th><th className="num">VaR in it</th><th className="num">Per unit</th><th className="num">Of volatility</th></tr></thead>
          <tbody>
            {shown.map((item) => (
              <tr key={item.symbol}>
                <td><b className="symbol">{item.symbol}</b></td>
                <td className="num">{percent(item.weight)}</td>
                <td className="num">{percent(item.component_var, 3)}</td>
                <td className="num">{decimal(String(item.marginal_var), 3)}</td>
                <td className="num">{percent(item.share_of_volatility, 1)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {more}
      <p className="foot">The parts sum to the whole: VaR {percent(found.var)} (normal, one session), volatility {percent(found.volatility)} a year.</p>
    </>
  );
}
