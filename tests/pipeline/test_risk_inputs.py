"""What the case says about the book after its order, and what drafting knows: protection, edges, known scenarios."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlmodel import select

from memory.tables import EquityRow, EvidenceRow, ExplanationRow, FindingRow, OutcomeRow, RunRow
from pipeline.cycle_graph import CycleContext, first_state
from pipeline.desk import Desk
from pipeline.editing import Edit, edit
from pipeline.risk_inputs import WINDOW, edges_of, known_scenarios, protection_of
from pipeline.session import SessionPlayer
from pipeline.work import CycleWork
from tests.pipeline import parked
from tests.pipeline.life import ANN
from tools.data.types import MarketData
from tools.risk.measures.types import WhatIf
from tools.types import Outcome

FIRST = date(2009, 11, 20)


def told(case: parked.Case) -> tuple[ExplanationRow, WhatIf]:
    """The explanation of a case and the what-if that it cites."""
    with case.store.db.read() as session:
        row = session.get_one(ExplanationRow, case.question.case_id)
        (cited,) = {one for c in row.body["claims"] if c["kind"] == "what_if" for one in c["evidence_ids"]}
        return row, WhatIf.model_validate(session.get_one(EvidenceRow, cited).body.payload)


async def test_an_asked_case_says_what_its_order_does_to_the_book(case: parked.Case) -> None:
    row, found = told(case)
    assert (found.symbol, found.quantity) == ("IBM", 10)
    assert row.unresolved == 0
    assert found.find("gross").before == 0
    assert found.find("gross").after is not None
    assert "Measured by the room its limits leave, it moves" in row.body["prose"]
    assert "Historical value at risk over the next session, at 95 % confidence" in row.body["prose"]


async def test_no_scenario_from_after_the_clock_becomes_evidence(case: parked.Case, market: MarketData) -> None:
    _, found = told(case)
    assert found.scenarios == ("2008-09",)
    late = known_scenarios(market, market.tick(date(2010, 5, 6), "close").as_of)
    assert [item.id for item in late] == ["2008-09", "2010-05-06"]


async def test_an_edit_is_measured_again(case: parked.Case) -> None:
    before, first = told(case)
    asked = case.question
    await asyncio.to_thread(
        edit, case.store, asked.approval_id, principal=ANN, digest=asked.digest, change=Edit(quantity=5),
        reason="half of it", reason_code="smaller_size",
    )  # fmt: skip
    after, second = told(case)
    assert (first.quantity, second.quantity) == (10, 5)
    assert first.find("gross").after > second.find("gross").after  # type: ignore[operator]
    assert before.sha256 != after.sha256
    assert after.unresolved == 0


def test_the_history_of_a_cycle_ends_at_its_clock(desk: Desk) -> None:
    work = CycleWork(desk, 60)
    assert work.history.sessions[-1] == work.tick.session
    assert len(work.history.sessions) == min(WINDOW, 60)
    assert work.history.returns.shape == (60, len(parked.SYMBOLS))


def closes(desk: Desk, *drawdowns: str) -> None:
    with desk.db.write() as session:
        for day, drawdown in enumerate(drawdowns):
            session.add(
                EquityRow(
                    run_id=desk.run_id, session=FIRST + timedelta(days=day), equity=Decimal(1), cash=Decimal(1),
                    drawdown=Decimal(drawdown), index_close=1.0,
                )
            )  # fmt: skip


async def test_a_protection_that_starts_to_bind_is_a_finding_once(desk: Desk, player: SessionPlayer) -> None:
    closes(desk, "0", "0.1")
    work = CycleWork(desk, 60)
    for _ in range(2):
        await player.cycle_graph.ainvoke(first_state(desk, work), context=CycleContext(desk, work))
    with desk.db.read() as session:
        (row,) = session.exec(select(FindingRow).where(FindingRow.code == "protection_binds")).all()
        (evidence,) = row.body.evidence_ids
        kept = session.get_one(EvidenceRow, evidence).body
    assert "a drawdown of 10.00 % scales new entries to 50.00 %" in row.body.message
    assert kept.payload["factor"] == "0.5"


async def test_a_protection_that_goes_on_binding_is_no_news(desk: Desk, player: SessionPlayer) -> None:
    closes(desk, "0.1", "0.1")
    work = CycleWork(desk, 60)
    await player.cycle_graph.ainvoke(first_state(desk, work), context=CycleContext(desk, work))
    with desk.db.read() as session:
        assert session.exec(select(FindingRow).where(FindingRow.code == "protection_binds")).all() == []
        assert protection_of(session, desk.run_id, desk.law.limits.protection).factor == Decimal("0.5")


def test_an_edge_counts_every_settled_view_and_takes_the_mean_over_the_index(desk: Desk) -> None:
    with desk.db.write() as session:
        run = session.get_one(RunRow, desk.run_id)
        for number, (excess, view) in enumerate([(0.01, 0.02), (0.03, 0.06), (None, None)]):
            body = Outcome(
                id=f"out_{number}", proposal_id="p", case_id=f"c{number}", strategy="trend", symbol="IBM", side="buy",
                disposition="refused", opened=FIRST, due=FIRST, horizon_sessions=5, entry_price=Decimal(1),
                view_return=view, excess_return=excess, settled=excess is not None,
            )  # fmt: skip
            session.add(
                OutcomeRow(
                    id=body.id, run_id=run.id, case_id=body.case_id, strategy="trend", symbol="IBM",
                    disposition="refused", settled=body.settled, opened_index=1, due_index=2, index_entry=1.0,
                    body=body,
                )
            )  # fmt: skip
    with desk.db.read() as session:
        edge = edges_of(session, desk.run_id)["trend"]
    assert edge.outcomes == 2
    assert edge.mean == pytest.approx(0.02)
    assert edge.variance == pytest.approx(0.0008)
