import type { Role, Session } from "../api/types";
import { words } from "./format";

export const ROLES: readonly Role[] = ["viewer", "operator", "approver", "risk_officer", "admin"];

/** The role that each thing a person can do here needs. The desk checks it again; this only keeps buttons honest. */
const NEEDED = {
  read: "viewer",
  ask: "operator",
  run: "operator",
  halt: "operator",
  ticket: "operator",
  decide: "approver",
  release: "risk_officer",
  override: "risk_officer",
  oversee: "approver",
  people: "admin",
} as const satisfies Record<string, Role>;

export type Right = keyof typeof NEEDED;

export function reaches(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** Null when the session may, else why not. A desk without logins (no session) leaves every answer to itself. */
export function whyNot(session: Session | null, right: Right): string | null {
  if (!session?.role) return null;
  const needed = NEEDED[right];
  return reaches(session.role, needed) || (right === "decide" && lender(session) !== null)
    ? null
    : `This needs the role ${words(needed)}; ${session.name ?? "you"} is signed in as ${words(session.role)}.`;
}

/** Whose role this session answers the queue with; null when its own will do or nobody lends one. */
export function lender(session: Session | null): string | null {
  if (!session?.role || reaches(session.role, NEEDED.decide)) return null;
  return session.lent?.find((loan) => reaches(loan.role, NEEDED.decide))?.from ?? null;
}

/** After how many idle seconds the session locks; null when it never does. */
export function idleSeconds(session: Session | null): number | null {
  if (session?.kind !== "person") return null;
  const minutes = session.idle_lock_minutes;
  return session.idle_seconds ?? (minutes ? minutes * 60 : null);
}

export type OversightTab = "policy" | "delegations" | "attention" | "models" | "notifications" | "people";

/** Oversight pages that this session may see; none on a desk without logins. */
export function oversightTabs(session: Session | null): OversightTab[] {
  if (!session?.role) return [];
  const tabs: [OversightTab, Right][] = [
    ["policy", "read"], ["delegations", "decide"], ["attention", "oversee"], ["models", "read"], ["notifications", "oversee"], ["people", "people"],
  ];
  return tabs.filter(([, right]) => whyNot(session, right) === null).map(([tab]) => tab);
}
