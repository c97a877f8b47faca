import { describe, expect, it } from "vitest";
import type { Approval, Proposal, Session } from "../api/types";
import { classOf, decideProblem, selectProblem, tally } from "./bulk";
import { distance, isPrice, product } from "./decimals";
import { readEdit } from "./edit";
import { columnName, duration, figure, tablesOf } from "./figures";
import { idleFor } from "./idle";
import { barredNames, expiryOf, missingWords, priorDecision, sortQueue } from "./queue";
import { isLock, pastOf, reasonWords, refusalSentence } from "./refusals";
import { idleSeconds, lender, oversightTabs, whyNot } from "./rights";
import { readRoute } from "./router";
import { timeLeft } from "./time";
import { ViewClock } from "./viewtime";

const PROPOSAL = {
  kind: "order.entry", strategy: "trend", symbol: "IBM", side: "buy", quantity: 412, reference_price: "121.45", stop_price: "114.77",
} as unknown as Proposal;

function approval(id: string, more: Partial<Approval> = {}): Approval {
  return {
    id, status: "pending", digest: "d", required: 1, given: 0, roles: ["approver"], sessions_left: 1, asked: "2026-11-21T09:00:00Z",
    tier: "normal", case: { kind: "order.entry", strategy: "trend", rank: 0, proposal: PROPOSAL }, ...more,
  } as unknown as Approval;
}

const session = (role: Session["role"], more: Partial<Session> = {}): Session => ({ name: "ann", role, kind: "person", scopes: [], ...more });

describe("edit", () => {
  it("takes fewer shares and says what that changes", () => {
    const view = readEdit(PROPOSAL, "200", "114.77");
    expect(view.edit).toEqual({ quantity: 200 });
    expect(view.changes).toContainEqual({ field: "notional", before: "$50,037", after: "$24,290" });
    expect(view.changes.map((change) => change.field)).not.toContain("protective stop");
  });
  it("refuses what raises risk", () => {
    expect(readEdit(PROPOSAL, "413", "").quantityProblem).toMatch(/Only fewer/);
    expect(readEdit(PROPOSAL, "412", "114.76").stopProblem).toMatch(/Only tighter: above/);
    expect(readEdit(PROPOSAL, "412", "121.45").stopProblem).toMatch(/below the price/);
    expect(readEdit({ ...PROPOSAL, side: "sell", stop_price: "130" }, "", "131").stopProblem).toMatch(/Only tighter: below/);
  });
  it("sends nothing that is half typed or changes nothing", () => {
    for (const [quantity, stop] of [["412", "114.77"], ["412", "114.770"], ["", ""], ["0", ""], ["1.5", ""], ["200", "abc"]] as const) {
      expect(readEdit(PROPOSAL, quantity, stop).edit).toBeNull();
    }
  });
  it("keeps the stop text as typed and the loss exact", () => {
    const view = readEdit(PROPOSAL, "100", "120.00");
    expect(view.edit).toEqual({ quantity: 100, stop_price: "120.00" });
    expect(view.changes).toContainEqual({ field: "loss if stopped out", before: "$2,752", after: "$145" });
  });
});

describe("decimals", () => {
  it("multiplies and measures without floats", () => {
    expect(product("0.10", 3)).toBe("0.30");
    expect(distance("121.45", "114.7")).toBe("6.75");
    expect(distance("1", "2.5")).toBe("1.5");
    expect([isPrice("1.2345"), isPrice("1.23456"), isPrice("-1"), isPrice("1e3"), isPrice("")]).toEqual([true, false, false, false, false]);
  });
});

