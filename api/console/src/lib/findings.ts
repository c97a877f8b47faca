import type { Finding } from "../api/types";

export interface SilenceEnd {
  name: string;
  hours?: number;
  sessions?: number;
}

const ENDS: readonly SilenceEnd[] = [
  { name: "1 session", sessions: 1 }, { name: "5 sessions", sessions: 5 }, { name: "10 sessions", sessions: 10 },
  { name: "1 hour", hours: 1 }, { name: "4 hours", hours: 4 }, { name: "1 day", hours: 24 }, { name: "7 days", hours: 168 },
  { name: "30 days", hours: 720 },
];

/** The ends that the desk accepts for this finding, the shortest first. */
export function silenceEnds(item: Pick<Finding, "longest_silence_hours" | "longest_silence_sessions">): SilenceEnd[] {
  return ENDS.filter((end) => (end.hours ?? 0) <= item.longest_silence_hours && (end.sessions ?? 0) <= item.longest_silence_sessions);
}

/** What the desk is asked for; a minute is left for the way there, so that the longest end is not refused. */
export function silenceBody(end: SilenceEnd, reason: string, now: number): { reason: string; until?: string; sessions?: number } {
  if (end.sessions !== undefined) return { reason, sessions: end.sessions };
  return { reason, until: new Date(now + (end.hours ?? 0) * 3_600_000 - 60_000).toISOString() };
}

const WEIGHT = { critical: 0, warning: 1, info: 2 };

/** Worst first, then the one seen last. */
export function worstFirst<T extends Pick<Finding, "severity" | "as_of">>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => WEIGHT[a.severity] - WEIGHT[b.severity] || b.as_of.localeCompare(a.as_of));
}
