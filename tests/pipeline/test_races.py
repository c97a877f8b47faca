"""Two processes at once: two deciders on one question, two submissions of one grant. One of them wins."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from pipeline.policy import Ruling
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import ONE, TWO, Question, say, truth


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


NUMBERS = itertools.count()


def question(store: Store, ruling: Ruling = ONE) -> Question:
    return life.ask(store, life.proposal(next(NUMBERS), quantity=10), ruling)


def race(racers: tuple[Racer, Racer], commands: tuple[str, str]) -> tuple[str, str]:
    for racer, command in zip(racers, commands, strict=True):
        racer.tell(command)
    return racers[0].hear(), racers[1].hear()


def decide(asked: Question, name: str, decision: str) -> str:
    return f"decide {asked.approval_id} {name} {decision} {asked.digest}"


def rounds(store: Store) -> int:
    return 100 if store.db.dialect == "sqlite" else 50


@pytest.mark.slow
def test_two_deciders_at_once_have_exactly_one_outcome_and_at_most_one_grant(
    any_store: Store, racers: tuple[Racer, Racer]
) -> None:
    """Approve against approve, approve against reject, reject against reject, by different people."""
    seen: Counter[str] = Counter()
    pairs = (("approve", "approve"), ("approve", "reject"), ("reject", "approve"), ("reject", "reject"))
    for number in range(rounds(any_store)):
        asked = question(any_store)
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
def test_two_different_people_at_once_make_the_two_that_were_needed(
    any_store: Store, racers: tuple[Racer, Racer]
) -> None:
    for _ in range(20):
        asked = question(any_store, TWO)
        answers = race(racers, (decide(asked, "ann", "approve"), decide(asked, "bob", "approve")))
        assert sorted(answers) == ["ok approved", "ok pending"]
        assert truth(any_store, asked) == life.Truth("approved", "approved", ("minted",), 0, 0, 2)


@pytest.mark.slow
def test_the_same_person_from_two_windows_is_one_person(any_store: Store, racers: tuple[Racer, Racer]) -> None:
    for _ in range(20):
        asked = question(any_store, TWO)
        answers = race(racers, (decide(asked, "ann", "approve"), decide(asked, "ann", "approve")))
        assert answers == ("ok pending", "ok pending")
        assert truth(any_store, asked) == life.Truth("awaiting", "pending", (), 0, 0, 1)


@pytest.mark.slow
def test_two_submissions_at_once_consume_the_grant_once_and_write_one_order(
    any_store: Store, racers: tuple[Racer, Racer]
) -> None:
    for _ in range(20):
        asked = question(any_store)
        say(any_store, asked)
        assert race(racers, (f"submit {asked.case_id}",) * 2) == ("ok submitted", "ok submitted")
        assert truth(any_store, asked) == life.Truth("submitted", "approved", ("consumed",), 1, 1, 1)


@pytest.mark.slow
def test_a_late_refusal_and_a_submission_at_once_end_in_one_of_the_two(
    any_store: Store, racers: tuple[Racer, Racer]
) -> None:
    for number in range(20):
        asked = question(any_store)
        say(any_store, asked)
        commands = (f"submit {asked.case_id}", decide(asked, "bob", "reject"))
        order = racers if number % 2 else (racers[1], racers[0])
        answers = race(order, commands)
        found = truth(any_store, asked)
        if answers == ("ok submitted", "decided"):
            assert found == life.Truth("submitted", "approved", ("consumed",), 1, 1, 1)
        else:
            assert answers == ("ok rejected", "ok rejected")
            assert found == life.Truth("rejected", "rejected", ("voided",), 0, 0, 2)
