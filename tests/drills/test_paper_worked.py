"""A worked order in paper mode: one child at each open of a venue that keeps its own hours, and down again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from memory.tables import ApprovalRow, CaseRow
from pipeline import reconciliation, tickets
from pipeline.parents import children
from pipeline.stopping import find
from tests.drills.test_paper import ANN, Paper, paper, peers, source
from tools.types import Side, Working

__all__ = ["paper", "peers", "source"]
SYMBOL = "IBM"


async def written(paper: Paper, side: Side, quantity: int) -> str:
    """Write a ticket worked over two opens and have it released."""
    wish = tickets.Ticket(
        symbol=SYMBOL, side=side, quantity=quantity, working=Working(algorithm="twap", sessions=2)
    )  # fmt: skip
    case = tickets.propose(paper.store, wish, principal=ANN, reason="a hedge")
    await paper.player.open_by_hand()
    paper.approve()
    with paper.store.db.read() as session:
        found = session.get_one(CaseRow, case.id)
    assert found.state == "approved", found.reason
    return case.id


def stands(paper: Paper, case_id: str) -> tuple[str, list[tuple[int, str, str]]]:
    with paper.store.db.read() as session:
        asked = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case_id)).one()
        rows = children(session, find(session, case_id).id) if asked.status == "approved" else ()
        return session.get_one(CaseRow, case_id).state, [
            (row.quantity, row.state, row.body.time_in_force) for row in rows
        ]


@pytest.mark.slow
async def test_children_go_at_the_open_of_each_day_and_the_stop_follows_what_is_held(paper: Paper) -> None:
    await paper.open()
    await paper.close()
    bought = await written(paper, "buy", 11)
    for day, (state, sent) in enumerate([("submitted", [6]), ("done", [6, 5])], start=1):
        await paper.open()
        assert stands(paper, bought) == (state, [(quantity, "filled", "day") for quantity in sent])
        for _ in range(2):  # the stop is cancelled, then its successor is written
            paper.day.to(paper.day.now + timedelta(seconds=20))
            paper.day.trade()
            paper.player.follow()
        held, _ = paper.books()
        stops = [row.quantity for row in paper.orders("stop") if row.state == "new" and row.symbol == SYMBOL]
        assert (held[SYMBOL], stops, day) == (sum(sent), [sum(sent)], len(sent))
        await paper.close()
    sold = await written(paper, "sell", 11)
    for left in (5, 0):
        await paper.open()
        paper.day.trade()  # the stop held the shares: the child went when it had been cancelled
        paper.day.to(paper.day.now + timedelta(seconds=20))
        paper.player.follow()
        assert paper.books()[0].get(SYMBOL, 0) == left
        await paper.close()
    assert stands(paper, sold)[0] == "done"
    report = reconciliation.reconcile_desk(paper.desk, "asked")
    assert report is not None
    assert (report.error, report.found, paper.open_breaks()) == (None, 0, [])
    assert paper.books()[0] == paper.desk.broker.positions()
