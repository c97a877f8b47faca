import { useState } from "react";
import { deskNow, post } from "../api/client";
import { useResource } from "../api/live";
import { useSession } from "../api/session";
import type { Finding, FindingDetail, FindingState, Page } from "../api/types";
import { silenceBody, silenceEnds, worstFirst } from "../lib/findings";
import { words } from "../lib/format";
import { whyNot } from "../lib/rights";
import { link } from "../lib/router";
import { day, wallTime } from "../lib/time";
import { Empty, Failed, Loading, Panel, Tag } from "./basics";
import { EvidenceList } from "./evidence";
import { ReasonText, useReasonForm } from "./reason_form";

const STATES: FindingState[] = ["open", "silenced", "acknowledged", "cleared"];
const TONE = { critical: "bad", warning: "warn", info: "plain" } as const;
const SHOWN = 8;

/** What monitoring found, worst first, and what people may do about it. */
export function FindingsPanel() {
  const [state, setState] = useState<FindingState>("open");
  const { data, error, reload } = useResource<Page<Finding>>(`/findings?limit=100&state=${state}`, ["findings"]);
  const [all, setAll] = useState(false);
  const items = worstFirst(data?.items ?? []);
  return (
    <Panel title="Findings" aside={
      <label className="inline-field">{data && <>{data.total} </>}
        <select value={state} aria-label="Findings that are" data-testid="findings-state" onChange={(e) => setState(e.target.value as FindingState)}>
          {STATES.map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
      </label>
    }>
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="findings" />}
      {data && items.length === 0 && <Empty>{state === "open" ? "No finding waits for anybody." : `No finding is ${state}.`}</Empty>}
      <ul className="findings" data-testid="findings">
        {items.slice(0, all ? items.length : SHOWN).map((item) => <FindingItem key={item.id} item={item} reload={reload} />)}
      </ul>
      {items.length > SHOWN && <button type="button" className="linklike" onClick={() => setAll(!all)}>{all ? "Show fewer" : `Show all ${items.length}`}</button>}
    </Panel>
  );
}

function FindingItem({ item, reload }: { item: Finding; reload: () => void }) {
  const [form, setForm] = useState<"acknowledge" | "silence" | null>(null);
  const [open, setOpen] = useState(false);
  const often = item.times_seen > 1 ? `, seen ${item.times_seen} times` : "";
  return (
    <li data-testid={`finding-${item.id}`}>
      <Tag tone={TONE[item.severity]}>{item.severity}</Tag> <span>{item.message}</span>
      <small>
        {item.recommendation}{" "}
        <span className="muted">{words(item.component)}, since {day(item.first_as_of)}{often}{item.rule && `, by the rule ${item.rule}`}.</span>
        {item.runbook && <> <a href={`${link("history", "memory")}?runbook=${item.runbook}`} data-testid="finding-runbook">Runbook</a></>}
        {item.recommends_halt && <> <Tag tone="bad">recommends a halt</Tag></>}
        <Standing item={item} />
      </small>
      <div className="finding-actions">
        <button type="button" className="button small" aria-expanded={open} data-testid="finding-evidence" onClick={() => setOpen(!open)}>Evidence</button>
        {item.state !== "cleared" && item.state !== "acknowledged" && (
          <button type="button" className="button small" aria-expanded={form === "acknowledge"} data-testid="finding-acknowledge" onClick={() => setForm(form === "acknowledge" ? null : "acknowledge")}>Acknowledge</button>
        )}
        {item.state !== "cleared" && (
          <button type="button" className="button small" aria-expanded={form === "silence"} data-testid="finding-silence" onClick={() => setForm(form === "silence" ? null : "silence")}>Silence</button>
        )}
      </div>
      {open && <FindingEvidence item={item} />}
      {form && <AnswerForm key={form} item={item} what={form} done={() => { setForm(null); reload(); }} />}
    </li>
  );
}

function Standing({ item }: { item: Finding }) {
  if (item.state === "cleared") return <span className="muted"> Cleared {day(item.cleared_as_of)}.</span>;
  if (item.state === "silenced") {
    const end = item.silenced_sessions !== null ? `for ${item.silenced_sessions} more sessions` : `until ${wallTime(item.silenced_until)}`;
    return <span className="muted"> Silenced by {item.silenced_by} {end}: {item.silenced_reason}</span>;
  }
  if (item.acknowledged_by) return <span className="muted"> Acknowledged by {item.acknowledged_by}: {item.acknowledged_reason}</span>;
  return null;
}

function FindingEvidence({ item }: { item: Finding }) {
  const { data, error, reload } = useResource<FindingDetail>(`/findings/${encodeURIComponent(item.id)}`, ["findings"]);
  if (error) return <Failed error={error} retry={reload} />;
  if (!data) return <Loading what="the evidence" />;
  if (data.evidence.length > 0) return <EvidenceList items={data.evidence} />;
  const figures = Object.entries(data.figures);
  return <p className="foot">{figures.length > 0 ? figures.map(([name, value]) => `${words(name)} ${value}`).join(", ") : "It is a record of what happened and cites nothing else."}</p>;
}

function AnswerForm({ item, what, done }: { item: Finding; what: "acknowledge" | "silence"; done: () => void }) {
  const { session } = useSession();
  const ends = silenceEnds(item);
  const [end, setEnd] = useState(0);
  const form = useReasonForm(`finding.${what}.${item.id}`, `finding-reason-${item.id}`);
  const barred = whyNot(session, item.worst === "critical" ? "decide" : "run");
  if (barred) return <p className="barred">{barred}</p>;

  const send = () => form.send(async (reason) => {
    const body = what === "silence" ? silenceBody(ends[end] ?? { name: "", hours: 1 }, reason, deskNow()) : { reason };
    await post<Finding>(`/findings/${encodeURIComponent(item.id)}/${what}`, body);
    done();
  });

  return (
    <form onSubmit={(event) => { event.preventDefault(); void send(); }} noValidate>
      <ReasonText form={form} label={what === "silence" ? "Why it may be silent" : "What was seen to"} testId="finding-reason" />
      {what === "silence" && (
        <label className="field">
          For
          <select value={end} data-testid="finding-end" onChange={(e) => setEnd(Number(e.target.value))}>
            {ends.map((option, place) => <option key={option.name} value={place}>{option.name}</option>)}
          </select>
        </label>
      )}
      <div className="decision-actions">
        <button type="submit" className="button" data-testid="finding-send" disabled={form.busy}>{what === "silence" ? "Silence it" : "Acknowledge it"}</button>
      </div>
    </form>
  );
}
