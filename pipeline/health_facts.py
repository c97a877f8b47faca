"""What the monitoring agent is told at a close: facts of this session, each with its earlier sessions.

All of it is desk clock and a run's own record, so that a replay is told the same. What the wall clock says about
people and processes is in `desk_health`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlmodel import Session, col, select

from agents.monitoring.trends import NEAR_LIMIT
from agents.opinion import HealthFact, HealthPoint, MonitoringBrief
from memory.database import insert_if_absent
from memory.recordings import load_blob
from memory.tables import CaseRow, HealthRow, RecordingRow, RunRow
from pipeline.book import portfolio_view
from pipeline.desk import Desk
from pipeline.work import CycleWork
from tools.canonical import canonical_bytes
from tools.data.types import MarketData
from tools.risk.types import PortfolioView
from tools.types import ORDER_KINDS, Evidence, Finding, Tick

SESSIONS = 60
"""How many earlier sessions a fact carries: a reference of thirty and as many to compare with it."""
NEAR = Decimal("0.1")
"""A check is near its limit when no more than this part of the limit is left."""
UNITS: Mapping[str, Mapping[str, str]] = {
    "agents": {"brief_chars": "characters", "prompt_tokens": "tokens", "tokens_used": "tokens"}, "proposals": {},
}  # fmt: skip
"""Components that act only when asked; units of their facts that are no shares."""
SIZES = frozenset({"share", "money", "count", "quantity"})
BY_DESIGN = frozenset({"reduce_only"})
"""Controls whose limit is meant to be met: an exit of all that is held."""
DECISION_CALL = "decision.review_candidates"


class Measured(NamedTuple):
    """One fact before it has evidence. What `kept` is False for has no history."""

    component: str
    name: str
    value: float
    limit: float | None
    unit: str
    symbol: str | None = None
    about: str | None = None
    kept: bool = True


Past = Mapping[tuple[str, str], tuple[HealthPoint, ...]]
"""Earlier sessions of facts, oldest first, by component and name."""


class Health(NamedTuple):
    """What the agent is told, and what was measured for it."""

    brief: MonitoringBrief
    measured: tuple[Measured, ...]


def health_of(desk: Desk, work: CycleWork) -> Health:
    """Everything measured at this close, with its history and its evidence."""
    with desk.db.read() as session:
        view = portfolio_view(session, session.get_one(RunRow, desk.run_id), desk.market)
        measured = (*_book(desk, view), *_market(desk, work), *_agents(session, desk, work), *_budget(session, desk))
        past = history(session, desk.run_id, work.index)
    return Health(brief_of(desk.run_id, work.cycle_id, work.tick, measured, past), measured)


def brief_of(run_id: str, cycle_id: str, tick: Tick, measured: Sequence[Measured], past: Past) -> MonitoringBrief:
    """Facts as the agent reads them. One that nothing could be measured of this time stands as it was last."""
    facts, evidence = [], []
    now = [(item, past.get((item.component, item.name), ()) if item.kept else (), None) for item in measured]
    for item, earlier, day in (*now, *_as_last_seen(measured, past)):
        if item.name.startswith(NEAR_LIMIT) and not any((item.value, *(point.value for point in earlier))):
            continue
        payload = {"name": item.name, "value": item.value, "limit": item.limit, "unit": item.unit}
        if earlier:
            payload["history"] = [point.value for point in earlier]
        kept = Evidence.of(
            "health", f"pipeline.{item.component}", payload, event_time=tick.as_of, known_at=tick.as_of,
            symbol=item.symbol,
        )  # fmt: skip
        evidence.append(kept)
        facts.append(
            HealthFact(
                component=item.component, name=item.name, value=item.value, limit=item.limit, unit=item.unit,
                evidence_id=kept.id, symbol=item.symbol, about=item.about, session=day, history=earlier,
            )
        )  # fmt: skip
    return MonitoringBrief(
        run_id=run_id, cycle_id=cycle_id, as_of=tick.as_of, evidence=tuple(evidence), facts=tuple(facts)
    )


def _as_last_seen(
    measured: Sequence[Measured], past: Past
) -> Iterator[tuple[Measured, tuple[HealthPoint, ...], date | None]]:
    """What agents did is unknown after a session in which they were asked nothing: that ends no finding."""
    there = {(item.component, item.name) for item in measured}
    for (component, name), points in sorted(past.items()):
        if component in UNITS and (component, name) not in there:
            unit = UNITS[component].get(name, "share")
            yield Measured(component, name, points[-1].value, None, unit), points[:-1], points[-1].session


def keep_history(session: Session, run_id: str, measured: Iterable[Measured], index: int, tick: Tick) -> None:
    """Remember this close's facts for the sessions to come."""
    for item in measured:
        if item.kept:
            values = {
                "run_id": run_id, "session_index": index, "component": item.component, "name": item.name,
                "session": tick.session, "value": item.value,
            }  # fmt: skip
            insert_if_absent(session, HealthRow, values)


