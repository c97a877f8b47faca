"""Rules against model: what a model changed, what that cost, and how it turned out.

The rules' verdict is computed beside every review by a model, from the same evidence. What a model changes can only
be tighter, so a change was right where the view lost against the index. Returns are those of views, traded or not,
and of names with a complete history: survivors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from statistics import fmean, median
from typing import Any, Final, NamedTuple

from sqlmodel import Session, col, select

from memory.tables import CaseRow, ModelReviewRow, OutcomeRow, RecordingRow
from pipeline.store import Store, active_run
from tools.types import Frozen

CALL: Final = "decision.review"
SIGNIFICANT: Final = 0.05
HELD_BACK: Final = "advised_to_wait"
PLACES: Final = 6
"""Digits that a share of money is shown with."""
ENOUGH: Final = 20
"""Settled changes below which nothing is said about them, whatever the test says."""


class Cost(Frozen):
    """What calls took. `money` None: a model without a price took part. Latency in milliseconds, waiting included."""

    calls: int
    input_tokens: int
    output_tokens: int
    money: Decimal | None
    median_latency_ms: float | None


class AgentCost(Frozen):
    """What the calls of one agent took; `unusable` gave no answer that could be used."""

    agent: str
    unusable: int
    cost: Cost


class SignTest(Frozen):
    """Two-sided exact sign test that excess returns are as often below zero as above (`scipy.stats.binomtest`).

    Returns of exactly zero are left out, as is usual. `p_value` is None where nothing is left.
    """

    below_zero: int
    above_zero: int
    p_value: float | None


class Group(Frozen):
    """Reviews of one kind and how their views turned out. Excess returns are fractions against the index."""

    name: str
    reviews: int
    settled: int
    mean_excess_return: float | None
    sign_test: SignTest


class Change(Frozen):
    """How often the rules' verdict became another one."""

    ruled: str
    verdict: str
    reviews: int


class Decision(Frozen):
    """One review by a model. Tokens and money are an even share of its cycle's; `excess_return` None until settled."""

    case_id: str
    opened: date
    symbol: str
    strategy: str
    framework: str
    ruled: str
    ruled_factor: Decimal
    said: str
    said_factor: Decimal
    verdict: str
    factor: Decimal
    changed: bool
    abstain_reason: str | None
    agreement: float | None
    tokens: int
    money: Decimal | None
    disposition: str | None
    excess_return: float | None


class Scorecard(Frozen):
    """The whole comparison of one run. `overruled` counts where the model was looser and the rules stood."""

    run: str | None
    reviews: int
    changed: int
    overruled: int
    abstained: int
    cost: Cost
    agents: tuple[AgentCost, ...]
    money_per_change: Decimal | None
    changes: tuple[Change, ...]
    groups: tuple[Group, ...]
    conclusion: str
    caution: str
    decisions: tuple[Decision, ...]


CAUTION: Final = (
    "Views overlap in time and move together, so they are fewer independent trials than they look; the names are "
    "those that survived the whole history; and changes are compared with what the rules kept in the same run, not at "
    "random."
)


class _Seen(NamedTuple):
    review: ModelReviewRow
    case: CaseRow
    outcome: OutcomeRow | None

    @property
    def changed(self) -> bool:
        """True when something else is done for it: less is let through, or a person is called."""
        row = self.review
        return (row.factor, row.verdict == "escalate") != (row.ruled_factor, row.ruled == "escalate")

    @property
    def excess(self) -> float | None:
        return self.outcome.body.excess_return if self.outcome is not None and self.outcome.settled else None


def scorecard(store: Store, run_id: str | None = None, *, limit: int = 100) -> Scorecard:
    """Compare one run, by default the active one; `limit` decisions are listed, newest first."""
    with store.db.read() as session:
        run = active_run(session)
        chosen = run_id or (run.id if run else None)
        seen = _seen(session, chosen)
        metas = _metas(session, chosen)
        agents = _agents(session, chosen)
    changed = [item for item in seen if item.changed]
    cost = _cost([meta for group in metas.values() for meta in group])
    waits = [item for item in seen if item.case.reason == HELD_BACK]
    groups = (
        _group("tightened or stopped by the model", [i for i in seen if i.review.factor < i.review.ruled_factor]),
        _group(
            "let through as far as the rules did", [i for i in seen if i.review.factor == i.review.ruled_factor > 0]
        ),
        _group("stopped by the rules", [i for i in seen if i.review.ruled_factor == 0]),
        *([_group("held back by the coordinator's model", waits)] if waits else []),
    )
    return Scorecard(
        run=chosen, reviews=len(seen), changed=len(changed),
        overruled=sum(item.review.said_factor > item.review.ruled_factor for item in seen),
        abstained=sum(item.review.verdict == "abstain" for item in seen), cost=cost, agents=agents,
        money_per_change=round(cost.money / len(changed), PLACES) if cost.money is not None and changed else None,
        changes=_changes(changed), groups=groups, conclusion=_conclusion(groups[0], len(seen)), caution=CAUTION,
        decisions=tuple(_decisions(seen, metas))[:limit],
    )  # fmt: skip


def sign_test(values: Iterable[float]) -> SignTest:
    """Test whether values are as often below zero as above."""
    from scipy.stats import binomtest

    known = [value for value in values if value != 0]
    below = sum(value < 0 for value in known)
    p_value = float(binomtest(below, len(known), 0.5).pvalue) if known else None
    return SignTest(below_zero=below, above_zero=len(known) - below, p_value=p_value)


