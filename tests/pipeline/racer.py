"""A desk in a process of its own that does what it is told: `python -m tests.pipeline.racer HOME [DATABASE_URL]`.

One command a line: `decide APPROVAL PRINCIPAL DECISION DIGEST`, `edit APPROVAL PRINCIPAL QUANTITY DIGEST`,
`submit CASE`, `draw PARENT QUANTITY`, `halt` or `expire INDEX`; one answer a line: `ok STATUS` or the error's code.
"""

from __future__ import annotations

import sys
from pathlib import Path

from memory.tables import ParentRow
from pipeline import halt, parents
from pipeline.activation import in_force
from pipeline.editing import Edit, edit
from pipeline.store import Principal
from tests.pipeline import life
from tools.errors import QuarterdeckError


def main(home: Path, database_url: str | None) -> None:
    """Answer commands until standard input ends."""
    store = life.new_store(home, database_url)
    law = in_force(store)
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            match line.split():
                case ["decide", approval, name, ("approve" | "reject") as decision, digest]:
                    question = life.Question("", approval, digest)
                    answer = "ok " + life.say(store, question, Principal(name, "person"), decision).status
                case ["edit", approval, name, quantity, digest]:
                    edited = edit(
                        store, approval, principal=Principal(name, "person"), digest=digest, reason="less",
                        change=Edit(quantity=int(quantity)), reason_code="smaller_size",
                    )  # fmt: skip
                    answer = "ok " + edited.status
                case ["submit", case_id]:
                    answer = "ok " + life.submit(store, life.Question(case_id, "", ""), law=law).value
                case ["draw", parent_id, quantity]:
                    with store.db.write() as session:
                        parents.draw(session, session.get_one(ParentRow, parent_id), int(quantity))
                    answer = "ok drawn"
                case ["halt"]:
                    halt.engage(store, action="no_new", reason="race", principal=life.CARL)
                    answer = "ok halted"
                case ["expire", index]:
                    answer = f"ok {len(life.expire(store, int(index)))}"
                case _:
                    answer = f"what is {line!r}"
        except QuarterdeckError as error:
            answer = error.code
        print(answer, flush=True)
    store.db.dispose()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
