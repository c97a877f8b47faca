import { useCallback, useEffect, useRef } from "react";
import { ViewClock } from "../lib/viewtime";
import { ApiError, request } from "./client";

const EVERY_MS = 15_000;

let unsupported = false;

/** False when it has to be said again later. */
async function send(id: string, seconds: number, opened: boolean): Promise<boolean> {
  if (unsupported) return true;
  const body = JSON.stringify({ seconds, evidence_opened: opened });
  const headers = { "Content-Type": "application/json" };
  try {
    await request(`/approvals/${encodeURIComponent(id)}/views`, { method: "POST", headers, body, keepalive: true });
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 404 || error.status === 405) unsupported = true;
    return error.status >= 400;
  }
}

/**
 * Tell the desk that this proposal is looked at, how long since the last time it was told (on a visible page only), and
 * whether its evidence was opened: on opening, every 15 s, and on leaving. Returns a function that tells it now, to be awaited before a decision.
 */
export function useViews(id: string, active: boolean, opened: boolean): () => Promise<void> {
  const clock = useRef<ViewClock | null>(null);
  const evidence = useRef(opened);
  evidence.current = opened;

  const tell = useCallback(async () => {
    const running = clock.current;
    if (!running) return;
    const seconds = running.take(Date.now());
    if (!(await send(id, seconds, evidence.current))) running.giveBack(seconds);
  }, [id]);

  useEffect(() => {
    if (!active) return;
    const running = new ViewClock();
    clock.current = running;
    const follow = () => {
      running.setVisible(document.visibilityState === "visible", Date.now());
      if (document.visibilityState === "hidden") void tell();
    };
    running.setVisible(document.visibilityState === "visible", Date.now());
    document.addEventListener("visibilitychange", follow);
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") void tell();
    }, EVERY_MS);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", follow);
      running.setVisible(false, Date.now());
      void tell();
      clock.current = null;
    };
  }, [id, active, tell]);

  useEffect(() => {
    if (active) void tell();
  }, [active, opened, tell]);

  return tell;
}
