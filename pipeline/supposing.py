"""What-if over limits: the real checks of the waiting and the last session's cases, and the book, on another limit.

Recorded inputs are checked once with the limits in force and once with the one that differs, so only that limit speaks.
Quantities stay as they were proposed: another limit would also have sized them differently. What came out is kept as
evidence for the figures of the answer; nothing else is written, proposed or sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import yaml
from pydantic import ValidationError
from sqlmodel import Session, col, func, or_, select

from agents.operator.facts import CaseUnder, Supposed
from agents.operator.output import Unit
from memory import evidence as evidence_store
from memory.recordings import load_blob
from memory.tables import CaseRow, RecordingRow, RunRow
from pipeline.activation import in_force
from pipeline.book import portfolio_view
from pipeline.differences import effect_of
from pipeline.feed import market_of
from pipeline.risk_view import closed_tick
from pipeline.store import Store, active_run
from tools.canonical import plain
from tools.errors import ConfigError, ToolRejected
from tools.risk.breaches import passive_breaches
from tools.risk.controls import binding, check_order, verdict
from tools.risk.groups import WINDOW, correlated
from tools.risk.limits import load_limits
from tools.risk.types import Check, Limits, MarketView, PortfolioView
from tools.types import ORDER_KINDS, CaseState, Evidence, Proposal

_OF_EQUITY = frozenset({"max_total_open_risk", "max_daily_loss", "max_drawdown", "max_leverage"})
_BEYOND_ONE = frozenset({"max_gross_share", "max_net_share", "max_leverage"})
_MONEY = frozenset({"max_order_notional", "min_order_notional"})


def suppose_limit(store: Store, name: str, value: Decimal | None, factor: Decimal | None) -> Supposed | None:
    """Check again under `value`, or `factor` times what is in force; None without a run.

    ToolRejected: unknown_limit, bad_limit (a value that no limits file could hold).
    """
    limits = in_force(store).limits
    before, other = _changed(limits, name, value, factor)
    with store.db.read() as session:
        run = active_run(session)
        if run is None:
            return None
        asked = _cases(session, run)
        recorded = [(case, _recorded(session, case.id)) for case in asked]
        market = market_of(store, run)
        view = portfolio_view(session, run, market)
        tick = closed_tick(run, market)
    groups = correlated(market.panel(tick.as_of, WINDOW + 1), float(limits.group_correlation))
    differing = [
        row for case, inputs in recorded if inputs is not None and (row := _again(case, inputs, limits, other))
    ]  # fmt: skip
    breaches = {one: passive_breaches(view, law, groups) for one, law in (("before", limits), ("after", other))}
    payload: dict[str, Any] = {
        "limit": name, "before": before, "after": Decimal(str(getattr(other, name))), "problem": _problem(other),
        "effect": effect_of(name, getattr(limits, name), getattr(other, name)), "session": tick.session,
        "checked": sum(inputs is not None for _, inputs in recorded), "cases": differing,
        "breaches_before": len(breaches["before"]), "breaches": [item.text for item in breaches["after"]],
    }  # fmt: skip
    found = Evidence.of("what_if", "pipeline.supposing", payload, event_time=tick.as_of, known_at=tick.as_of)
    keep(store, found)
    return Supposed(
        evidence_id=found.id, limit=name, unit=unit_of(name), before=payload["before"], after=payload["after"],
        effect=payload["effect"], problem=payload["problem"], checked=payload["checked"],
        cases=tuple(CaseUnder(**row, index=index) for index, row in enumerate(differing)),
        breaches_before=payload["breaches_before"], breaches=tuple(payload["breaches"]),
    )  # fmt: skip


def keep(store: Store, found: Evidence) -> None:
    """Keep what was computed for an answer, so that its figures can be looked up."""
    with store.db.write() as session:
        evidence_store.keep(session, [found])


def unit_of(name: str) -> Unit:
    """How a limit is shown."""
    if name.endswith("_share") or name in _OF_EQUITY:
        return "share"
    return "money" if name in _MONEY else "count"


def _changed(limits: Limits, name: str, value: Decimal | None, factor: Decimal | None) -> tuple[Decimal, Limits]:
    if name not in Limits.model_fields:
        raise ToolRejected(f"there is no limit {name}", code="unknown_limit")
    before = Decimal(str(getattr(limits, name)))
    wanted = value if value is not None else before * (factor or Decimal(1))
    if value is not None and value > 1 and unit_of(name) == "share" and name not in _BEYOND_ONE:
        wanted = value / 100
    if isinstance(getattr(limits, name), int):
        wanted = Decimal(int(wanted))
    try:
        return before, Limits.model_validate({**plain(limits), name: str(wanted)})
    except ValidationError:
        raise ToolRejected(
            f"no limits file could hold that value of {name.replace('_', ' ')}: name another", code="bad_limit"
        ) from None


def _problem(limits: Limits) -> str | None:
    """What is wrong with such a file as a whole."""
    try:
        load_limits(yaml.safe_dump(plain(limits)))
    except ConfigError as error:
        return error.message
    return None


def _cases(session: Session, run: RunRow) -> Sequence[CaseRow]:
    """Order cases that wait, and those of the last session that had any."""
    last = session.exec(select(func.max(CaseRow.opened_index)).where(CaseRow.run_id == run.id)).one()
    return session.exec(
        select(CaseRow)
        .where(
            CaseRow.run_id == run.id, col(CaseRow.kind).in_(ORDER_KINDS),
            or_(CaseRow.state == CaseState.AWAITING.value, CaseRow.opened_index == last),
        )
        .order_by(col(CaseRow.opened_index), col(CaseRow.rank), col(CaseRow.id))
    ).all()  # fmt: skip


def _recorded(session: Session, case_id: str) -> dict[str, Any] | None:
    """The inputs of the last checks of a case; None for one that was never checked."""
    row = session.exec(
        select(RecordingRow)
        .where(RecordingRow.case_id == case_id, RecordingRow.call == "risk.check_order")
        .order_by(col(RecordingRow.id).desc())
    ).first()
    return load_blob(session, row.input_sha256) if row is not None else None


def _again(case: CaseRow, inputs: dict[str, Any], limits: Limits, other: Limits) -> dict[str, Any] | None:
    """One row of the evidence where the verdict differs."""
    was, then = (_checks(inputs, law) for law in (limits, other))
    before, after = verdict(was), verdict(then)
    if before == after:
        return None
    decisive = binding(then if after == "block" else was)
    return {
        "case_id": case.id, "symbol": case.symbol, "side": case.order.side, "quantity": case.order.quantity,
        "state": case.state, "before": before, "after": after, "because": decisive.message if decisive else "",
    }  # fmt: skip


def _checks(inputs: dict[str, Any], limits: Limits) -> tuple[Check, ...]:
    return check_order(
        Proposal.model_validate(inputs["proposal"]), PortfolioView.model_validate(inputs["portfolio"]),
        MarketView.model_validate(inputs["market"]), limits, frozenset(inputs.get("overrides", ())),
    )  # fmt: skip
