import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import type { CurvePoint } from "../api/types";
import { NONE, money, number, percent } from "../lib/format";
import { dateMarks, linear, path, rebase, ticks } from "../lib/scale";
import { day } from "../lib/time";

const LEFT = 64;
const RIGHT = 10;
const TOP = 10;
const EQUITY_H = 170;
const GAP = 26;
const DRAWDOWN_H = 58;
const BOTTOM = 22;
const HEIGHT = TOP + EQUITY_H + GAP + DRAWDOWN_H + BOTTOM;

function useWidth(): [React.RefObject<HTMLDivElement | null>, number] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!ref.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

/** Equity against the index scaled to the same start, with the drawdown below; arrow keys or pointer read one session. */
export function EquityChart({ curve, start }: { curve: readonly CurvePoint[]; start: string }) {
  const [ref, width] = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const n = curve.length;
  const equity = curve.map((point) => Number(point.equity));
  const base = Number(start) || equity[0] || 1;
  const index = rebase(curve.map((point) => point.index_close), equity[0] ?? base);
  const values = [...equity, ...index.filter((v): v is number => v !== null), base];
  const pad = Math.max((Math.max(...values) - Math.min(...values)) * 0.06, base * 0.002);
  const range: [number, number] = [Math.min(...values) - pad, Math.max(...values) + pad];
  const deepest = Math.max(0.01, ...curve.map((point) => point.drawdown));

  const x = linear([0, Math.max(1, n - 1)], [LEFT, Math.max(LEFT + 1, width - RIGHT)]);
  const y = linear(range, [TOP + EQUITY_H, TOP]);
  const under = TOP + EQUITY_H + GAP;
  const yd = linear([0, deepest * 1.1], [under, under + DRAWDOWN_H]);
  const sessions = curve.map((p) => p.session);
  const marks = dateMarks(sessions, Math.floor((width - LEFT) / 70));
  const ends = marks[0] === 0;
  const shown = at === null ? n - 1 : Math.min(at, n - 1);
  const point = curve[shown];

  function move(event: PointerEvent<SVGSVGElement>) {
    const inside = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const i = Math.round(((inside - LEFT) / Math.max(1, width - RIGHT - LEFT)) * (n - 1));
    setAt(Math.max(0, Math.min(n - 1, i)));
  }
  function key(event: KeyboardEvent) {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -n, End: n }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    setAt(Math.max(0, Math.min(n - 1, shown + step)));
  }

  const area = n ? `${path(curve.map((p, i) => [x(i), yd(p.drawdown)]))}L${x(n - 1)} ${under}L${x(0)} ${under}Z` : "";
  const last = index[shown];
  return (
    <div className="chart" ref={ref}>
      <div className="chart-legend">
        <span className="muted">{point ? day(point.session) : NONE}</span>
        <span><i className="swatch equity" aria-hidden="true" />Equity <b className="num">{point ? money(point.equity, 0) : NONE}</b></span>
        <span><i className="swatch index" aria-hidden="true" />S&amp;P 500, same start <b className="num">{last ? "$" + number(last, 0) : NONE}</b></span>
        <span><i className="swatch drawdown" aria-hidden="true" />Drawdown <b className="num">{percent(point?.drawdown)}</b></span>
      </div>
      {width > 0 && n > 1 && (
        <svg width={width} height={HEIGHT} role="img" tabIndex={0} aria-label={summary(curve, index)} onPointerMove={move}
          onPointerLeave={() => setAt(null)} onKeyDown={key} onBlur={() => setAt(null)} data-testid="equity-chart">
          {ticks(range[0], range[1], 4).map((v) => (
            <g key={v}>
              <line className="grid" x1={LEFT} x2={width - RIGHT} y1={y(v)} y2={y(v)} />
              <text className="axis" x={LEFT - 8} y={y(v) + 4} textAnchor="end">{thousands(v)}</text>
            </g>
          ))}
          {[0, deepest].map((v) => (
            <g key={v}>
              <line className="grid" x1={LEFT} x2={width - RIGHT} y1={yd(v)} y2={yd(v)} />
              <text className="axis" x={LEFT - 8} y={yd(v) + 4} textAnchor="end">{percent(v, 1)}</text>
            </g>
          ))}
          {marks.map((i) => (
            <text key={i} className="axis" x={x(i)} y={HEIGHT - 6} textAnchor={i === 0 ? "start" : i === n - 1 ? "end" : "middle"}>
              {ends ? day(sessions[i]) : monthOf(sessions[i] ?? "")}
            </text>
          ))}
          <line className="start" x1={LEFT} x2={width - RIGHT} y1={y(base)} y2={y(base)} />
          <path className="line-index" d={path(index.map((v, i) => (v === null ? null : [x(i), y(v)])))} />
          <path className="line-equity" d={path(equity.map((v, i) => [x(i), y(v)]))} />
          <path className="area-drawdown" d={area} />
          {at !== null && point && (
            <g>
              <line className="cursor" x1={x(shown)} x2={x(shown)} y1={TOP} y2={under + DRAWDOWN_H} />
              <circle className="cursor-dot" cx={x(shown)} cy={y(Number(point.equity))} r={3.5} />
            </g>
          )}
        </svg>
      )}
      {n <= 1 && <p className="empty">The curve starts after the first sessions are played.</p>}
    </div>
  );
}

function thousands(value: number): string {
  return Math.abs(value) >= 10_000 ? `$${number(value / 1000, 1)}k` : `$${number(value, 0)}`;
}

function monthOf(session: string): string {
  return session.slice(5, 7) === "01" ? day(session).slice(-8) : day(session).split(" ")[1] ?? "";
}

function summary(curve: readonly CurvePoint[], index: readonly (number | null)[]): string {
  const first = curve[0];
  const last = curve[curve.length - 1];
  if (!first || !last) return "No equity curve yet";
  const against = index[index.length - 1];
  return `Equity from ${money(first.equity, 0)} on ${day(first.session)} to ${money(last.equity, 0)} on ${day(last.session)}`
    + (against ? `; the index from the same start is at $${number(against, 0)}` : "")
    + `; drawdown now ${percent(last.drawdown)}. Arrow keys read single sessions.`;
}
