"""What the last call says of the model's health, and the doctor of fallbacks and budgets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.opinion import Usage
from memory.recordings import CycleRecorder
from memory.tables import RunRow
from pipeline.budget import SpendBudget
from pipeline.desk_view import health_view
from pipeline.doctor import examine
from pipeline.model_view import raise_fallbacks
from pipeline.settings import load_settings
from pipeline.store import Store
from tests.pipeline import life

MODEL = {"model_base_url": "http://127.0.0.1:9/v1", "model_id": "tiny", "model_id_deep": "wise"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = life.new_store(tmp_path / "home", **MODEL)
    life.seed_run(opened)
    yield opened
    opened.db.dispose()


def called(store: Store, model: str, cycle_id: str = "cyc_1", **meta: Any) -> None:
    named = {"gen_ai.request.model": model, **{name.replace("__", "."): value for name, value in meta.items()}}
    CycleRecorder(store.db, life.RUN, cycle_id).record_model_call(
        call="decision.review", attempt=0, request={"model": model, "meta": named}, response={}, meta=named
    )


def model_line(store: Store) -> tuple[str, str]:
    return next((item.state, item.detail) for item in health_view(store).components if item.component == "model")


def test_the_model_is_as_its_last_call_left_it(store: Store) -> None:
    assert model_line(store) == ("ok", "tiny and wise, not asked yet")
    called(store, "wise", error__type="APITimeoutError")
    assert model_line(store) == ("down", "wise gave no answer (APITimeoutError)")
    called(store, "wise", error__type="BreakerOpen", quarterdeck__breaker="open")
    assert model_line(store) == ("down", "wise failed too often in a row and is left alone for a while")
    called(store, "spare", quarterdeck__endpoint=1)
    assert model_line(store) == ("down", "tiny and wise cannot be reached, the fallback spare answers")
    called(store, "wise")
    assert model_line(store) == ("ok", "tiny and wise")


def test_a_fallback_is_one_finding_a_cycle_for_each_way_to_fail(store: Store) -> None:
    passed = {"quarterdeck__fallback.from": "wise", "quarterdeck__fallback.reason": "timeout"}
    for number in range(3):
        called(store, "spare", number=number, **passed)
    called(store, "spare", **{**passed, "quarterdeck__fallback.reason": "model_unreachable"})
    called(store, "spare", "cyc_2", **passed)
    for _ in range(2):
        with store.db.write() as session:
            raise_fallbacks(session, session.get_one(RunRow, life.RUN), "cyc_1", life.AS_OF)
    assert life.findings(store) == ["model_fallback", "model_fallback"]


def lines(store: Store, component: str, **given: Any) -> list[tuple[str, str]]:
    settings = load_settings(home=store.home.path, **{**MODEL, **given})
    return [(line.state, line.text) for line in examine(settings) if line.component == component]


def test_the_doctor_knows_every_fallback(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARE_KEY", "sk-1")
    found = lines(
        store, "model", model_fallback_1="https://a.example/v1 one SPARE_KEY",
        model_fallback_2="https://b.example/v1 two NO_SUCH_KEY", model_fallback_3="http://c.example/v1 three",
    )  # fmt: skip
    assert found == [
        ("ok", "tiny and wise at http://127.0.0.1:9/v1"),
        ("ok", "one at https://a.example/v1, fallback 1"),
        ("missing", "two at https://b.example/v1, fallback 2: no key"),
        ("unsafe", "three at http://c.example/v1, fallback 3: not encrypted"),
    ]


def test_the_doctor_says_what_is_spent_and_what_has_no_price(store: Store) -> None:
    given = {"model_tokens_per_day": 100, "model_money_per_day": "2", "model_prices": "tiny=1/1"}
    settings = load_settings(home=store.home.path, **given)
    assert SpendBudget(store.db, settings, life.RUN, "cyc_1").reserve("r", "tiny", Usage(100, 0)) is not None
    found = lines(store, "model budget", **given)
    assert ("unsafe", "100 of 100 tokens of the day spent") in found
    assert ("ok", "0.1 of 2 money of the day spent") in found
    assert ("missing", "wise has no price, so it is never asked") in found
