import { useEffect, useRef, useState } from "react";
import { get, post, sayError } from "../api/client";
import { ALL_TOPICS } from "../api/events";
import { useLive } from "../api/live";
import { useSession } from "../api/session";
import type { Command, Desk } from "../api/types";
import { whyNot } from "../lib/rights";

const POLL_MS = 400;

/** Advance the replay by one session; disabled while the desk plays one. */
export function NextSession({ desk }: { desk: Desk | null }) {
  const { store } = useLive();
  const barred = whyNot(useSession().session, "run");
  const [command, setCommand] = useState<string | null>(null);
  const [note, setNote] = useState("");
  const asking = useRef(false);

  useEffect(() => {
    if (!command) return;
    const abort = new AbortController();
    const timer = setInterval(async () => {
      try {
        const now = await get<Command>(`/desk/commands/${encodeURIComponent(command)}`, abort.signal);
        if (abort.signal.aborted || now.status === "pending") return;
        setNote(now.status === "refused" ? `Refused: ${now.detail ?? "the desk did not say why"}` : "");
        setCommand(null);
        store.touch(ALL_TOPICS);
      } catch (error) {
        if (abort.signal.aborted) return;
        setNote(sayError(error));
        setCommand(null);
      }
    }, POLL_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [command, store]);

  if (desk && desk.mode !== "replay") return null;
  const stage = desk?.stage;
  const playing = stage === "playing" || stage === "starting";
  const busy = command !== null || playing || asking.current;
  const over = stage === "finished";
  const waiting = desk?.waiting ?? 0;
  const hint = barred ?? (over
    ? "The replay has reached its last session."
    : waiting > 0
      ? `Moves the clock on. ${waiting} waiting; what has run out of sessions expires unanswered.`
      : "Moves the replay clock on by one session.");

  async function next() {
    if (asking.current) return;
    asking.current = true;
    setNote("");
    try {
      const answer = await post<Command & { command?: string }>("/desk/next", {});
      setCommand(answer.command ?? answer.id);
      store.touch(["desk"]);
    } catch (error) {
      setNote(sayError(error));
    } finally {
      asking.current = false;
    }
  }

  return (
    <div className="next">
      <button type="button" className="button primary" data-testid="next-session" title={hint} aria-describedby="next-hint"
        disabled={!desk || busy || over || barred !== null} onClick={next}>
        {busy && desk ? "Playing…" : "Next session"}
      </button>
      <span id="next-hint" className="visually-hidden">{hint}</span>
      {note && (
        <div className="pop" role="alert" data-testid="next-note">
          {note} <button type="button" className="linklike" onClick={() => setNote("")}>Dismiss</button>
        </div>
      )}
    </div>
  );
}
