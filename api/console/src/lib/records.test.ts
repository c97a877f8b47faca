import { describe, expect, it } from "vitest";
import { pageOf } from "./records";

describe("records", () => {
  it("leads to the case, also from its explanation", () => {
    expect(pageOf("/cases/case_1")).toBe("#/cases/case_1");
    expect(pageOf("/explanations/case_1")).toBe("#/cases/case_1");
  });
  it("leads to evidence and approvals by id and to their pages otherwise", () => {
    expect(pageOf("/evidence/ev_1")).toBe("#/evidence/ev_1");
    expect(pageOf("/approvals")).toBe("#/approvals");
    expect(pageOf("/positions?symbol=IBM")).toBe("#/");
  });
  it("has no page for what nobody shows", () => {
    expect(pageOf("/nothing/1")).toBeNull();
  });
});
