import type { Json } from "../api/types";
import { NONE, decimal, money, number, percent, words } from "./format";
import { instant } from "./time";

export type Row = { [key: string]: Json };

export interface Table {
  title: string;
  columns: string[];
  rows: Row[];
}

function isRow(value: Json | undefined): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every list of records in an answer as a table; a map of records becomes rows with their key in front. */
export function tablesOf(answer: Json): Table[] {
  if (Array.isArray(answer)) return answer.every(isRow) ? [table("", answer)] : [];
  if (!isRow(answer)) return [];
  return Object.entries(answer).flatMap(([key, value]) => {
    const title = key === "items" ? "" : words(key);
    if (Array.isArray(value) && value.every(isRow)) return [table(title, value)];
    if (!isRow(value)) return [];
    const inner = Object.entries(value);
    if (inner.length > 0 && inner.every(([, one]) => one === null || typeof one !== "object")) return [table(title, [value])];
    return inner.length > 0 && inner.every(([, row]) => isRow(row))
      ? [table(title, inner.map(([name, row]) => ({ name, ...(row as Row) })))]
      : [];
  });
}

const LEFT_OUT = /^(longest_|clock_faults$)/;

function table(title: string, rows: Row[]): Table {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const told = (key: string) => rows.some((row) => row[key] !== null && row[key] !== undefined);
  return { title, rows, columns: keys.filter((key) => told(key) && !LEFT_OUT.test(key)) };
}

/** Figures of an answer that are no tables, such as totals over everything. */
export function singles(answer: Json): [string, Json][] {
  return isRow(answer) ? Object.entries(answer).filter(([key, value]) => typeof value !== "object" && key !== "next" && key !== "total") : [];
}

/** Seconds as a person would say them: `40 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return NONE;
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return h > 0 ? `${h} h ${m} min` : s > 0 ? `${m} min ${s} s` : `${m} min`;
}

const SHARES = /(_rate|_share|^share|_percent|^risk_after)$/;
const MONEY = /(notional|_limit|equity)$/;

/** One figure by the ending of its name: rates and shares as percent, seconds as a duration, money and dates as such. */
export function figure(key: string, value: Json | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") {
    if (SHARES.test(key)) return percent(value, 0);
    if (/seconds/.test(key)) return duration(value);
    return number(value, Number.isInteger(value) ? 0 : 2);
  }
  if (typeof value === "string") {
    if (/^\d{4}-\d{2}-\d{2}T/.test(value)) return instant(value);
    if (MONEY.test(key) && /^-?\d+(\.\d+)?$/.test(value)) return money(value, 0);
    if (/^-?\d+\.\d+$/.test(value)) return SHARES.test(key) ? percent(Number(value), 2) : decimal(value, 2);
    return words(value);
  }
  if (Array.isArray(value)) return value.length ? value.map((item) => figure(key, item)).join(", ") : NONE;
  return Object.entries(value).map(([name, inner]) => `${words(name)} ${figure(name, inner)}`).join("; ");
}

/** The name of a column without its unit: `median_seconds_to_decide` is `Median to decide`. */
export function columnName(key: string): string {
  const text = words(key.replace(/^p90_seconds/, "9 in 10")).replace(/ ?\bseconds\b ?/, " ").replace(/\s+/g, " ").trim();
  return (text.slice(0, 1).toUpperCase() + text.slice(1)).replace(/\bAdv\b/, "ADV").replace(/^Ttl\b/, "Time to live,");
}
