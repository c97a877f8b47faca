import { useState } from "react";
import { query } from "../api/client";
import { useResource } from "../api/live";
import type { MemoryAnswer, MemoryItem, MemoryKind, MemoryStatus, Runbook } from "../api/memory";
import { Empty, Failed, Loading, Tag } from "../parts/basics";
import { percent, words } from "../lib/format";
import { link, useHash } from "../lib/router";

const KINDS: MemoryKind[] = ["case", "lesson", "explanation", "runbook"];
const REGIMES = ["calm_rising", "calm_falling", "turbulent_rising", "turbulent_falling"];

/** Search of all that the desk remembers, with every factor that made an item's place. */
export function MemorySearch() {
  const runbook = new URLSearchParams(useHash().split("?")[1] ?? "").get("runbook");
  const [text, setText] = useState("");
  const [kind, setKind] = useState("");
  const [symbol, setSymbol] = useState("");
  const [regime, setRegime] = useState("");
  const [asked, setAsked] = useState("");
  const path = asked ? "/memory" + query({ q: asked, kind, symbol: symbol.trim().toUpperCase(), regime, limit: 20 }) : null;
  const { data, error, reload } = useResource<MemoryAnswer>(path, ["outcomes", "lessons"]);
  return (
    <>
      {runbook && <RunbookPanel key={runbook} id={runbook} />}
      <section className="panel" aria-label="Memory">
        <form className="filters" role="search" onSubmit={(e) => { e.preventDefault(); setAsked(text.trim()); }}>
          <label className="inline-field">Look for{" "}
            <input type="search" value={text} size={32} maxLength={1000} data-testid="memory-text" placeholder="a breakout in energy" onChange={(e) => setText(e.target.value)} />
          </label>
          <label className="inline-field">Kind{" "}
            <select value={kind} data-testid="memory-kind" onChange={(e) => setKind(e.target.value)}>
              <option value="">any</option>
              {KINDS.map((name) => <option key={name} value={name}>{name}</option>)}
            </select>
          </label>
          <label className="inline-field">Symbol{" "}
            <input value={symbol} size={8} maxLength={10} spellCheck={false} onChange={(e) => setSymbol(e.target.value)} />
          </label>
          <label className="inline-field">Market{" "}
            <select value={regime} onChange={(e) => setRegime(e.target.value)}>
              <option value="">any</option>
              {REGIMES.map((name) => <option key={name} value={name}>{words(name)}</option>)}
            </select>
          </label>
          <button type="submit" className="button small" data-testid="memory-search">Search</button>
        </form>
        {error ? <Failed error={error} retry={reload} /> : null}
        {path && !data && !error && <Loading what="memory" />}
        {!path && <MemoryState />}
        {data && data.items.length === 0 && <Empty>Nothing like it is remembered{kind || symbol || regime ? " under these filters" : ""}.</Empty>}
        {data && data.items.length > 0 && <Found answer={data} />}
      </section>
    </>
  );
}

function Found({ answer }: { answer: MemoryAnswer }) {
  return (
    <>
      <ul className="findings" data-testid="memory-items">
        {answer.items.map((item) => <Item key={item.id} item={item} />)}
      </ul>
      <p className="foot">
        As of session {answer.as_of_index}{answer.market_now && <>, in a market that is {words(answer.market_now)}</>}. Score is likeness to the words
        times what the outcome can tell, recency and the match of markets. No factor looks at what was won or lost.
      </p>
    </>
  );
}

