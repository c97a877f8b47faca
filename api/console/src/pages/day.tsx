import { useResource } from "../api/live";
import type { CheckState, Day, MomentView } from "../api/day";
import { words } from "../lib/format";
import { day } from "../lib/time";
import { Failed, Loading, Panel, Tag, type Tone } from "../parts/basics";
import { SignOffForm } from "../parts/sign_off";

const TONE: Record<CheckState, Tone> = { ok: "good", warn: "warn", fail: "bad" };

/** The coming session's start and the last session's end: what was checked, and who signed it. */
export function DayPage() {
  const { data, error, reload } = useResource<Day>("/day", ["policy"]);
  return (
    <div className="stack">
      <header className="page-head wrap"><h1 tabIndex={-1}>Day</h1></header>
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="the checks of the day" />}
      {data && (
        <>
          <MomentPanel title="Start of day" view={data.start} reload={reload}
            note={data.require_sign_off ? "Nothing that adds risk goes out before this is signed." : "The policy does not wait for this signature."} />
          <MomentPanel title="End of day" view={data.end} reload={reload} note="What the last session left behind." />
        </>
      )}
    </div>
  );
}

function MomentPanel({ title, view, note, reload }: { title: string; view: MomentView; note: string; reload: () => void }) {
  return (
    <Panel title={title} aside={view.session ? day(view.session) : "no session"}>
      <p className="foot lead">{note}</p>
      <div className="scroll">
        <table className="stacked" data-testid={`checks-${view.moment}`}>
          <thead><tr><th>State</th><th>Check</th><th>Found</th><th>What to do</th></tr></thead>
          <tbody>
            {view.checks.map((check) => (
              <tr key={check.id}>
                <td data-label="State"><Tag tone={TONE[check.state]}>{check.state}</Tag></td>
                <td data-label="Check"><b>{words(check.id)}</b></td>
                <td data-label="Found" className="summary">{check.text}</td>
                <td data-label="What to do" className="summary">{check.remedy ?? ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <SignOffForm view={view} reload={reload} />
    </Panel>
  );
}
