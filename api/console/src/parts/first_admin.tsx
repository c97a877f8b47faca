import { useState, type FormEvent } from "react";
import { post, sayError } from "../api/client";
import { useSession } from "../api/session";
import type { Person } from "../api/types";
import { Notice } from "./basics";
import { Input } from "./input";

/** A desk without anybody: the one-time token that it printed makes the first admin, who is signed in right away. */
export function FirstAdmin() {
  const { signIn } = useSession();
  const [token, setToken] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!token.trim() || !name.trim() || !password) return setProblem("Token, name and password are needed.");
    setBusy(true);
    setProblem("");
    try {
      await post<Person>("/people/bootstrap", { token: token.trim(), name: name.trim(), password });
      await signIn(name.trim(), password);
    } catch (error) {
      setProblem(sayError(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <details className="first-admin" data-testid="first-admin">
      <summary>First start: make the first admin</summary>
      <form className="form" onSubmit={(event) => void submit(event)} noValidate>
        <Input label="One-time token, as the desk printed it" value={token} change={setToken} testId="first-token" />
        <Input label="Your name" value={name} change={setName} testId="first-name" note="2 to 32 of a-z 0-9 . _ -, a letter first" />
        <Input label="Your password" type="password" value={password} change={setPassword} testId="first-password" autoComplete="new-password" />
        <div aria-live="assertive">{problem && <Notice tone="bad" testId="first-problem">{problem}</Notice>}</div>
        <button type="submit" className="button" disabled={busy} data-testid="first-submit">Make the first admin</button>
      </form>
    </details>
  );
}
