"""Two processes at once: two deciders on one question, two submissions of one grant. One of them wins."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlmodel import select

from memory.tables import CaseRow, GrantRow, ParentRow
from pipeline.activation import in_force
from pipeline.policy import Ruling
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import NOBODY, ONE, TWO, Question, truth


class Racer:
    """One desk process that obeys."""

    def __init__(self, store: Store) -> None:
        url = [store.settings.database_url] if store.settings.database_url else []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.pipeline.racer", str(store.home.path), *url], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One home for all races of a kind of database; every race has a case of its own in it."""
    url = request.getfixturevalue("new_postgres")() if request.param == "postgresql" else None
    opened = life.new_store(tmp_path_factory.mktemp(request.param) / "home", url)
    life.seed_run(opened)
    in_force(opened)
    yield opened
    opened.db.dispose()


@pytest.fixture(scope="module")
def racers(any_store: Store) -> Iterator[tuple[Racer, Racer]]:
    pair = (Racer(any_store), Racer(any_store))
    for racer in pair:
        assert racer.hear() == "ready"
    yield pair
    for racer in pair:
        assert racer.process.stdin is not None
        assert racer.process.stdout is not None
        racer.process.stdin.close()
        assert racer.process.wait(timeout=30) == 0
        racer.process.stdout.close()


@pytest.fixture(autouse=True)
def nothing_left_over(any_store: Store) -> Iterator[None]:
    """Every test begins with nothing approved or sent, and nothing halted."""
    yield
    settle(any_store)


def settle(store: Store) -> None:
    life.tamper(store, "UPDATE cases SET state = 'settled' WHERE state IN ('awaiting', 'approved', 'submitted')")
    life.tamper(store, "UPDATE approvals SET status = 'voided' WHERE status = 'pending'")
    life.tamper(store, "UPDATE orders SET state = 'filled', created = '2009-11-02T14:30:00.000000Z'")


RACES, BATCH = 200, 20
NUMBERS = itertools.count()


def questions(store: Store, count: int, ruling: Ruling = ONE) -> list[Question]:
    """Ask them all in one transaction; no two of a batch are for the same quantity, or one would be a duplicate."""
    return life.ask_all(store, [life.proposal(next(NUMBERS), quantity=5 + at % BATCH) for at in range(count)], ruling)


def many(store: Store, ruling: Ruling) -> Iterator[tuple[int, Question]]:
    """As many as there are races, numbered; a batch is asked when the one before is over and off the book."""
    for start in range(0, RACES, BATCH):
        yield from enumerate(questions(store, BATCH, ruling), start)
        settle(store)


def race(racers: tuple[Racer, Racer], commands: tuple[str, str]) -> tuple[str, str]:
    for racer, command in zip(racers, commands, strict=True):
        racer.tell(command)
    return racers[0].hear(), racers[1].hear()


def either_first(racers: tuple[Racer, Racer], number: int) -> tuple[Racer, Racer]:
    """The two in turn, so that neither command always gets the earlier process."""
    return racers if number % 2 else (racers[1], racers[0])


def decide(asked: Question, name: str, decision: str) -> str:
    return f"decide {asked.approval_id} {name} {decision} {asked.digest}"


@pytest.mark.slow
def test_two_deciders_at_once_have_exactly_one_outcome_and_at_most_one_grant(
    any_store: Store, racers: tuple[Racer, Racer]
) -> None:
    """Approve against approve, approve against reject, reject against reject, by different people."""
    seen: Counter[str] = Counter()
    pairs = (("approve", "approve"), ("approve", "reject"), ("reject", "approve"), ("reject", "reject"))
    for number, asked in many(any_store, ONE):
        said = pairs[number % 4]
        first, second = race(racers, (decide(asked, "ann", said[0]), decide(asked, "bob", said[1])))
        found = truth(any_store, asked)
        answers = sorted((first, second))
        context = f"round {number} {said}: {first}, {second}, {found}"
        if said[0] == said[1]:
            status = "approved" if said[0] == "approve" else "rejected"
            assert answers == ["decided", f"ok {status}"], context
            grants = ("minted",) if status == "approved" else ()
            assert found == life.Truth(status, status, grants, 0, 0, 1), context
        else:
            late = answers == ["ok approved", "ok rejected"]
            assert late or answers == ["decided", "ok rejected"], context
            assert found == life.Truth("rejected", "rejected", ("voided",) if late else (), 0, 0, 1 + late), context
            seen["late refusal" if late else "refusal first"] += 1
        seen["left" if first.startswith("ok") else "right"] += 1
    assert any_store.verify_ledger().verified
    assert min(seen["left"], seen["right"]) > 0, f"one side always won, this was no race: {seen}"


@pytest.mark.slow
def test_two_submissions_at_once_consume_the_grant_once_and_write_one_order(
    any_store: Store, racers: tuple[Racer, Racer]
) -> None:
    for _, asked in many(any_store, NOBODY):
        assert race(racers, (f"submit {asked.case_id}",) * 2) == ("ok submitted", "ok submitted")
        assert truth(any_store, asked) == life.Truth("submitted", "approved", ("consumed",), 1, 1, 1)
    assert any_store.verify_ledger().verified


