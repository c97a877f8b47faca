import { describe, expect, it } from "vitest";
import { EMPTY, readTicket } from "./ticket";

const TYPED = { ...EMPTY, symbol: " ibm ", quantity: "100" };

describe("a ticket as typed", () => {
  it("is one order at the next open unless it is to be worked", () => {
    expect(readTicket(TYPED)).toEqual({ ticket: { symbol: "IBM", side: "buy", quantity: 100 }, problems: {} });
  });
  it("keeps prices as they are typed and leaves out what is empty", () => {
    expect(readTicket({ ...TYPED, side: "sell", limit: "120.50", stop: " " }).ticket).toEqual({
      symbol: "IBM", side: "sell", quantity: 100, limit_price: "120.50",
    });
  });
  it("turns a percentage into a share without floats", () => {
    for (const [typed, share] of [["5", "0.05"], ["2.5", "0.025"], ["100", "1.00"], ["12", "0.12"], ["0.1", "0.001"]]) {
      const { ticket } = readTicket({ ...TYPED, how: "vwap", sessions: "4", participation: typed! });
      expect(ticket?.working).toEqual({ algorithm: "vwap", sessions: 4, participation: share });
    }
  });
  it("names every field that cannot be", () => {
    const wrong = { ...EMPTY, symbol: "4", quantity: "1.5", limit: "x", stop: "-1", how: "twap", sessions: "1", participation: "0" };
    expect(readTicket(wrong).ticket).toBeNull();
    expect(Object.keys(readTicket(wrong).problems).sort()).toEqual(["limit", "participation", "quantity", "sessions", "stop", "symbol"]);
    expect(readTicket({ ...wrong, how: "once" }).problems.sessions).toBeUndefined();
  });
});
