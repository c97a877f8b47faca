import type { ReactNode } from "react";
import { sayError } from "../api/client";
import type { Side } from "../api/types";
import { words } from "../lib/format";

export function Panel({ title, aside, id, children, className = "" }: {
  title: string;
  aside?: ReactNode;
  id?: string;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section className={`panel ${className}`} id={id} aria-label={title}>
      <header className="panel-head">
        <h2>{title}</h2>
        {aside && <div className="panel-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

export type Tone = "plain" | "good" | "warn" | "bad";

export function Notice({ tone = "plain", title, children, testId }: {
  tone?: Tone;
  title?: string;
  testId?: string;
  children?: ReactNode;
}) {
  return (
    <div className={`notice tone-${tone}`} role={tone === "bad" ? "alert" : "status"} data-testid={testId}>
      {title && <strong className="notice-title">{title}</strong>}
      {children && <div>{children}</div>}
    </div>
  );
}

export function Tag({ tone = "plain", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={`tag tone-${tone}`}>{children}</span>;
}

const STATE_TONE: Record<string, Tone> = {
  awaiting: "warn", pending: "warn", approved: "good", submitted: "good", done: "good", settled: "good", filled: "good", sent: "good",
  blocked: "bad", rejected: "bad", unknown: "bad", denied: "bad", given_up: "bad",
};

export function State({ state }: { state: string }) {
  return <Tag tone={STATE_TONE[state] ?? "plain"}>{words(state)}</Tag>;
}

export function SideWord({ side }: { side: Side }) {
  return <span className={`side side-${side}`}>{side === "buy" ? "Buy" : "Sell"}</span>;
}

export function Empty({ children }: { children: ReactNode }) {
  return <p className="empty">{children}</p>;
}

export function Loading({ what }: { what: string }) {
  return <p className="empty" role="status">Loading {what}…</p>;
}

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <Notice tone="bad">
      {sayError(error)}{" "}
      {retry && <button type="button" className="linklike" onClick={retry}>Try again</button>}
    </Notice>
  );
}

/** A short form of a long id or hash; the whole one is the tooltip. */
export function Id({ value, length = 14 }: { value: string; length?: number }) {
  const short = value.length > length ? value.slice(0, length) + "…" : value;
  return <code className="id" title={value}>{short}</code>;
}

export function Facts({ rows }: { rows: (readonly [label: string, value: ReactNode] | null)[] }) {
  return (
    <dl className="facts">
      {rows.map((row) => row && <div key={row[0]}><dt>{row[0]}</dt><dd>{row[1]}</dd></div>)}
    </dl>
  );
}
