import type { DeskChange } from "../api/law";
import type { Case } from "../api/types";
import { decimal, money, words } from "../lib/format";
import { notional } from "../lib/queue";
import { Facts, Id, Notice, SideWord, Tag, type Tone } from "./basics";

/** What a case is about, short enough for a row: an order with its figures, a change by its title, or a damaged record. */
export function CaseFigures({ item }: { item: Case }) {
  const p = item.proposal;
  if (p) {
    return (
      <>
        <SideWord side={p.side} />{" "}
        <span className="num">{decimal(String(p.quantity), 0)}</span>{" "}
        <span className="num muted push">{money(notional(p), 0)}</span>
      </>
    );
  }
  return item.change ? <span className="summary">{item.change.title}</span> : <Tag tone="bad">record damaged</Tag>;
}

/** What stands where an order has its symbol: a lesson's id says nothing to anybody. */
export function caseSubject(item: Pick<Case, "kind" | "symbol">): string {
  return item.kind.startsWith("lesson.") ? "LESSON" : item.symbol;
}

/** The title of a case page. */
export function CaseTitle({ item }: { item: Case }) {
  const p = item.proposal;
  if (p) return <><SideWord side={p.side} /> {decimal(String(p.quantity), 0)} {p.symbol}</>;
  return <>{item.change ? item.change.title : `${words(item.kind)} ${item.symbol}`}</>;
}

/** What approving a change does, in one sentence. */
export function changeSentence(change: DeskChange): string {
  return change.kind.startsWith("lesson.") ? `${change.title}, from the next cycle on.` : `${change.title}, for the running desk.`;
}

const TONE: Record<string, Tone> = { tighter: "good", looser: "bad", unclear: "warn", neutral: "plain" };

/** A change field by field, with what each does to risk, and the whole text on demand. */
export function ChangeFacts({ item }: { item: Case }) {
  const change = item.change;
  if (!change) return <Notice tone="bad" title="The record of this case was damaged">Nothing can be approved or sent from it.</Notice>;
  return (
    <>
      <p className="thesis">{change.reason}</p>
      <Facts
        rows={[
          ["Proposed by", change.proposer],
          ["Risk", words(change.risk_effect)],
          ["In force now", change.before_sha256 ? <Id value={change.before_sha256} length={16} /> : "nothing"],
          ["Candidate", <Id value={change.after_sha256} length={16} />],
        ]}
      />
      {change.differences.length === 0 && <p>Only the wording of the file differs; every value stays.</p>}
      {change.differences.length > 0 && (
        <div className="scroll">
          <table className="stacked" data-testid="change-differences">
            <thead><tr><th>Field</th><th>In force</th><th>Candidate</th><th>Effect</th></tr></thead>
            <tbody>
              {change.differences.map((d) => (
                <tr key={d.field}>
                  <td data-label="Field"><b>{d.field}</b></td>
                  <td data-label="In force" className="summary">{d.before ?? "none"}</td>
                  <td data-label="Candidate" className="summary">{d.after ?? "none"}</td>
                  <td data-label="Effect"><Tag tone={TONE[d.effect] ?? "plain"}>{d.effect}</Tag></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <details><summary>The whole candidate</summary><pre data-testid="change-text">{change.text}</pre></details>
    </>
  );
}