function Item({ item }: { item: MemoryItem }) {
  return (
    <li>
      <Tag>{item.kind}</Tag> <Subject item={item} />{" "}
      {item.state && <Tag tone={item.state === "promoted" ? "good" : "plain"}>{item.state}</Tag>}{" "}
      {item.outcome && <Tag>{words(item.outcome)}</Tag>}{" "}
      {item.excess_return !== null && <span className="num">{percent(item.excess_return, 2, true)} against the index</span>}{" "}
      {item.tainted && <Tag tone="warn">strangers&apos; text bore on it</Tag>}{" "}
      {item.superseded && <Tag tone="warn">superseded</Tag>}
      <small className="clamped" title={item.text}>{item.text}</small>
      <small className="muted">
        score {item.score.toFixed(2)} = likeness {item.similarity.toFixed(2)} × outcome {item.weight_outcome.toFixed(2)} × recency{" "}
        {item.weight_recency.toFixed(2)} × market {item.weight_regime.toFixed(2)}
        {item.kind !== "runbook" && <>; {item.age_sessions} sessions old{item.market && <>, {words(item.market)}</>}</>}
        {item.alike > 1 && <>; stands for {item.alike} alike</>}
      </small>
    </li>
  );
}

function Subject({ item }: { item: MemoryItem }) {
  if (item.kind === "runbook") return <a href={`${link("history", "memory")}?runbook=${item.subject}`}>{words(item.subject)}</a>;
  if (item.kind === "lesson") return <a href={link("history", "lessons")}>{words(item.strategy || "lesson")}</a>;
  return <a href={link("cases", item.subject)}>{item.symbol} {words(item.strategy)}</a>;
}

function MemoryState() {
  const { data, error, reload } = useResource<MemoryStatus>("/memory/status", ["outcomes", "lessons"]);
  if (error) return <Failed error={error} retry={reload} />;
  if (!data) return <Loading what="memory" />;
  const counts = KINDS.map((kind) => [kind, data.kinds.filter((k) => k.kind === kind).reduce((sum, k) => sum + k.items, 0)] as const);
  return (
    <p className="foot" data-testid="memory-state">
      {counts.map(([kind, n]) => `${n} ${n === 1 ? kind : kind + "s"}`).join(", ")} remembered.{" "}
      {data.state === "ok" ? <>The index answers: {data.detail}.</> : data.state === "off" ? <>The engine has not opened the index yet.</>
        : <Tag tone="warn">without its index: {data.detail}</Tag>}
    </p>
  );
}

function RunbookPanel({ id }: { id: string }) {
  const { data, error, reload } = useResource<Runbook>(`/memory/runbooks/${encodeURIComponent(id)}`, []);
  if (error) return <Failed error={error} retry={reload} />;
  if (!data) return <Loading what="the runbook" />;
  return (
    <section className="panel" aria-label="Runbook" data-testid="runbook">
      <header className="panel-head"><h2>{data.title}</h2></header>
      <p className="foot">{data.when}</p>
      <RunbookText text={data.text} />
    </section>
  );
}

/** The little Markdown that runbooks use: paragraphs, numbered steps, dashes under a step, and code. */
function RunbookText({ text }: { text: string }) {
  return (
    <div className="prose runbook">
      {text.split(/\n\s*\n/).map((block, i) => /^1\. /.test(block) ? <Steps key={i} lines={block.split("\n")} /> : <p key={i}><Coded text={block} /></p>)}
    </div>
  );
}

function Steps({ lines }: { lines: string[] }) {
  const steps: { text: string; under: string[] }[] = [];
  for (const line of lines) {
    const last = steps[steps.length - 1];
    const dash = /^\s+- (.*)/.exec(line);
    if (/^\d+\. /.test(line)) steps.push({ text: line.replace(/^\d+\. /, ""), under: [] });
    else if (dash && last) last.under.push(dash[1]!);
    else if (last && last.under.length > 0) last.under[last.under.length - 1] += " " + line.trim();
    else if (last) last.text += " " + line.trim();
  }
  return (
    <ol>
      {steps.map((step, i) => (
        <li key={i}>
          <Coded text={step.text} />
          {step.under.length > 0 && <ul>{step.under.map((line, j) => <li key={j}><Coded text={line} /></li>)}</ul>}
        </li>
      ))}
    </ol>
  );
}

function Coded({ text }: { text: string }) {
  return <>{text.split("`").map((part, i) => i % 2 ? <code key={i}>{part}</code> : part)}</>;
}
