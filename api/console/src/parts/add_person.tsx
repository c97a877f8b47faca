import { useState, type FormEvent } from "react";
import { post, sayError } from "../api/client";
import { useLive } from "../api/live";
import type { AddedPerson, Role } from "../api/types";
import { isPrice } from "../lib/decimals";
import { words } from "../lib/format";
import { ROLES } from "../lib/rights";
import { Notice, Panel } from "./basics";
import { Input } from "./input";

/** Add somebody, with a password for the console or a key for programs. A secret is never kept in the page's drafts. */
export function AddPerson() {
  const { store } = useLive();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("approver");
  const [password, setPassword] = useState("");
  const [orderLimit, setOrderLimit] = useState("");
  const [dayLimit, setDayLimit] = useState("");
  const [withKey, setWithKey] = useState(false);
  const [problem, setProblem] = useState("");
  const [added, setAdded] = useState<AddedPerson | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    const limits = [orderLimit, dayLimit].map((text) => text.trim().replace(/,/g, ""));
    if (!name.trim()) return setProblem("A name is needed.");
    if (!password && !withKey) return setProblem("Give a password, or ask for an API key: otherwise nobody could use the account.");
    if (limits.some((text) => text !== "" && !isPrice(text, 2))) return setProblem("A limit is an amount such as 50000.");
    setBusy(true);
    setProblem("");
    try {
      const person = await post<AddedPerson>("/people", {
        name: name.trim(), role, password: password || null, api_key: withKey,
        order_limit: limits[0] || null, day_limit: limits[1] || null,
      });
      setAdded(person);
      [setName, setPassword, setOrderLimit, setDayLimit].forEach((set) => set(""));
      setWithKey(false);
    } catch (error) {
      setProblem(sayError(error));
    } finally {
      setBusy(false);
      store.touch(["people"]);
    }
  }

  return (
    <Panel title="Add a person">
      <div aria-live="polite">{added && <Added person={added} done={() => setAdded(null)} />}</div>
      <form className="form wide" onSubmit={(event) => void submit(event)} noValidate data-testid="person-form">
        <div className="pair">
          <Input label="Name" value={name} change={setName} testId="person-name" note="2 to 32 of a-z 0-9 . _ -, a letter first" />
          <label className="field">
            Role
            <select value={role} onChange={(e) => setRole(e.target.value as Role)} data-testid="person-role">
              {ROLES.map((item) => <option key={item} value={item}>{words(item)}</option>)}
            </select>
            <small className="muted">{ROLE_NOTES[role]}</small>
          </label>
          <Input label="Password" type="password" value={password} change={setPassword} testId="person-password" autoComplete="new-password"
            note="For the console; leave empty for a program" />
          <div className="field">
            Key
            <label className="check-line">
              <input type="checkbox" checked={withKey} onChange={(e) => setWithKey(e.target.checked)} data-testid="person-key" /> with an API key
            </label>
          </div>
          <Input label="Limit per order" value={orderLimit} change={setOrderLimit} testId="person-order-limit" note="Empty: no own limit" />
          <Input label="Limit per day" value={dayLimit} change={setDayLimit} testId="person-day-limit" />
        </div>
        {problem && <Notice tone="bad" testId="person-problem">{problem}</Notice>}
        <div><button type="submit" className="button primary" disabled={busy} data-testid="person-add">{busy ? "Adding…" : "Add"}</button></div>
      </form>
    </Panel>
  );
}

export const ROLE_NOTES: Record<Role, string> = {
  viewer: "Reads everything, decides nothing",
  operator: "Also asks the agent, runs the desk and halts it",
  approver: "Also decides what waits for a person, and sees how others decide",
  risk_officer: "Also releases halts",
  admin: "Also manages people and the policy",
};

function Added({ person, done }: { person: AddedPerson; done: () => void }) {
  const [copied, setCopied] = useState("");
  const key = person.api_key;
  async function copy() {
    if (!key) return;
    try {
      await navigator.clipboard.writeText(key);
      setCopied("Copied.");
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      setCopied("The browser refuses to copy: select the key and copy it by hand.");
    }
  }
  return (
    <Notice tone="good" title={`${person.name} is added`} testId="person-added">
      {key && (
        <>
          <p>This key is shown once and cannot be read again:</p>
          <p><code className="secret" data-testid="api-key">{key}</code></p>
        </>
      )}
      <div className="row-actions">
        {key && <button type="button" className="button small" onClick={() => void copy()} data-testid="api-key-copy">Copy the key</button>}
        <button type="button" className="button small" onClick={done} data-testid="person-added-done">{key ? "I have stored it" : "Close"}</button>
        <span role="status">{copied}</span>
      </div>
    </Notice>
  );
}
