"""Outcomes settle on closes that are there: a name without a bar on its due day neither raises nor settles on NaN."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pytest
from sqlmodel import select

from memory.tables import LedgerRow, OutcomeRow
from pipeline.activation import in_force
from pipeline.desk import Desk
from pipeline.settle import settle_outcomes
from pipeline.store import Store
from pipeline.work import CycleWork
from tests.pipeline import life
from tools.data.types import MarketData, Panel
from tools.types import Outcome, Phase, Tick

DAYS = (date(2009, 11, 16), date(2009, 11, 17), date(2009, 11, 18))
NAN = float("nan")


class Closes:
    """A market of one name whose closes the test writes down."""

    sessions = tuple(DAYS[2] - timedelta(62 - number) for number in range(63))

    def __init__(self, *closes: float) -> None:
        self.closes = closes

    def panel(self, as_of: Any, lookback: int) -> Panel:
        column = np.array(self.closes, dtype=float).reshape(-1, 1)
        return Panel(DAYS, ("IBM",), column, column, column, column, column)

    def index_close(self, session: date, as_of: Any) -> float:
        return 1010.0

    def tick(self, session: date, phase: Phase) -> Tick:
        return Tick(session=session, phase=phase, as_of=life.AS_OF)


def settled(store: Store, *closes: float) -> OutcomeRow:
    """Settle one view of 100 opened on the first day, due on the third."""
    case_id = life.draft(store, life.proposal())
    body = Outcome(
        id="out_1", proposal_id="prop_1", case_id=case_id, strategy="trend-0", symbol="IBM", side="buy",
        disposition="not_selected", opened=DAYS[0], due=DAYS[2], horizon_sessions=2, entry_price=Decimal(100),
    )  # fmt: skip
    with store.db.write() as session:
        session.add(
            OutcomeRow(
                id=body.id, run_id=life.RUN, case_id=case_id, strategy="trend-0", symbol="IBM", settled=False,
                disposition="not_selected", opened_index=60, due_index=62, index_entry=1000.0, body=body,
            )
        )  # fmt: skip
    market = cast(MarketData, Closes(*closes))
    desk = Desk(
        store=store, run_id=life.RUN, market=market, broker=cast(Any, None), law=in_force(store), recall=None,
        seed=0,
    )  # fmt: skip
    work = CycleWork(desk, 62)
    work.__dict__["tick"] = life.OPEN_TICK.model_copy(update={"session": DAYS[2]})
    settle_outcomes(desk, work)
    with store.db.read() as session:
        return session.exec(select(OutcomeRow)).one()


def said(store: Store) -> str:
    with store.db.read() as session:
        return "".join(session.exec(select(LedgerRow.content).where(LedgerRow.kind == "outcomes.settled")).all())


def test_a_view_is_settled_at_the_close_of_its_due_day(store: Store) -> None:
    row = settled(store, 100, 108, 110)
    assert (row.settled, row.body.exit_price) == (True, Decimal(110))
    assert row.body.view_return == pytest.approx(0.10)
    assert "exit_session" not in said(store)
    assert life.findings(store) == []


def test_without_a_bar_on_the_due_day_the_last_known_close_settles_it_and_that_is_said(store: Store) -> None:
    row = settled(store, 100, 108, NAN)
    assert (row.settled, row.body.exit_price) == (True, Decimal(108))
    assert row.body.view_return == pytest.approx(0.08)
    assert '"exit_session":"2009-11-17"' in said(store)
    assert life.findings(store) == ["settled_on_old_close"]


def test_a_name_without_a_close_at_its_opening_waits(store: Store) -> None:
    row = settled(store, NAN, NAN, NAN)
    assert (row.settled, row.body.exit_price) == (False, None)
    assert said(store) == ""
