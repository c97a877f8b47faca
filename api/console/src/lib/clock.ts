import { useEffect, useState } from "react";
import { deskNow } from "../api/client";

/** The desk's wall clock in milliseconds, moving every `step`; it stands still while `running` is false. */
export function useDeskClock(running: boolean, step = 1_000): number {
  const [now, setNow] = useState(deskNow);
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => setNow(deskNow()), step);
    return () => clearInterval(timer);
  }, [running, step]);
  return now;
}