def history(session: Session, run_id: str, index: int) -> dict[tuple[str, str], tuple[HealthPoint, ...]]:
    """The facts of the last SESSIONS sessions before `index`, oldest first, by component and name."""
    rows = session.exec(
        select(HealthRow)
        .where(HealthRow.run_id == run_id, HealthRow.session_index < index, HealthRow.session_index >= index - SESSIONS)
        .order_by(col(HealthRow.session_index))
    ).all()
    found: dict[tuple[str, str], list[HealthPoint]] = defaultdict(list)
    for row in rows:
        found[row.component, row.name].append(HealthPoint(session=row.session, value=row.value))
    return {key: tuple(points) for key, points in found.items()}


def with_figures(brief: MonitoringBrief, found: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[Evidence, ...]]:
    """The findings, each citing one more evidence item: the rule that fired and what it compared."""
    units = {fact.evidence_id: fact.unit for fact in brief.facts}
    items = tuple(
        Evidence.of(
            "health", "monitoring", {"rule": f.rule, "unit": units[f.evidence_ids[0]], **f.figures},
            event_time=f.as_of, known_at=f.as_of, symbol=f.symbol,
        )
        for f in found
    )  # fmt: skip
    cited = (
        f.model_copy(update={"evidence_ids": (*f.evidence_ids, item.id)})
        for f, item in zip(found, items, strict=True)
    )  # fmt: skip
    return tuple(cited), items


NO_BAR_HOURS = 10_000.0
"""The age of what is not there: beyond every limit."""


def data_age_hours(market: MarketData, tick: Tick) -> float:
    """Hours since the newest bar became known; beyond every limit in a session without any bar."""
    newest = max((bar.known_at for bar in market.bars(tick.session, tick.as_of).values()), default=None)
    return NO_BAR_HOURS if newest is None else (tick.as_of - newest).total_seconds() / 3600


def _book(desk: Desk, view: PortfolioView) -> Iterator[Measured]:
    limits = desk.law.limits
    yield Measured("book", "drawdown", float(view.drawdown), float(limits.max_drawdown), "share")
    names = {p.symbol: abs(p.market_value) for p in view.positions}
    sectors: Counter[str] = Counter()
    for p in view.positions:
        sectors[p.sector] += abs(p.market_value)  # type: ignore[assignment]
    for what, held, limit in (
        ("position", names, limits.max_position_share), ("sector", sectors, limits.max_sector_share)
    ):  # fmt: skip
        about, largest = max(held.items(), key=lambda item: (item[1], item[0]), default=(None, Decimal(0)))
        share = float(largest / view.equity) if view.equity > 0 else 1.0
        yield Measured("book", f"largest_{what}", share, float(limit), "share", about=about)


