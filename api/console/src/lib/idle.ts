import { useEffect } from "react";

const KEY = "quarterdeck.activity";
const CHECK_MS = 5_000;
const NOTE_MS = 3_000;
const TELL_MS = 60_000;
const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"] as const;

/** Seconds without a sign of a person until now; 0 when the record is unreadable or lies in the future. */
export function idleFor(stored: string | null, now: number): number {
  const last = Number(stored ?? now);
  return Number.isFinite(last) ? Math.max(0, (now - last) / 1000) : 0;
}

/**
 * Call `onIdle` once nobody touched any tab of this browser for `seconds`; null switches it off.
 * `onActive` is called at most once a minute while somebody is there.
 */
export function useIdle(seconds: number | null, onIdle: () => void, onActive: () => void): void {
  useEffect(() => {
    if (!seconds) return;
    let noted = 0;
    let told = Date.now();
    const note = () => {
      const now = Date.now();
      if (now - noted < NOTE_MS) return;
      noted = now;
      localStorage.setItem(KEY, String(now));
      if (now - told < TELL_MS) return;
      told = now;
      onActive();
    };
    note();
    SIGNS.forEach((sign) => addEventListener(sign, note, { passive: true }));
    const timer = setInterval(() => {
      if (idleFor(localStorage.getItem(KEY), Date.now()) >= seconds) onIdle();
    }, CHECK_MS);
    return () => {
      clearInterval(timer);
      SIGNS.forEach((sign) => removeEventListener(sign, note));
    };
  }, [seconds, onIdle, onActive]);
}
