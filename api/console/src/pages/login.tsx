import { useSession } from "../api/session";
import { Notice } from "../parts/basics";
import { FirstAdmin } from "../parts/first_admin";
import { LoginForm } from "../parts/login";

/** The door. The address is kept, so that signing in leads to the page that was asked for. */
export function LoginPage({ why, chosen }: { why: string | null; chosen: boolean }) {
  const { back } = useSession();
  return (
    <main className="door" data-testid="login-page">
      <h1 className="wordmark">Quarterdeck</h1>
      <p className="door-lead">Sign in to the desk. Every decision carries your name.</p>
      {why && !chosen && <Notice tone="warn" title="This browser is not signed in to the desk">{why}</Notice>}
      <LoginForm name="" />
      {chosen
        ? <p><button type="button" className="linklike" onClick={back} data-testid="login-back">Go on as local operator</button></p>
        : (
          <>
          <FirstAdmin />
          <p className="foot">
            No account yet? An admin adds people with <code>quarterdeck people add</code>. In replay on this machine, the address
            that <code>quarterdeck serve</code> printed signs you in as local operator.
          </p>
          </>
        )}
    </main>
  );
}
