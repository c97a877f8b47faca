import { describe, expect, it } from "vitest";
import type { Approval, Proposal } from "../api/types";
import { pieces } from "./claims";
import { newestWindow } from "./paging";
import { changesBetween, notional, priorDecision, sortQueue } from "./queue";
import { readRoute } from "./router";
import { dateMarks, gauge, rebase, ticks } from "./scale";

function approval(id: string, rank: number, quantity: number, price: string, sessionsLeft = 1): Approval {
  const proposal = {
    quantity, reference_price: price, side: "buy", thesis: "t", factor: "1", stop_price: null, band: { low: "1", high: "2" },
  } as unknown as Proposal;
  return { id, sessions_left: sessionsLeft, case: { rank, proposal } } as unknown as Approval;
}

describe("queue order", () => {
  const items = [approval("b", 1, 10, "9.99"), approval("a", 1, 900, "1.00", 3), approval("c", 0, 100, "2.5", 2)];
  const ids = (order: "rank" | "impact" | "expiry") => sortQueue(items, order).map((item) => item.id);
  it("ranks, with ties by id", () => expect(ids("rank")).toEqual(["c", "a", "b"]));
  it("weighs by money moved", () => expect(ids("impact")).toEqual(["a", "c", "b"]));
  it("puts what expires first on top", () => expect(ids("expiry")).toEqual(["b", "c", "a"]));
  it("multiplies price and quantity exactly", () => {
    expect(notional(approval("x", 0, 3, "0.10").case.proposal)).toBe("0.30");
    expect(notional(approval("x", 0, 7, "33").case.proposal)).toBe("231");
  });
});

describe("what changed while reading", () => {
  it("names the field with both values", () => {
    const before = approval("a", 0, 412, "121.45");
    const after = approval("a", 0, 402, "121.45");
    expect(changesBetween(before, after)).toEqual([{ field: "quantity", before: "412", after: "402" }]);
    expect(changesBetween(before, before)).toEqual([]);
  });
  it("reads who decided out of a 409, or nothing", () => {
    expect(priorDecision({ decided_by: "ann", status: "rejected" })).toEqual({ by: "ann", decision: "rejected", at: null });
    expect(priorDecision(null)).toEqual({ by: null, decision: null, at: null });
  });
});

describe("claims", () => {
  it("cuts the text at its figures in order and loses nothing", () => {
    const ref = (text: string) => ({ text, value: 1, unit: "", evidence_id: "e", pointer: "/" });
    const claim = { text: "5 of 15, again 5.", numbers: [ref("5"), ref("15"), ref("5"), ref("99")] };
    const cut = pieces(claim);
    expect(cut.map((piece) => piece.text).join("")).toBe(claim.text);
    expect(cut.filter((piece) => piece.ref).map((piece) => piece.text)).toEqual(["5", "15", "5"]);
  });
});

describe("routes", () => {
  it("reads ids and falls back to the overview", () => {
    expect(readRoute("#/approvals/appr_1")).toEqual({ page: "approvals", id: "appr_1" });
    expect(readRoute("#/cases/case_1")).toEqual({ page: "case", id: "case_1" });
    expect(readRoute("#/%E0%A4%A")).toEqual({ page: "overview" });
    expect(readRoute("")).toEqual({ page: "overview" });
  });
});

describe("ledger windows", () => {
  it("walks from the end to the beginning without a gap", () => {
    expect(newestWindow(120, 0, 50)).toEqual({ after: 70, limit: 50 });
    expect(newestWindow(120, 1, 50)).toEqual({ after: 20, limit: 50 });
    expect(newestWindow(120, 2, 50)).toEqual({ after: 0, limit: 20 });
  });
});

describe("geometry", () => {
  it("labels months, or both ends of a short curve", () => {
    expect(dateMarks(["2009-11-30", "2009-12-01", "2009-12-02", "2010-01-04"], 9)).toEqual([1, 3]);
    expect(dateMarks(["2009-11-13", "2009-11-16"], 9)).toEqual([0, 1]);
    expect(dateMarks(["2009-11-13"], 9)).toEqual([]);
  });
  it("puts the limit at three quarters and cuts what overshoots", () => {
    expect(gauge("0.05", "0.05")?.fill).toBeCloseTo(0.75);
    expect(gauge("5", "1")?.fill).toBe(1);
    expect(gauge(null, "1")).toBeNull();
  });
  it("covers the range with round ticks", () => {
    expect(ticks(943, 1102, 4)).toEqual([950, 1000, 1050, 1100]);
    expect(ticks(1, 1, 4)).toEqual([1]);
  });
  it("scales the index to the same start", () => {
    expect(rebase([null, 50, 55], 1000)).toEqual([null, 1000, 1100]);
  });
});
