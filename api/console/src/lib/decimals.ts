/** Exact arithmetic on decimal strings, as far as the console needs it. */

const PATTERN = /^(-?)(\d+)(?:\.(\d+))?$/;

function read(value: string): { digits: bigint; scale: number } | null {
  const match = PATTERN.exec(value.trim());
  if (!match) return null;
  const fraction = match[3] ?? "";
  const digits = BigInt((match[2] ?? "0") + fraction);
  return { digits: match[1] ? -digits : digits, scale: fraction.length };
}

function write(digits: bigint, scale: number): string {
  const sign = digits < 0n ? "-" : "";
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, "0");
  const cut = text.length - scale;
  return sign + (scale ? `${text.slice(0, cut)}.${text.slice(cut)}` : text);
}

/** price x quantity, with the price's number of places; "0" when the price is no decimal. */
export function product(price: string, quantity: number): string {
  const parts = read(price);
  return parts ? write(parts.digits * BigInt(quantity), parts.scale) : "0";
}

/** |a - b| with the larger number of places; "0" when one is no decimal. */
export function distance(a: string, b: string): string {
  const left = read(a);
  const right = read(b);
  if (!left || !right) return "0";
  const scale = Math.max(left.scale, right.scale);
  const gap = left.digits * 10n ** BigInt(scale - left.scale) - right.digits * 10n ** BigInt(scale - right.scale);
  return write(gap < 0n ? -gap : gap, scale);
}

/** True for what a person may type as a price: digits with at most `places` after the point. */
export function isPrice(text: string, places = 4): boolean {
  const match = PATTERN.exec(text.trim());
  return !!match && !match[1] && (match[3] ?? "").length <= places;
}
