import type { Json } from "./types";

export const BASE = "/api/v1";

/** A refusal by the desk, or `code: "unreachable"` (status 0) when nothing answered. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly detail: Json | undefined = undefined,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

type RefusalListener = (error: ApiError) => void;

/** Where a 401 answers what was just typed, and says nothing about who is signed in. */
const OPEN_DOORS = new Set(["/session", "/people/bootstrap"]);

let era = 0;
let onSignedOut: RefusalListener | null = null;

/** Hear of every 401 outside of signing in itself. Answers to requests from before the last `newEra` are not told. */
export function watchSignedOut(listener: RefusalListener): () => void {
  onSignedOut = listener;
  return () => {
    if (onSignedOut === listener) onSignedOut = null;
  };
}

/** Somebody signed in or out: what was asked before says nothing about now. */
export function newEra(): void {
  era += 1;
}

const SKEW_TOLERANCE_MS = 2_000;
let skew = 0;

function readClock(response: Response): void {
  const date = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(date)) return;
  const gap = date - Date.now();
  skew = Math.abs(gap) > SKEW_TOLERANCE_MS ? gap : 0;
}

/** Milliseconds since 1970 by the desk's clock, as far as its answers tell: deadlines run there, not here. */
export function deskNow(): number {
  return Date.now() + skew;
}

async function refusal(response: Response): Promise<ApiError> {
  try {
    const body = (await response.json()) as { error?: { code?: string; message?: string; detail?: Json } };
    if (body.error) {
      const { code = "error", message = response.statusText, detail } = body.error;
      return new ApiError(response.status, code, message, detail);
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return new ApiError(response.status, "error", `The desk answered ${response.status} ${response.statusText}.`);
}

/** Fetch from the API; rejects with ApiError on refusal and with the AbortError of `signal` when aborted. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const asked = era;
  let response: Response;
  try {
    response = await fetch(BASE + path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, "unreachable", "The desk does not answer. Is it still running?");
  }
  readClock(response);
  if (response.ok) return response;
  const error = await refusal(response);
  if (error.status === 401 && !OPEN_DOORS.has(path) && asked === era) onSignedOut?.(error);
  throw error;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

export function post<T>(path: string, body: Json, signal?: AbortSignal): Promise<T> {
  return send<T>("POST", path, body, signal);
}

export function patch<T>(path: string, body: Json): Promise<T> {
  return send<T>("PATCH", path, body);
}

async function send<T>(method: string, path: string, body: Json, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  if (signal) init.signal = signal;
  const response = await request(path, init);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Build a query string from the defined, non-empty values. */
export function query(values: Record<string, string | number | null | undefined>): string {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  if (pairs.length === 0) return "";
  return "?" + new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString();
}

/** One line for people out of any error. */
export function sayError(error: unknown): string {
  if (error instanceof ApiError) {
    if (error.code === "invalid" && Array.isArray(error.detail)) {
      const fields = error.detail.flatMap((item) =>
        item && typeof item === "object" && !Array.isArray(item)
          ? [`${String(item["field"] ?? "input")}: ${String(item["message"] ?? "invalid")}`]
          : [],
      );
      if (fields.length) return fields.join("; ");
    }
    return error.message;
  }
  return error instanceof Error ? error.message : String(error);
}
