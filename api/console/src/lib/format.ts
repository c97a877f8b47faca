/** Show decimal strings without passing them through binary floats; statistics (floats) have their own functions. */

const MINUS = "\u2212";
export const NONE = "\u2013";

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?$/;

interface Parts {
  negative: boolean;
  digits: bigint;
  scale: number;
}

function parse(value: string): Parts | null {
  const match = DECIMAL.exec(value.trim());
  if (!match || (!match[2] && !match[3])) return expand(value);
  const fraction = match[3] ?? "";
  return { negative: match[1] === "-", digits: BigInt((match[2] || "0") + fraction), scale: fraction.length };
}

function expand(value: string): Parts | null {
  const match = /^([+-]?\d*\.?\d+)[eE]([+-]?\d+)$/.exec(value.trim());
  if (!match) return null;
  const parts = parse(match[1] ?? "");
  if (!parts) return null;
  const scale = parts.scale - Number(match[2]);
  if (Math.abs(scale) > 60) return null;
  return scale >= 0 ? { ...parts, scale } : { ...parts, digits: parts.digits * 10n ** BigInt(-scale), scale: 0 };
}

function round(parts: Parts, places: number): bigint {
  if (parts.scale <= places) return parts.digits * 10n ** BigInt(places - parts.scale);
  const unit = 10n ** BigInt(parts.scale - places);
  return (parts.digits + unit / 2n) / unit;
}

/** Group and round half up (away from zero) to `places`; the raw text back when it is no decimal. */
export function decimal(value: string | null | undefined, places: number, options: { sign?: boolean; prefix?: string } = {}): string {
  if (value === null || value === undefined) return NONE;
  const parts = parse(value);
  if (!parts) return value;
  const rounded = round(parts, places);
  const text = rounded.toString().padStart(places + 1, "0");
  const whole = text.slice(0, text.length - places).replace(/\B(?=(\d{3})+$)/g, ",");
  const fraction = places > 0 ? "." + text.slice(text.length - places) : "";
  const sign = rounded === 0n ? "" : parts.negative ? MINUS : options.sign ? "+" : "";
  return sign + (options.prefix ?? "") + whole + fraction;
}

export function money(value: string | null | undefined, places = 2): string {
  return decimal(value, places, { prefix: "$" });
}

export function signedMoney(value: string | null | undefined, places = 2): string {
  return decimal(value, places, { prefix: "$", sign: true });
}

/** A decimal-string share (0.02) as percent (2.00%). */
export function sharePercent(value: string | null | undefined, places = 2): string {
  if (value === null || value === undefined) return NONE;
  const parts = parse(value);
  if (!parts) return value;
  const text = (parts.negative ? "-" : "") + (parts.digits * 100n).toString().padStart(parts.scale + 1, "0");
  const cut = text.length - parts.scale;
  return decimal(parts.scale ? `${text.slice(0, cut)}.${text.slice(cut)}` : text, places) + "%";
}

/** A float fraction (0.0123) as percent. */
export function percent(value: number | null | undefined, places = 2, sign = false): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const text = Math.abs(value * 100).toFixed(places);
  const zero = Number(text) === 0;
  return (zero ? "" : value < 0 ? MINUS : sign ? "+" : "") + text + "%";
}

export function number(value: number, places: number): string {
  return (value < 0 ? MINUS : "") + Math.abs(value).toLocaleString("en-US", { maximumFractionDigits: places });
}

/** Compare two decimal strings: negative, zero or positive, exactly. */
export function compareDecimals(a: string, b: string): number {
  const left = parse(a);
  const right = parse(b);
  if (!left || !right) return 0;
  const scale = Math.max(left.scale, right.scale);
  const x = round(left, scale) * (left.negative ? -1n : 1n);
  const y = round(right, scale) * (right.negative ? -1n : 1n);
  return x < y ? -1 : x > y ? 1 : 0;
}

export function isNegative(value: string | null | undefined): boolean {
  return value ? compareDecimals(value, "0") < 0 : false;
}

/** A code such as `not_selected` or `order.entry` as words. */
export function words(code: string | null | undefined): string {
  return code ? code.replace(/[._]/g, " ") : NONE;
}
