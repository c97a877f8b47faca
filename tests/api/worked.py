"""A worked order in the seeded home: one child filled, the next held back, two to come."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from memory.ledger import Entry, Stage, append
from memory.tables import CaseRow, FillRow, OrderRow, ParentRow
from pipeline.slices import HELD
from pipeline.store import Store
from tests.pipeline.test_slices import DAYS, PLAN
from tools.data.types import Bar, CorporateAction
from tools.execution.types import Fill, OrderRequest
from tools.types import CaseState, Tick, Working

from .conftest import AS_OF, RUN, case_row, proposal

PARENT, CASE = "parent_1", "case_9"


class Bars:
    """A market that knows the first session of the plan and what came before."""

    sessions = (*(DAYS[0].date() - timedelta(days=100 - n) for n in range(60)), *(day.date() for day in DAYS))

    def tick(self, session: date, phase: Any) -> Tick:
        return Tick(session=session, phase=phase, as_of=DAYS[0])

    def bars(self, session: date, as_of: Any) -> dict[str, Bar]:
        prices = {"open": "120", "high": "123", "low": "120", "close": "120"}
        values = {name: Decimal(text) for name, text in prices.items()}
        return {
            "IBM": Bar(symbol="IBM", session=session, volume=1000, event_time=as_of, known_at=as_of, **values)
        }  # fmt: skip

    def corporate_actions(self, ex_date: date, as_of: Any) -> tuple[CorporateAction, ...]:
        return ()


def seed_worked(store: Store, **changes: Any) -> None:
    """Buy 100 IBM over three opens; `changes` are columns of its case."""
    body = proposal(9, "IBM", "ev_1").model_copy(
        update={"quantity": 100, "strategy": "manual:ann", "working": Working(algorithm="twap", sessions=3)}
    )
    case = case_row(body, 9, CaseState.SUBMITTED)
    case.strategy = body.strategy
    plan = PLAN.model_copy(update={"arrival_price": Decimal("120.00")})
    request = OrderRequest(
        client_order_id="child_1", symbol="IBM", side="buy", quantity=34, order_type="market", time_in_force="opg"
    )
    fill = Fill(
        execution_id="ex_9", sequence=9, client_order_id="child_1", symbol="IBM", side="buy", quantity=34,
        price=Decimal("120.60"), commission=Decimal("1"), reference_price=Decimal("120.5"), session=DAYS[0].date(),
        at=DAYS[0],
    )  # fmt: skip
    with store.db.write() as session:
        for name, value in changes.items():
            setattr(case, name, value)
        session.add(case)
        session.add(
            ParentRow(
                id=PARENT, run_id=RUN, case_id=CASE, grant_id="g9", symbol="IBM", side="buy", quantity=100, drawn=34,
                plan=plan.model_dump(mode="json"), opened=DAYS[0],
            )
        )  # fmt: skip
        session.add(
            OrderRow(
                client_order_id="child_1", run_id=RUN, case_id=CASE, grant_id="g9", leg="entry", attempt=1,
                symbol="IBM", side="buy", quantity=34, state="filled", filled_quantity=34,
                average_price=Decimal("120.60"), created=DAYS[0], body=request, updated_wall=AS_OF, parent_id=PARENT,
            )
        )  # fmt: skip
        session.add(
            FillRow(
                execution_id="ex_9", run_id=RUN, case_id=CASE, client_order_id="child_1", symbol="IBM", side="buy",
                quantity=34, price=fill.price, commission=fill.commission, session=fill.session, at=fill.at, body=fill,
            )
        )  # fmt: skip
        append(
            session,
            Entry(
                kind=HELD, step="held:1", case_id=CASE, run_id=RUN, desk_time=DAYS[1], stage=Stage.ORDER,
                content={"slice": 1, "quantity": 33, "reason": "a halt is in force"},
            ),
        )  # fmt: skip


def case_state(store: Store) -> str:
    with store.db.read() as session:
        return session.get_one(CaseRow, CASE).state
