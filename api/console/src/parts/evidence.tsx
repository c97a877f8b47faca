import type { Evidence, Json } from "../api/types";
import {
  bare, columnsOf, groupEvidence, isNumeric, labelOf, nestedRows, numberEvidence, showValue, type EvidenceGroup, type Row,
} from "../lib/evidence";
import { instant } from "../lib/time";

const WIDE = 9;

export function EvidenceList({ items }: { items: readonly Evidence[] }) {
  const groups = groupEvidence(items);
  const numbers = numberEvidence(groups);
  const aside = groups.filter((group) => group.aside);
  return (
    <div className="evidence" data-testid="evidence">
      {groups.filter((group) => !group.aside).map((group) => <Group key={group.title} group={group} numbers={numbers} />)}
      {aside.length > 0 && (
        <details>
          <summary>Other records the explanation cites ({aside.reduce((n, g) => n + g.items.length, 0)})</summary>
          {aside.map((group) => <Group key={group.title} group={group} numbers={numbers} />)}
        </details>
      )}
    </div>
  );
}

function Group({ group, numbers }: { group: EvidenceGroup; numbers: Map<string, number> }) {
  const tainted = group.items.filter((item) => item.taint);
  const clean = group.items.filter((item) => !item.taint);
  const matrix = clean.length > 1 && clean.every((item) => !nestedRows(item.payload))
    && columnsOf(clean.map(bare)).length <= WIDE;
  return (
    <section className="evidence-group">
      <h3>{group.title}</h3>
      {matrix && <Matrix items={clean} numbers={numbers} />}
      {!matrix && clean.map((item) => <Record key={item.id} item={item} n={numbers.get(item.id)} />)}
      {tainted.map((item) => <Fenced key={item.id} item={item} n={numbers.get(item.id)} />)}
    </section>
  );
}

function Matrix({ items, numbers }: { items: readonly Evidence[]; numbers: Map<string, number> }) {
  const columns = columnsOf(items.map(bare));
  const symbols = new Set(items.map((item) => item.symbol)).size > 1;
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th className="ref-col"><span className="visually-hidden">Number</span></th>
            {symbols && <th>Symbol</th>}
            {columns.map((key) => <Head key={key} name={key} sample={items[0]?.payload[key]} />)}
            <th>Known</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.id} id={anchor(item.id)} tabIndex={-1}>
              <td className="ref-col"><Ref item={item} n={numbers.get(item.id)} /></td>
              {symbols && <td>{item.symbol}</td>}
              {columns.map((key) => <Cell key={key} name={key} value={item.payload[key]} />)}
              <td className="muted nowrap">{instant(item.known_at)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Record({ item, n }: { item: Evidence; n: number | undefined }) {
  const nested = nestedRows(item.payload);
  const plain = Object.entries(bare(item)).filter(([key]) => key !== nested?.key);
  return (
    <div className="record" id={anchor(item.id)} tabIndex={-1}>
      <Origin item={item} n={n} />
      {plain.length > 0 && (
        <dl className="facts">
          {plain.map(([key, value]) => <div key={key}><dt>{labelOf(key)}</dt><dd className="num">{showValue(key, value)}</dd></div>)}
        </dl>
      )}
      {nested && <Nested rows={nested.rows} />}
    </div>
  );
}

function Nested({ rows }: { rows: readonly Row[] }) {
  const columns = columnsOf(rows);
  return (
    <div className="scroll">
      <table>
        <thead><tr>{columns.map((key) => <Head key={key} name={key} sample={rows[0]?.[key]} />)}</tr></thead>
        <tbody>
          {rows.map((row, i) => <tr key={i}>{columns.map((key) => <Cell key={key} name={key} value={row[key]} />)}</tr>)}
        </tbody>
      </table>
    </div>
  );
}

/** Text that a stranger could have written: shown as text only, behind a striped fence that says so. */
function Fenced({ item, n }: { item: Evidence; n: number | undefined }) {
  const { text, ...rest } = item.payload;
  const facts = Object.entries(rest);
  return (
    <div className="fence" id={anchor(item.id)} tabIndex={-1} data-testid="tainted">
      <p className="fence-label">Untrusted text. It can only lower risk; check it at its source.</p>
      {typeof text === "string" && <blockquote>{text}</blockquote>}
      {facts.length > 0 && (
        <p className="fence-facts">
          {facts.map(([key, value]) => <span key={key}>{labelOf(key)}: {listed(key, value)}</span>)}
        </p>
      )}
      <Origin item={item} n={n} />
    </div>
  );
}

function listed(key: string, value: Json): string {
  return Array.isArray(value) ? value.map((v) => showValue(key, v)).join(", ") : showValue(key, value);
}

function Origin({ item, n }: { item: Evidence; n: number | undefined }) {
  return (
    <p className="origin">
      <Ref item={item} n={n} /> {item.symbol ? `${item.symbol}, ` : ""}{item.source}, known {instant(item.known_at)}
    </p>
  );
}

function Ref({ item, n }: { item: Evidence; n: number | undefined }) {
  return <span className="ref" title={`${item.id} from ${item.source}`}>{n}</span>;
}

function Head({ name, sample }: { name: string; sample: Json | undefined }) {
  return <th className={isNumeric(sample) ? "num" : undefined}>{labelOf(name)}</th>;
}

function Cell({ name, value }: { name: string; value: Json | undefined }) {
  const text = showValue(name, value);
  return <td className={isNumeric(value) ? "num" : text.length > 32 ? "summary" : undefined}>{text}</td>;
}

function anchor(id: string): string {
  return `evidence-${id}`;
}

/** Bring an evidence item into view, open what hides it, and move focus to it. */
export function showEvidence(id: string): void {
  const element = document.getElementById(anchor(id));
  if (!element) return;
  const details = element.closest("details");
  if (details) details.open = true;
  element.scrollIntoView({ block: "center" });
  element.focus({ preventScroll: true });
}
