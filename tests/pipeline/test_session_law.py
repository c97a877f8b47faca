"""A running desk takes the law in force at the start of each session."""

from __future__ import annotations

from pathlib import Path

from sqlmodel import select

from memory.recordings import load_blob
from memory.tables import RecordingRow
from pipeline.activation import activate, in_force
from pipeline.desk import RunRequest, open_desk, start_run
from pipeline.headless import open_player
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.life import ANN

SYMBOLS = ("AMD", "EL", "TXT", "FCX", "PNC")


def limits_checked_on(store: Store) -> set[str]:
    with store.db.read() as session:
        rows = session.exec(select(RecordingRow).where(RecordingRow.call == "risk.check_order")).all()
        return {load_blob(session, row.input_sha256)["limits"] for row in rows}


async def test_the_next_session_checks_on_the_limits_that_were_put_in_force(tmp_path: Path) -> None:
    store = life.new_store(tmp_path / "home")
    start_run(store, RunRequest(symbols=SYMBOLS))
    desk = open_desk(store)
    first = in_force(store).limits_sha256
    async with open_player(desk) as player:
        await player.play()
        path = store.home.config / "limits.yaml"
        path.write_text(path.read_text().replace('max_drawdown: "0.15"', 'max_drawdown: "0.14"'))
        await player.play()
        assert limits_checked_on(store) == {first}, "a file alone changes nothing"
        activate(store, "limits", principal=ANN, reason="calmer")
        await player.play()
    second = in_force(store).limits_sha256
    assert desk.law.limits_sha256 == second
    assert limits_checked_on(store) == {first, second}
    store.db.dispose()


def test_the_reason_for_safe_mode_goes_with_the_file_that_gave_it(tmp_path: Path) -> None:
    store = life.new_store(tmp_path / "home")
    start_run(store, RunRequest(symbols=SYMBOLS))
    path = store.home.config / "limits.yaml"
    good = path.read_text()
    path.write_text(good + "\n# a note\n")
    desk = open_desk(store, attended=True)
    store.reduce_only.append("another reason")
    assert not desk.take_law()
    assert len(store.reduce_only) == 2
    path.write_text(good)
    assert desk.take_law()
    assert store.reduce_only == ["another reason"]
    assert not desk.take_law()
    store.db.dispose()
