import { useEffect, useRef, useState } from "react";
import { ApiError, sayError } from "./api/client";
import { useLive, useResource } from "./api/live";
import { useSession } from "./api/session";
import type { Desk, Session } from "./api/types";
import { describeEvent } from "./api/events";
import { useChat } from "./lib/conversation";
import { readRoute, useHash } from "./lib/router";
import { Boundary } from "./parts/boundary";
import { Frame } from "./parts/frame";
import { HaltBanner } from "./parts/halt";
import { Troubles } from "./parts/troubles";
import { Notice } from "./parts/basics";
import { OverviewPage } from "./pages/overview";
import { ApprovalsPage } from "./pages/approvals";
import { AskPage } from "./pages/ask";
import { CasePage } from "./pages/case";
import { EvidencePage } from "./pages/evidence";
import { DayPage } from "./pages/day";
import { HistoryPage } from "./pages/history";
import { OversightPage } from "./pages/oversight";
import { RiskPage } from "./pages/risk";

const POLL_MS = 5_000;

export function App({ locked }: { locked: boolean }) {
  const { session, follow } = useSession();
  const standing = useResource<Session>(session ? "/session" : null, ["people"]);
  const desk = useResource<Desk>("/desk", ["desk"]);
  const { connect, recent } = useLive();
  const chat = useChat();
  const hash = useHash();
  const route = readRoute(hash);
  const main = useRef<HTMLElement>(null);
  const seen = useRef(hash);
  const [said, setSaid] = useState("");

  const entries = desk.data?.ledger.entries;
  useEffect(() => {
    if (entries !== undefined) connect(entries);
  }, [entries, connect]);

  useEffect(() => {
    if (standing.data) follow(standing.data);
  }, [standing.data, follow]);

  const { reload } = desk;
  useEffect(() => {
    if (locked) return;
    const timer = setInterval(reload, POLL_MS);
    return () => clearInterval(timer);
  }, [reload, locked]);

  useEffect(() => {
    const newest = recent[0];
    if (newest) setSaid(describeEvent(newest));
  }, [recent]);

  useEffect(() => {
    if (seen.current === hash) return;
    seen.current = hash;
    scrollTo(0, 0);
    main.current?.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
  }, [hash]);

  const waiting = desk.data?.waiting ?? 0;
  useEffect(() => {
    document.title = waiting > 0 ? `(${waiting}) Quarterdeck` : "Quarterdeck";
  }, [waiting]);

  const refused = desk.error instanceof ApiError && (desk.error.status === 403);
  return (
    <div className="app">
      <a className="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current?.focus(); }}>
        Skip to content
      </a>
      <Frame desk={desk.data} error={desk.error} page={route.page} />
      <div className="visually-hidden" role="status" aria-live="polite" data-testid="live-region">{said}</div>
      <main id="main" ref={main} tabIndex={-1}>
        {desk.data && desk.data.troubles.length > 0 && <Troubles troubles={desk.data.troubles} />}
        {desk.data && desk.data.halts.length > 0 && <HaltBanner halts={desk.data.halts} />}
        {desk.data?.stage === "safe" && (
          <Notice tone="warn" title="Safe mode">
            The desk watches, cancels and reduces only: a file of its law cannot be used (see <code>quarterdeck doctor</code>), or its book differs from the broker&apos;s (see Reconciliation).
          </Notice>
        )}
        {refused && (
          <Notice tone="bad" title="The desk does not show itself to this browser">
            {sayError(desk.error)} Open the address that <code>quarterdeck serve</code> printed.
          </Notice>
        )}
        <Boundary place={hash}>
          {route.page === "overview" && <OverviewPage desk={desk.data} error={refused ? null : desk.error} />}
          {route.page === "approvals" && <ApprovalsPage id={route.id} desk={desk.data} />}
          {route.page === "ask" && <AskPage chat={chat} desk={desk.data} />}
          {route.page === "risk" && <RiskPage desk={desk.data} />}
          {route.page === "case" && <CasePage key={route.id} id={route.id} />}
          {route.page === "evidence" && <EvidencePage key={route.id} id={route.id} />}
          {route.page === "day" && <DayPage />}
          {route.page === "history" && <HistoryPage tab={route.tab} desk={desk.data} />}
          {route.page === "oversight" && <OversightPage tab={route.tab} session={session} />}
        </Boundary>
      </main>
    </div>
  );
}
