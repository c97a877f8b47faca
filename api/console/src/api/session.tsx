import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { clearDrafts, holdDraftsFor } from "../lib/drafts";
import { isLock } from "../lib/refusals";
import { ApiError, get, newEra, post, request, watchSignedOut } from "./client";
import type { Session } from "./types";

const RETRY_MS = 4_000;

/** `open` with no session: a desk without logins, or one that does not answer yet. */
export type Access =
  | { state: "asking" }
  | { state: "open" }
  | { state: "login"; why: string | null; chosen: boolean }
  | { state: "locked" };

interface Sessions {
  access: Access;
  session: Session | null;
  /** Moves with every sign-in. */
  era: number;
  signIn: (name: string, password: string) => Promise<void>;
  signOut: () => Promise<void>;
  lock: () => void;
  /** Take what the desk now says of the same person, such as another role or a lent one. */
  follow: (found: Session) => void;
  /** Show the login page by choice, e.g. from the local operator; `back` leaves it. */
  choose: () => void;
  back: () => void;
}

const SessionContext = createContext<Sessions | null>(null);

export function useSession(): Sessions {
  const sessions = useContext(SessionContext);
  if (!sessions) throw new Error("useSession outside SessionProvider");
  return sessions;
}

export function SessionProvider({ children }: { children: ReactNode }) {
  const [access, setAccess] = useState<Access>({ state: "asking" });
  const [session, setSession] = useState<Session | null>(null);
  const [era, setEra] = useState(0);
  const retry = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const ask = useCallback(async () => {
    clearTimeout(retry.current);
    try {
      const found = await get<Session>("/session");
      if (!found.name) {
        setSession(null);
        setAccess(found.login_required ? { state: "login", why: null, chosen: false } : { state: "open" });
        return;
      }
      holdDraftsFor(found.name);
      setSession(found);
      setAccess({ state: "open" });
    } catch (error) {
      setSession(null);
      if (!(error instanceof ApiError)) {
        setAccess({ state: "open" });
        if (!(error instanceof SyntaxError)) throw error;
        return;
      }
      if (error.status === 401) {
        setAccess({ state: "login", why: isLock(error.code) ? "The session was locked after idling." : error.message, chosen: false });
        return;
      }
      setAccess({ state: "open" });
      if (error.status === 0 || error.status >= 500) retry.current = setTimeout(() => void ask(), RETRY_MS);
    }
  }, []);

  useEffect(() => {
    void ask();
    return () => clearTimeout(retry.current);
  }, [ask]);

  useEffect(() => watchSignedOut((error) => {
    clearTimeout(retry.current);
    setAccess((now) => {
      if (now.state === "login" || now.state === "locked") return now;
      return isLock(error.code) ? { state: "locked" } : { state: "login", why: error.message, chosen: false };
    });
  }), []);

  const lock = useCallback(() => {
    setAccess({ state: "locked" });
    void request("/session", { method: "DELETE" }).catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
    });
  }, []);

  const sessions = useMemo<Sessions>(() => ({
    access,
    session,
    era,
    signIn: async (name, password) => {
      await post<unknown>("/session", { name, password });
      newEra();
      await ask();
      setEra((now) => now + 1);
    },
    signOut: async () => {
      await request("/session", { method: "DELETE" });
      newEra();
      clearDrafts();
      setSession(null);
      await ask();
    },
    lock,
    follow: (found) => setSession((now) => (now?.name === found.name && JSON.stringify(now) !== JSON.stringify(found) ? found : now)),
    choose: () => setAccess({ state: "login", why: null, chosen: true }),
    back: () => void ask(),
  }), [access, session, era, ask, lock]);
  return <SessionContext value={sessions}>{children}</SessionContext>;
}