describe("queue", () => {
  const ids = (items: Approval[]) => items.map((item) => item.id);
  const items = [
    approval("a", { tier: "low", asked: "2026-11-21T09:02:00Z", expires_wall: "2026-11-21T10:30:00Z" }),
    approval("b", { tier: "high", asked: "2026-11-21T09:01:00Z", expires_wall: "2026-11-21T10:10:00Z" }),
    approval("c", { asked: "2026-11-21T09:00:00Z", expires_wall: "2026-11-21T10:20:00Z" }),
  ];
  it("sorts by tier, age and wall-clock expiry", () => {
    expect(ids(sortQueue(items, "tier"))).toEqual(["b", "c", "a"]);
    expect(ids(sortQueue(items, "age"))).toEqual(["c", "b", "a"]);
    expect(ids(sortQueue(items, "expiry"))).toEqual(["b", "c", "a"]);
  });
  it("counts down by the wall clock where there is one, else in sessions", () => {
    const now = Date.parse("2026-11-21T10:00:00Z");
    expect(expiryOf(items[1]!, now)).toEqual({ text: "10 min left", urgent: false });
    expect(expiryOf(items[1]!, now + 1000)).toEqual({ text: "9:59 left", urgent: true });
    expect(expiryOf(approval("x", { sessions_left: 2 }), now)).toEqual({ text: "2 sessions left", urgent: false });
    expect(expiryOf(approval("x", { sessions_left: 2, warned: 80 }), now).urgent).toBe(true);
  });
  it("says who else must sign, and who may not", () => {
    const item = approval("x", { required: 2, given: 1, missing: 1, edited_by: "ann", separate: ["editor"],
      signed: [{ principal: "ann", decision: "edit", at: "" }, { principal: "bob", decision: "approve", at: "" }] });
    expect(missingWords(item)).toBe("1 more, approver or above");
    expect(barredNames(item)).toEqual(["ann (edited it)", "bob (signed already)"]);
    expect(missingWords(approval("x", { status: "approved" }))).toBeNull();
  });
  it("reads who was first out of a 409", () => {
    const detail = { decided_by: "cleo", decision: "reject", decided_at: "t", status: "rejected", digest: "d" };
    expect(priorDecision(detail)).toEqual({ by: "cleo", decision: "reject", at: "t" });
  });
});

describe("time left", () => {
  const left = (seconds: number) => timeLeft(new Date(seconds * 1000).toISOString(), 0);
  it("picks the unit and never shows a negative time", () => {
    expect([left(581), left(600), left(7_500), left(280_000), left(0), left(-5)]).toEqual(
      ["9:41 left", "10 min left", "2 h 05 min left", "3 d 5 h left", "expired", "expired"],
    );
  });
});

describe("together", () => {
  it("keeps to one class", () => {
    const other = approval("b", { tier: "high" });
    expect(classOf(other)).not.toBe(classOf(approval("a")));
    expect(selectProblem(other, [approval("a")])).toMatch(/one class/);
    expect(selectProblem(other, [other])).toBeNull();
    expect(selectProblem(approval("a", { may_sign: false, may_not_because: "own limit" }), [])).toBe("own limit");
  });
  it("leaves out what changed, left or has to be read", () => {
    expect(decideProblem(approval("a"), "approve", "old")).toMatch(/changed/);
    expect(decideProblem(approval("a", { status: "expired" }), "reject", "d")).toMatch(/expired/);
    expect(decideProblem(approval("a", { evidence_required: true }), "approve", "d")).toMatch(/evidence/);
    expect(decideProblem(approval("a", { evidence_required: true }), "reject", "d")).toBeNull();
  });
  it("counts the results", () => {
    const failed = { id: "b", ok: false as const, error: { code: "decided", message: "m" } };
    expect(tally([{ id: "a", ok: true, result: {} as never }, failed], "reject")).toBe("1 rejected, 1 not");
  });
});

