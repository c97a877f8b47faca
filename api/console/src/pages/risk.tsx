import { useResource } from "../api/live";
import { DIMENSIONS, type ControlUse, type Exposure, type Risk } from "../api/risk";
import type { Desk, Page } from "../api/types";
import { Empty, Failed, Loading, Panel, Tag } from "../parts/basics";
import { ControlsTable } from "../parts/controls_table";
import { ContributionTable, ExposureTable, LimitBars, MeasuresTable } from "../parts/measures";
import { ProtectionChart } from "../parts/protection";
import { StressForm, StressMoves, StressTable, WhatIfForm } from "../parts/stress";
import { money, words } from "../lib/format";
import { day } from "../lib/time";

const MOVED_BY = ["desk", "positions", "cases"] as const;

/** The risk of the book: limits used, measures with their conventions, stress, exposures, protection, and what-ifs. */
export function RiskPage({ desk }: { desk: Desk | null }) {
  const risk = useResource<Risk>("/risk", MOVED_BY);
  const exposure = useResource<Exposure>("/exposure", MOVED_BY);
  const controls = useResource<Page<ControlUse>>("/controls", MOVED_BY);
  const found = risk.data;
  return (
    <div className="stack">
      <div className="page-head wrap">
        <h1 tabIndex={-1}>Risk</h1>
        <span className="muted">
          {found && <>{day(found.session)}, equity {money(found.equity, 0)}, {found.positions} positions and {found.pending} pending, limits version {found.limits_version}</>}
        </span>
      </div>
      {risk.error ? <Failed error={risk.error} retry={risk.reload} /> : null}
      {!found && !risk.error && <Loading what="the risk of the book" />}
      {found && (
        <div className="overview">
          <div className="stack">
            <Panel title="Measures" aside={`${found.window_sessions} sessions, losses positive`}><MeasuresTable risk={found} /></Panel>
            <Panel title="Stress"><StressTable items={found.stress} /><StressMoves items={found.stress} /><div className="apart"><StressForm /></div></Panel>
            <Panel title="Try an order"><WhatIfForm /></Panel>
            <Panel title="Where the risk comes from"><ContributionTable found={found.contributions} /></Panel>
          </div>
          <div className="stack">
            <Panel title="Limits used" aside="pending counted as filled"><LimitBars limits={found.limits} /></Panel>
            <Halts desk={desk} />
            <Panel title="Drawdown protection"><ProtectionChart protection={found.protection} /></Panel>
            <Panel title="Sizing"><p>Entries are sized by {words(found.sizing.method)}{perStrategy(found)}, under every limit.</p></Panel>
          </div>
        </div>
      )}
      {exposure.error ? <Failed error={exposure.error} retry={exposure.reload} /> : null}
      {exposure.data && (
        <Panel title="Exposure" aside={`gross ${money(exposure.data.total.gross, 0)}, net ${money(exposure.data.total.net, 0)}`}>
          <div className="exposures">
            {DIMENSIONS.map((name) => <ExposureTable key={name} title={name} items={exposure.data?.[name] ?? []} />)}
          </div>
        </Panel>
      )}
      {controls.error ? <Failed error={controls.error} retry={controls.reload} /> : null}
      {controls.data && (
        <Panel title="Controls" aside={`${controls.data.total}, checked before anybody is asked and again at the open`}>
          <ControlsTable items={controls.data.items} />
        </Panel>
      )}
    </div>
  );
}

function perStrategy(risk: Risk): string {
  return Object.entries(risk.sizing.by_strategy).map(([strategy, method]) => `, ${words(strategy)} by ${words(method)}`).join("");
}

function Halts({ desk }: { desk: Desk | null }) {
  return (
    <Panel title="Halts">
      {desk && desk.halts.length === 0 && <Empty>No halt is in force.</Empty>}
      <ul className="rows">
        {desk?.halts.map((halt) => (
          <li key={halt.id}><Tag tone="bad">{words(halt.action)}</Tag> {halt.scope}{halt.target ? ` ${halt.target}` : ""} <span className="muted">{halt.reason}</span></li>
        ))}
      </ul>
    </Panel>
  );
}