def _seen(session: Session, run_id: str | None) -> list[_Seen]:
    rows = session.exec(
        select(ModelReviewRow, CaseRow, OutcomeRow)
        .join(CaseRow, col(CaseRow.id) == col(ModelReviewRow.case_id))
        .outerjoin(OutcomeRow, col(OutcomeRow.case_id) == col(CaseRow.id))
        .where(ModelReviewRow.run_id == run_id)
        .order_by(col(CaseRow.opened_index).desc(), col(CaseRow.rank))
    ).all()
    return [_Seen(*row) for row in rows]


def _metas(session: Session, run_id: str | None) -> Mapping[str, list[dict[str, Any]]]:
    """What is known of every call for reviews, by cycle."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    rows = session.exec(
        select(RecordingRow.cycle_id, RecordingRow.meta).where(
            RecordingRow.run_id == run_id, RecordingRow.kind == "model", RecordingRow.call == CALL
        )
    ).all()
    for cycle_id, meta in rows:
        found[cycle_id].append(dict(meta))
    return found


def _agents(session: Session, run_id: str | None) -> tuple[AgentCost, ...]:
    """Every agent that asked a model in this run, by name."""
    calls: dict[str, list[dict[str, Any]]] = defaultdict(list)
    rows = session.exec(
        select(RecordingRow.call, RecordingRow.meta).where(RecordingRow.run_id == run_id, RecordingRow.kind == "model")
    )
    for call, meta in rows:
        calls[call.partition(".")[0]].append(dict(meta))
    return tuple(
        AgentCost(
            agent=agent, unusable=sum(not meta.get("quarterdeck.usable", True) for meta in metas), cost=_cost(metas)
        )
        for agent, metas in sorted(calls.items())
    )  # fmt: skip


def _cost(metas: Sequence[Mapping[str, Any]]) -> Cost:
    latencies = [float(meta["quarterdeck.latency_ms"]) for meta in metas if "quarterdeck.latency_ms" in meta]
    return Cost(
        calls=len(metas), input_tokens=sum(int(meta.get("gen_ai.usage.input_tokens", 0)) for meta in metas),
        output_tokens=sum(int(meta.get("gen_ai.usage.output_tokens", 0)) for meta in metas), money=_money(metas),
        median_latency_ms=median(latencies) if latencies else None,
    )  # fmt: skip


def _money(metas: Iterable[Mapping[str, Any]]) -> Decimal | None:
    costs = [meta.get("quarterdeck.cost") for meta in metas]
    known = [Decimal(cost) for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if costs and len(known) == len(costs) else None


def _group(name: str, members: Sequence[_Seen]) -> Group:
    returns = [item.excess for item in members if item.excess is not None]
    return Group(
        name=name, reviews=len(members), settled=len(returns), sign_test=sign_test(returns),
        mean_excess_return=round(fmean(returns), 6) if returns else None,
    )  # fmt: skip


def _changes(changed: Sequence[_Seen]) -> tuple[Change, ...]:
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for item in changed:
        counted[item.review.ruled, item.review.verdict] += 1
    return tuple(Change(ruled=a, verdict=b, reviews=n) for (a, b), n in sorted(counted.items()))


def _conclusion(changed: Group, reviews: int) -> str:
    """Say in one sentence what the outcomes support, and nothing more."""
    test = changed.sign_test
    if not reviews:
        return "No model has reviewed anything in this run."
    if not changed.reviews:
        return "The model let through whatever the rules let through, and as much of it."
    if changed.settled < ENOUGH or test.p_value is None:
        return (
            f"Too few to say anything: {changed.settled} of {changed.reviews} views that it tightened have an outcome, "
            f"and below {ENOUGH} chance explains everything."
        )
    figures = f"{test.below_zero} of {test.below_zero + test.above_zero} views that it tightened lost against the index"
    tested = f"sign test, p = {test.p_value:.3f}"
    if test.p_value >= SIGNIFICANT:
        return f"Not significant: {figures} ({tested})."
    if test.below_zero > test.above_zero:
        return f"In favour of the model: {figures} ({tested})."
    return f"Against the model: {figures}, so that more was lost than saved by it ({tested})."


def _decisions(seen: Sequence[_Seen], metas: Mapping[str, list[dict[str, Any]]]) -> Iterable[Decision]:
    reviewed: dict[str, int] = defaultdict(int)
    for item in seen:
        reviewed[item.review.cycle_id] += 1
    costs = {cycle_id: _cost(metas.get(cycle_id, [])) for cycle_id in reviewed}
    for item in seen:
        row, case, cost, share = item.review, item.case, costs[item.review.cycle_id], reviewed[item.review.cycle_id]
        yield Decision(
            case_id=row.case_id, opened=case.opened, symbol=case.symbol, strategy=case.strategy,
            framework=row.framework, ruled=row.ruled, ruled_factor=row.ruled_factor, said=row.said,
            said_factor=row.said_factor, verdict=row.verdict, factor=row.factor, changed=item.changed,
            abstain_reason=row.abstain_reason, agreement=row.agreement,
            tokens=round((cost.input_tokens + cost.output_tokens) / share),
            money=round(cost.money / share, PLACES) if cost.money is not None else None,
            disposition=item.outcome.body.disposition if item.excess is not None and item.outcome else None,
            excess_return=item.excess,
        )  # fmt: skip
