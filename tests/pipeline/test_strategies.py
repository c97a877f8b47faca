"""A strategy that went out without a person too often disables itself until a named person enables it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import select

from memory.tables import LedgerRow
from pipeline import strategies
from pipeline.activation import InForce, in_force
from pipeline.store import Principal, Store
from tests.pipeline import life
from tests.pipeline.life import ANN, code_of
from tools.types import CaseState


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk whose strategies may go out twice by themselves."""

    def strict(store: Store) -> InForce:
        law = in_force(store)
        return replace(law, limits=law.limits.model_copy(update={"max_automatic_executions": 2}))

    monkeypatch.setattr(strategies, "in_force", strict)


def automatic(store: Store, count: int, law: InForce | None = None) -> None:
    for number in range(count):
        body = life.proposal(number, strategy="trend", quantity=100 - number)
        question = life.ask(store, body, life.NOBODY)
        assert life.submit(store, question, law=law) is CaseState.SUBMITTED
        life.tamper(store, "UPDATE cases SET state = 'done' WHERE id = :case", case=question.case_id)


def trend(store: Store) -> strategies.StrategyView:
    return next(item for item in strategies.list_strategies(store) if item.name == "trend")


def enable(store: Store, name: str = "trend", reason: str = "looked at them", who: Principal = ANN) -> str:
    return code_of(lambda: strategies.enable(store, name, principal=who, reason=reason))


def test_below_its_limit_it_is_enabled(store: Store, two: None) -> None:
    automatic(store, 1)
    assert (trend(store).automatic_executions, trend(store).enabled) == (1, True)


def test_at_its_limit_it_is_disabled_and_nothing_of_it_is_sent(store: Store, two: None) -> None:
    automatic(store, 2)
    assert not trend(store).enabled
    law = strategies.in_force(store)  # type: ignore[attr-defined]
    more = life.ask(store, life.proposal(7, strategy="trend", quantity=50), life.NOBODY)
    assert life.submit(store, more, law=law) is CaseState.VOIDED
    other = life.ask(store, life.proposal(8, strategy="reversion", quantity=51), life.NOBODY)
    assert life.submit(store, other, law=law) is CaseState.SUBMITTED


def test_enabling_it_begins_a_new_count_under_a_name(store: Store, two: None) -> None:
    automatic(store, 2)
    assert enable(store) == ""
    assert (trend(store).automatic_executions, trend(store).enabled, trend(store).enabled_by) == (0, True, "ann")
    with store.db.read() as session:
        entry = session.exec(select(LedgerRow).where(LedgerRow.kind == "strategy.enabled")).one()
    assert '"principal":"ann"' in entry.content
    assert "looked at them" in entry.content


def test_what_cannot_be_enabled_is_refused(store: Store, two: None) -> None:
    automatic(store, 1)
    assert enable(store) == "invalid"
    assert enable(store, name="momentum") == "unknown"
    automatic_reason = enable(store, reason=" ")
    assert automatic_reason == "invalid"
    assert enable(store, who=life.STAND_IN) == "role"


def test_every_strategy_is_listed_with_its_maturity(store: Store) -> None:
    assert [(item.name, item.maturity) for item in strategies.list_strategies(store)] == [
        ("reversion", "trial"), ("trend", "proven"),
    ]  # fmt: skip


def test_the_entry_that_uses_up_its_limit_raises_one_finding(store: Store, two: None) -> None:
    law = strategies.in_force(store)  # type: ignore[attr-defined]
    automatic(store, 1, law)
    assert life.findings(store) == []
    with store.db.read() as session:
        before = session.exec(select(LedgerRow)).all()
    question = life.ask(store, life.proposal(1, strategy="trend", quantity=40), life.NOBODY)
    assert life.submit(store, question, law=law) is CaseState.SUBMITTED
    assert life.findings(store) == ["strategy_disabled"]
    with store.db.read() as session:
        added = session.exec(select(LedgerRow).offset(len(before))).all()
    assert [row.kind for row in added if row.kind.startswith("finding")] == ["finding.raised"]
