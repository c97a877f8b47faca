"""The queue's clocks: minutes on the wall, sessions on the desk, and that only a person extends anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr
from sqlmodel import select

from memory.tables import ApprovalRow, HeartbeatRow, LedgerRow
from pipeline import heartbeats, people, queue_time
from pipeline.desk_view import health_view
from pipeline.policy import Escalation
from pipeline.store import Principal, Store
from tests.people_help import PASSWORD, ROOT, make_passwords_cheap
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB, CARL, ONE, Question, code_of, say, truth

HOUR = ONE.model_copy(
    update={
        "ttl_minutes": 60, "ttl_sessions": 3,
        "escalation": (
            Escalation(after=Decimal("0.25"), to="risk_officer"), Escalation(after=Decimal("0.75"), to="admin"),
        ),
    }
)  # fmt: skip
Travel = Callable[[float], datetime]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the queue tells: the event, with the warning's share or whom it escalates to."""
    seen: list[tuple[str, Any]] = []

    def enqueue(_session: object, *, event: str, subject_id: str, content: Mapping[str, Any]) -> int:
        seen.append((event, content.get("at", content.get("to"))))
        return 1

    monkeypatch.setattr("pipeline.queue_time.enqueue", enqueue)
    return seen


@pytest.fixture
def asked(store: Store) -> Question:
    """A question with an hour on the wall and three sessions on the desk."""
    return life.ask(store, ruling=HOUR)


