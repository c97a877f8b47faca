import { describe, expect, it } from "vitest";
import { ALL_TOPICS, backOff, describeEvent, readEvent, reduceFeed, startFeed, topicsOf } from "./events";
import { SseParser } from "./sse";
import type { DeskEvent } from "./types";

const event = (seq: number, kind = "case.awaiting"): DeskEvent => ({ seq, kind, case_id: "c", symbol: "IBM", at: "" });

describe("feed", () => {
  it("ignores what a resume repeats", () => {
    const feed = [event(11), event(12), event(11), event(12), event(13)].reduce(reduceFeed, startFeed(10));
    expect(feed.last).toBe(13);
    expect(feed.recent.map((e) => e.seq)).toEqual([13, 12, 11]);
  });
  it("returns the same object when nothing is new", () => {
    const feed = startFeed(10);
    expect(reduceFeed(feed, event(10))).toBe(feed);
  });
  it("keeps a bounded tail", () => {
    const feed = Array.from({ length: 500 }, (_, i) => event(i + 1)).reduce(reduceFeed, startFeed(0));
    expect(feed.recent.length).toBe(30);
    expect(feed.recent[0]?.seq).toBe(500);
  });
});

describe("messages", () => {
  it("reads events and drops pings and rubbish", () => {
    expect(readEvent('{"seq":3,"kind":"fill.booked","case_id":null,"symbol":"IBM","at":"t"}')?.seq).toBe(3);
    expect(readEvent('{"kind":"ping"}')).toBeNull();
    expect(readEvent("not json")).toBeNull();
    expect(readEvent("null")).toBeNull();
  });
  it("says in words what happened", () => {
    expect(describeEvent(event(1, "fill.booked"))).toBe("IBM fill booked");
    expect(describeEvent({ ...event(1, "some.new_kind"), symbol: null })).toBe("some new kind");
  });
});

describe("topics", () => {
  it("refetches the book after a fill, and never without the desk", () => {
    expect(topicsOf("fill.booked")).toContain("positions");
    expect(topicsOf("case.awaiting")).toContain("desk");
    expect(topicsOf("case.awaiting")).not.toContain("positions");
  });
  it("refetches everything after an unknown kind", () => {
    expect(topicsOf("session.closed")).toEqual(ALL_TOPICS);
  });
});

describe("back-off", () => {
  it("doubles up to fifteen seconds and jitters upwards only", () => {
    expect([0, 1, 2, 3].map((n) => backOff(n, 0))).toEqual([500, 1000, 2000, 4000]);
    expect(backOff(50, 0)).toBe(15_000);
    expect(backOff(50, 1)).toBe(19_500);
  });
});

describe("streamed answers", () => {
  it("survive any cut between chunks, with either line ending", () => {
    const text = 'data: {"type":"token","text":"a"}\r\n\r\n: note\n\ndata: one\ndata: two\n\n';
    for (let cut = 0; cut <= text.length; cut++) {
      const parser = new SseParser();
      expect([...parser.feed(text.slice(0, cut)), ...parser.feed(text.slice(cut))]).toEqual([
        '{"type":"token","text":"a"}', "one\ntwo",
      ]);
    }
  });
});
