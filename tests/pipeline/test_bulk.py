"""Bulk answers: one answer is given to questions of one kind, strategy and tier only."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.bulk import require_alike
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import ONE, code_of

HIGH = ONE.model_copy(update={"tier": "high"})


def ask(store: Store, number: int, ruling: Any = ONE, **changes: Any) -> str:
    symbol = f"S{chr(65 + number)}"
    return life.ask(store, life.proposal(number, strategy="trend", symbol=symbol, **changes), ruling).approval_id


def test_questions_of_one_class_and_tier_go_together(store: Store) -> None:
    require_alike(store, [ask(store, number) for number in range(3)])


@pytest.mark.parametrize("count", [0, 1])
def test_none_or_one_is_always_alike(store: Store, count: int) -> None:
    require_alike(store, [ask(store, number) for number in range(count)])


def test_another_tier_does_not_go_along(store: Store) -> None:
    ids = [ask(store, 0), ask(store, 1, HIGH)]
    assert code_of(lambda: require_alike(store, ids)) == "mixed_bulk"
    require_alike(store, ids[1:])


@pytest.mark.parametrize(
    "other",
    [{"strategy": "reversion"}, {"kind": "order.exit", "side": "sell", "risk_effect": "reduces", "stop_price": None}],
)
def test_another_strategy_or_kind_does_not_go_along(store: Store, other: dict[str, Any]) -> None:
    body = {"strategy": "trend", **other}
    second = life.ask(store, life.proposal(1, symbol="GE", **body)).approval_id
    first = ask(store, 0)
    assert code_of(lambda: require_alike(store, [first, second])) == "mixed_bulk"
    assert code_of(lambda: require_alike(store, [second, first])) == "mixed_bulk"


def test_an_unknown_id_is_left_to_its_own_answer(store: Store) -> None:
    require_alike(store, [ask(store, 0), "appr_none"])
    require_alike(store, ["appr_none"])


def test_the_same_question_twice_is_one(store: Store) -> None:
    one = ask(store, 0)
    require_alike(store, [one, one])
