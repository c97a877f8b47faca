import type { Claim, NumberRef } from "../api/types";

export type Piece = { text: string; ref: NumberRef | null };

/** Cut a claim's text at the numbers it grounds, in order, so that each can point at its evidence. */
export function pieces(claim: Pick<Claim, "text" | "numbers">): Piece[] {
  const out: Piece[] = [];
  let from = 0;
  for (const ref of claim.numbers ?? []) {
    const at = ref.text ? claim.text.indexOf(ref.text, from) : -1;
    if (at < 0) continue;
    if (at > from) out.push({ text: claim.text.slice(from, at), ref: null });
    out.push({ text: ref.text, ref });
    from = at + ref.text.length;
  }
  if (from < claim.text.length) out.push({ text: claim.text.slice(from), ref: null });
  return out;
}