def _market(desk: Desk, work: CycleWork) -> Iterator[Measured]:
    allowed = float(desk.law.limits.max_data_age_hours)
    yield Measured("market", "data_age_hours", data_age_hours(desk.market, work.tick), allowed, "hours")
    yield Measured("market", "quality_issues", float(len(work.issues)), None, "issues")
    for issue in work.issues:
        yield Measured(
            "market", f"quality:{issue.code}", issue.value, issue.limit, issue.unit, issue.symbol, kept=False
        )
    for _ in desk.degraded:
        yield Measured("recall", "degraded", 1.0, 0.0, "flag", kept=False)


def _agents(session: Session, desk: Desk, work: CycleWork) -> Iterator[Measured]:
    """What the agents did at the close before: shares of the reviews, sizes near a limit, lengths of what they read."""
    before = work.index - 1
    rows = session.exec(
        select(CaseRow.review, CaseRow.checks, CaseRow.kind).where(
            CaseRow.run_id == desk.run_id, CaseRow.opened_index == before, col(CaseRow.kind).in_(ORDER_KINDS)
        )
    ).all()
    reviews = [review for review, _, _ in rows]
    if reviews:
        for name, there in (
            ("abstention_share", [r["verdict"] == "abstain" for r in reviews]),
            ("veto_share", [r["verdict"] == "veto" for r in reviews]),
            ("dissent_share", [r.get("dissent") is not None for r in reviews]),
        ):  # fmt: skip
            yield Measured("agents", name, sum(there) / len(there), None, "share")
    yield from _near(checks for _, checks, kind in rows if checks and kind == "order.entry")
    asked = session.exec(
        select(RecordingRow).where(
            RecordingRow.run_id == desk.run_id, RecordingRow.cycle_id == desk.cycle_id(before),
            col(RecordingRow.kind).in_(("agent", "model")),
        )
    ).all()  # fmt: skip
    for row in asked:
        if row.kind == "agent" and row.call == DECISION_CALL:
            length = len(canonical_bytes(load_blob(session, row.input_sha256)))
            yield Measured("agents", "brief_chars", float(length), None, "characters")
    prompts = [tokens for row in asked if row.kind == "model" and (tokens := _tokens(row.meta, "input"))]
    if prompts:
        used = sum(_tokens(row.meta, "input") + _tokens(row.meta, "output") for row in asked if row.kind == "model")
        yield Measured("agents", "prompt_tokens", sum(prompts) / len(prompts), None, "tokens")
        yield Measured("agents", "tokens_used", float(used), None, "tokens")


def _near(every: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[Measured]:
    """By control: the share of checked entries that left a tenth of the limit or less, and were within it."""
    checked: Counter[str] = Counter()
    near: Counter[str] = Counter()
    for checks in every:
        for check in checks:
            limit, left = check.get("limit"), check.get("distance")
            if check["unit"] not in SIZES or check["control"] in BY_DESIGN:
                continue
            if limit is None or left is None or Decimal(limit) <= 0:
                continue
            checked[check["control"]] += 1
            near[check["control"]] += 0 <= Decimal(left) <= NEAR * Decimal(limit)
    for control in sorted(checked):
        yield Measured("proposals", f"{NEAR_LIMIT}{control}", near[control] / checked[control], None, "share")


def _budget(session: Session, desk: Desk) -> Iterator[Measured]:
    """Tokens of the run against its budget; nothing on a desk that called no model."""
    metas = session.exec(
        select(RecordingRow.meta).where(RecordingRow.run_id == desk.run_id, RecordingRow.kind == "model")
    ).all()
    spent = sum(_tokens(meta, "input") + _tokens(meta, "output") for meta in metas)
    if spent:
        yield Measured("agents", "tokens_share", spent / desk.store.settings.model_token_budget, 1.0, "share")


def _tokens(meta: Mapping[str, Any], way: str) -> int:
    count = meta.get(f"gen_ai.usage.{way}_tokens")
    return int(count) if isinstance(count, int | float) else 0
