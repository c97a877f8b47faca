import { link } from "./router";

const PAGES: Record<string, string> = {
  desk: link(), positions: link(), equity: link(), findings: link(),
  risk: link("risk"), exposure: link("risk"), halts: link("risk"),
  lessons: link("history", "lessons"), ledger: link("history", "ledger"), cases: link("history"), approvals: link("approvals"),
  sla: link("oversight", "attention"),
};

/** The page that shows an API record such as `/cases/case_1`; null where there is none. */
export function pageOf(record: string): string | null {
  const [, name = "", id = ""] = record.split("?")[0]!.split("/");
  if (id && (name === "cases" || name === "explanations")) return link("cases", id);
  if (id && (name === "approvals" || name === "evidence")) return link(name, id);
  return PAGES[name] ?? null;
}

/** What a figure stands in, for its tooltip. */
export function placeOf(record: string, pointer: string): string {
  return `${record}${pointer ? " " + pointer : ""}`;
}