@pytest.fixture
def travel(store: Store, asked: Question, monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Set the wall clock to some minutes after the asking."""

    def to(minutes: float) -> datetime:
        at = row_of(store, asked).asked_wall + timedelta(minutes=minutes)
        for module in ("queue_time", "approvals"):
            monkeypatch.setattr(f"pipeline.{module}.now", lambda: at)
        return at

    return to


def row_of(store: Store, asked: Question) -> ApprovalRow:
    with store.db.read() as session:
        return session.get_one(ApprovalRow, asked.approval_id)


def attend(store: Store) -> int:
    return queue_time.attend(store, life.RUN)


def kinds(store: Store, kind: str) -> int:
    with store.db.read() as session:
        return len(session.exec(select(LedgerRow).where(LedgerRow.kind == kind)).all())


def beat(store: Store, at: datetime) -> None:
    """The home has written this wall time."""
    with store.db.write() as session:
        session.merge(HeartbeatRow(component="desk", pid=1, state="ok", detail="", at_wall=at))


def extend(store: Store, asked: Question, who: Principal = ANN) -> ApprovalRow:
    return queue_time.extend(store, asked.approval_id, principal=who, reason="still reading")


def viewer(store: Store, monkeypatch: pytest.MonkeyPatch, role: str = "viewer") -> Principal:
    make_passwords_cheap(monkeypatch)
    made = people.add(store, by=ROOT, name="vic", role=role, password=SecretStr(PASSWORD), with_key=True)
    return Principal("vic", "person", "127.0.0.1", f"key:{made.person.keys[0].id}")


def test_a_question_is_answered_in_the_last_second_and_not_after(
    store: Store, asked: Question, travel: Travel
) -> None:  # fmt: skip
    travel(60)
    assert code_of(lambda: say(store, asked)) == "expired"
    assert code_of(lambda: say(store, asked, decision="reject")) == "expired"
    travel(59.99)
    assert say(store, asked).status == "approved"


def test_minutes_that_have_run_out_close_the_question_once(
    store: Store, asked: Question, travel: Travel, told: list[tuple[str, Any]]
) -> None:
    travel(60)
    assert (attend(store), attend(store)) == (1, 0)
    assert truth(store, asked) == life.Truth("expired", "expired", (), 0, 0, 0)
    assert told == [("approval.expired", None)]
    assert kinds(store, "case.expired") == 1


def test_entering_a_session_closes_what_ran_out_of_minutes(store: Store, asked: Question, travel: Travel) -> None:
    travel(59)
    assert life.expire(store, 60) == []
    travel(61)
    assert life.expire(store, 60) == [asked.case_id]


def test_the_session_closes_the_question_however_many_minutes_are_left(
    store: Store, asked: Question, travel: Travel
) -> None:
    travel(1)
    assert life.expire(store, 62) == []
    life.move_clock(store, 63)
    assert code_of(lambda: say(store, asked)) == "expired"
    assert life.expire(store, 63) == [asked.case_id]


def test_a_warning_is_given_once_at_half_and_once_at_four_fifths(
    store: Store, asked: Question, travel: Travel, told: list[tuple[str, Any]]
) -> None:
    for minutes in (29.9, 30, 31, 47.9, 48, 59, 59.5):
        travel(minutes)
        attend(store)
        attend(store)
    assert [at for event, at in told if event == "approval.warning"] == [50, 80]
    assert row_of(store, asked).warned == 80


def test_a_watch_that_slept_gives_the_later_warning_alone(
    store: Store, asked: Question, travel: Travel, told: list[tuple[str, Any]]
) -> None:
    travel(50)
    attend(store)
    attend(store)
    assert [at for event, at in told if event == "approval.warning"] == [80]


def test_each_level_of_escalation_is_told_and_recorded_once(
    store: Store, asked: Question, travel: Travel, told: list[tuple[str, Any]]
) -> None:
    for minutes in (14.9, 15, 16, 44.9, 45, 59):
        travel(minutes)
        attend(store)
        attend(store)
    assert [to for event, to in told if event == "approval.escalated"] == ["risk_officer", "admin"]
    assert kinds(store, "approval.escalated") == 2
    assert row_of(store, asked).escalation_level == 2


def test_nothing_is_told_of_what_was_answered_or_runs_on_sessions_only(
    store: Store, asked: Question, travel: Travel, told: list[tuple[str, Any]]
) -> None:
    life.ask(store, life.proposal(1))
    travel(59)
    say(store, asked)
    assert attend(store) == 0
    assert told == []


def test_an_extension_gives_the_same_time_once_more_and_only_once(
    store: Store, asked: Question, travel: Travel
) -> None:  # fmt: skip
    first = row_of(store, asked)
    assert first.expires_wall is not None
    travel(59)
    assert extend(store, asked).expires_wall == first.expires_wall + timedelta(minutes=60)
    assert code_of(lambda: extend(store, asked, BOB)) == "invalid"
    assert kinds(store, "approval.extended") == 1
    travel(119)
    assert attend(store) > 0
    assert say(store, asked).status == "approved"


def test_an_extension_never_reaches_past_the_session(store: Store, asked: Question, travel: Travel) -> None:
    travel(1)
    extend(store, asked)
    assert life.expire(store, 63) == [asked.case_id]


@pytest.mark.parametrize("minutes", [60, 600])
def test_what_has_run_out_is_neither_extended_nor_acknowledged(
    store: Store, asked: Question, travel: Travel, minutes: int
) -> None:
    travel(minutes)
    assert code_of(lambda: extend(store, asked)) == "expired"
    assert code_of(lambda: queue_time.acknowledge(store, asked.approval_id, principal=ANN)) == "expired"


def test_a_question_on_sessions_alone_cannot_be_extended(store: Store) -> None:
    assert code_of(lambda: extend(store, life.ask(store))) == "invalid"


def test_a_viewer_neither_extends_nor_acknowledges(
    store: Store, asked: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    vic = viewer(store, monkeypatch)
    assert code_of(lambda: extend(store, asked, vic)) == "role"
    assert code_of(lambda: queue_time.acknowledge(store, asked.approval_id, principal=vic)) == "role"
    assert row_of(store, asked).extensions == 0


def test_an_approver_extends(store: Store, asked: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    assert extend(store, asked, viewer(store, monkeypatch, "approver")).extensions == 1


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2_001])
def test_an_extension_needs_a_reason(store: Store, asked: Question, reason: str) -> None:
    found = code_of(lambda: queue_time.extend(store, asked.approval_id, principal=ANN, reason=reason))
    assert found == "invalid"


def test_the_first_who_saw_the_question_stays(store: Store, asked: Question) -> None:
    for who in (BOB, CARL, ANN):
        assert queue_time.acknowledge(store, asked.approval_id, principal=who).acknowledged_by == "bob"
    assert kinds(store, "approval.acknowledged") == 1


def test_a_clock_turned_back_extends_nothing(store: Store, asked: Question, travel: Travel) -> None:
    beat(store, travel(61))
    travel(5)
    assert code_of(lambda: say(store, asked)) == "expired"
    assert code_of(lambda: extend(store, asked)) == "expired"
    assert code_of(lambda: queue_time.acknowledge(store, asked.approval_id, principal=ANN)) == "expired"
    assert attend(store) == 1
    assert code_of(lambda: say(store, asked)) == "expired"


def test_a_clock_turned_back_extends_nothing_while_the_desk_goes_on_beating(
    store: Store, asked: Question, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every heartbeat writes an earlier time over the one before; the latest one seen still counts."""
    for minutes in (61, 5, 6):
        at = travel(minutes)
        monkeypatch.setattr("pipeline.heartbeats.now", lambda at=at: at)
        heartbeats.beat(store, "engine", "ok", "watching")
    assert code_of(lambda: say(store, asked)) == "expired"
    monkeypatch.setattr("pipeline.desk_view.now", lambda: at)
    clock = next(item for item in health_view(store).components if item.component == "clock")
    assert (clock.state, clock.at) == ("down", travel(61))
    monkeypatch.setattr("pipeline.desk_view.now", lambda: travel(61))
    assert "clock" not in {item.component for item in health_view(store).components}


def test_a_clock_turned_back_closes_at_the_next_session_too(store: Store, asked: Question, travel: Travel) -> None:
    beat(store, travel(61))
    travel(5)
    assert life.expire(store, 60) == [asked.case_id]
