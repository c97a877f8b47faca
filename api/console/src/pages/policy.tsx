import { useResource } from "../api/live";
import type { Json, Policy, PolicyRule } from "../api/types";
import { columnName, figure } from "../lib/figures";
import { words } from "../lib/format";
import { Empty, Facts, Failed, Id, Loading, Panel } from "../parts/basics";
import { LawPanel } from "../parts/law";
import { TierTag } from "../parts/tier";

const SHOWN = new Set(["name", "when", "approvers", "roles", "tier"]);
const OWN_PLACE = new Set(["rules", "tests", "capacity_tests", "sha256", "version", "capacity", "capacity_per_person"]);

/** The policy in force, read only: rules are read from the top and the first that matches answers. */
export function PolicyPage() {
  const { data, error, reload } = useResource<Policy>("/policy", ["policy"]);
  if (error) return <Failed error={error} retry={reload} />;
  if (!data) return <Loading what="the policy" />;
  const facts = Object.entries(data).filter(([key, value]) => !OWN_PLACE.has(key) && value !== null && !isEmpty(value as Json));
  return (
    <>
      <LawPanel />
      <Panel title="Policy in force" aside={data.sha256 && <Id value={data.sha256} length={16} />}>
        <Facts rows={[["Version", data.version], ["Entries asked per session", asText(data.capacity, "no limit")],
          ["Entries waiting per person", asText(data.capacity_per_person, "no limit")], ...facts.map(([key, value]) => [columnName(key), figure(key, value as Json)] as const)]} />
      </Panel>
      <Panel title="Rules" aside="the first that matches answers">
        {data.rules.length === 0 && <Empty>No rule: every known kind needs one approver.</Empty>}
        <div className="scroll">
          <table data-testid="policy-rules" className="stacked">
            <thead><tr><th>Rule</th><th>When</th><th>Who is asked</th><th>Tier</th><th>Besides</th></tr></thead>
            <tbody>
              {data.rules.map((rule) => (
                <tr key={rule.name}>
                  <td data-label="Rule"><b>{words(rule.name)}</b></td>
                  <td data-label="When" className="summary">{conditions(rule.when)}</td>
                  <td data-label="Who is asked" className="summary">{asked(rule)}</td>
                  <td data-label="Tier"><TierTag tier={rule.tier} /></td>
                  <td data-label="Besides" className="summary">{besides(rule) || <span className="muted">nothing</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <p className="foot">A known kind that no rule matches needs one approver; an unknown kind is refused. No approval passes a hard limit. A change of this policy is itself a case.</p>
      </Panel>
    </>
  );
}

function asText(value: Json | PolicyRule[] | undefined, missing: string): string {
  return typeof value === "number" ? `at most ${value}` : missing;
}

function isEmpty(value: Json): boolean {
  return Array.isArray(value) ? value.length === 0 : typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function conditions(when: PolicyRule["when"]): string {
  const parts = Object.entries(when ?? {}).filter(([, value]) => value !== null).map(([key, value]) => {
    if (key.startsWith("min_")) return `${words(key.slice(4))} from ${figure(key, value)}`;
    if (typeof value === "boolean") return `${value ? "" : "not "}${key === "taint" ? "tainted" : words(key)}`;
    return `${words(key).replace(/^kinds$/, "kind").replace(/^strategies$/, "strategy")} ${figure(key, value)}`;
  });
  return parts.length ? parts.join("; ") : "always";
}

function asked(rule: PolicyRule): string {
  if (rule.approvers === 0) return "nobody";
  const people = rule.approvers === 1 ? "one person" : `${rule.approvers} different people`;
  return `${people}, ${(rule.roles ?? []).map(words).join(" or ")} or above`;
}

function besides(rule: PolicyRule): string {
  return Object.entries(rule)
    .filter(([key, value]) => !SHOWN.has(key) && value !== null && value !== undefined && value !== false && value !== "0" && value !== 0 && !isEmpty(value))
    .map(([key, value]) => (value === true ? words(key) : `${words(key)} ${figure(key, value)}`))
    .join("; ");
}