describe("rights", () => {
  it("follow the role, and a desk without logins answers itself", () => {
    expect(whyNot(session("viewer"), "decide")).toMatch(/role approver/);
    expect(whyNot(session("risk_officer"), "decide")).toBeNull();
    expect(whyNot(null, "people")).toBeNull();
    expect(oversightTabs(null)).toEqual([]);
    expect(oversightTabs(session("viewer"))).toEqual(["policy", "models"]);
    expect(oversightTabs(session("admin"))).toEqual(["policy", "delegations", "attention", "models", "notifications", "people"]);
  });
  it("lets a lent role answer the queue and open nothing else", () => {
    const ends = "2026-11-22T09:00:00Z";
    const lent = session("operator", { lent: [{ from: "abe", role: "approver", ends }] });
    expect([whyNot(lent, "decide"), lender(lent)]).toEqual([null, "abe"]);
    expect(whyNot(lent, "oversee")).toMatch(/approver/);
    expect(oversightTabs(lent)).toEqual(["policy", "delegations", "models"]);
    const useless = session("operator", { lent: [{ from: "otto", role: "operator", ends }] });
    expect([whyNot(useless, "decide") === null, lender(useless)]).toEqual([false, null]);
    expect(lender(session("approver", { lent: [{ from: "rita", role: "risk_officer", ends }] }))).toBeNull();
  });
  it("names whom a signature stands for among those who may not sign again", () => {
    const signed = [{ principal: "cora", decision: "approve", at: "2026-11-21T09:00:00Z", on_behalf_of: "abe" }];
    expect(barredNames(approval("a", { signed }))).toEqual(["cora (signed already)", "abe (signed already)"]);
  });
  it("lock people, never the local operator", () => {
    expect(idleSeconds(session("viewer", { idle_lock_minutes: 15 }))).toBe(900);
    expect(idleSeconds(session("viewer", { idle_seconds: 60, idle_lock_minutes: 15 }))).toBe(60);
    expect(idleSeconds(session("admin", { kind: "local_operator", idle_lock_minutes: 15 }))).toBeNull();
    expect([idleFor("1000", 61_000), idleFor(null, 5), idleFor("9", 3), idleFor("x", 3)]).toEqual([60, 0, 0, 0]);
  });
  it("have addresses that fall back to the policy", () => {
    expect(readRoute("#/oversight/people")).toEqual({ page: "oversight", tab: "people" });
    expect(readRoute("#/oversight/nonsense")).toEqual({ page: "oversight", tab: "policy" });
  });
});

describe("refusals", () => {
  it("have a sentence each", () => {
    for (const code of ["role", "own_limit", "separation", "halted", "evidence_unopened", "stand_in", "mode"]) {
      expect(refusalSentence(code)).toMatch(/\.$/);
    }
    expect(refusalSentence("new_code")).toBeNull();
  });
  it("tell a lock from a login, and codes in words", () => {
    expect([isLock("locked"), isLock("session_locked"), isLock("unauthenticated")]).toEqual([true, true, false]);
    expect([pastOf("approve"), pastOf("rejected"), reasonWords("thesis_wrong"), reasonWords("new_code")]).toEqual(
      ["approved", "rejected", "the thesis is wrong", "new code"],
    );
  });
});

describe("view time", () => {
  it("counts what was visible, once", () => {
    const clock = new ViewClock();
    clock.setVisible(true, 1_000);
    expect(clock.take(3_500)).toBe(2.5);
    clock.setVisible(false, 4_000);
    expect(clock.take(90_000)).toBe(0.5);
    clock.setVisible(true, 100_000);
    clock.setVisible(true, 101_000);
    expect(clock.take(102_000)).toBe(2);
  });
  it("keeps what could not be sent and survives a clock set back", () => {
    const clock = new ViewClock();
    clock.setVisible(true, 10_000);
    clock.giveBack(clock.take(12_000));
    expect(clock.take(5_000)).toBe(2);
  });
});

describe("figures", () => {
  it("finds tables in lists, maps of records and single records", () => {
    const tables = tablesOf({ total: { questions: 2, longest_x: 1 }, tiers: [{ name: "high", p90: null }], by: { ann: { n: 1 } }, next: null });
    expect(tables.map((table) => [table.title, table.columns])).toEqual([["total", ["questions"]], ["tiers", ["name"]], ["by", ["name", "n"]]]);
  });
  it("shows a figure by its name", () => {
    expect([figure("approve_rate", 0.714), figure("median_view_seconds", 200), figure("notional", "48326.00"), figure("risk_after", "0.031200")]).toEqual(
      ["71%", "3 min 20 s", "$48,326", "3.12%"],
    );
    expect([duration(1.23), duration(60), duration(7_500)]).toEqual(["1.2 s", "1 min", "2 h 5 min"]);
    expect(columnName("median_seconds_to_decide")).toBe("Median to decide");
  });
});
