import type { Algorithm, Working } from "../api/parents";
import type { Side } from "../api/types";
import { isPrice } from "./decimals";
import { compareDecimals } from "./format";

/** A ticket as typed. */
export interface TicketText {
  symbol: string;
  side: string;
  quantity: string;
  limit: string;
  stop: string;
  how: string;
  sessions: string;
  participation: string;
}

export const EMPTY: TicketText = {
  symbol: "", side: "buy", quantity: "", limit: "", stop: "", how: "once", sessions: "5", participation: "5",
};

/** What POST /tickets takes, less the reason. */
export interface Ticket {
  symbol: string;
  side: Side;
  quantity: number;
  limit_price?: string;
  stop_price?: string;
  working?: Working;
}

export type TicketField = "symbol" | "quantity" | "limit" | "stop" | "sessions" | "participation";

export interface TicketView {
  ticket: Ticket | null;
  problems: Partial<Record<TicketField, string>>;
}

const SYMBOL = /^[A-Z][A-Z0-9.-]{0,9}$/;

/** Read a ticket; the desk judges prices, limits and whether a plan fits. */
export function readTicket(text: TicketText): TicketView {
  const problems: TicketView["problems"] = {};
  const symbol = text.symbol.trim().toUpperCase();
  const quantity = whole(text.quantity);
  if (!SYMBOL.test(symbol)) problems.symbol = "A ticker such as IBM.";
  if (!(quantity >= 1 && quantity <= 10_000_000)) problems.quantity = "A whole number of shares, at least 1.";
  for (const name of ["limit", "stop"] as const) {
    const price = text[name].trim();
    if (price && (!isPrice(price, 2) || compareDecimals(price, "0") <= 0)) problems[name] = "A price such as 114.80, or nothing.";
  }
  const working = text.how === "once" ? null : readWorking(text, text.how as Algorithm, problems);
  if (Object.keys(problems).length > 0) return { ticket: null, problems };
  const ticket: Ticket = { symbol, side: text.side === "sell" ? "sell" : "buy", quantity };
  if (text.limit.trim()) ticket.limit_price = text.limit.trim();
  if (text.stop.trim()) ticket.stop_price = text.stop.trim();
  if (working) ticket.working = working;
  return { ticket, problems };
}

function readWorking(text: TicketText, algorithm: Algorithm, problems: TicketView["problems"]): Working {
  const sessions = whole(text.sessions);
  const percent = text.participation.trim();
  if (!(sessions >= 2 && sessions <= 20)) problems.sessions = "2 to 20 sessions.";
  const share = isPrice(percent) && compareDecimals(percent, "0") > 0 && compareDecimals(percent, "100") <= 0;
  if (!share) problems.participation = "A percentage above 0, at most 100.";
  return { algorithm, sessions, participation: share ? hundredth(percent) : "0" };
}

function whole(text: string): number {
  return /^\d{1,8}$/.test(text.trim()) ? Number(text) : NaN;
}

/** A percentage as a share, exactly: "2.5" is "0.025". */
function hundredth(percent: string): string {
  const [units = "0", places = ""] = percent.split(".");
  const digits = units.padStart(3, "0");
  return `${digits.slice(0, -2)}.${digits.slice(-2)}${places}`;
}
