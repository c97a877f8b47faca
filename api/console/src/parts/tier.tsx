import type { Tier } from "../api/types";
import { Tag, type Tone } from "./basics";

const TONE: Record<Tier, Tone> = { high: "bad", normal: "plain", low: "plain" };

/** The tier that the policy gave; nothing where an older desk has none. */
export function TierTag({ tier }: { tier: Tier | undefined }) {
  return tier ? <span data-testid="tier"><Tag tone={TONE[tier]}>{tier} tier</Tag></span> : null;
}
