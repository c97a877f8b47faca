import type { Protection } from "../api/risk";
import { percent, sharePercent } from "../lib/format";
import { linear, path } from "../lib/scale";
import { Facts, Tag } from "./basics";

const WIDTH = 320;
const HEIGHT = 150;
const LEFT = 44;
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 24;

/** The published curve from drawdown to the factor on new entries, with the book's place on it. */
export function ProtectionChart({ protection: { state, policy, binds, restoring } }: { protection: Protection }) {
  const points = policy.curve.map((point) => [Number(point.drawdown), Number(point.factor)] as const);
  const now = Number(state.drawdown);
  const deepest = Math.max(now, ...points.map(([drawdown]) => drawdown), 0.01) * 1.1;
  const x = linear([0, deepest], [LEFT, WIDTH - RIGHT]);
  const y = linear([0, 1], [HEIGHT - BOTTOM, TOP]);
  const last = points[points.length - 1]?.[1] ?? 1;
  const line = [...points, [deepest, last] as const].map(([drawdown, factor]) => [x(drawdown), y(factor)] as const);
  const summary = `New entries are sized at ${sharePercent(state.factor, 0)} in a drawdown of ${sharePercent(state.drawdown)}`;
  return (
    <div className="chart protection" data-testid="protection">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={summary}>
        {[0, 0.5, 1].map((v) => (
          <g key={v}>
            <line className="grid" x1={LEFT} x2={WIDTH - RIGHT} y1={y(v)} y2={y(v)} />
            <text className="axis" x={LEFT - 6} y={y(v) + 4} textAnchor="end">{percent(v, 0)}</text>
          </g>
        ))}
        {points.map(([drawdown]) => (
          <text key={drawdown} className="axis" x={x(drawdown)} y={HEIGHT - 8} textAnchor="middle">{percent(drawdown, 0)}</text>
        ))}
        <path className="line-equity" d={path(line)} />
        <line className="cursor" x1={x(now)} x2={x(now)} y1={TOP} y2={HEIGHT - BOTTOM} />
        <circle className="cursor-dot" cx={x(now)} cy={y(Number(state.factor))} r={4} />
      </svg>
      <Facts
        rows={[
          ["Drawdown now", sharePercent(state.drawdown)],
          ["Size of new entries", <>{sharePercent(state.factor, 0)} {binds && <Tag tone="warn">{restoring ? "restoring" : "scaled down"}</Tag>}</>],
          ["The curve alone", sharePercent(state.target, 0)],
          ["Restores by", `${sharePercent(policy.restore_per_session, 0)} a session`],
        ]}
      />
    </div>
  );
}
