import { useResource } from "../api/live";
import type { Json } from "../api/types";
import { columnName, figure, singles, tablesOf, type Table } from "../lib/figures";
import { Empty, Facts, Failed, Loading, Panel } from "../parts/basics";

/** How attentively people decide, and how fast questions are answered. For risk officers and above. */
export function AttentionPage() {
  return (
    <>
      <FigurePanel title="Attention" path="/attention" testId="attention-table"
        note="Many fast approvals with little time on screen are what rubber-stamping looks like. Planted cases passed should be none." />
      <FigurePanel title="Time to answer" path="/sla" testId="sla-table" note="Time to acknowledge and to decide, and how much expired unanswered." />
    </>
  );
}

function FigurePanel({ title, path, note, testId }: { title: string; path: string; note: string; testId: string }) {
  const { data, error, reload } = useResource<Json>(path, ["approvals"]);
  const tables = data === null ? [] : tablesOf(data).filter((table) => table.rows.length > 0);
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

const ALARM = new Set(["canaries_passed"]);

function Figures({ table, testId }: { table: Table; testId: string | undefined }) {
  const numeric = (key: string) => table.rows.some((row) => typeof row[key] === "number");
  return (
    <>
      {table.title && <h3 className="table-title">{columnName(table.title)}</h3>}
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
