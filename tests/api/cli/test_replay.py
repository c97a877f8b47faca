from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from api.cli.replay import parse_day
from memory.tables import CommandRow
from pipeline.headless import ExplanationSummary, LedgerSummary, RunSummary
from pipeline.session import SessionReport
from pipeline.store import Store

from ..conftest import Seeded
from .conftest import Quarterdeck

FIELDS = {
    "run", "sessions", "proposals", "cases", "orders", "fills", "equity_start", "equity_end", "max_drawdown",
    "abstentions", "model_calls", "ledger", "explanations",
}  # fmt: skip


def summary() -> RunSummary:
    return RunSummary(
        run="run_1", label="survivors only", sessions=2, proposals=3, cases={"done": 3}, orders=1, fills=1,
        equity_start=Decimal(1_000_000), equity_end=Decimal(1_000_001), max_drawdown=Decimal("0.01"), abstentions=0,
        model_calls=0, ledger=LedgerSummary(entries=1, content_sha256="c" * 64, head="d" * 64, verified=True),
        explanations=ExplanationSummary(claims=1, numbers=2, unresolved=0, dropped=0),
    )  # fmt: skip


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Stands in for the replay itself; collects what it was asked for."""
    asked: list[dict[str, Any]] = []

    async def run_sessions(store: Store, *, on_session: Callable[[SessionReport], None], **wishes: Any) -> RunSummary:
        asked.append(wishes)
        for index in range(wishes["sessions"]):
            on_session(SessionReport(index=index, session="2009-11-16", equity=Decimal(1_000_000), asked=1, fills=0))
        return summary()

    monkeypatch.setattr("pipeline.headless.run_sessions", run_sessions)
    return asked


def test_run_hands_every_wish_on_and_answers_with_one_object(
    quarterdeck: Quarterdeck, played: list[dict[str, Any]]
) -> None:
    told = quarterdeck(
        "run", "--sessions", "2", "--symbols", "ibm, MSFT,ibm", "--start", "2009-11-16", "--seed", "7", "--stand-in",
        "approve", "--new-run", "--json",
    )  # fmt: skip
    assert told.status == 0
    assert set(told.json) >= FIELDS
    assert played == [
        {
            "sessions": 2, "symbols": ("IBM", "MSFT"), "start": date(2009, 11, 16), "seed": 7, "stand_in": "approve",
            "continue_run": False, "new_run": True,
        }
    ]  # fmt: skip


def test_run_without_json_ends_with_a_table_and_keeps_progress_off_stdout(
    quarterdeck: Quarterdeck, played: list[dict[str, Any]]
) -> None:
    told = quarterdeck("run", "--sessions", "2")
    assert told.status == 0
    assert "survivors only" in told.out
    assert "1 claims, 2 numbers, 0 unresolved, 0 dropped" in told.out
    assert "2009-11-16" in told.err
    assert "2009-11-16" not in told.out
    assert played[0]["stand_in"] == "none"
    assert played[0]["symbols"] is None


def test_next_without_a_desk_plays_one_session_here(
    quarterdeck: Quarterdeck, seeded: Seeded, played: list[dict[str, Any]]
) -> None:
    told = quarterdeck("next", "--json")
    assert told.status == 0
    assert told.json["status"] == "done"
    assert (played[0]["sessions"], played[0]["continue_run"], played[0]["stand_in"]) == (1, True, "none")


def test_next_in_a_home_without_a_run_says_how_to_get_one(
    quarterdeck: Quarterdeck, store: Store, played: list[dict[str, Any]]
) -> None:
    told = quarterdeck("next")
    assert told.status == 2
    assert "[no_run]" in told.err
    assert played == []


@pytest.fixture
def engine(seeded: Seeded) -> Iterator[Callable[[str, str], None]]:
    """Answers the next wish as the engine process would."""
    stopping = threading.Event()
    threads: list[threading.Thread] = []

    def answer(status: str, detail: str) -> None:
        def wait_and_answer() -> None:
            while not stopping.wait(0.05):
                with seeded.store.db.write() as session:
                    row = session.exec(select(CommandRow).where(CommandRow.status == "pending")).first()
                    if row is not None:
                        row.status, row.detail = status, detail
                        return

        threads.append(threading.Thread(target=wait_and_answer))
        threads[-1].start()

    yield answer
    stopping.set()
    for thread in threads:
        thread.join(10)


def test_next_beside_a_desk_waits_for_its_engine(
    quarterdeck: Quarterdeck, desk: str, engine: Callable[[str, str], None]
) -> None:
    engine("done", "played 2009-11-16")
    told = quarterdeck("next", "--json")
    assert (told.status, told.json["status"], told.json["detail"]) == (0, "done", "played 2009-11-16")


def test_next_that_the_engine_refuses_is_one_line(
    quarterdeck: Quarterdeck, desk: str, engine: Callable[[str, str], None]
) -> None:
    engine("refused", "the market has no further session")
    told = quarterdeck("next")
    assert told.status == 2
    assert told.err == "quarterdeck: the market has no further session [refused]\n"


def test_serve_hands_its_options_to_the_supervisor(quarterdeck: Quarterdeck, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def supervise(settings: Any, say: Callable[[str], None], symbols: tuple[str, ...] | None) -> int:
        seen.extend((settings, symbols))
        say("Ready. Open it.")
        return 3

    monkeypatch.setattr("pipeline.supervisor.serve", supervise)
    told = quarterdeck("serve", "--port", "0", "--speed", "2.5", "--host", "localhost", "--symbols", "ibm,GE")
    assert (told.status, told.out) == (3, "Ready. Open it.\n")
    assert (seen[0].port, seen[0].speed, seen[0].host) == (0, 2.5, "localhost")
    assert set(seen[1] or ()) == {"IBM", "GE"}
    assert quarterdeck("serve", "--port", "0", "--json").json["status"] == 3


@given(st.dates())
def test_a_day_reads_back(day: date) -> None:
    assert parse_day(day.isoformat()) == day
