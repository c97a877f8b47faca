import { useResource } from "../api/live";
import type { WhyNot } from "../api/types";
import { link } from "../lib/router";
import { Failed, Loading, Panel, State } from "./basics";
import { Counterfactuals } from "./explanation";

/** Why a case was left out or blocked, who took its place, and what would have changed it. */
export function WhyNotPanel({ id }: { id: string }) {
  const { data, error, reload } = useResource<WhyNot>(`/cases/${encodeURIComponent(id)}/why-not`, ["cases"]);
  if (!data) return error ? <Failed error={error} retry={reload} /> : <Loading what="the reason" />;
  const changes = new Set(data.changes.map((item) => item.text));
  return (
    <>
      <Panel title="Why not" aside={`rank ${data.rank} of ${data.proposals}`}>
        <div className="prose" data-testid="why-not">
          {data.sentences.filter((text) => !changes.has(text)).map((text, i) => <p key={i}>{text}</p>)}
        </div>
        {data.taken_by.length > 0 && (
          <ul className="lines">
            {data.taken_by.map((rival) => (
              <li key={rival.case_id}>
                <span className="num muted">{rival.rank}</span> <a href={link("cases", rival.case_id)}>{rival.symbol}</a> {rival.state && <State state={rival.state} />}
              </li>
            ))}
          </ul>
        )}
      </Panel>
      <Panel title="What would have changed it"><Counterfactuals items={data.changes} /></Panel>
    </>
  );
}
