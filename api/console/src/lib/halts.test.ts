import { describe, expect, it } from "vitest";
import { by, command, does, ends, named } from "./halts";

describe("a halt in words", () => {
  it("names what it stops", () => {
    expect(named({ scope: "firm", target: null })).toBe("firm");
    expect(named({ scope: "symbol", target: "AAPL" })).toBe("symbol AAPL");
  });
  it("says who engaged it", () => {
    expect(by({ source: "control:daily_loss", principal: "control:daily_loss" })).toBe("control daily loss");
    expect(by({ source: "file", principal: "file" })).toBe("the HALT file");
    expect(by({ source: "api", principal: "ann" })).toBe("ann");
  });
  it("says when it ends", () => {
    expect(ends({ ends_index: null })).toBe("until released");
    expect(ends({ ends_index: 65 })).toBe("ends at session 65");
  });
  it("says that positions are closed only once they are", () => {
    expect(does({ action: "flatten", carried_out: false })).toBe("positions being closed");
    expect(does({ action: "flatten", carried_out: true })).toBe("positions closed");
  });
  it("gives the command that does the same", () => {
    expect(command("no_new", "firm", "")).toBe('quarterdeck halt --action no_new --reason "…"');
    expect(command("cancel", "symbol", "AAPL")).toBe('quarterdeck halt --action cancel --scope symbol --target AAPL --reason "…"');
  });
});
