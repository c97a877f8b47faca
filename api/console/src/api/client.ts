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
  let response: Response;
  try {
    response = await fetch(BASE + path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, "unreachable", "The desk does not answer. Is it still running?");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

export async function post<T>(path: string, body: Json, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  if (signal) init.signal = signal;
  const response = await request(path, init);
  return (await response.json()) as T;
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
