"""A past decision made again from its recordings: the same to the last byte, or what something else would have made."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from memory.tables import CaseRow, RecordingRow
from pipeline.decision_replay import DecisionReplay, Other, replay_decision
from pipeline.headless import run_sessions
from pipeline.policy import load_policy
from pipeline.settings import load_settings
from pipeline.store import Store, open_store
from prompts.loader import Prompt, load
from tests.pipeline import life
from tests.pipeline.test_policy_replay import EVERYTHING_TWICE, sizes
from tools.errors import LedgerError
from tools.risk.limits import default_limits_text, load_limits

NAMES = ("AMD", "EL", "TXT", "FCX", "PNC")
RULES_STEPS = {
    "monitoring.monitor", "decision.review_candidates", "coordinator.plan", "risk.check_order", "policy.rule_on",
    "explanation.explain",
}  # fmt: skip


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("played") / "home"
    store = life.new_store(home)
    asyncio.run(run_sessions(store, sessions=2, symbols=NAMES, stand_in="approve"))
    store.db.dispose()
    return home


@pytest.fixture
def history(played: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(played, tmp_path / "home")
    opened = life.new_store(tmp_path / "home")
    yield opened
    opened.db.dispose()


def cycles(store: Store) -> list[str]:
    with store.db.read() as session:
        found = session.exec(select(RecordingRow.cycle_id).order_by(col(RecordingRow.id))).all()
    return list(dict.fromkeys(found))


def filled(store: Store) -> str:
    with store.db.read() as session:
        return session.exec(select(CaseRow.id).where(CaseRow.state == "done").order_by(col(CaseRow.id))).all()[0]


def changes(found: DecisionReplay, what: str) -> list[tuple[str, str]]:
    return [(d.recorded, d.replayed) for step in found.steps for d in step.differences if d.what == what]


def test_every_cycle_comes_out_the_same(history: Store) -> None:
    found = [replay_decision(history, cycle) for cycle in cycles(history)]
    assert [step for one in found for step in one.steps if not step.identical] == []
    assert {step.call for one in found for step in one.steps} == RULES_STEPS


def test_a_case_is_replayed_with_the_cycle_it_came_from(history: Store) -> None:
    case = filled(history)
    found = replay_decision(history, case)
    assert found.identical
    assert {step.case_id for step in found.steps} == {None, case}


def test_a_replay_writes_nothing(history: Store) -> None:
    before = sizes(history)
    replay_decision(history, filled(history), Other(limits=load_limits(default_limits_text())))
    assert sizes(history) == before


def test_other_limits_say_what_they_would_have_blocked(history: Store) -> None:
    tight = load_limits(default_limits_text()).model_copy(update={"max_order_quantity": 1})
    found = replay_decision(history, filled(history), Other(limits=tight))
    assert not found.identical
    assert [after.split(":")[0] for _, after in changes(found, "max_quantity")] == ["block"]


def test_another_policy_says_whom_it_would_have_asked(history: Store) -> None:
    found = replay_decision(history, filled(history), Other(policy=load_policy(EVERYTHING_TWICE)))
    assert changes(found, "ruling") == [("entry: normal, ask", "two_for_all: normal, ask")]
    assert found.changed == {"policy": "strict"}


def test_a_recording_that_was_edited_is_named(history: Store) -> None:
    with history.db.write() as session:
        session.connection().execute(text("UPDATE blobs SET data = x'00'"))
    with pytest.raises(LedgerError) as caught:
        replay_decision(history, filled(history))
    assert caught.value.code == "recording_edited"


def test_a_recorded_answer_swapped_for_another_is_not_identical(history: Store) -> None:
    with history.db.write() as session:
        rows = session.exec(select(RecordingRow).where(RecordingRow.call == "decision.review_candidates")).all()
        rows[0].output_sha256, rows[1].output_sha256 = rows[1].output_sha256, rows[0].output_sha256
        first = rows[0].cycle_id
    assert not replay_decision(history, first).identical


def test_an_unknown_target_is_refused(history: Store) -> None:
    with pytest.raises(LedgerError) as caught:
        replay_decision(history, "case_nobody")
    assert caught.value.code == "unknown_target"


def modelled(home: Path, base_url: str, sessions: int = 1) -> Store:
    settings = load_settings(home=home, model_base_url=base_url, model_id="peer", model_timeout_s=1.0)
    store = open_store(settings)
    asyncio.run(run_sessions(store, sessions=sessions, symbols=NAMES, stand_in="approve"))
    return store


@pytest.mark.parametrize("mode", ["ok", "slow", "error", "garbage", "wrong_schema", "truncated", "bad_numbers"])
def test_what_a_model_said_or_failed_to_say_replays_with_the_endpoint_gone(
    tmp_path: Path, openai_peer: Callable[..., Any], mode: str
) -> None:
    peer = openai_peer(mode)
    store = modelled(tmp_path / "home", peer.base_url)
    asked = peer.calls
    assert asked > 0
    found = replay_decision(store, cycles(store)[0])
    store.db.dispose()
    assert found.identical, [step for step in found.steps if not step.identical]
    assert peer.calls == asked


def test_a_spent_budget_replays_as_a_spent_budget(tmp_path: Path, openai_peer: Callable[..., Any]) -> None:
    settings = load_settings(home=tmp_path / "home", model_base_url=openai_peer().base_url, model_token_budget=10)
    store = open_store(settings)
    asyncio.run(run_sessions(store, sessions=1, symbols=NAMES, stand_in="approve"))
    with store.db.read() as session:
        reviews = session.exec(select(CaseRow.review)).all()
    assert {review["abstain_reason"] for review in reviews} == {"budget_spent"}
    assert replay_decision(store, cycles(store)[0]).identical
    store.db.dispose()


def test_another_model_shows_what_it_would_have_said(
    history: Store, openai_peer: Callable[..., Any], tmp_path: Path
) -> None:
    peer = openai_peer("error")
    store = replace(history, settings=load_settings(home=tmp_path / "home", model_base_url=peer.base_url))
    before = sizes(history)
    found = replay_decision(store, cycles(history)[0], Other(model_id="other"))
    assert ("keep", "abstain (model_unreachable)") in changes(found, "review")
    assert ("asked", "blocked: no_opinion") in changes(found, "place")
    assert sizes(history) == before


def test_another_prompt_reaches_the_model_and_only_in_this_replay(
    history: Store, openai_peer: Callable[..., Any], tmp_path: Path
) -> None:
    peer = openai_peer("ok")
    shipped = load("decision/review")
    other = Prompt(head=shipped.head, system="Be brief.", user=shipped.user, sha256="0" * 64)
    store = replace(history, settings=load_settings(home=tmp_path / "home", model_base_url=peer.base_url))
    found = replay_decision(store, filled(history), Other(prompt=other))
    assert found.changed == {"prompt": "decision/review 1"}
    assert any("Be brief." in str(body) for body in peer.requests)
    assert load("decision/review") == shipped
