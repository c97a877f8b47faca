import { ApiError, post } from "./api/client";
import { LiveProvider } from "./api/live";
import { useSession } from "./api/session";
import { App } from "./app";
import { useIdle } from "./lib/idle";
import { idleSeconds } from "./lib/rights";
import { LoginPage } from "./pages/login";
import { LockOverlay } from "./parts/lock";

/** Tell the desk that the person is there: what the console reads by itself does not hold off the lock. */
function stayActive(): void {
  post<unknown>("/session/active", {}).catch((error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
  });
}

/** What is shown to whom: the door, the desk, or the desk behind a lock. Another person starts with a fresh desk. */
export function Gate() {
  const { access, session, era, lock } = useSession();
  const open = access.state === "open";
  useIdle(open ? idleSeconds(session) : null, lock, stayActive);

  if (access.state === "asking") return <p className="empty door" role="status">Connecting to the desk…</p>;
  if (access.state === "login") return <LoginPage why={access.why} chosen={access.chosen} />;
  const locked = access.state === "locked";
  return (
    <>
      <div className={locked ? "behind-lock" : undefined} inert={locked}>
        <LiveProvider key={session?.name ?? ""} era={era}>
          <App locked={locked} />
        </LiveProvider>
      </div>
      {locked && <LockOverlay />}
    </>
  );
}
