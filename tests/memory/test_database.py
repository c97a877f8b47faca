"""The database: what is not one is refused by name, a write happens whole or not at all."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from memory.database import Database, insert_if_absent
from memory.migrations import upgrade
from memory.tables import HeartbeatRow
from pipeline.store import now
from tools.errors import ConfigError, HomeError


def beat(component: str, pid: int = 1) -> HeartbeatRow:
    return HeartbeatRow(component=component, pid=pid, state="ok", detail="", at_wall=now())


@pytest.mark.parametrize(
    "url",
    ["", "desk.sqlite", "mysql://user@host/desk", "oracle://x", "sqlite+unknown://x", "postgresql://x:notaport/y"],
)
def test_a_url_that_cannot_be_used_is_refused_before_anything_is_opened(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Database(url)
    assert caught.value.code == "bad_database_url"


@pytest.mark.parametrize(
    "content", [b"This is a text file, not a database. " * 40, b"SQLite format 3\x00" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_named_as_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "desk.sqlite").write_bytes(content)
    with pytest.raises(HomeError) as caught:
        Database(f"sqlite:///{tmp_path / 'desk.sqlite'}").check()
    assert caught.value.code == "home_corrupted"


def test_a_database_with_a_page_overwritten_is_named_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "desk.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    with database.write() as session:
        for number in range(200):
            session.add(beat(f"component-{number}-{'x' * 200}"))
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.check()
    database.dispose()
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\x5a" * 64
    path.write_bytes(data)
    with pytest.raises(HomeError) as caught:
        Database(f"sqlite:///{path}").check()
    assert caught.value.code == "home_corrupted"


def test_a_path_that_cannot_be_opened_is_named_as_unreadable(tmp_path: Path) -> None:
    with pytest.raises(HomeError) as caught:
        Database(f"sqlite:///{tmp_path}").check()
    assert caught.value.code == "home_unreadable"


def test_a_write_that_fails_leaves_nothing(any_db: Database) -> None:

    def attempt() -> None:
        with any_db.write() as session:
            session.add(beat("engine"))
            session.flush()
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        attempt()
    with any_db.read() as session:
        assert session.exec(select(HeartbeatRow)).all() == []


def test_what_is_added_in_a_read_is_not_kept(any_db: Database) -> None:
    with any_db.read() as session:
        session.add(beat("engine"))
        session.flush()
    with any_db.read() as session:
        assert session.exec(select(HeartbeatRow)).all() == []


def test_insert_if_absent_says_whether_it_inserted_and_never_overwrites(any_db: Database) -> None:
    values = {"component": "engine", "pid": 1, "state": "ok", "detail": "", "at_wall": now()}
    with any_db.write() as session:
        assert insert_if_absent(session, HeartbeatRow, values)
        assert not insert_if_absent(session, HeartbeatRow, {**values, "pid": 2})
    with any_db.read() as session:
        assert session.get_one(HeartbeatRow, "engine").pid == 1


def test_a_second_writer_waits_for_the_first_instead_of_reading_what_it_will_change(any_db: Database) -> None:
    """Read, then write what follows from it, from eight threads: no update is lost on either database."""
    with any_db.write() as session:
        session.add(beat("counter", pid=0))

    def raise_by_ten() -> None:
        for _ in range(10):
            with any_db.write() as session:
                row = session.get_one(HeartbeatRow, "counter")
                row.pid += 1
                session.add(row)

    threads = [threading.Thread(target=raise_by_ten) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with any_db.read() as session:
        assert session.get_one(HeartbeatRow, "counter").pid == 80


def test_two_writers_that_touch_rows_in_opposite_order_do_not_deadlock(any_db: Database) -> None:
    with any_db.write() as session:
        session.add_all([beat("a", 0), beat("b", 0)])
    troubles: list[BaseException] = []

    def touch(*names: str) -> None:
        try:
            for _ in range(20):
                with any_db.write() as session:
                    for name in names:
                        session.connection().execute(
                            text("UPDATE heartbeats SET pid = pid + 1 WHERE component = :name"), {"name": name}
                        )
        except BaseException as error:  # noqa: BLE001
            troubles.append(error)

    threads = [threading.Thread(target=touch, args=names) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    with any_db.read() as session:
        assert [session.get_one(HeartbeatRow, name).pid for name in "ab"] == [40, 40]


def test_a_reader_does_not_wait_for_a_writer(any_db: Database) -> None:
    with any_db.write() as writing:
        writing.add(beat("engine"))
        writing.flush()
        with any_db.read() as reading:
            assert reading.exec(select(HeartbeatRow)).all() == []


def test_what_is_committed_is_on_the_disk(tmp_path: Path) -> None:
    """Asked in a process of its own: the tests of this one do not wait for the disk."""
    script = (
        "import sys; from memory.database import Database; "
        "print(Database(sys.argv[1]).engine.connect().exec_driver_sql('PRAGMA synchronous').scalar_one())"
    )
    url = f"sqlite:///{tmp_path / 'home.sqlite'}"
    said = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "2", "FULL"
