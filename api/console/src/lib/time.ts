import { NONE } from "./format";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `2009-11-13` (or an ISO instant, its UTC day) as `13 Nov 2009`. */
export function day(value: string | null | undefined): string {
  const match = value ? /^(\d{4})-(\d{2})-(\d{2})/.exec(value) : null;
  if (!match) return value || NONE;
  return `${Number(match[3])} ${MONTHS[Number(match[2]) - 1] ?? match[2]} ${match[1]}`;
}

/** An ISO instant as `13 Nov 2009 21:00 UTC`. */
export function instant(value: string | null | undefined): string {
  if (!value) return NONE;
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return value;
  return `${day(at.toISOString())} ${at.toISOString().slice(11, 16)} UTC`;
}

/** A wall-clock instant in the reader's own time zone, `14:05` today, else with the day. */
export function wallTime(value: string | null | undefined, now: Date = new Date()): string {
  if (!value) return NONE;
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return value;
  const clock = `${String(at.getHours()).padStart(2, "0")}:${String(at.getMinutes()).padStart(2, "0")}`;
  if (at.toDateString() === now.toDateString()) return clock;
  return `${at.getDate()} ${MONTHS[at.getMonth()] ?? ""} ${clock}`;
}

/** How many sessions are left, in words; expiry runs on the desk clock, in replay sessions. */
export function countdown(sessionsLeft: number): string {
  if (sessionsLeft <= 0) return "expired";
  if (sessionsLeft === 1) return "last session";
  return `${sessionsLeft} sessions left`;
}

/** Age of data in hours, e.g. `12 min`, `3.5 h`, `4 d`. */
export function age(hours: number | null | undefined): string {
  if (hours === null || hours === undefined || !Number.isFinite(hours)) return NONE;
  if (hours < 1 / 60) return "now";
  if (hours < 1) return `${Math.round(hours * 60)} min`;
  if (hours < 48) return `${Number(hours.toFixed(1))} h`;
  return `${Math.round(hours / 24)} d`;
}

/** Wall-clock time left until an instant, e.g. `3 d 4 h`, `2 h 05 min`, `14 min`, and below ten minutes `9:41`. */
export function timeLeft(until: string, now: number): string {
  const end = new Date(until).getTime();
  if (Number.isNaN(end)) return NONE;
  const seconds = Math.ceil((end - now) / 1000);
  if (seconds <= 0) return "expired";
  const two = (n: number) => String(n).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes}:${two(seconds % 60)} left`;
  if (minutes < 60) return `${minutes} min left`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${two(minutes % 60)} min left`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h left`;
}
