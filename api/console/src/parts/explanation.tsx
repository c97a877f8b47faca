import type { Claim, Counterfactual, Evidence, Explanation, RecalledCase } from "../api/types";
import { pieces } from "../lib/claims";
import { groupEvidence, numberEvidence } from "../lib/evidence";
import { percent, words } from "../lib/format";
import { link } from "../lib/router";
import { day } from "../lib/time";
import { Empty, Panel, State, Tag } from "./basics";
import { showEvidence } from "./evidence";

export function Counterfactuals({ items }: { items: readonly Counterfactual[] }) {
  if (items.length === 0) return <Empty>No single change within reach would alter the verdict.</Empty>;
  return (
    <ul className="lines">
      {items.map((item, i) => (
        <li key={i}>
          <Tag tone={item.verdict === "pass" ? "good" : "bad"}>{words(item.verdict)}</Tag> {item.text}
          {item.binding_control && <span className="muted"> ({words(item.binding_control)})</span>}
        </li>
      ))}
    </ul>
  );
}

export function Dissent({ explanation }: { explanation: Explanation }) {
  const { dissent, unknowns } = explanation;
  return (
    <div className="two">
      <div>
        <h3>Dissent</h3>
        {dissent ? <p>{dissent}</p> : <Empty>Nobody argued against.</Empty>}
      </div>
      <div>
        <h3>Not known</h3>
        {unknowns.length ? <ul className="lines">{unknowns.map((text, i) => <li key={i}>{text}</li>)}</ul> : <Empty>Nothing noted.</Empty>}
      </div>
    </div>
  );
}

export function SimilarCases({ items }: { items: readonly RecalledCase[] }) {
  if (items.length === 0) return <Empty>No similar case is remembered yet.</Empty>;
  return (
    <div className="scroll">
      <table>
        <thead><tr><th>Case</th><th>Opened</th><th>Ended</th><th className="num">Against index</th><th className="num">Similarity</th><th>What it was</th></tr></thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.case_id}>
              <td><a href={link("cases", item.case_id)}>{item.symbol} {words(item.strategy)}</a></td>
              <td className="nowrap">{day(item.opened)}</td>
              <td><State state={item.state} /></td>
              <td className="num">{item.excess_return === null ? "not settled" : percent(item.excess_return, 2, true)}</td>
              <td className="num">{item.similarity.toFixed(2)}</td>
              <td className="summary">{item.summary}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Binding({ value }: { value: Explanation["binding_constraint"] }) {
  if (!value) return null;
  return <p className="binding"><b>Nearest limit:</b> {words(value.control)}, {value.message}</p>;
}

export function Prose({ explanation, evidence }: { explanation: Explanation; evidence: readonly Evidence[] }) {
  const numbers = numberEvidence(groupEvidence(evidence));
  return (
    <>
      <div className="prose" data-testid="explanation">
        {explanation.prose.split(/\n{2,}/).map((part, i) => <p key={i}>{part}</p>)}
      </div>
      {explanation.claims.length > 0 && (
        <details>
          <summary>Claims and their sources ({explanation.claims.length})</summary>
          <ol className="claims">
            {explanation.claims.map((claim) => <ClaimLine key={claim.id} claim={claim} numbers={numbers} />)}
          </ol>
        </details>
      )}
      <p className="foot">
        <Grounding explanation={explanation} /> Written by {explanation.reasoner}; hash <code title={explanation.sha256}>{explanation.sha256.slice(0, 12)}</code>
      </p>
    </>
  );
}

function Grounding({ explanation: { stats, model_abstained: abstained } }: { explanation: Explanation }) {
  return (
    <>
      {stats.unresolved === 0
        ? <>All {stats.numbers} figures resolve to evidence.</>
        : <span className="down">{stats.unresolved} of {stats.numbers} figures do not resolve to evidence.</span>}
      {stats.dropped > 0 && <> {stats.dropped} {stats.dropped === 1 ? "text was" : "texts were"} dropped for a figure without source.</>}
      {abstained && <> The model's text is not shown: {words(abstained)}.</>}
    </>
  );
}

function ClaimLine({ claim, numbers }: { claim: Claim; numbers: Map<string, number> }) {
  return (
    <li>
      {claim.taint && <><Tag tone="warn">untrusted text</Tag>{" "}</>}
      {pieces(claim).map((piece, i) => {
        const { ref } = piece;
        return ref
          ? <button key={i} type="button" className="figure" title={`Evidence ${numbers.get(ref.evidence_id) ?? ref.evidence_id}, ${ref.pointer}`}
              onClick={() => showEvidence(ref.evidence_id)}>{piece.text}</button>
          : <span key={i}>{piece.text}</span>;
      })}{" "}
      {claim.evidence_ids.map((id) => (
        <button key={id} type="button" className="ref" aria-label={`Show evidence ${numbers.get(id) ?? id}`}
          onClick={() => showEvidence(id)}>{numbers.get(id) ?? "?"}</button>
      ))}
    </li>
  );
}

export function ExplanationPanels({ explanation, evidence }: { explanation: Explanation; evidence: readonly Evidence[] }) {
  return (
    <>
      <Panel title="What would change the verdict">
        <Binding value={explanation.binding_constraint} />
        <Counterfactuals items={explanation.counterfactuals} />
      </Panel>
      <Panel title="Dissent and unknowns"><Dissent explanation={explanation} /></Panel>
      <Panel title="Similar cases"><SimilarCases items={explanation.similar_cases} /></Panel>
      <Panel title="Explanation"><Prose explanation={explanation} evidence={evidence} /></Panel>
    </>
  );
}
