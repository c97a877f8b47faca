import { useResource } from "../api/live";
import type { CapacityCost, CapacityLine, Json } from "../api/types";
import { columnName, figure, singles, tablesOf, type Table } from "../lib/figures";
import { NONE, number, percent, words } from "../lib/format";
import { Empty, Facts, Failed, Loading, Panel } from "../parts/basics";

/** How attentively people decide, how fast questions are answered, and what was never asked. For approvers and above. */
export function AttentionPage() {
  return (
    <>
      <FigurePanel title="Attention" path="/attention" testId="attention-table"
        note="Many fast approvals with little time on screen are what rubber-stamping looks like. Planted cases passed should be none." />
      <FigurePanel title="Time to answer" path="/sla" testId="sla-table" note="Time to acknowledge and to decide, and how much expired unanswered." />
      <CapacityPanel />
    </>
  );
}

function FigurePanel({ title, path, note, testId }: { title: string; path: string; note: string; testId: string }) {
  const { data, error, reload } = useResource<Json>(path, ["approvals"]);
  const tables = data === null ? [] : tablesOf(data).filter((table) => table.rows.length > 0 && table.title !== "capacity");
  const totals = data === null ? [] : singles(data);
  return (
    <Panel title={title}>
      <p className="foot lead">{note}</p>
      {error ? <Failed error={error} retry={reload} /> : null}
      {data === null && !error && <Loading what="the figures" />}
      {totals.length > 0 && <Facts rows={totals.map(([key, value]) => [columnName(key), figure(key, value)] as const)} />}
      {data !== null && tables.length === 0 && totals.length === 0 && <Empty>No decision has been recorded yet.</Empty>}
      {tables.map((table, i) => <Figures key={i} table={table} testId={i === 0 ? testId : undefined} />)}
    </Panel>
  );
}

const LEFT_OUT: Record<string, string> = {
  capacity: "More than a session may ask", people_busy: "Everybody had enough waiting",
};

/** What became of the views that nobody was asked about, beside those that somebody was. */
function CapacityPanel() {
  const { data, error, reload } = useResource<{ capacity: CapacityCost }>("/sla", ["outcomes"]);
  const cost = data?.capacity;
  return (
    <Panel title="What was not asked">
      <p className="foot lead">
        People can answer only so much, so lower-ranked entries are left out and followed all the same. Where these did better than
        what was asked, the limit on asking costs money.
      </p>
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="the figures" />}
      {cost && (
        <>
          <div className="scroll">
            <table data-testid="capacity-table" className="stacked">
              <thead><tr><th>Entries</th><th className="num">Count</th><th className="num">Settled</th><th className="num">Mean return over the index</th></tr></thead>
              <tbody>
                <CapacityRow name="Asked" line={cost.asked} />
                <CapacityRow name="Left out for want of people" line={cost.not_selected} />
                {cost.reasons.filter((line) => line.entries > 0).map((line) => (
                  <CapacityRow key={line.name} name={`· ${LEFT_OUT[line.name] ?? words(line.name)}`} line={line} />
                ))}
              </tbody>
            </table>
          </div>
          <p className="foot" data-testid="capacity-cost">
            {cost.given_up === null
              ? "Too little has settled on both sides to compare."
              : `What was left out returned ${percent(cost.given_up, 2, true)} against what was asked, per entry over its horizon.`}
          </p>
        </>
      )}
    </Panel>
  );
}

function CapacityRow({ name, line }: { name: string; line: CapacityLine }) {
  return (
    <tr>
      <td data-label="Entries">{name}</td>
      <td data-label="Count" className="num">{number(line.entries, 0)}</td>
      <td data-label="Settled" className="num">{number(line.settled, 0)}</td>
      <td data-label="Mean return over the index" className="num">{line.mean_excess_return === null ? NONE : percent(line.mean_excess_return, 2, true)}</td>
    </tr>
  );
}

const BY: Record<string, string> = { total: "All together", tiers: "By tier", rules: "By rule", people: "By person" };
const ALARM = new Set(["canaries_passed"]);

function Figures({ table, testId }: { table: Table; testId: string | undefined }) {
  const numeric = (key: string) => table.rows.some((row) => typeof row[key] === "number");
  return (
    <>
      {table.title && <h3 className="table-title">{BY[table.title] ?? columnName(table.title)}</h3>}
      <div className="scroll">
        <table data-testid={testId} className="stacked">
          <thead><tr>{table.columns.map((key) => <th key={key} className={numeric(key) ? "num" : undefined}>{columnName(key)}</th>)}</tr></thead>
          <tbody>
            {table.rows.map((row, i) => (
              <tr key={i}>
                {table.columns.map((key) => (
                  <td key={key} data-label={columnName(key)} className={`${numeric(key) ? "num" : ""} ${ALARM.has(key) && Number(row[key]) > 0 ? "down" : ""}`}>
                    {figure(key, row[key])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
