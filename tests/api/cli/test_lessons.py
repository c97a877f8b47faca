"""lessons list | show | propose on the command line."""

from __future__ import annotations

from tests.pipeline import taught

from ..conftest import Seeded
from .conftest import Quarterdeck


def test_a_lesson_is_listed_shown_and_proposed(quarterdeck: Quarterdeck, seeded: Seeded) -> None:
    lesson_id = taught.write(seeded.store)
    table = quarterdeck("lessons", "list", "--about", "strategy:trend", "--state", "quarantined")
    assert (table.status, table.err) == (0, "")
    assert lesson_id in table.out
    assert "worse" in table.out
    shown = quarterdeck("lessons", "show", lesson_id)
    assert shown.status == 0
    for part in ("40 settled outcomes", "only what is shadow can become promoted", "lesson.quarantined"):
        assert part in shown.out
    refused = quarterdeck("lessons", "propose", lesson_id, "--to", "promoted", "--reason", "now")
    assert (refused.status, "can become promoted" in refused.err) == (2, True)
    told = quarterdeck("lessons", "propose", lesson_id, "--to", "shadow", "--reason", "let us see")
    assert told.status == 0
    assert "approvals show" in told.out
    pending = quarterdeck("lessons", "show", lesson_id, "--json").json
    assert pending["pending_approval"] in told.out
    case = quarterdeck("cases", "show", pending["pending_case"]).out
    assert "Try the lesson on trend in shadow" in case
