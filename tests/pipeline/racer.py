"""A desk in a process of its own that does what it is told: `python -m tests.pipeline.racer HOME [DATABASE_URL]`.

One command a line: `decide APPROVAL PRINCIPAL DECISION DIGEST` or `submit CASE`; one answer a line: `ok STATUS` or
the code of the error.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.store import Principal
from tests.pipeline import life
from tools.errors import QuarterdeckError


def main(home: Path, database_url: str | None) -> None:
    """Answer commands until standard input ends."""
    store = life.new_store(home, database_url)
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            match line.split():
                case ["decide", approval, name, ("approve" | "reject") as decision, digest]:
                    question = life.Question("", approval, digest)
                    answer = "ok " + life.say(store, question, Principal(name, "person"), decision).status
                case ["submit", case_id]:
                    answer = "ok " + life.submit(store, life.Question(case_id, "", "")).value
                case _:
                    answer = f"what is {line!r}"
        except QuarterdeckError as error:
            answer = error.code
        print(answer, flush=True)
    store.db.dispose()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
