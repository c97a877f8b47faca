"""Briefs: tool results wrapped as evidence, so that every figure an agent cites has an id to resolve to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from statistics import fmean
from typing import Any

from sqlmodel import Session, col, select

from memory.remembered import Recalled
from memory.tables import CaseRow, OutcomeRow
from pipeline.overrides import Override
from tools.canonical import plain
from tools.data.types import Instrument
from tools.risk.measures.types import WhatIf
from tools.risk.types import Check, Counterfactual, PortfolioView
from tools.types import CaseState, Evidence, Proposal, RecalledCase, Review


def proposal_evidence(proposal: Proposal, name: str | None = None) -> Evidence:
    """The proposal with its notional and the name of what it trades."""
    payload = {**plain(proposal), "notional": proposal.notional, "name": name}
    return Evidence.of(
        "proposal", "tools.strategy.drafting", payload, event_time=proposal.as_of, known_at=proposal.as_of,
        symbol=proposal.symbol,
    )  # fmt: skip


def checks_evidence(checks: Sequence[Check], symbol: str, as_of: datetime) -> Evidence:
    payload = {"checks": {c.control: {"value": c.value, "limit": c.limit, "verdict": c.verdict} for c in checks}}
    return Evidence.of("checks", "tools.risk.controls", payload, event_time=as_of, known_at=as_of, symbol=symbol)


def counterfactual_evidence(items: Sequence[Counterfactual], symbol: str, as_of: datetime) -> Evidence:
    payload = {"items": [i.model_dump(include={"field", "name", "unit", "original", "changed"}) for i in items]}
    source = "tools.risk.counterfactuals"
    return Evidence.of("counterfactual", source, payload, event_time=as_of, known_at=as_of, symbol=symbol)


def review_evidence(review: Review, symbol: str, as_of: datetime) -> Evidence:
    payload = {"verdict": review.verdict, "factor": review.factor, "reasoner": review.reasoner}
    return Evidence.of("review", "agents.decision", payload, event_time=as_of, known_at=as_of, symbol=symbol)


def portfolio_evidence(view: PortfolioView, as_of: datetime) -> Evidence:
    payload = {
        "equity": view.equity, "cash": view.cash, "drawdown": view.drawdown, "gross": view.gross,
        "positions": len(view.positions),
    }  # fmt: skip
    return Evidence.of("portfolio", "pipeline.book", payload, event_time=as_of, known_at=as_of)


def what_if_evidence(found: WhatIf, as_of: datetime) -> Evidence:
    source = "tools.risk.measures.what_if"
    return Evidence.of("what_if", source, plain(found), event_time=as_of, known_at=as_of, symbol=found.symbol)


def override_evidence(asked: Override, symbol: str, as_of: datetime) -> Evidence:
    payload = {"controls": sorted(asked.controls), "principal": asked.principal, "reason": asked.reason}
    return Evidence.of("override", "pipeline.overriding", payload, event_time=as_of, known_at=as_of, symbol=symbol)


def recall_evidence(
    recalled: Sequence[RecalledCase],
    symbol: str,
    as_of: datetime,
    *,
    found: Sequence[Recalled] = (),
) -> Evidence:
    """What was recalled, with every factor that made its place; never a text."""
    how = {item.subject: item for item in found}
    returns = [item.excess_return for item in recalled if item.excess_return is not None]
    payload: dict[str, Any] = {
        "items": [
            item.model_dump(include={"case_id", "symbol", "similarity", "excess_return"}) | _how(how.get(item.case_id))
            for item in recalled
        ],
        "n": len(returns),
        "mean_excess_return": fmean(returns) if returns else None,
    }
    return Evidence.of("recall", "memory.recall", payload, event_time=as_of, known_at=as_of, symbol=symbol)


def _how(item: Recalled | None) -> dict[str, Any]:
    if item is None:
        return {}
    weights = {"similarity": item.similarity, **item.weights._asdict(), "age_sessions": item.age, "alike": item.alike}
    return {"weights": weights, "market": item.regime, "tainted": item.taint}


def situation(proposal: Proposal, instrument: Instrument) -> str:
    """The text by which a case is remembered and looked for: the situation, never how it ended."""
    return (
        f"{proposal.strategy} {proposal.kind} {proposal.side} {proposal.symbol} {instrument.name}, "
        f"{instrument.sector}, {instrument.industry}. {proposal.thesis}"
    )


def recalled_cases(session: Session, found: Sequence[Recalled]) -> tuple[RecalledCase, ...]:
    """Turn recalled items into past cases with their outcomes, in the order found."""
    ids = [item.subject for item in found]
    cases = {row.id: row for row in session.exec(select(CaseRow).where(col(CaseRow.id).in_(ids))).all()}
    outcomes = {
        row.case_id: row.body for row in session.exec(select(OutcomeRow).where(col(OutcomeRow.case_id).in_(ids))).all()
    }
    result = []
    for item in found:
        case, outcome = cases.get(item.subject), outcomes.get(item.subject)
        if case is None:
            continue
        result.append(
            RecalledCase(
                case_id=case.id, symbol=case.symbol, strategy=case.strategy, similarity=item.similarity,
                state=CaseState(case.state), opened=case.opened,
                excess_return=outcome.excess_return if outcome else None,
                summary=f"{case.strategy} {case.side} {case.symbol} on {case.opened}: {case.state}",
            )
        )  # fmt: skip
    return tuple(result)
