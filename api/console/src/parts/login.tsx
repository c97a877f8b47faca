import { useState, type FormEvent } from "react";
import { ApiError, sayError } from "../api/client";
import { useSession } from "../api/session";
import { Notice } from "./basics";

function problemOf(error: unknown): string {
  if (error instanceof ApiError) {
    if (error.status === 404 || error.status === 405) {
      return "This desk has no logins. Open the address that quarterdeck serve printed, in this browser.";
    }
    if (error.status === 429) return `Too many attempts. ${error.message}`;
    if (error.status === 401) return "Name and password do not match, or the account is disabled.";
  }
  return sayError(error);
}

/** Name and password; what fails stays in place, the password is never kept. */
export function LoginForm({ name: known, submit: label = "Sign in" }: { name: string; submit?: string }) {
  const { signIn } = useSession();
  const [name, setName] = useState(known);
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!name.trim() || !password) return setProblem("Both name and password are needed.");
    setBusy(true);
    setProblem("");
    try {
      await signIn(name.trim(), password);
    } catch (error) {
      setProblem(problemOf(error));
      setPassword("");
    } finally {
      setBusy(false);
    }
  }

  return (
    <form className="form" onSubmit={submit} noValidate data-testid="login-form">
      <label className="field">
        Name
        <input value={name} autoComplete="username" autoCapitalize="none" spellCheck={false} maxLength={64} autoFocus={!known}
          data-testid="login-name" onChange={(e) => setName(e.target.value)} {...(known ? {} : { "data-first": true })} />
      </label>
      <label className="field">
        Password
        <input type="password" value={password} autoComplete="current-password" maxLength={1024} autoFocus={!!known}
          data-testid="login-password" onChange={(e) => setPassword(e.target.value)} {...(known ? { "data-first": true } : {})} />
      </label>
      <div aria-live="assertive">{problem && <Notice tone="bad" testId="login-problem">{problem}</Notice>}</div>
      <button type="submit" className="button primary" disabled={busy} data-testid="login-submit">
        {busy ? "Signing in…" : label}
      </button>
    </form>
  );
}
