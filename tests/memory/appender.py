"""Append many records from a process of its own: `python -m tests.memory.appender URL NAME COUNT`."""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, datetime, timedelta

from memory.database import Database
from memory.ledger import Entry, Stage, append

START = datetime(2009, 11, 13, 21, 0, tzinfo=UTC)


def main(url: str, name: str, count: int) -> None:
    """Append `count` records, one transaction each, as soon as somebody writes a line to standard input.

    Pauses of up to 3 ms let the other process in: without them SQLite lets one writer run ahead.
    """
    pause = random.Random(name)
    database = Database(url)
    with database.read() as session:
        session.connection()
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        with database.write() as session:
            append(
                session,
                Entry(
                    kind="test.appended", step=f"{name}:{number}", run_id="run_race", content={"by": name, "n": number},
                    desk_time=START + timedelta(minutes=number), stage=Stage.SYSTEM,
                ),
            )  # fmt: skip
        time.sleep(pause.uniform(0, 0.003))
    database.dispose()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
