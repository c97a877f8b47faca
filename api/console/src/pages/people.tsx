import { useState } from "react";
import { post, sayError } from "../api/client";
import { useLive, useResource } from "../api/live";
import type { Page, Person } from "../api/types";
import { money, words } from "../lib/format";
import { day } from "../lib/time";
import { Empty, Failed, Id, Loading, Notice, Panel, Tag } from "../parts/basics";
import { Dialog } from "../parts/dialog";
import { RoleForm } from "../parts/role_form";
import { AddPerson } from "../parts/add_person";

/** Who may use this desk, as what. Nobody is deleted: the record names them. */
export function PeoplePage({ me }: { me: string | null }) {
  const { data, error, reload } = useResource<Page<Person>>("/people?limit=200", ["people"]);
  const [leaving, setLeaving] = useState<string | null>(null);
  const [changing, setChanging] = useState<Person | null>(null);
  return (
    <>
      <Panel title="People" aside={data && `${data.items.filter((p) => !isDisabled(p)).length} active`}>
        {error ? <Failed error={error} retry={reload} /> : null}
        {!data && !error && <Loading what="people" />}
        {data && data.items.length === 0 && <Empty>Nobody has an account yet. The first one should be an admin.</Empty>}
        {data && data.items.length > 0 && (
          <div className="scroll">
            <table data-testid="people-table" className="stacked">
              <thead><tr><th>Name</th><th>Role</th><th className="num">Per order</th><th className="num">Per day</th><th>API keys</th><th><span className="visually-hidden">Change</span></th></tr></thead>
              <tbody>
                {data.items.map((person) => (
                  <tr key={person.name} data-person={person.name}>
                    <td data-label="Name"><b>{person.name}</b>{person.name === me && <span className="muted"> you</span>}</td>
                    <td data-label="Role">{words(person.role)} {isDisabled(person) && <Tag tone="bad">disabled</Tag>}</td>
                    <td data-label="Per order" className="num">{person.order_limit ? money(person.order_limit, 0) : "no limit"}</td>
                    <td data-label="Per day" className="num">{person.day_limit ? money(person.day_limit, 0) : "no limit"}</td>
                    <td data-label="API keys"><Keys person={person} /></td>
                    <td><div className="row-actions">
                      {person.name !== me && (
                        <button type="button" className="button small" data-testid="person-role-change" onClick={() => setChanging(person)}>Role…</button>
                      )}
                      {isDisabled(person)
                        ? <Act path={`/people/${encodeURIComponent(person.name)}/enable`} name="Enable" testId="person-enable" />
                        : <button type="button" className="button small bad" data-testid="person-disable" onClick={() => setLeaving(person.name)}>Disable…</button>}
                    </div></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
      <AddPerson />
      <Dialog open={changing !== null} title={`Change the role of ${changing?.name ?? ""}`} onClose={() => setChanging(null)}>
        {changing && <RoleForm person={changing} close={() => setChanging(null)} />}
      </Dialog>
      <Dialog open={leaving !== null} title={`Disable ${leaving ?? ""}`} onClose={() => setLeaving(null)}>
        {leaving && <DisableForm name={leaving} self={leaving === me} close={() => setLeaving(null)} />}
      </Dialog>
    </>
  );
}

function isDisabled(person: Person): boolean {
  return person.disabled ?? person.state === "disabled";
}

/** A small action on one line, with its failure beside it. */
function Act({ path, name, testId }: { path: string; name: string; testId: string }) {
  const { store } = useLive();
  const [problem, setProblem] = useState("");
  async function act() {
    setProblem("");
    try {
      await post<unknown>(path, {});
    } catch (error) {
      setProblem(sayError(error));
    }
    store.touch(["people"]);
  }
  return (
    <>
      <button type="button" className="button small" data-testid={testId} onClick={() => void act()}>{name}</button>
      {problem && <span className="down" role="alert"> {problem}</span>}
    </>
  );
}

function Keys({ person }: { person: Person }) {
  const keys = person.keys.filter((key) => !key.revoked);
  if (keys.length === 0) return <span className="muted">none</span>;
  return (
    <ul>
      {keys.map((key) => <li key={key.id}><Id value={key.id} /> <span className="muted">{key.scopes.join(", ")}, since {day(key.created)}</span>{" "}
        <Act path={`/people/keys/${encodeURIComponent(key.id)}/revoke`} name="Revoke" testId="key-revoke" /></li>)}
    </ul>
  );
}

function DisableForm({ name, self, close }: { name: string; self: boolean; close: () => void }) {
  const { store } = useLive();
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  async function disable() {
    setBusy(true);
    setProblem("");
    try {
      await post<unknown>(`/people/${encodeURIComponent(name)}/disable`, {});
      close();
    } catch (error) {
      setProblem(sayError(error));
    } finally {
      setBusy(false);
      store.touch(["people"]);
    }
  }
  return (
    <form onSubmit={(event) => { event.preventDefault(); void disable(); }}>
      <p>{self && <b>This is you. </b>}Open sessions and keys of {name} stop working at once. What they decided before stays on record.</p>
      {problem && <Notice tone="bad" testId="disable-problem">{problem}</Notice>}
      <div className="dialog-actions">
        <button type="button" className="button" data-first onClick={close}>Keep</button>
        <button type="submit" className="button halt" disabled={busy} data-testid="disable-confirm">Disable</button>
      </div>
    </form>
  );
}
