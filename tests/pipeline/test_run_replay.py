"""A whole run played again from its recordings with the network closed: the same content, or the first difference."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from api.cli.main import run_cli
from memory.tables import DecisionRow, EditRow, HaltRow, RecordingRow, RunRow
from pipeline import halt
from pipeline.headless import StandIn, run_sessions
from pipeline.run_replay import replay_run
from pipeline.store import Principal, Store, active_run
from prompts.loader import load, using
from tests.peers.openai_peer import OpenAIPeer
from tests.pipeline import life
from tools.errors import LedgerError

NAMES = ("AMD", "EL", "TXT", "FCX")
QUARTER: tuple[tuple[int, StandIn], ...] = ((30, "approve"), (12, "none"), (10, "reject"), (10, "approve"))


def play(store: Store, parts: tuple[tuple[int, StandIn], ...]) -> str:
    for number, (sessions, people) in enumerate(parts):
        chosen = None if number else NAMES
        asyncio.run(
            run_sessions(store, sessions=sessions, symbols=chosen, stand_in=people, continue_run=number > 0)
        )  # fmt: skip
    return run_of(store)


def run_of(store: Store) -> str:
    with store.db.read() as session:
        run = active_run(session)
        assert run is not None
        return run.id


def by_model(peer: OpenAIPeer) -> dict[str, Any]:
    return {
        "model_base_url": peer.base_url, "model_id": "peer", "model_timeout_s": 5, "model_monitoring": True,
        "model_coordinator": True,
    }  # fmt: skip


def cautious(handle: str) -> dict[str, Any]:
    return {"verdict": "scale", "factor_percent": 50} if handle == "c2" else {"verdict": "keep"}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after two sessions on a model that is gone since."""
    home = tmp_path_factory.mktemp("short") / "home"
    with OpenAIPeer() as peer:
        store = life.new_store(home, **by_model(peer))
        play(store, ((2, "approve"),))
    store.db.dispose()
    return home


@pytest.fixture
def store(short: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copytree(short, tmp_path / "home")
    opened = life.new_store(tmp_path / "home")
    yield opened
    opened.db.dispose()


def test_a_quarter_on_a_model_is_the_same_again_with_the_network_closed(tmp_path: Path) -> None:
    with OpenAIPeer(script=["ok", "ok", "bad_numbers", "error"]) as peer:
        peer.verdict, peer.waits, peer.noticed = cautious, frozenset({"p3"}), ["Two things moved together."]
        store = life.new_store(tmp_path / "home", **by_model(peer))
        run_id = play(store, QUARTER)
        asked = peer.calls
    found = replay_run(store, run_id)
    assert found.first_difference is None
    assert found.identical
    assert found.sessions == 62
    assert found.model_answers > 20
    assert found.decisions > 10
    assert found.unanswered == 0
    assert peer.calls == asked
    with store.db.read() as session:
        assert {row.decision for row in session.exec(select(DecisionRow)).all()} == {"approve", "reject"}
        calls = set(session.exec(select(RecordingRow.call).where(RecordingRow.kind == "model")).all())
    assert calls == {"monitoring.notice", "decision.review", "coordinator.advise", "explanation.prose"}
    store.db.dispose()


def test_a_run_on_rules_is_the_same_again_and_its_home_can_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = life.new_store(tmp_path / "home")
    run_id = play(store, ((4, "approve"),))
    store.db.dispose()
    again = ["--home", str(tmp_path / "home"), "replay", run_id, "--into", str(tmp_path / "again"), "--json"]
    assert run_cli(again) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["identical"] is True
    assert answer["recorded_sha256"] == answer["replayed_sha256"]
    kept = life.new_store(tmp_path / "again")
    assert run_of(kept) == run_id
    assert kept.verify_ledger().verified
    kept.db.dispose()


def test_an_answer_changed_afterwards_is_named_as_the_first_difference(store: Store) -> None:
    with store.db.write() as session:
        row = session.exec(select(DecisionRow).order_by(col(DecisionRow.id))).first()
        assert row is not None
        row.reason = "somebody rewrote this"
        session.add(row)
    found = replay_run(store, run_of(store))
    assert not found.identical
    assert found.first_difference is not None
    assert found.first_difference.recorded is not None
    assert found.first_difference.replayed is not None
    kinds = {found.first_difference.recorded.kind, found.first_difference.replayed.kind}
    assert kinds == {"case.approved"}


def test_a_recording_that_is_gone_is_a_clear_error(store: Store) -> None:
    with store.db.write() as session:
        row = session.exec(select(RecordingRow).where(RecordingRow.call == "decision.review")).first()
        session.delete(row)
    with pytest.raises(LedgerError, match="questions to a model have no recorded answer") as caught:
        replay_run(store, run_of(store))
    assert caught.value.code == "recording_missing"


def refused(store: Store) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        replay_run(store, run_of(store))
    return caught.value


def test_an_edited_recording_is_named_before_anything_is_played(store: Store) -> None:
    with store.db.write() as session:
        row = session.exec(select(RecordingRow).where(RecordingRow.kind == "model")).first()
        assert row is not None
        change = text("UPDATE blobs SET data = x'00' WHERE sha256 = :name")
        session.connection().execute(change, {"name": row.output_sha256})
    assert refused(store).code == "recording_edited"


def test_answers_to_another_version_of_a_prompt_are_refused(store: Store) -> None:
    shipped = load("decision/review")
    other = shipped.__class__(shipped.head.model_copy(update={"version": "99"}), shipped.system, shipped.user, "0" * 64)
    with using(other):
        error = refused(store)
    assert error.code == "prompt_changed"
    assert "was version 1" in error.message
    assert "is version 99" in error.message


def test_what_people_did_beyond_answering_is_named(store: Store) -> None:
    halt.engage(
        store, scope="firm", target=None, action="no_new", reason="to see", principal=Principal("ann", "person")
    )  # fmt: skip
    with store.db.write() as session:
        said = session.exec(select(DecisionRow)).first()
        assert said is not None
        session.add(
            EditRow(
                approval_id=said.approval_id, principal="ann", old_digest="a", new_digest="b", reason="less",
                reason_code="smaller_size", edited_wall=said.decided_wall,
            )
        )  # fmt: skip
        assert session.exec(select(HaltRow)).first() is not None
    error = refused(store)
    assert error.code == "not_replayable"
    assert "1 edited proposals, 1 halts by people" in error.message


@pytest.mark.parametrize("change", [{"mode": "paper"}, {"stage": "traded"}])
def test_only_a_replay_at_the_close_of_a_session_can_be_played_again(store: Store, change: dict[str, str]) -> None:
    with store.db.write() as session:
        row = session.exec(select(RunRow)).one()
        for name, value in change.items():
            setattr(row, name, value)
        session.add(row)
    assert refused(store).code == "not_replayable"


def test_an_unknown_run_is_refused(store: Store) -> None:
    with pytest.raises(LedgerError) as caught:
        replay_run(store, "run_nobody")
    assert caught.value.code == "unknown_target"


def test_a_whole_run_takes_no_other_model(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["--home", str(store.home.path), "replay", run_of(store), "--model", "another"]) != 0
    assert "replayed as it was" in capsys.readouterr().err


def test_a_reach_for_the_network_ends_the_replay(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: Any) -> None:
        socket.create_connection(("127.0.0.1", 9), timeout=1)

    monkeypatch.setattr("pipeline.run_replay.reconciliation.at_start", leave)
    with pytest.raises(Exception, match="network is closed"):
        replay_run(store, run_of(store))
