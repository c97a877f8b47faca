import { useResource } from "../api/live";
import type { AgentCost, ModelBudget, ModelDecision, ScoreGroup, Scorecard } from "../api/models";
import { decimal, NONE, number, percent, words } from "../lib/format";
import { link } from "../lib/router";
import { day } from "../lib/time";
import { Empty, Facts, Failed, Loading, Panel } from "../parts/basics";

/** What a model changed against the rules, what that cost, how it turned out, and what it may still cost. */
export function ModelsPage() {
  return (
    <>
      <ScorecardPanel />
      <BudgetPanel />
    </>
  );
}

function ScorecardPanel() {
  const { data, error, reload } = useResource<Scorecard>("/models/scorecard?limit=50", ["cases", "outcomes"]);
  return (
    <Panel title="Rules against model">
      <p className="foot lead">
        The rules review every candidate too. A model can only tighten what they say, so what it stopped was rightly stopped where the
        view then lost against the index.
      </p>
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="the scorecard" />}
      {data && data.reviews === 0 && <Empty>{data.conclusion}</Empty>}
      {data && data.reviews > 0 && (
        <>
          <p data-testid="scorecard-conclusion"><b>{data.conclusion}</b></p>
          <Facts rows={[
            ["Reviews", `${number(data.reviews, 0)}, of which it changed ${number(data.changed, 0)}`],
            ["No opinion", number(data.abstained, 0)],
            ["Looser than the rules, which stood", number(data.overruled, 0)],
            ["Calls", `${number(data.cost.calls, 0)}, ${number(data.cost.input_tokens + data.cost.output_tokens, 0)} tokens`],
            ["Money", data.cost.money === null ? "unknown: a model has no price" : decimal(data.cost.money, 4)],
            ["Money per change", data.money_per_change === null ? NONE : decimal(data.money_per_change, 4)],
          ]} />
          <Groups groups={data.groups} />
          <p className="foot">{data.caution}</p>
          <Decisions items={data.decisions} />
        </>
      )}
      {data && data.agents.length > 0 && <Agents items={data.agents} />}
    </Panel>
  );
}

function Groups({ groups }: { groups: readonly ScoreGroup[] }) {
  return (
    <div className="scroll">
      <table data-testid="scorecard-groups" className="stacked">
        <thead>
          <tr>
            <th>Views</th><th className="num">Reviews</th><th className="num">Settled</th><th className="num">Mean return over the index</th>
            <th className="num">Lost</th><th className="num">Won</th><th className="num">Sign test p</th>
          </tr>
        </thead>
        <tbody>
          {groups.map((group) => (
            <tr key={group.name}>
              <td data-label="Views">{group.name}</td>
              <td data-label="Reviews" className="num">{number(group.reviews, 0)}</td>
              <td data-label="Settled" className="num">{number(group.settled, 0)}</td>
              <td data-label="Mean return over the index" className="num">{excess(group.mean_excess_return)}</td>
              <td data-label="Lost" className="num">{number(group.sign_test.below_zero, 0)}</td>
              <td data-label="Won" className="num">{number(group.sign_test.above_zero, 0)}</td>
              <td data-label="Sign test p" className="num">{group.sign_test.p_value === null ? NONE : number(group.sign_test.p_value, 3)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Agents({ items }: { items: readonly AgentCost[] }) {
  return (
    <div className="scroll">
      <table data-testid="scorecard-agents" className="stacked">
        <thead>
          <tr>
            <th>Agent</th><th className="num">Calls</th><th className="num">Without a usable answer</th><th className="num">Tokens</th>
            <th className="num">Money</th>
          </tr>
        </thead>
        <tbody>
          {items.map(({ agent, unusable, cost }) => (
            <tr key={agent}>
              <td data-label="Agent">{words(agent)}</td>
              <td data-label="Calls" className="num">{number(cost.calls, 0)}</td>
              <td data-label="Without a usable answer" className="num">{number(unusable, 0)}</td>
              <td data-label="Tokens" className="num">{number(cost.input_tokens + cost.output_tokens, 0)}</td>
              <td data-label="Money" className="num">{cost.money === null ? NONE : decimal(cost.money, 4)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Decisions({ items }: { items: readonly ModelDecision[] }) {
  return (
    <div className="scroll">
      <table data-testid="scorecard-decisions" className="stacked">
        <thead>
          <tr>
            <th>Case</th><th>Opened</th><th>Rules</th><th>Model</th><th>Came out</th><th className="num">Tokens</th><th className="num">Money</th>
            <th className="num">Return over the index</th>
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={item.case_id} data-changed={item.changed}>
              <td data-label="Case"><a className="symbol" href={link("cases", item.case_id)}>{item.symbol}</a></td>
              <td data-label="Opened">{day(item.opened)}</td>
              <td data-label="Rules">{words(item.ruled)}</td>
              <td data-label="Model">{words(item.said)}{item.agreement === null ? "" : `, ${percent(item.agreement, 0)} agreed`}</td>
              <td data-label="Came out">{item.changed ? <b>{words(item.verdict)}</b> : words(item.verdict)}</td>
              <td data-label="Tokens" className="num">{number(item.tokens, 0)}</td>
              <td data-label="Money" className="num">{item.money === null ? NONE : decimal(item.money, 4)}</td>
              <td data-label="Return over the index" className="num">{excess(item.excess_return)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function excess(value: number | null): string {
  return value === null ? NONE : percent(value, 2, true);
}

function BudgetPanel() {
  const { data, error, reload } = useResource<ModelBudget>("/models/budget", ["cases"]);
  return (
    <Panel title="What models may cost">
      {error ? <Failed error={error} retry={reload} /> : null}
      {!data && !error && <Loading what="the budgets" />}
      {data && (
        <>
          <div className="scroll">
            <table data-testid="model-budget" className="stacked">
              <thead><tr><th>Per</th><th>In</th><th className="num">Limit</th><th className="num">Spent</th><th className="num">Left</th></tr></thead>
              <tbody>
                {data.lines.map((line) => (
                  <tr key={`${line.scope} ${line.unit}`}>
                    <td data-label="Per">{line.scope}</td>
                    <td data-label="In">{line.unit}</td>
                    <td data-label="Limit" className="num">{line.limit === null ? "none" : amount(line.limit, line.unit)}</td>
                    <td data-label="Spent" className="num">{amount(line.spent, line.unit)}</td>
                    <td data-label="Left" className="num">{line.left === null ? NONE : amount(line.left, line.unit)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p className="foot">
            The day is {day(data.day)} in UTC. What is set aside for a call counts as spent until it is settled
            {data.unsettled > 0 && `; ${data.unsettled} calls of today are not`}.
            {" "}{data.models.map((m) => (m.asked === null ? `${m.model} has no price.` : `${m.model}: ${m.asked} and ${m.answered} for 1000 tokens asked and answered.`)).join(" ")}
          </p>
        </>
      )}
    </Panel>
  );
}

function amount(value: string, unit: string): string {
  return decimal(value, unit === "money" ? 4 : 0);
}
