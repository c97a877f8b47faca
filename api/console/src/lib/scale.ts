/** Pure geometry of the charts. */

export interface Scale {
  (value: number): number;
}

export function linear(from: readonly [number, number], to: readonly [number, number]): Scale {
  const span = from[1] - from[0] || 1;
  return (value) => to[0] + ((value - from[0]) / span) * (to[1] - to[0]);
}

/** Round tick values covering [low, high], about `count` of them, in steps of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** SVG path through the points; a null breaks the line. */
export function path(points: readonly (readonly [number, number] | null)[]): string {
  let pen = false;
  return points
    .map((point) => {
      if (!point) {
        pen = false;
        return "";
      }
      const text = `${pen ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
      pen = true;
      return text;
    })
    .join("");
}

/** The index scaled so that its first known value equals `start`; null where unknown. */
export function rebase(values: readonly (number | null)[], start: number): (number | null)[] {
  const first = values.find((value) => value !== null && value > 0);
  return values.map((value) => (value === null || !first ? null : (value / first) * start));
}

/** Positions worth a date label: the first point of each month, thinned to `most`; the two ends of a short curve. */
export function dateMarks(sessions: readonly string[], most: number): number[] {
  const starts = sessions.flatMap((s, i) => (i > 0 && s.slice(0, 7) !== sessions[i - 1]?.slice(0, 7) ? [i] : []));
  if (starts.length < 2) return sessions.length > 1 ? [0, sessions.length - 1] : [];
  const every = Math.max(1, Math.ceil(starts.length / Math.max(1, most)));
  return starts.filter((_, i) => i % every === 0);
}

export interface Gauge {
  /** Filled part of the bar, 0..1. */
  fill: number;
  /** Where the limit stands on the bar, 0..1. */
  mark: number;
}

const MARK = 0.75;

/** Bar of a value against its limit: the limit stands at three quarters, overshoot is cut at the end. */
export function gauge(value: string | null, limit: string | null): Gauge | null {
  if (value === null || limit === null) return null;
  const v = Math.abs(Number(value));
  const l = Math.abs(Number(limit));
  if (!Number.isFinite(v) || !Number.isFinite(l)) return null;
  if (l === 0) return { fill: v > 0 ? 1 : 0, mark: MARK };
  return { fill: Math.min(1, (v / l) * MARK), mark: MARK };
}
