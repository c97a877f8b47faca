import { post } from "../api/client";
import { useResource } from "../api/live";
import type { Break, BreakDecision, Comparison, Reconciliation } from "../api/reconciliation";
import { useSession } from "../api/session";
import { words } from "../lib/format";
import { whyNot } from "../lib/rights";
import { link } from "../lib/router";
import { wallTime } from "../lib/time";
import { Empty, Failed, Loading, Panel, Tag, type Tone } from "./basics";
import { ReasonText, useReasonForm } from "./reason_form";

const TONE: Record<Break["status"], Tone> = { open: "bad", left: "warn", explained: "plain", adopted: "good", closed: "plain" };
const DECISIONS: readonly [BreakDecision, string, string][] = [
  ["explain", "Explain", "The difference is known and stays; the block ends for these values."],
  ["adopt", "Adopt", "Our book takes what the broker has; the block ends."],
  ["leave", "Leave", "It stays at the broker and out of our book; its symbol takes nothing that adds risk."],
];

/** Whether both books agree, what differs, and what a risk officer decides about it. */
export function ReconciliationPanel() {
  const { data, error, reload } = useResource<Reconciliation>("/reconciliation", ["positions", "desk"]);
  return (
    <Panel title="Reconciliation" aside={data && <Tag tone={data.open ? "bad" : "good"}>{data.open ? `${data.open} open` : "books agree"}</Tag>}>
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="the reconciliation" />}
      {data && <p className="foot lead" data-testid="reconciliation">{told(data.report)}</p>}
      {data?.breaks.map((item) => <BreakCard key={item.id} item={item} reload={reload} />)}
      {data && data.ended.length > 0 && (
        <details>
          <summary>{data.ended.length} decided or gone</summary>
          <ul className="rows">
            {data.ended.map((item) => (
              <li key={item.id}><Tag tone={TONE[item.status]}>{item.status}</Tag> {item.message} <span className="muted">{item.principal ?? "the desk"}: {item.reason}</span></li>
            ))}
          </ul>
        </details>
      )}
      {data && data.breaks.length === 0 && data.report?.error == null && data.report && <Empty>Orders, fills, positions and cash are as at the broker.</Empty>}
    </Panel>
  );
}

function told(report: Comparison | null): string {
  if (!report) return "The books were not compared yet: the desk does so when it starts and at every close.";
  if (report.error) return `${report.broker} did not answer at ${wallTime(report.at_wall)}: ${report.error} The desk asks again by itself.`;
  return `Compared with ${report.broker} at ${wallTime(report.at_wall)} (${words(report.occasion)}): ${report.orders} orders, ${report.fills} ${report.whole ? "" : "new "}fills, ${report.positions} positions and cash.`;
}

function BreakCard({ item, reload }: { item: Break; reload: () => void }) {
  const { session } = useSession();
  const form = useReasonForm(`break.${item.id}`, `reason-${item.id}`, reload);
  const barred = whyNot(session, "release");
  const decidable = item.status === "open" || item.status === "left";

  const decide = (decision: BreakDecision) => form.send((reason) => post<Break>(`/breaks/${encodeURIComponent(item.id)}`, { decision, reason }));

  return (
    <article className="apart" data-testid="break" data-kind={item.kind}>
      <p>
        <Tag tone={TONE[item.status]}>{item.status}</Tag> <b>{words(item.kind)}</b> {item.symbol && <span className="symbol">{item.symbol}</span>}{" "}
        {item.case_id && <a href={link("cases", item.case_id)}>its case</a>}
      </p>
      <p>{item.message}.</p>
      <dl className="facts">
        <div><dt>Our book</dt><dd>{item.ours}</dd></div>
        <div><dt>Broker</dt><dd>{item.theirs}</dd></div>
        <div><dt>What to do</dt><dd>{item.remedy}</dd></div>
        {item.principal && <div><dt>{words(item.status)} by</dt><dd>{item.principal}: {item.reason}</dd></div>}
      </dl>
      {decidable && barred && <p className="barred">{barred}</p>}
      {decidable && !barred && (
        <form onSubmit={(event) => event.preventDefault()} noValidate>
          <ReasonText form={form} label="What you found out" testId="break-reason" />
          <div className="decision-actions">
            {DECISIONS.filter(([decision]) => !(decision === "leave" && item.status === "left")).map(([decision, label, meaning]) => (
              <button key={decision} type="button" className="button" title={meaning} disabled={form.busy} data-testid={`break-${decision}`} onClick={() => void decide(decision)}>{label}</button>
            ))}
          </div>
        </form>
      )}
    </article>
  );
}
