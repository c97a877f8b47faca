"""Rules against model: changes, cost and outcomes of a run, and what they do not show."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.recordings import CycleRecorder
from memory.tables import ModelReviewRow, OutcomeRow
from pipeline.scorecard import ENOUGH, Scorecard, scorecard, sign_test
from pipeline.store import Store
from tests.pipeline import life
from tools.types import Outcome


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = life.new_store(tmp_path / "home")
    life.seed_run(opened)
    yield opened
    opened.db.dispose()


def reviewed(
    store: Store, number: int, ruled: str, verdict: str, factor: str, excess: float | None = None, *, said: str = ""
) -> None:
    """A case that a model reviewed, with its outcome when it has one."""
    case_id = life.draft(store, life.proposal(number))
    ruled_factor = {"keep": "1", "escalate": "1", "scale": "0.5", "veto": "0"}[ruled]
    said_factor = "1" if said else factor
    row = ModelReviewRow(
        case_id=case_id, run_id=life.RUN, cycle_id="cyc_1", framework="direct", said=said or verdict,
        said_factor=Decimal(said_factor), ruled=ruled, ruled_factor=Decimal(ruled_factor), verdict=verdict,
        factor=Decimal(factor),
    )  # fmt: skip
    body = Outcome(
        id=f"out_{number}", proposal_id="p", case_id=case_id, strategy="trend", symbol="IBM", side="buy",
        disposition="blocked", opened=life.SESSION, due=date(2009, 11, 30), horizon_sessions=10,
        entry_price=Decimal("120.5"), excess_return=excess, settled=excess is not None,
    )  # fmt: skip
    with store.db.write() as session:
        session.add(row)
        session.add(
            OutcomeRow(
                id=body.id, run_id=life.RUN, case_id=case_id, strategy="trend", symbol="IBM", disposition="blocked",
                settled=body.settled, opened_index=60, due_index=70, index_entry=1.0, body=body,
            )
        )  # fmt: skip


def called(store: Store, tokens: int, cost: str | None, number: int = 0) -> None:
    meta = {"gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": 20, "quarterdeck.latency_ms": 100}
    CycleRecorder(store.db, life.RUN, "cyc_1").record_model_call(
        call="decision.review", attempt=number, request={"n": number}, response={},
        meta=meta if cost is None else {**meta, "quarterdeck.cost": cost},
    )  # fmt: skip


def test_without_a_model_there_is_nothing_to_compare(store: Store) -> None:
    found = scorecard(store)
    assert (found.reviews, found.conclusion) == (0, "No model has reviewed anything in this run.")
    assert found.cost.money is None


def test_a_change_is_what_lets_less_through_or_calls_a_person(store: Store) -> None:
    reviewed(store, 0, "keep", "veto", "0")
    reviewed(store, 1, "keep", "scale", "0.25")
    reviewed(store, 2, "keep", "escalate", "1")
    reviewed(store, 3, "keep", "keep", "1")
    reviewed(store, 4, "veto", "veto", "0", said="keep")
    found = scorecard(store)
    assert [(c.ruled, c.verdict, c.reviews) for c in found.changes] == [
        ("keep", "escalate", 1), ("keep", "scale", 1), ("keep", "veto", 1),
    ]  # fmt: skip
    assert (found.reviews, found.changed, found.overruled) == (5, 3, 1)
    assert [group.reviews for group in found.groups] == [2, 2, 1]


def test_each_decision_bears_its_share_of_the_cycles_cost(store: Store) -> None:
    for number in range(4):
        reviewed(store, number, "keep", "veto" if number == 0 else "keep", "0" if number == 0 else "1")
    called(store, 180, "0.04")
    called(store, 180, "0.04", 1)
    found = scorecard(store)
    assert (found.cost.calls, found.cost.input_tokens, found.cost.output_tokens) == (2, 360, 40)
    assert [(item.tokens, item.money) for item in found.decisions] == [(100, Decimal("0.02"))] * 4
    assert found.money_per_change == Decimal("0.08")


def test_one_call_without_a_price_makes_the_cost_unknown(store: Store) -> None:
    reviewed(store, 0, "keep", "keep", "1")
    called(store, 180, "0.04")
    called(store, 180, None, 1)
    assert scorecard(store).cost.money is None


def play(store: Store, lost: int, won: int) -> Scorecard:
    for number in range(lost + won):
        reviewed(store, number, "keep", "veto", "0", -0.02 if number < lost else 0.02)
    return scorecard(store, limit=0)


def test_few_outcomes_say_nothing_however_clear(store: Store) -> None:
    found = play(store, ENOUGH - 1, 0)
    assert found.conclusion.startswith(f"Too few to say anything: {ENOUGH - 1} of {ENOUGH - 1} views")
    assert found.decisions == ()


@pytest.mark.parametrize(
    ("lost", "won", "says"),
    [(12, 10, "Not significant"), (18, 4, "In favour of the model"), (3, 19, "Against the model")],
)
def test_the_conclusion_names_its_test(store: Store, lost: int, won: int, says: str) -> None:
    found = play(store, lost, won)
    assert found.conclusion.startswith(f"{says}: {lost} of {lost + won} views")
    assert "sign test, p = " in found.conclusion
    assert "survived" in found.caution
    tightened = found.groups[0]
    assert (tightened.settled, tightened.sign_test.below_zero, tightened.sign_test.above_zero) == (22, lost, won)


@given(st.lists(st.floats(-1, 1), max_size=60))
def test_the_sign_test_is_the_binomial_tail_and_leaves_zeros_out(values: list[float]) -> None:
    from math import comb

    found = sign_test(values)
    trials = found.below_zero + found.above_zero
    assert trials == sum(value != 0 for value in values)
    if not trials:
        assert found.p_value is None
        return
    fewer = min(found.below_zero, found.above_zero)
    tail = sum(comb(trials, k) for k in range(fewer + 1)) / 2**trials
    assert found.p_value == pytest.approx(min(1.0, 2 * tail))
