import { useState } from "react";
import { sayError } from "../api/client";
import { useSession } from "../api/session";
import { words } from "../lib/format";

/** Who is signed in, as what, and the way out. The local operator is labelled as what it is. */
export function Account({ principal }: { principal: string | null }) {
  const { session, signOut, choose } = useSession();
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const local = session ? session.kind === "local_operator" : principal === "local operator";
  const name = session?.name ?? principal;
  if (!name) return <div className="account" />;

  async function leave() {
    setBusy(true);
    setProblem("");
    try {
      await signOut();
    } catch (error) {
      setProblem(sayError(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <div className="account" data-testid="account">
      <span className="account-name" data-testid="account-name" title={name}>{name}</span>
      <span className="account-sub">
        {local
          ? <span data-testid="local-operator" title={LOCAL_HINT}>replay only{!session && <span className="visually-hidden">. {LOCAL_HINT}</span>}</span>
          : session?.role && <span data-testid="account-role">{words(session.role)}</span>}
        {session && local && (
          <button type="button" className="linklike" onClick={choose} data-testid="account-login" aria-describedby="local-hint">Sign in</button>
        )}
        {session && !local && (
          <button type="button" className="linklike" onClick={() => void leave()} disabled={busy} data-testid="logout">Log out</button>
        )}
      </span>
      {session && local && <span id="local-hint" className="visually-hidden">{LOCAL_HINT}</span>}
      {problem && <div className="pop" role="alert">{problem}</div>}
    </div>
  );
}

export const LOCAL_HINT =
  "The local operator is whoever sits at this machine. It exists only in replay; paper and live need people with a login.";
