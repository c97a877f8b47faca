import { describe, expect, it } from "vitest";
import type { MomentView } from "../api/day";
import type { Session } from "../api/types";
import { signOffBody, whyNotSign } from "./day";
import { readRoute } from "./router";

const view = (changes: Partial<MomentView> = {}): MomentView => ({
  moment: "start", session: "2009-11-16", checks: [], checks_sha256: "abc", failed: [], signed: null, ...changes,
});
const as = (role: string) => ({ role, name: "ann", kind: "person" }) as unknown as Session;

describe("signing a day", () => {
  it("needs an operator for a start and an approver for an end", () => {
    expect(whyNotSign(as("operator"), view())).toBeNull();
    expect(whyNotSign(as("viewer"), view())).not.toBeNull();
    expect(whyNotSign(as("operator"), view({ moment: "end" }))).not.toBeNull();
    expect(whyNotSign(as("approver"), view({ moment: "end" }))).toBeNull();
  });
  it("needs a risk officer over a failed check", () => {
    expect(whyNotSign(as("approver"), view({ failed: ["cash"] }))).not.toBeNull();
    expect(whyNotSign(as("risk_officer"), view({ failed: ["cash"] }))).toBeNull();
  });
  it("binds the checks shown and sends a code only over a failed one", () => {
    expect(signOffBody(view(), " seen ", "other")).toEqual({ phase: "start", note: "seen", checks_sha256: "abc", session: "2009-11-16" });
    expect(signOffBody(view({ failed: ["cash"] }), "seen", "known_break").reason_code).toBe("known_break");
  });
  it("has a page of its own", () => {
    expect(readRoute("#/day")).toEqual({ page: "day" });
  });
});
