import { describe, expect, it } from "vitest";
import { age, countdown, day, instant, wallTime } from "./time";

describe("countdown", () => {
  it("counts sessions, not hours", () => {
    expect(countdown(2)).toBe("2 sessions left");
    expect(countdown(1)).toBe("last session");
    expect(countdown(0)).toBe("expired");
    expect(countdown(-1)).toBe("expired");
  });
});

describe("age", () => {
  it("picks the unit a person would", () => {
    expect(age(0)).toBe("now");
    expect(age(0.2)).toBe("12 min");
    expect(age(3.5)).toBe("3.5 h");
    expect(age(96)).toBe("4 d");
    expect(age(null)).toBe("\u2013");
  });
});

describe("dates", () => {
  it("keeps the session's calendar day in any time zone", () => {
    expect(day("2009-11-13")).toBe("13 Nov 2009");
    expect(instant("2009-11-13T21:00:00Z")).toBe("13 Nov 2009 21:00 UTC");
    expect(instant("2009-11-13T23:30:00-05:00")).toBe("14 Nov 2009 04:30 UTC");
  });
  it("gives back what it cannot read", () => {
    expect(day("soon")).toBe("soon");
    expect(instant("soon")).toBe("soon");
  });
  it("shows the day only when it is not today", () => {
    const now = new Date(2026, 10, 21, 9, 5);
    expect(wallTime(now.toISOString(), now)).toBe("09:05");
    expect(wallTime(new Date(2026, 10, 20, 9, 5).toISOString(), now)).toBe("20 Nov 09:05");
  });
});
