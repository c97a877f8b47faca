"""A share of the random fault schedules; `python -m tests.drills.schedules` plays a thousand of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.drills import schedules

SHARE = 48


@pytest.mark.slow
def test_no_schedule_sends_or_books_twice_and_every_order_ends_known_or_blocked(tmp_path: Path) -> None:
    met: Counter[str] = Counter()
    for verdict in schedules.run(SHARE, 0, tmp_path):
        assert verdict.wrong == (), f"seed {verdict.seed}: {verdict.wrong}"
        met += verdict.met
    needed = (
        "fills",
        "deaths",
        "halts",
        "open breaks",
        "sendings lost",
        "order filled",
        "order denied",
        "order cancelled",
    )
    assert [name for name in needed if not met[name]] == [], "the schedules prove nothing of these"


@pytest.mark.parametrize("loss", ["order", "fill", "cash"])
def test_the_judge_sees_what_our_book_lost(tmp_path: Path, loss: str) -> None:
    with schedules.order_desk(tmp_path) as desk:
        assert schedules.drive(desk, 0).wrong == ()
        statement = {
            "order": f"UPDATE orders SET state = 'unknown' WHERE run_id = '{desk.run_id}' AND state = 'filled'",
            "fill": f"DELETE FROM positions WHERE run_id = '{desk.run_id}'",
            "cash": f"UPDATE runs SET cash = '1' WHERE id = '{desk.run_id}'",
        }[loss]
        with desk.store.db.write() as session:
            session.connection().exec_driver_sql(statement)
        assert schedules.wrong(desk)
        assert desk.reconcile("asked") is None
        assert schedules.wrong(desk) == (), "an open break says it, and blocks what it is about"
