import type { Session } from "../api/types";
import { oversightTabs, reaches, type OversightTab } from "../lib/rights";
import { link } from "../lib/router";
import { Notice } from "../parts/basics";
import { AttentionPage } from "./attention";
import { DelegationsPage } from "./delegations";
import { ModelsPage } from "./models";
import { NotificationsPage } from "./notifications";
import { PeoplePage } from "./people";
import { PolicyPage } from "./policy";

const NAMES: Record<OversightTab, string> = {
  policy: "Policy", delegations: "Delegations", attention: "Attention", models: "Models", notifications: "Notifications", people: "People",
};

export function OversightPage({ tab, session }: { tab: OversightTab; session: Session | null }) {
  const tabs = oversightTabs(session);
  return (
    <div className="stack">
      <header className="page-head wrap">
        <h1 tabIndex={-1}>Oversight</h1>
        <nav className="subtabs" aria-label="Oversight">
          {tabs.map((name) => (
            <a key={name} href={link("oversight", name)} data-testid={`oversight-${name}`} aria-current={name === tab ? "page" : undefined}>{NAMES[name]}</a>
          ))}
        </nav>
      </header>
      {!tabs.includes(tab) && <Notice tone="warn" title="Not for this role">Your role does not include this page.</Notice>}
      {tabs.includes(tab) && tab === "policy" && <PolicyPage />}
      {tabs.includes(tab) && tab === "delegations" && <DelegationsPage me={session?.kind === "person" ? session.name : null} admin={session?.role === "admin"} mayLend={!!session?.role && reaches(session.role, "approver")} />}
      {tabs.includes(tab) && tab === "attention" && <AttentionPage />}
      {tabs.includes(tab) && tab === "models" && <ModelsPage />}
      {tabs.includes(tab) && tab === "notifications" && <NotificationsPage mayTest={session?.role === "admin"} />}
      {tabs.includes(tab) && tab === "people" && <PeoplePage me={session?.name ?? null} />}
    </div>
  );
}
