"""Budgets of model calls: reserved before, settled after, shared by processes, spent when a process died."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from agents.opinion import Usage
from memory.tables import HeartbeatRow, SpendRow
from pipeline import budget as budget_module
from pipeline.budget import CHAT, BudgetLine, SpendBudget, budget_view
from pipeline.settings import load_settings
from pipeline.store import Store, open_store
from tests.pipeline import life

PRICES = "tiny=0.10/0.40, big=1/4"
DAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = life.new_store(tmp_path / "home")
    yield opened
    opened.db.dispose()


def budget(store: Store, cycle_id: Any = "cyc_1", run_id: Any = "run_1", **given: Any) -> SpendBudget:
    return SpendBudget(store.db, load_settings(home=store.home.path, **given), run_id, cycle_id)


def rows(store: Store) -> list[SpendRow]:
    with store.db.read() as session:
        return list(session.exec(select(SpendRow)).all())


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(budget_module, "now", lambda: moment)


def test_what_is_set_aside_counts_as_spent_until_it_is_settled(store: Store) -> None:
    of_cycle = budget(store, model_tokens_per_cycle=100)
    first = of_cycle.reserve("review", "tiny", Usage(40, 20))
    assert first is not None
    assert of_cycle.reserve("review", "tiny", Usage(40, 1)) is None
    of_cycle.settle(first, Usage(10, 5))
    assert of_cycle.reserve("review", "tiny", Usage(80, 5)) is not None
    assert of_cycle.reserve("review", "tiny", Usage(1, 0)) is None


def test_equality_passes_and_one_more_does_not(store: Store) -> None:
    assert budget(store, model_tokens_per_call=60).reserve("review", "tiny", Usage(40, 20)) is not None
    assert budget(store, model_tokens_per_call=60).reserve("review", "tiny", Usage(40, 21)) is None


@pytest.mark.parametrize(
    ("limit", "other_cycle", "other_run"),
    [
        ("model_tokens_per_cycle", True, True),
        ("model_token_budget", False, True),
        ("model_tokens_per_day", False, False),
    ],
)
def test_each_scope_binds_what_is_in_it(store: Store, limit: str, other_cycle: bool, other_run: bool) -> None:
    assert budget(store, **{limit: 100}).reserve("review", "tiny", Usage(60, 0)) is not None
    assert budget(store, **{limit: 100}).reserve("review", "tiny", Usage(60, 0)) is None
    again = budget(store, "cyc_2", **{limit: 100}).reserve("review", "tiny", Usage(60, 0))
    assert (again is not None) is other_cycle
    elsewhere = budget(store, "cyc_3", "run_2", **{limit: 100}).reserve("review", "tiny", Usage(60, 0))
    assert (elsewhere is not None) is other_run


def test_chat_has_no_cycle_but_the_days_budget_binds_it(store: Store) -> None:
    chat = budget(store, CHAT, model_tokens_per_cycle=100, model_tokens_per_day=150)
    assert chat.reserve("intent", "tiny", Usage(90, 0)) is not None
    assert chat.reserve("intent", "tiny", Usage(60, 0)) is not None
    assert chat.reserve("intent", "tiny", Usage(1, 0)) is None


@pytest.mark.parametrize("limit", ["model_money_per_call", "model_money_per_cycle", "model_money_per_day"])
def test_money_is_counted_by_the_models_price(store: Store, limit: str) -> None:
    given = {limit: "0.05", "model_prices": PRICES}
    assert budget(store, **given).reserve("review", "big", Usage(0, 13)) is None
    asked = budget(store, **given)
    reservation = asked.reserve("review", "tiny", Usage(100, 100))
    assert reservation is not None
    assert asked.settle(reservation, Usage(100, 50)) == Decimal("0.03")
    assert (budget(store, **given).reserve("review", "tiny", Usage(0, 51)) is None) is (limit != "model_money_per_call")


def test_with_money_limited_a_model_without_a_price_is_never_asked(store: Store) -> None:
    assert budget(store, model_money_per_day="1", model_prices=PRICES).reserve("r", "free?", Usage(1, 1)) is None
    unpriced = budget(store, model_prices=PRICES)
    reservation = unpriced.reserve("review", "free?", Usage(1, 1))
    assert reservation is not None
    assert unpriced.settle(reservation, Usage(1, 1)) is None


def test_a_new_day_has_a_new_budget_and_a_clock_turned_back_has_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, DAY)
    of_day = budget(store, model_tokens_per_day=100)
    assert of_day.reserve("review", "tiny", Usage(100, 0)) is not None
    at(monkeypatch, DAY + timedelta(days=1))
    assert of_day.reserve("review", "tiny", Usage(100, 0)) is not None
    with store.db.write() as session:
        session.add(HeartbeatRow(component="engine", pid=1, state="ok", detail="", at_wall=DAY + timedelta(days=1)))
    at(monkeypatch, DAY - timedelta(days=5))
    assert of_day.reserve("review", "tiny", Usage(1, 0)) is None
    assert [row.day for row in rows(store)] == [date(2026, 3, 2), date(2026, 3, 3)]


DIES = """
import os, sys
from agents.opinion import Usage
from pipeline.budget import SpendBudget
from pipeline.settings import load_settings
from pipeline.store import open_store
settings = load_settings(home=sys.argv[1], model_tokens_per_day=100)
store = open_store(settings)
assert SpendBudget(store.db, settings, "run_1", "cyc_9").reserve("review", "tiny", Usage(70, 0)) is not None
os._exit(9)
"""


def test_a_process_that_dies_in_mid_call_leaves_its_reservation_spent(store: Store) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, str(store.home.path)], check=False, timeout=60)
    assert done.returncode == 9
    assert budget(store, model_tokens_per_day=100).reserve("review", "tiny", Usage(31, 0)) is None
    assert budget(store, model_tokens_per_day=100).reserve("review", "tiny", Usage(30, 0)) is not None
    assert budget_view(store).unsettled == 2


RACES = """
import sys
from agents.opinion import Usage
from pipeline.budget import SpendBudget
from pipeline.settings import load_settings
from pipeline.store import open_store
settings = load_settings(home=sys.argv[1], model_tokens_per_day=100)
store = open_store(settings)
asked = SpendBudget(store.db, settings, "run_1", sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
print(sum(asked.reserve("review", "tiny", Usage(10, 0)) is not None for _ in range(12)), flush=True)
"""


def test_two_processes_never_spend_more_than_there_is(store: Store) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", RACES, str(store.home.path), f"cyc_{number}"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )
        for number in range(2)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert sum(int(worker.communicate(timeout=60)[0]) for worker in workers) == 10
    assert sum(row.tokens for row in rows(store)) == 100


CALLS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.booleans()), max_size=8)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS, tokens=st.integers(1, 200), money=st.integers(1, 40))
def test_whatever_is_asked_no_limit_is_passed(
    store: Store, calls: list[tuple[int, int, bool]], tokens: int, money: int
) -> None:
    with store.db.write() as session:
        for row in session.exec(select(SpendRow)).all():
            session.delete(row)
    limit = Decimal(money) / 1000
    asked = budget(store, model_tokens_per_day=tokens, model_money_per_day=str(limit), model_prices=PRICES)
    for given_tokens, answered, settles in calls:
        reservation = asked.reserve("review", "tiny", Usage(given_tokens, answered))
        if reservation is not None and settles:
            asked.settle(reservation, Usage(given_tokens // 2, answered // 2))
        spent = rows(store)
        assert sum(row.tokens for row in spent) <= tokens
        assert sum(row.money or 0 for row in spent) <= limit


def test_the_view_says_what_is_left_and_what_has_no_price(store: Store) -> None:
    chosen = load_settings(
        home=store.home.path, model_id="tiny", model_id_deep="deep", model_prices=PRICES, model_tokens_per_day=500,
        model_fallback_1="http://127.0.0.1:9/v1 big",
    )  # fmt: skip
    other = open_store(chosen)
    assert budget(other, model_prices=PRICES).reserve("review", "tiny", Usage(100, 100)) is not None
    found = budget_view(other)
    other.db.dispose()
    line = next(item for item in found.lines if (item.scope, item.unit) == ("day", "tokens"))
    assert line == BudgetLine(scope="day", unit="tokens", limit=Decimal(500), spent=Decimal(200), left=Decimal(300))
    assert next(item for item in found.lines if (item.scope, item.unit) == ("day", "money")).spent == Decimal("0.05")
    assert [(item.model, item.asked) for item in found.models] == [
        ("tiny", Decimal("0.10")), ("deep", None), ("big", Decimal(1)),
    ]  # fmt: skip
