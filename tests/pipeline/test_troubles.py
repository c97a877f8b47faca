"""Whatever is pulled, the desk says in one sentence what is wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from memory.tables import HeartbeatRow, RunRow
from pipeline import breaks, desk_view, reconciliation
from pipeline.engine import NO_WATCHDOG
from pipeline.heartbeats import beat
from pipeline.store import Store, now
from pipeline.troubles import Trouble, troubles
from tests.pipeline import life, scripted
from tools.execution.reconciliation.types import Break

DEAD = 2**22 + 1
"""A process number that no process has."""


def beats(component: str, state: str, detail: str) -> Callable[[Store], None]:
    return lambda store: beat(store, component, state, detail)


def dies(component: str) -> Callable[[Store], None]:
    def change(store: Store) -> None:
        beat(store, component, "ok", "waiting")
        life.tamper(store, "UPDATE heartbeats SET pid = :pid WHERE component = :name", pid=DEAD, name=component)

    return change


def hangs(store: Store) -> None:
    beat(store, "engine", "busy", "playing a session")
    with store.db.write() as session:
        row = session.get_one(HeartbeatRow, "engine")
        row.at_wall = now() - timedelta(minutes=3)
        session.add(row)


def doubts(store: Store) -> None:
    scripted.write(store, "o1", state="unknown")


def breaks_open(symbol: str | None) -> Callable[[Store], None]:
    def change(store: Store) -> None:
        with store.db.write() as session:
            found = Break(
                kind="position" if symbol else "cash", subject=symbol or "cash", symbol=symbol, ours="1", theirs="2",
                message="differs", remedy="find it",
            )  # fmt: skip
            breaks.note(session, session.get_one(RunRow, life.RUN), found, life.AS_OF)

    return change


CASES: list[tuple[str, Callable[[Store], None], str, str, str]] = [
    ("the engine is killed", dies("engine"), "no_engine", "nothing new is sent", "quarterdeck serve"),
    ("the engine hangs", hangs, "no_engine", "has not been heard since", "logs/engine.log"),
    ("the watchdog is killed", dies("watchdog"), "no_watchdog", "nothing that adds risk", "logs/watchdog.log"),
    ("the network to the broker", beats("broker", "down", "Alpaca did not answer GET /account"), "no_broker",
     "Alpaca did not answer", "status page"),
    ("the stream", beats("stream", "down", "the stream was closed"), "no_stream", "some seconds later", "the network"),
    ("the feed", beats("data", "down", "no bars of 2026-11-20 yet"), "no_data", "the session waits", "feed"),
    ("an order without an answer", doubts, "unknown_orders", "1 order in IBM", "asks until it knows"),
    ("a difference in a symbol", breaks_open("IBM"), "open_breaks", "in IBM", "quarterdeck breaks"),
    ("a difference in cash", breaks_open(None), "open_breaks", "everywhere", "explain, adopt or leave"),
    ("books that differ at a start", beats("law", "safe", reconciliation.SAFE), "safe_mode", "only watches",
     "quarterdeck breaks"),
    ("a bad limits file at a start", beats("law", "safe", "limits file: x = 1: unknown"), "safe_mode", "limits file",
     "quarterdeck doctor"),
    ("no watchdog at a start", beats("law", "safe", NO_WATCHDOG), "safe_mode", "watchdog", "logs/watchdog.log"),
]  # fmt: skip


def found(store: Store) -> list[Trouble]:
    with store.db.read() as session:
        return list(troubles(session, session.get_one(RunRow, life.RUN)))


@pytest.mark.parametrize(("what", "pull", "code", "says", "do"), CASES, ids=[case[0] for case in CASES])
def test_each_state_is_one_sentence_with_what_to_do(
    store: Store, what: str, pull: Callable[[Store], None], code: str, says: str, do: str
) -> None:
    assert found(store) == []
    pull(store)
    (trouble,) = found(store)
    assert trouble.code == code
    assert says in trouble.message
    assert do in trouble.remedy
    assert trouble.message.endswith(".")
    assert ". " not in trouble.message
    life.tamper(store, "UPDATE runs SET config = json_set(config, '$.label', 'test', '$.sessions', 9)")
    assert desk_view.desk_view(store).troubles == (trouble,)


def test_what_was_stopped_on_purpose_and_what_is_well_is_no_trouble(store: Store) -> None:
    for component in ("engine", "watchdog"):
        beat(store, component, "off", "stopped")
    for component in ("broker", "stream", "data", "law"):
        beat(store, component, "ok", "fine")
    assert found(store) == []


@pytest.mark.parametrize("component", ["broker", "stream", "data"])
def test_the_health_of_a_component_that_is_down_says_what_to_do(store: Store, component: str) -> None:
    beat(store, component, "down", "no answer")
    view = desk_view.health_view(store)
    (item,) = (item for item in view.components if item.component == component)
    assert (view.status, item.state) == ("degraded", "down")
    assert item.remedy


def test_a_store_that_cannot_be_read_says_how_to_halt_without_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> None:
        raise OperationalError("", {}, Exception())

    monkeypatch.setattr(type(store.db), "read", lambda _: lost())
    (item,) = desk_view.health_view(store).components
    assert "quarterdeck halt" in item.remedy
