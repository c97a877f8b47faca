"""Who says that it is off was stopped; who failed falls silent and is missed."""

from __future__ import annotations

import pytest

from memory.tables import HeartbeatRow
from pipeline.desk import Desk
from pipeline.engine import Engine
from pipeline.heartbeats import beat, beating
from pipeline.session import SessionPlayer
from pipeline.store import Store


def state_of(store: Store, component: str) -> str:
    with store.db.read() as session:
        return session.get_one(HeartbeatRow, component).state


@pytest.mark.parametrize(("end", "state"), [(None, "off"), (KeyboardInterrupt, "off"), (RuntimeError, "ok")])
def test_what_ends_by_an_error_never_says_that_it_was_stopped(
    store: Store, end: type[BaseException] | None, state: str
) -> None:
    try:
        with beating(store, "api", "answers"):
            if end is not None:
                raise end
    except (KeyboardInterrupt, RuntimeError):
        pass
    assert state_of(store, "api") == state


@pytest.mark.parametrize("fails", [True, False])
async def test_an_engine_that_failed_falls_silent_and_one_that_was_stopped_says_so(
    desk: Desk, player: SessionPlayer, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    engine = Engine(desk.store, desk, player)
    beat(desk.store, "engine", "ok", "here")

    async def step() -> None:
        if fails:
            raise ZeroDivisionError("a bug")
        engine.stopping.set()

    monkeypatch.setattr(engine, "_step", step)
    if fails:
        with pytest.raises(ZeroDivisionError):
            await engine.run()
    else:
        await engine.run()
    assert (state_of(desk.store, "engine") == "off") is not fails
