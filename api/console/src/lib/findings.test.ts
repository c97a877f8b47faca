import { expect, test } from "vitest";
import { silenceBody, silenceEnds, worstFirst } from "./findings";

const NOW = Date.parse("2026-03-02T10:00:00Z");

test("a critical finding offers short silences only", () => {
  const ends = silenceEnds({ longest_silence_hours: 4, longest_silence_sessions: 1 });
  expect(ends.map((end) => end.name)).toEqual(["1 session", "1 hour", "4 hours"]);
});

test("a finding of no run offers no sessions", () => {
  expect(silenceEnds({ longest_silence_hours: 168, longest_silence_sessions: 0 }).some((end) => end.sessions)).toBe(false);
});

test("an end is an instant or a number of sessions", () => {
  expect(silenceBody({ name: "", sessions: 5 }, "known", NOW)).toEqual({ reason: "known", sessions: 5 });
  expect(silenceBody({ name: "", hours: 4 }, "known", NOW)).toEqual({ reason: "known", until: "2026-03-02T13:59:00.000Z" });
});

test("the worst comes first, then the latest", () => {
  const seen = [["info", "3"], ["critical", "1"], ["warning", "1"], ["warning", "2"]] as const;
  expect(worstFirst(seen.map(([severity, as_of]) => ({ severity, as_of }))).map((f) => f.severity + f.as_of)).toEqual(["critical1", "warning2", "warning1", "info3"]);
});
