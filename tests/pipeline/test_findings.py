"""The life of a finding: one while it stands, recorded when it begins, worsens and ends, and put aside by people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from memory import ledger
from memory.tables import FindingRow, LedgerRow, NotificationRow, RunRow
from pipeline import finding_answers, findings
from pipeline.finding_answers import SILENCE, FindingState
from pipeline.store import Principal, Store, now
from tests.pipeline import life
from tests.pipeline.life import ANN, BOB
from tests.pipeline.notify.outside import configure, hook
from tools.canonical import stable_id
from tools.errors import ApprovalError
from tools.types import Finding, Severity

CODES = ("drawdown", "concentration")


def at(index: int) -> datetime:
    return life.AS_OF + timedelta(days=index - 60)


def found(index: int, severity: Severity = "warning", **changes: Any) -> Finding:
    body: dict[str, Any] = {
        "id": stable_id("find", index, changes.get("symbol"), severity), "code": "drawdown", "severity": severity,
        "component": "book", "message": f"seen at {index}", "recommendation": "look", "as_of": at(index),
    }  # fmt: skip
    return Finding(**{**body, **changes})


def close(store: Store, index: int, *seen: Finding) -> tuple[findings.Standing, ...]:
    """The close of a session, at which all of CODES was looked at."""
    life.move_clock(store, index)
    with store.db.write() as session:
        return findings.watch(session, session.get_one(RunRow, life.RUN), CODES, seen, at(index))


def rows(store: Store) -> list[FindingRow]:
    with store.db.read() as session:
        return list(session.exec(select(FindingRow).order_by(col(FindingRow.first_as_of), FindingRow.id)).all())


def records(store: Store) -> list[str]:
    with store.db.read() as session:
        kinds = session.exec(select(LedgerRow.kind).order_by(col(LedgerRow.seq))).all()
    return [kind.removeprefix("finding.") for kind in kinds if kind.startswith("finding.")]


def state(store: Store, wall: datetime | None = None) -> FindingState:
    (row,) = rows(store)
    with store.db.read() as session:
        return finding_answers.state_of(row, session.get(RunRow, life.RUN), wall or now())


def is_open(store: Store, wall: datetime | None = None) -> bool:
    with store.db.read() as session:
        return session.exec(select(FindingRow.id).where(findings.still_open(wall or now()))).first() is not None


def silence(store: Store, who: Principal = ANN, **end: Any) -> None:
    finding_answers.silence(store, rows(store)[0].id, principal=who, reason="known", **end)


def test_what_stands_over_sessions_is_one_finding_under_its_first_id(store: Store) -> None:
    for index in (60, 61, 62):
        ((standing, told),) = close(store, index, found(index))
        assert (standing.id, told) == (found(60).id, index == 60)
    (row,) = rows(store)
    assert (row.first_as_of, row.as_of, row.times_seen) == (at(60), at(62), 3)
    assert (row.body.message, row.body.id) == ("seen at 62", row.id)
    assert records(store) == ["raised"]


def test_the_same_close_again_changes_nothing(store: Store) -> None:
    close(store, 60, found(60))
    close(store, 61, found(61))
    before = rows(store), life.count(store, LedgerRow)
    close(store, 61, found(61))
    assert (rows(store), life.count(store, LedgerRow)) == before


def test_getting_worse_is_recorded_once_and_getting_better_is_not(store: Store) -> None:
    for index, severity in enumerate(("info", "critical", "warning", "critical"), start=60):
        close(store, index, found(index, severity))  # type: ignore[arg-type]
    (row,) = rows(store)
    assert (row.severity, row.worst, row.times_seen) == ("critical", "critical", 4)
    assert records(store) == ["raised", "worsened"]


def test_what_is_found_no_longer_is_cleared_and_begins_anew(store: Store) -> None:
    close(store, 60, found(60), found(60, symbol="IBM"))
    close(store, 61, found(61, symbol="IBM"))
    close(store, 62, found(62), found(62, symbol="IBM"))
    assert records(store) == ["raised", "raised", "cleared", "raised"]
    cleared = [(row.symbol, row.first_as_of == at(60), row.cleared_as_of) for row in rows(store)]
    assert sorted(cleared, key=str) == sorted([(None, True, at(61)), ("IBM", True, None), (None, False, None)], key=str)


def test_a_look_at_some_codes_leaves_the_others_alone(store: Store) -> None:
    close(store, 60, found(60))
    with store.db.write() as session:
        findings.watch(session, session.get_one(RunRow, life.RUN), ("budget",), (), at(61))
        findings.watch(session, None, CODES, (), at(61))
    assert rows(store)[0].cleared_as_of is None


def test_what_happened_stands_until_somebody_has_seen_to_it_and_then_begins_anew(store: Store) -> None:
    def happens(index: int) -> None:
        with store.db.write() as session:
            findings.raise_finding(
                session, session.get_one(RunRow, life.RUN), code="tampered", severity="warning",
                component="approvals", message="case 1", recommendation="look", as_of=at(index),
            )  # fmt: skip

    happens(60)
    happens(61)
    close(store, 62)
    (row,) = rows(store)
    assert (row.times_seen, row.cleared_as_of) == (2, None)
    finding_answers.acknowledge(store, row.id, principal=ANN, reason="done")
    happens(63)
    assert [row.acknowledged_by for row in rows(store)] == ["ann", None]


def test_a_critical_finding_is_told_when_it_begins_or_worsens_only(store: Store) -> None:
    configure(store, webhooks=[hook("https://hooks.example.com/x", "ops", events=["finding.critical"])])
    close(store, 60, found(60))
    assert life.count(store, NotificationRow) == 0
    for index in (61, 62, 63):
        close(store, index, found(index, "critical"))
    assert life.count(store, NotificationRow) == 1


def test_acknowledged_it_waits_for_nobody_and_the_ledger_names_who(store: Store) -> None:
    close(store, 60, found(60))
    finding_answers.acknowledge(store, rows(store)[0].id, principal=ANN, reason="  on it ")
    close(store, 61, found(61))
    assert (state(store), is_open(store)) == ("acknowledged", False)
    with store.db.read() as session:
        record = session.exec(select(LedgerRow).where(LedgerRow.kind == "finding.acknowledged")).one()
    body = json.loads(record.content)["body"]
    assert (body["principal"], body["reason"], record.run_id) == ("ann", "on it", None)


def test_the_same_person_again_is_the_same_answer_and_another_comes_too_late(store: Store) -> None:
    close(store, 60, found(60))
    for _ in range(2):
        finding_answers.acknowledge(store, rows(store)[0].id, principal=ANN, reason="on it")
    with pytest.raises(ApprovalError) as caught:
        finding_answers.acknowledge(store, rows(store)[0].id, principal=BOB, reason="me too")
    assert (caught.value.code, caught.value.detail and caught.value.detail["decided_by"]) == ("decided", "ann")
    assert records(store) == ["raised", "acknowledged"]


def test_a_silence_by_sessions_ends_with_them(store: Store) -> None:
    close(store, 60, found(60))
    silence(store, sessions=2)
    seen = []
    for index in (60, 61, 62):
        close(store, index, found(index))
        seen.append((state(store), is_open(store)))
    assert seen == [("silenced", False), ("silenced", False), ("open", True)]


def test_a_silence_by_the_clock_ends_at_its_instant(store: Store) -> None:
    close(store, 60, found(60))
    end = now() + timedelta(hours=2)
    silence(store, until=end)
    just_before = end - timedelta(seconds=1)
    assert (state(store, just_before), is_open(store, just_before)) == ("silenced", False)
    assert (state(store, end), is_open(store, end)) == ("open", True)


def test_getting_worse_breaks_silence_and_acknowledgement(store: Store) -> None:
    close(store, 60, found(60))
    silence(store, sessions=10)
    finding_answers.acknowledge(store, rows(store)[0].id, principal=ANN, reason="known")
    close(store, 61, found(61))
    assert state(store) == "silenced"
    close(store, 62, found(62, "critical"))
    assert (state(store), is_open(store)) == ("open", True)
    assert records(store)[-2:] == ["worsened", "reopened"]


def test_what_comes_and_goes_stays_silenced_unless_it_comes_back_worse(store: Store) -> None:
    close(store, 60, found(60))
    silence(store, sessions=10)
    for index, seen in ((61, ()), (62, (found(62),))):
        close(store, index, *seen)
    assert not is_open(store)
    close(store, 63)
    close(store, 64, found(64, "critical"))
    assert is_open(store)


@pytest.mark.parametrize("severity", ["info", "warning", "critical"])
def test_no_silence_is_longer_than_its_severity_allows(store: Store, severity: Severity) -> None:
    close(store, 60, found(60, severity))
    longest = SILENCE[severity]
    ends: tuple[dict[str, Any], ...] = (
        {},
        {"sessions": 0},
        {"sessions": longest.sessions + 1},
        {"sessions": 1, "until": now() + timedelta(hours=1)},
        {"until": now() + timedelta(hours=longest.hours, seconds=60)},
        {"until": now() - timedelta(seconds=1)},
    )
    for end in ends:
        with pytest.raises(ApprovalError) as caught:
            silence(store, **end)
        assert caught.value.code == "invalid"
    assert state(store) == "open"
    silence(store, sessions=longest.sessions)
    silence(store, until=now() + timedelta(hours=longest.hours))
    assert state(store) == "silenced"


def test_once_critical_the_limit_of_a_silence_stays_that_of_critical(store: Store) -> None:
    close(store, 60, found(60, "critical"))
    close(store, 61, found(61, "warning"))
    with pytest.raises(ApprovalError):
        silence(store, sessions=SILENCE["critical"].sessions + 1)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 5_000])
def test_without_a_sound_reason_nothing_is_saved(store: Store, reason: str) -> None:
    close(store, 60, found(60))
    for answer in (finding_answers.acknowledge, finding_answers.silence):
        with pytest.raises(ApprovalError) as caught:
            answer(store, rows(store)[0].id, principal=ANN, reason=reason)
        assert caught.value.code == "invalid"
    assert records(store) == ["raised"]


def test_unknown_and_cleared_findings_and_machines_are_refused(store: Store) -> None:
    close(store, 60, found(60))
    machine = Principal("policy:entry", "control")
    close_id = rows(store)[0].id
    for finding_id, who, code in (("find_none", ANN, "unknown"), (close_id, machine, "role")):
        with pytest.raises(ApprovalError) as caught:
            finding_answers.acknowledge(store, finding_id, principal=who, reason="on it")
        assert caught.value.code == code
    close(store, 61)
    with pytest.raises(ApprovalError, match="cleared"):
        silence(store, sessions=1)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Store]]]:
    """Two homes, used by every example with runs of its own."""
    base = tmp_path_factory.mktemp("homes")
    stores = [life.new_store(base / name) for name in ("one", "two")]
    yield base, stores
    for store in stores:
        store.db.dispose()


LOOKS = st.lists(st.none() | st.sampled_from(["info", "warning", "critical"]), min_size=1, max_size=8)


@settings(max_examples=15, deadline=None)
@given(LOOKS, st.integers(0, 7))
def test_what_people_do_leaves_the_record_of_a_run_as_it_is(
    homes: tuple[Path, list[Store]], looks: list[Severity | None], when: int
) -> None:
    seen = []
    for place, store in enumerate(homes[1]):
        with store.db.write() as session:
            for table in (FindingRow, LedgerRow, RunRow):
                for row in session.exec(select(table)).all():
                    session.delete(row)
        life.seed_run(store)
        for number, severity in enumerate(looks):
            close(store, 60 + number, *(() if severity is None else (found(60 + number, severity),)))
            standing = [row for row in rows(store) if row.cleared_as_of is None]
            if place and number == when and standing:
                finding_answers.silence(store, standing[0].id, principal=ANN, reason="known", sessions=1)
                finding_answers.acknowledge(store, standing[0].id, principal=ANN, reason="on it")
        with store.db.read() as session:
            seen.append(ledger.content_sha256(session, life.RUN))
        told = records(store)
        begins = [s for s, before in zip(looks, [None, *looks], strict=False) if s is not None and before is None]
        assert told.count("raised") == len(begins)
        assert told.count("raised") - told.count("cleared") == (looks[-1] is not None)
    assert seen[0] == seen[1]


def test_instants_of_the_ledger_are_those_of_the_desk(store: Store) -> None:
    close(store, 60, found(60))
    with store.db.read() as session:
        (row,) = session.exec(select(LedgerRow).where(LedgerRow.kind == "finding.raised")).all()
    assert row.desk_time == at(60).astimezone(UTC)
