import { useResource } from "../api/live";
import type { Cost, Parent, ParentDetail, Slice, SliceState } from "../api/parents";
import type { Page } from "../api/types";
import { decimal, money, NONE, sharePercent, signedMoney, words } from "../lib/format";
import { link } from "../lib/router";
import { day } from "../lib/time";
import { Failed, Loading, Panel, SideWord, Tag, type Tone } from "./basics";
import { StopForm } from "./stop_form";

const STATUS: Record<Parent["status"], Tone> = { open: "warn", done: "good", stopped: "bad" };
const SLICE: Record<SliceState, Tone> = {
  planned: "plain", working: "warn", filled: "good", partly_filled: "warn", not_filled: "bad", held_back: "bad", left_out: "plain",
};
const SHOWN = 5;

/** Orders that are worked over several sessions, those under way first; nothing where none ever was. */
export function WorkedPanel() {
  const { data, error, reload } = useResource<Page<Parent>>("/parents?limit=20", ["orders"]);
  if (error) return <Panel title="Worked orders"><Failed error={error} retry={reload} /></Panel>;
  if (!data || data.items.length === 0) return null;
  const open = data.items.filter((item) => item.status === "open");
  const ended = data.items.filter((item) => item.status !== "open").slice(0, SHOWN);
  return (
    <Panel title="Worked orders" aside={open.length ? `${open.length} under way` : "none under way"}>
      {open.map((item) => <Worked key={item.id} id={item.id} />)}
      {ended.length > 0 && (
        <details open={open.length === 0}>
          <summary>{ended.length} ended</summary>
          {ended.map((item) => <Worked key={item.id} id={item.id} />)}
        </details>
      )}
    </Panel>
  );
}

/** One worked order, by its own or its case's id: its slices, what it cost, and stopping it. */
export function Worked({ id }: { id: string }) {
  const { data, error, reload } = useResource<ParentDetail>(`/parents/${encodeURIComponent(id)}`, ["orders", "fills"]);
  if (!data) return error ? <Failed error={error} retry={reload} /> : <Loading what="the worked order" />;
  return (
    <article className="apart" data-testid="worked" data-status={data.status}>
      <p>
        <Tag tone={STATUS[data.status]}>{data.status}</Tag> <SideWord side={data.side} />{" "}
        <a className="symbol" href={link("cases", data.case_id)}>{data.symbol}</a>{" "}
        <b>{shares(data.filled)} of {shares(data.quantity)}</b> filled{" "}
        <span className="muted">{data.algorithm.toUpperCase()} over {data.sessions} sessions, at most {sharePercent(data.participation, 1)} of expected volume</span>
      </p>
      {data.reason && data.remaining > 0 && <p>{data.reason}</p>}
      <Slices items={data.slices} />
      <CostLine cost={data.cost} unknown={data.cost_unknown} />
      {data.status === "open" && <StopForm parent={data} reload={reload} />}
    </article>
  );
}

function shares(count: number): string {
  return decimal(String(count), 0);
}

function Slices({ items }: { items: readonly Slice[] }) {
  return (
    <div className="scroll">
      <table data-testid="slices">
        <thead>
          <tr><th>Session</th><th className="num">Planned</th><th className="num">Sent</th><th className="num">Filled</th><th className="num phone-hide">Average</th><th>State</th></tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.number} data-state={item.state}>
              <td className="nowrap">{day(item.session)}</td>
              <td className="num">{shares(item.planned)}</td>
              <td className="num">{item.sent ? shares(item.sent) : NONE}</td>
              <td className="num">{item.sent ? shares(item.filled) : NONE}</td>
              <td className="num phone-hide">{money(item.average_price)}</td>
              <td><Tag tone={SLICE[item.state]}>{words(item.state)}</Tag>{item.reason && <span className="muted"> {item.reason}</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function CostLine({ cost, unknown }: { cost: Cost | null; unknown: string | null }) {
  if (!cost) return unknown ? <p className="foot">What it cost is not known: {unknown}</p> : null;
  return (
    <>
      <dl className="facts after-table" data-testid="worked-cost">
        <div><dt>Against arrival at {money(cost.arrival_price)}</dt><dd>{bps(cost.arrival_bps)}</dd></div>
        <div><dt>Against interval VWAP of {money(cost.interval_vwap)}</dt><dd>{bps(cost.vwap_bps)}</dd></div>
        <div><dt>With fees and what was left undone</dt><dd>{bps(cost.shortfall_bps)}, {signedMoney(cost.shortfall)}</dd></div>
      </dl>
      <p className="foot">Basis points, above zero is a cost. Interval VWAP of {cost.interval}.</p>
    </>
  );
}

function bps(value: string | null): string {
  return value === null ? "not known" : `${decimal(value, 1, { sign: true })} bps`;
}