@pytest.mark.slow
def test_a_late_refusal_and_a_submission_at_once_end_in_one_of_the_two(
    any_store: Store, racers: tuple[Racer, Racer]
) -> None:
    seen: Counter[str] = Counter()
    for number, asked in many(any_store, NOBODY):
        answers = race(either_first(racers, number), (f"submit {asked.case_id}", decide(asked, "bob", "reject")))
        found = truth(any_store, asked)
        seen[found.state] += 1
        if answers == ("ok submitted", "decided"):
            assert found == life.Truth("submitted", "approved", ("consumed",), 1, 1, 1)
        else:
            assert answers == ("ok rejected", "ok rejected")
            assert found == life.Truth("rejected", "rejected", ("voided",), 0, 0, 2)
    assert set(seen) == {"submitted", "rejected"}, f"one side always won, this was no race: {seen}"


@pytest.mark.slow
def test_two_different_people_at_once_make_the_two_that_were_needed(
    any_store: Store, racers: tuple[Racer, Racer]
) -> None:
    for asked in questions(any_store, 20, TWO):
        answers = race(racers, (decide(asked, "ann", "approve"), decide(asked, "bob", "approve")))
        assert sorted(answers) == ["ok approved", "ok pending"]
        assert truth(any_store, asked) == life.Truth("approved", "approved", ("minted",), 0, 0, 2)


@pytest.mark.slow
def test_the_same_person_from_two_windows_is_one_person(any_store: Store, racers: tuple[Racer, Racer]) -> None:
    for asked in questions(any_store, 20, TWO):
        answers = race(racers, (decide(asked, "ann", "approve"), decide(asked, "ann", "approve")))
        assert answers == ("ok pending", "ok pending")
        assert truth(any_store, asked) == life.Truth("awaiting", "pending", (), 0, 0, 1)


@pytest.mark.slow
def test_an_edit_and_an_approval_at_once_release_one_digest_once(
    any_store: Store, racers: tuple[Racer, Racer]
) -> None:  # fmt: skip
    for number, asked in enumerate(life.ask_all(any_store, [life.proposal(next(NUMBERS)) for _ in range(20)])):
        life.remember_inputs(any_store, asked)
        commands = (f"edit {asked.approval_id} ann 40 {asked.digest}", decide(asked, "bob", "approve"))
        answers = race(either_first(racers, number), commands)
        assert answers in {("ok approved", "stale_digest"), ("stale_digest", "ok approved"), ("decided", "ok approved")}
        assert truth(any_store, asked) == life.Truth("approved", "approved", ("minted",), 0, 0, 1)
        with any_store.db.read() as session:
            case = session.get_one(CaseRow, asked.case_id)
            grant = session.exec(select(GrantRow).where(GrantRow.case_id == asked.case_id)).one()
        won = answers[0] == "ok approved"
        assert (case.order.quantity, grant.quantity_budget) == ((40, 40) if won else (100, 100))
        assert case.digest == case.body.digest == grant.digest
        assert (grant.digest == asked.digest) == (not won)
        life.tamper(any_store, "UPDATE cases SET state = 'settled' WHERE id = :case", case=asked.case_id)


@pytest.mark.slow
def test_an_expiry_and_an_approval_at_once_end_in_one_of_the_two(
    any_store: Store, racers: tuple[Racer, Racer]
) -> None:  # fmt: skip
    for number in range(20):
        (asked,) = questions(any_store, 1)
        answers = race(either_first(racers, number), ("expire 61", decide(asked, "ann", "approve")))
        found = truth(any_store, asked)
        if answers == ("ok 0", "ok approved"):
            assert found == life.Truth("approved", "approved", ("minted",), 0, 0, 1)
        else:
            assert answers == ("ok 1", "expired")
            assert found == life.Truth("expired", "expired", (), 0, 0, 0)
        life.move_clock(any_store, 60)


@pytest.mark.slow
def test_a_halt_and_a_submission_at_once_end_in_one_of_the_two(any_store: Store, racers: tuple[Racer, Racer]) -> None:
    """Before the halt the order may still be written; once the halt has answered, none is."""
    for number, asked in enumerate(questions(any_store, 20, NOBODY)):
        answers = race(either_first(racers, number), (f"submit {asked.case_id}", "halt"))
        found = truth(any_store, asked)
        assert answers in {("ok submitted", "ok halted"), ("ok voided", "ok halted")}
        if answers[0] == "ok submitted":
            assert found == life.Truth("submitted", "approved", ("consumed",), 1, 1, 1)
        else:
            assert found == life.Truth("voided", "voided", ("voided",), 0, 0, 1)
        life.tamper(any_store, "UPDATE halts SET released_wall = engaged_wall")


def test_two_processes_never_draw_more_than_a_parent_allows(any_store: Store, racers: tuple[Racer, Racer]) -> None:
    with any_store.db.write() as session:
        session.add(
            ParentRow(
                id="parent_race", run_id=life.RUN, case_id="case_race", grant_id="grant_race", symbol="IBM", side="buy",
                quantity=100, opened=life.AS_OF,
            )
        )  # fmt: skip
    heard: Counter[str] = Counter()
    for _ in range(8):
        for racer in racers:
            racer.tell("draw parent_race 15")
        heard.update(racer.hear() for racer in racers)
    assert heard == {"ok drawn": 6, "budget_exceeded": 10}
    with any_store.db.read() as session:
        assert session.get_one(ParentRow, "parent_race").drawn == 90
