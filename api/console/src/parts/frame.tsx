import type { ReactNode } from "react";
import { ApiError } from "../api/client";
import { useLive } from "../api/live";
import { useSession } from "../api/session";
import type { Desk } from "../api/types";
import { NONE, money, percent, words } from "../lib/format";
import { oversightTabs, whyNot } from "../lib/rights";
import { link, type Route } from "../lib/router";
import { age, day } from "../lib/time";
import { Account } from "./account";
import { HaltButton } from "./halt";
import { NextSession } from "./next";

export function Frame({ desk, error, page }: { desk: Desk | null; error: unknown; page: Route["page"] }) {
  return (
    <header className={`frame mode-${desk?.mode ?? "none"}`}>
      <div className="bar">
        <div className="brand">
          <a href={link()} className="wordmark">Quarterdeck</a>
          <span className="sample">{desk ? desk.label : "connecting"}</span>
        </div>
        <span className="mode" data-testid="mode-badge">{desk ? desk.mode.toUpperCase() : NONE}</span>
        <div className="controls">
          <NextSession desk={desk} />
          <HaltButton desk={desk} />
        </div>
      </div>
      <Readouts desk={desk} error={error} />
      <Nav page={page} waiting={desk?.waiting ?? 0} />
      <SessionLine desk={desk} />
      <Account principal={desk?.principal ?? null} />
    </header>
  );
}

function Readouts({ desk, error }: { desk: Desk | null; error: unknown }) {
  const change = desk?.day_change ?? null;
  return (
    <dl className="readouts">
      <Readout name="Equity" testId="equity">{desk ? money(desk.equity) : NONE}</Readout>
      <Readout name="Day" testId="day-change" tone={change === null || change === 0 ? "" : change > 0 ? "up" : "down"}>
        {percent(change, 2, true)}
      </Readout>
      <Readout name="Drawdown" testId="drawdown">{desk ? percent(desk.drawdown) : NONE}</Readout>
      <Readout name="Data age" testId="data-age">{desk ? age(desk.data_age_hours) : NONE}</Readout>
      <Readout name="Model" testId="model-state" title={desk?.model}>{desk ? desk.model : NONE}</Readout>
      <ConnectionReadout error={error} />
    </dl>
  );
}

function Readout({ name, tone = "", testId, title, children }: {
  name: string;
  tone?: string;
  testId: string;
  title?: string | undefined;
  children: ReactNode;
}) {
  return (
    <div className="readout">
      <dt>{name}</dt>
      <dd data-testid={testId} className={tone} title={title}>{children}</dd>
    </div>
  );
}

function ConnectionReadout({ error }: { error: unknown }) {
  const { connection } = useLive();
  const dead = error instanceof ApiError && error.status === 0;
  const [word, tone] = dead
    ? ["no answer", "bad"]
    : connection === "live" ? ["live", "good"] : [connection, "warn"];
  return (
    <Readout name="Link" testId="connection">
      <span className={`dot dot-${tone}`} aria-hidden="true" />{word}
    </Readout>
  );
}

function Nav({ page, waiting }: { page: Route["page"]; waiting: number }) {
  const { session } = useSession();
  const items: { page: Route["page"]; name: string; id: string; also?: Route["page"] }[] = [
    { page: "overview", name: "Overview", id: "overview" },
    { page: "approvals", name: "Approvals", id: "approvals" },
  ];
  if (whyNot(session, "ask") === null) items.push({ page: "ask", name: "Ask", id: "ask" });
  items.push({ page: "risk", name: "Risk", id: "risk" });
  items.push({ page: "day", name: "Day", id: "day" });
  items.push({ page: "history", name: "History", id: "history", also: "case" });
  if (oversightTabs(session).length > 0) items.push({ page: "oversight", name: "Oversight", id: "oversight" });
  return (
    <nav className="tabs" aria-label="Pages">
      {items.map((item) => (
        <a
          key={item.id}
          href={item.page === "overview" ? link() : link(item.page)}
          data-testid={`nav-${item.id}`}
          aria-current={page === item.page || page === item.also ? "page" : undefined}
        >
          {item.name}
          {item.page === "approvals" && waiting > 0 && (
            <span className="count" data-testid="waiting-count" aria-label={`${waiting} waiting`}>{waiting}</span>
          )}
        </a>
      ))}
    </nav>
  );
}

function SessionLine({ desk }: { desk: Desk | null }) {
  if (!desk) return <div className="session-line" />;
  const { session, session_index: index, sessions_total: total } = desk;
  const replay = desk.mode === "replay";
  return (
    <div className="session-line" data-testid="session-line">
      <span><b>{session ? day(session) : "No session yet"}</b>{desk.phase ? `, after the ${desk.phase}` : ""}</span>
      {replay && index !== null && total > 0 && (
        <>
          <progress max={total} value={index + 1} aria-label="Replay progress" />
          <span>{index + 1} of {total}</span>
        </>
      )}
      <span data-testid="stage">{stageWords(desk)}</span>
    </div>
  );
}

function stageWords(desk: Desk): string {
  if (desk.stage === "waiting") {
    if (desk.waiting > 0) return `clock holds, ${desk.waiting} waiting for a person`;
    return desk.holding ? "clock holds" : "ready";
  }
  return words(desk.stage);
}
