import type { Evidence, Json } from "../api/types";
import { NONE, decimal, money, number, percent, words } from "./format";
import { day, instant } from "./time";

type Format = "price" | "percent" | "money" | "ratio" | "count" | "text";

interface Label {
  name: string;
  format: Format;
}

/** Fields whose unit is known from the domain types; anything else is shown as it came. */
const LABELS: Record<string, Label> = {
  open: { name: "Open", format: "price" },
  high: { name: "High", format: "price" },
  low: { name: "Low", format: "price" },
  close: { name: "Close", format: "price" },
  volume: { name: "Volume", format: "count" },
  sma_20: { name: "Mean of 20 sessions", format: "price" },
  sma_50: { name: "Mean of 50 sessions", format: "price" },
  high_55: { name: "High of 55 sessions", format: "price" },
  momentum_60: { name: "Return over 60 sessions", format: "percent" },
  zscore_20: { name: "z-score, 20 sessions", format: "ratio" },
  rsi_14: { name: "RSI, 14 sessions", format: "ratio" },
  atr_14: { name: "ATR, 14 sessions", format: "price" },
  volatility_20: { name: "Volatility, annualised", format: "percent" },
  adv_20: { name: "Value traded per day", format: "money" },
};

const GROUPS: readonly { title: string; kinds: readonly string[] }[] = [
  { title: "Features", kinds: ["features"] },
  { title: "Sizing", kinds: ["sizing", "protection"] },
  { title: "Daily bars", kinds: ["bar"] },
  { title: "Signals", kinds: ["signal"] },
  { title: "Sentiment", kinds: ["sentiment"] },
  { title: "Headlines", kinds: ["headline"] },
  { title: "Corporate actions", kinds: ["corporate_action"] },
  { title: "Index, rates and macro", kinds: ["index", "rate", "macro"] },
  { title: "Findings", kinds: ["finding"] },
  { title: "Outcomes", kinds: ["outcome"] },
  { title: "Health", kinds: ["health"] },
];

/** Kinds that have their own place on the page; as evidence they are kept under "Other records". */
const ELSEWHERE = new Set(["proposal", "checks", "counterfactual", "review", "recall", "portfolio", "what_if"]);

export interface EvidenceGroup {
  title: string;
  items: Evidence[];
  aside: boolean;
}

/** Group evidence in reading order; records shown elsewhere on the page come last and are marked `aside`. */
export function groupEvidence(items: readonly Evidence[]): EvidenceGroup[] {
  const known = new Set(GROUPS.flatMap((group) => group.kinds));
  const others = [...new Set(items.map((item) => item.kind))].filter((kind) => !known.has(kind)).sort();
  const all = [...GROUPS, ...others.map((kind) => ({ title: sentence(words(kind)), kinds: [kind] }))];
  return all
    .map(({ title, kinds }) => ({
      title,
      items: items.filter((item) => kinds.includes(item.kind)),
      aside: kinds.every((kind) => ELSEWHERE.has(kind)),
    }))
    .filter((group) => group.items.length > 0)
    .sort((a, b) => Number(a.aside) - Number(b.aside));
}

/** The payload without what the row says already: its own symbol. */
export function bare(item: Evidence): Row {
  const { symbol, ...rest } = item.payload;
  return symbol !== undefined && symbol === item.symbol ? rest : item.payload;
}

function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

export function labelOf(key: string): string {
  return LABELS[key]?.name ?? sentence(words(key));
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T/;

/** One payload value as text. Nested values come out as compact JSON. */
export function showValue(key: string, value: Json | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "boolean") return value ? "yes" : "no";
  const format = LABELS[key]?.format;
  if (typeof value === "number") {
    if (format === "percent") return percent(value, 2);
    if (format === "price") return "$" + number(value, 2);
    if (format === "money") return "$" + number(value, 0);
    return number(value, Number.isInteger(value) ? 0 : 4);
  }
  if (typeof value === "string") {
    if (format === "price") return money(value, 2);
    if (format === "money") return money(value, 0);
    if (format === "count") return decimal(value, 0);
    if (DATE.test(value)) return day(value);
    if (INSTANT.test(value)) return instant(value);
    return value;
  }
  if (Array.isArray(value) && value.every((v) => typeof v === "string" || typeof v === "number")) return value.join(", ");
  return JSON.stringify(value);
}

export function isNumeric(value: Json | undefined): boolean {
  return typeof value === "number" || (typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value));
}

export type Row = { [key: string]: Json };

function isRecord(value: Json | undefined): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The records inside a payload, a list of them (`bars: [{...}]`) or a map by name, with its key; null when none. */
export function nestedRows(payload: Row): { key: string; rows: Row[] } | null {
  for (const [key, value] of Object.entries(payload)) {
    if (Array.isArray(value) && value.length > 0 && value.every(isRecord)) return { key, rows: value };
    if (isRecord(value)) {
      const entries = Object.entries(value);
      if (entries.length > 0 && entries.every(([, inner]) => isRecord(inner))) {
        return { key, rows: entries.map(([name, inner]) => ({ name, ...(inner as Row) })) };
      }
    }
  }
  return null;
}

/** Columns over several rows, in order of first appearance. */
export function columnsOf(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))];
}

/** Small numbers for evidence ids, in reading order, so that claims can point at them. */
export function numberEvidence(groups: readonly EvidenceGroup[]): Map<string, number> {
  return new Map(groups.flatMap((group) => group.items).map((item, i) => [item.id, i + 1]));
}
