import { useState } from "react";
import { post, query, sayError } from "../api/client";
import { useLive, useResource } from "../api/live";
import type { Notification, Page, Target, Trial } from "../api/types";
import { words } from "../lib/format";
import { instant } from "../lib/time";
import { Empty, Failed, Loading, Notice, Panel, State, Tag } from "../parts/basics";

const STATES = ["all", "pending", "sent", "given_up"] as const;

/** Who is told of what, what was sent and what did not arrive, and a test of every target. */
export function NotificationsPage({ mayTest }: { mayTest: boolean }) {
  return (
    <>
      <Targets mayTest={mayTest} />
      <Outbox />
    </>
  );
}

function Targets({ mayTest }: { mayTest: boolean }) {
  const { data, error, reload } = useResource<{ items: Target[] }>("/notifications/targets", ["policy"]);
  const { store } = useLive();
  const [trials, setTrials] = useState<Trial[] | null>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  async function test() {
    setBusy(true);
    setProblem("");
    setTrials(null);
    try {
      setTrials((await post<{ items: Trial[] }>("/notifications/test", {})).items);
    } catch (failure) {
      setProblem(sayError(failure));
    } finally {
      setBusy(false);
      store.touch(["policy", "ledger"]);
    }
  }

  return (
    <Panel title="Who is told">
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="targets" />}
      {data && data.items.length === 0 && (
        <Empty>Nobody is told outside of this console. Name webhooks or mailboxes in <code>config/notifications.yaml</code> of the desk's home, then send a test.</Empty>
      )}
      {data && data.items.length > 0 && (
        <div className="scroll">
          <table data-testid="targets-table" className="stacked">
            <thead><tr><th>Name</th><th>By</th><th>Address</th><th>Told of</th><th>Last test</th></tr></thead>
            <tbody>
              {data.items.map((target) => (
                <tr key={target.name} data-target={target.name}>
                  <td data-label="Name"><b>{target.name}</b></td>
                  <td data-label="By">{target.channel === "email" ? "e-mail" : "webhook"}</td>
                  <td data-label="Address">{target.address}</td>
                  <td data-label="Told of" className="summary">{target.events.map(words).join(", ")}</td>
                  <td data-label="Last test"><TrialWord trial={trials?.find((trial) => trial.target === target.name)} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {problem && <Notice tone="bad" testId="notify-problem">{problem}</Notice>}
      {trials && (
        <Notice tone={trials.every((trial) => trial.ok) ? "good" : "bad"} testId="notify-result">
          {trials.length === 0 ? "There is no target to test." : `${trials.filter((trial) => trial.ok).length} of ${trials.length} took the test.`}
        </Notice>
      )}
      {mayTest
        ? <div><button type="button" className="button" disabled={busy} data-testid="notify-test" onClick={() => void test()}>{busy ? "Sending…" : "Send a test to all"}</button></div>
        : <p className="foot">An admin can send a test to every target.</p>}
    </Panel>
  );
}

function TrialWord({ trial }: { trial: Trial | undefined }) {
  if (!trial) return <span className="muted">not yet</span>;
  return trial.ok ? <Tag tone="good">taken</Tag> : <span className="down">{trial.error ?? "not taken"}</span>;
}

function Outbox() {
  const [state, setState] = useState<(typeof STATES)[number]>("all");
  const path = `/notifications${query({ status: state === "all" ? null : state, limit: 50 })}`;
  const { data, error, reload } = useResource<Page<Notification>>(path, ["policy", "approvals", "ledger"]);
  return (
    <Panel title="Sent messages" aside={data && `${data.total} in all`}>
      <label className="inline-field">
        Show{" "}
        <select value={state} data-testid="outbox-state" onChange={(e) => setState(e.target.value as typeof state)}>
          {STATES.map((name) => <option key={name} value={name}>{words(name)}</option>)}
        </select>
      </label>
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="messages" />}
      {data && data.items.length === 0 && <Empty>No message {state === "all" ? "was written" : `is ${words(state)}`} yet.</Empty>}
      {data && data.items.length > 0 && (
        <div className="scroll">
          <table data-testid="outbox-table" className="stacked">
            <thead><tr><th>Written</th><th>About</th><th>To</th><th>State</th><th className="num">Attempts</th><th>Last error</th></tr></thead>
            <tbody>
              {data.items.map((item) => (
                <tr key={item.id}>
                  <td data-label="Written">{instant(item.created)}</td>
                  <td data-label="About">{words(item.event)}</td>
                  <td data-label="To">{item.target}</td>
                  <td data-label="State"><State state={item.status} />{item.next_attempt && <span className="muted"> again {instant(item.next_attempt)}</span>}</td>
                  <td data-label="Attempts" className="num">{item.attempts}</td>
                  <td data-label="Last error" className="summary">{item.last_error ?? <span className="muted">none</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {data && data.total > data.items.length && <p className="foot">The newest {data.items.length} of {data.total}; <code>quarterdeck notify list</code> shows them all.</p>}
    </Panel>
  );
}
