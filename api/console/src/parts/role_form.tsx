import { useState } from "react";
import { patch, sayError } from "../api/client";
import { useLive } from "../api/live";
import type { Person, Role } from "../api/types";
import { words } from "../lib/format";
import { ROLES } from "../lib/rights";
import { ROLE_NOTES } from "./add_person";
import { Notice } from "./basics";

/** Another role for somebody, with a reason for the record. It holds at once, in open sessions and for keys. */
export function RoleForm({ person, close }: { person: Person; close: () => void }) {
  const { store } = useLive();
  const [role, setRole] = useState<Role>(person.role);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  async function change() {
    if (role === person.role) return setProblem(`${person.name} has this role already: choose another one.`);
    if (!reason.trim()) return setProblem("Give a reason; it goes into the ledger with your name.");
    setBusy(true);
    setProblem("");
    try {
      await patch<Person>(`/people/${encodeURIComponent(person.name)}`, { role, reason: reason.trim() });
      close();
    } catch (error) {
      setProblem(sayError(error));
    } finally {
      setBusy(false);
      store.touch(["people", "approvals"]);
    }
  }

  return (
    <form onSubmit={(event) => { event.preventDefault(); void change(); }} noValidate>
      <p>It holds at once, in open sessions and for API keys. Losing a role ends what was lent of it.</p>
      <label className="field">
        Role, now {words(person.role)}
        <select value={role} data-first data-testid="role-select" onChange={(e) => { setRole(e.target.value as Role); setProblem(""); }}>
          {ROLES.map((item) => <option key={item} value={item}>{words(item)}</option>)}
        </select>
        <small className="muted">{ROLE_NOTES[role]}</small>
      </label>
      <label className="field">
        Reason
        <textarea rows={2} maxLength={2000} value={reason} data-testid="role-reason" onChange={(e) => { setReason(e.target.value); setProblem(""); }} />
      </label>
      {problem && <Notice tone="bad" testId="role-problem">{problem}</Notice>}
      <div className="dialog-actions">
        <button type="button" className="button" onClick={close}>Keep</button>
        <button type="submit" className="button primary" disabled={busy} data-testid="role-confirm">Change</button>
      </div>
    </form>
  );
}
