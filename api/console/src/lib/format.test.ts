import { describe, expect, it } from "vitest";
import { compareDecimals, decimal, money, percent, sharePercent, signedMoney } from "./format";

describe("decimals", () => {
  it("groups without passing through binary floats", () => {
    expect(money("90071992547409931.129")).toBe("$90,071,992,547,409,931.13");
    expect(money("0.1")).toBe("$0.10");
    expect(money("1000000")).toBe("$1,000,000.00");
  });
  it("rounds half away from zero on the decimal text", () => {
    expect(decimal("2.675", 2)).toBe("2.68");
    expect(decimal("-2.675", 2)).toBe("\u22122.68");
    expect(decimal("999.995", 2)).toBe("1,000.00");
    expect(decimal("1234.5", 0)).toBe("1,235");
  });
  it("never shows a negative zero, and signs only what moved", () => {
    expect(signedMoney("-0.001")).toBe("$0.00");
    expect(signedMoney("12.3")).toBe("+$12.30");
    expect(signedMoney("-12.3", 0)).toBe("\u2212$12");
  });
  it("reads exponents as Decimal prints them", () => {
    expect(decimal("1E+3", 0)).toBe("1,000");
    expect(decimal("2.5E-3", 4)).toBe("0.0025");
  });
  it("gives back what is no number", () => {
    expect(money("n/a")).toBe("n/a");
    expect(money(null)).toBe("\u2013");
  });
  it("shows shares of equity as percent, exactly", () => {
    expect(sharePercent("0.0498")).toBe("4.98%");
    expect(sharePercent("1")).toBe("100.00%");
    expect(sharePercent("-0.00005", 3)).toBe("\u22120.005%");
    expect(sharePercent("0.5", 0)).toBe("50%");
  });
  it("compares by value, not by text", () => {
    expect(compareDecimals("9.9", "10")).toBeLessThan(0);
    expect(compareDecimals("1.50", "1.5")).toBe(0);
    expect(compareDecimals("-2", "-10")).toBeGreaterThan(0);
  });
});

describe("percent", () => {
  it("signs on request and says nothing of a missing value", () => {
    expect(percent(-0.0031, 2, true)).toBe("\u22120.31%");
    expect(percent(0.0031, 2, true)).toBe("+0.31%");
    expect(percent(-0.000001)).toBe("0.00%");
    expect(percent(null)).toBe("\u2013");
  });
});
