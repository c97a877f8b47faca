import { useSyncExternalStore } from "react";
import type { OversightTab } from "./rights";

export type HistoryTab = "cases" | "lessons" | "memory" | "ledger";

export type Route =
  | { page: "overview" }
  | { page: "approvals"; id: string | null }
  | { page: "ask" }
  | { page: "risk" }
  | { page: "day" }
  | { page: "case"; id: string }
  | { page: "evidence"; id: string }
  | { page: "history"; tab: HistoryTab }
  | { page: "oversight"; tab: OversightTab };

const HISTORY: readonly string[] = ["cases", "lessons", "memory", "ledger"] satisfies HistoryTab[];
const OVERSIGHT: readonly string[] = ["policy", "delegations", "attention", "models", "notifications", "people"] satisfies OversightTab[];

/** Read a location hash such as `#/approvals/apr_1`; anything unknown is the overview. */
export function readRoute(hash: string): Route {
  const [first = "", second = ""] = hash.replace(/^#\/?/, "").split("?")[0]!.split("/").map(decode);
  if (first === "approvals") return { page: "approvals", id: second || null };
  if (first === "ask") return { page: "ask" };
  if (first === "risk") return { page: "risk" };
  if (first === "day") return { page: "day" };
  if (first === "evidence" && second) return { page: "evidence", id: second };
  if (first === "cases" && second) return { page: "case", id: second };
  if (first === "cases") return { page: "history", tab: "cases" };
  if (first === "history") {
    return { page: "history", tab: HISTORY.includes(second) ? second as HistoryTab : "cases" };
  }
  if (first === "oversight") return { page: "oversight", tab: OVERSIGHT.includes(second) ? second as OversightTab : "policy" };
  return { page: "overview" };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return part;
    throw error;
  }
}

export function link(...parts: string[]): string {
  return "#/" + parts.map(encodeURIComponent).join("/");
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

export function useHash(): string {
  return useSyncExternalStore(subscribe, () => location.hash);
}
