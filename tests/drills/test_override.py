"""An order that only soft limits blocked: a risk officer asks, another person agrees, it goes once and only it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlmodel import col, select

from memory.tables import ApprovalRow, CaseRow, ExplanationRow, GrantRow, OrderRow, OverrideRow, RunRow
from pipeline import approvals, attention, halt, halt_release, overriding
from pipeline.overrides import overrides_of
from pipeline.store import Principal
from tests.drills.desk import Drill
from tools.errors import AccessError, ApprovalError
from tools.risk.types import Check
from tools.types import CaseState

OFFICER = Principal("rita", "person")
SECOND = Principal("ann", "person")
STAND_IN = Principal("stand-in:1", "stand_in")


async def blocked_case(drill: Drill, **limits: object) -> CaseRow:
    """Play one close on tighter limits and return the first case that controls blocked."""
    law = drill.desk.law
    drill.keep_law(replace(law, limits=law.limits.model_copy(update=limits)))
    await drill.play(1, "none")
    with drill.store.db.read() as session:
        found = session.exec(
            select(CaseRow)
            .where(CaseRow.state == "blocked", CaseRow.opened_index == drill.index, col(CaseRow.checks).is_not(None))
            .order_by(col(CaseRow.rank))
        ).all()
    return next(case for case in found if any(item["verdict"] == "block" for item in case.checks or []))


@pytest.fixture
async def case(drill: Drill) -> CaseRow:
    """A case that nothing but the number of open positions blocked."""
    return await blocked_case(drill, max_open_positions=1)


def ask(drill: Drill, case: CaseRow, *controls: str, who: Principal = OFFICER) -> None:
    overriding.ask(drill.store, case.id, controls or None, principal=who, reason="the client insists on this name")


def again(drill: Drill, case: CaseRow) -> CaseRow:
    with drill.store.db.read() as session:
        return session.get_one(CaseRow, case.id)


def question(drill: Drill, case: CaseRow) -> ApprovalRow:
    with drill.store.db.read() as session:
        return session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case.id)).one()


def needs_two(drill: Drill) -> None:
    """The desk profile: nobody signs what they proposed."""
    law = drill.desk.law
    drill.desk.law = replace(law, policy=law.policy.model_copy(update={"profile": "desk"}))


def answer(drill: Drill, case: CaseRow, who: Principal, decision: str = "approve") -> None:
    row = question(drill, case)
    if who.kind == "person":
        attention.record_view(drill.store, row.id, who, seconds=30.0, evidence_opened=True)
    approvals.decide(
        drill.store, row.id, principal=who, decision=decision, digest=row.digest, reason="agreed",  # type: ignore[arg-type]
        reason_code="other" if decision == "reject" else None,
    )  # fmt: skip


async def test_two_people_let_one_order_past_a_soft_limit_and_it_is_filled(drill: Drill, case: CaseRow) -> None:
    needs_two(drill)
    ask(drill, case)
    assert await drill.player.open_by_hand() == 1
    row = question(drill, case)
    assert again(drill, case).state == "awaiting"
    assert (row.tier, row.evidence_required, row.separate) == ("high", True, ["proposer"])
    assert overrides_of(row) == {"max_open_positions"}
    checks = {item.control: item for item in map(Check.model_validate, again(drill, case).checks or [])}
    assert (checks["max_open_positions"].verdict, checks["max_open_positions"].overridden) == ("warn", True)
    with pytest.raises(ApprovalError, match="rita proposed this"):
        answer(drill, case, OFFICER)
    answer(drill, case, SECOND)
    await drill.play(1, "none")
    with drill.store.db.read() as session:
        orders = session.exec(select(OrderRow).where(OrderRow.case_id == case.id, OrderRow.leg == "entry")).all()
        after = session.exec(
            select(CaseRow).where(CaseRow.opened_index == drill.index, CaseRow.state == "blocked")
        ).all()
    assert [order.state for order in orders] == ["filled"]
    assert {
        item.control for one in after for item in map(Check.model_validate, one.checks or []) if item.overridden
    } == set()
    assert [row.kind for row in drill.recorded("override.asked")] == ["override.asked"]
    drill.books_agree()


async def test_the_explanation_names_who_asked_and_what_is_let_past(drill: Drill, case: CaseRow) -> None:
    ask(drill, case)
    await drill.player.open_by_hand()
    with drill.store.db.read() as session:
        prose = session.get_one(ExplanationRow, case.id).body["prose"]
    assert "rita asks to let it past max open positions; another must agree." in prose


async def test_without_an_answer_it_expires_with_its_session(drill: Drill, case: CaseRow) -> None:
    ask(drill, case)
    await drill.player.open_by_hand()
    await drill.play(1, "none")
    assert again(drill, case).state == CaseState.EXPIRED.value


async def test_an_override_that_the_engine_never_saw_is_asked_and_expires_with_its_session(
    drill: Drill, case: CaseRow
) -> None:
    ask(drill, case)
    await drill.play(1, "none")
    assert again(drill, case).state == CaseState.EXPIRED.value


async def test_a_refusal_ends_it(drill: Drill, case: CaseRow) -> None:
    ask(drill, case)
    await drill.player.open_by_hand()
    answer(drill, case, SECOND, "reject")
    with pytest.raises(ApprovalError, match="is rejected, not blocked"):
        ask(drill, case)


async def test_a_hard_limit_has_no_override(drill: Drill) -> None:
    hard = await blocked_case(drill, max_position_share=Decimal("0.0001"))
    with pytest.raises(ApprovalError, match="hard limit: nobody may override") as refused:
        ask(drill, hard)
    assert refused.value.code == "invalid"
    assert again(drill, hard).state == "blocked"


async def test_what_it_names_must_be_what_blocks_it(drill: Drill, case: CaseRow) -> None:
    for named in (("adv_share",), ("adv_share", "max_open_positions"), ("no_such_control",), ("gross_share",)):
        with pytest.raises(ApprovalError) as refused:
            ask(drill, case, *named)
        assert refused.value.code == "invalid"
    ask(drill, case, "max_open_positions")


async def test_it_is_asked_once_by_a_risk_officer_while_its_session_lasts_and_nothing_is_halted(
    drill: Drill, case: CaseRow
) -> None:
    with pytest.raises(ApprovalError, match="only a person"):
        ask(drill, case, who=STAND_IN)
    with pytest.raises((ApprovalError, AccessError)):
        ask(drill, case, who=Principal("bob", "person", session_id="none"))
    halt.engage(drill.store, action="no_new", reason="looking", principal=SECOND)
    with pytest.raises(ApprovalError, match="halt") as refused:
        ask(drill, case)
    assert refused.value.code == "forbidden"
    halt_release.release(drill.store, reason="looked", principal=SECOND)
    ask(drill, case)
    with pytest.raises(ApprovalError, match="drafted, not blocked"):
        ask(drill, case)


async def test_an_old_session_is_over(drill: Drill, case: CaseRow) -> None:
    await drill.play(1, "none")
    with pytest.raises(ApprovalError, match="session of this case is over"):
        ask(drill, case)


async def test_a_stand_in_lets_nothing_past(drill: Drill, case: CaseRow) -> None:
    ask(drill, case)
    await drill.player.open_by_hand()
    with pytest.raises(ApprovalError, match="a person answers this"):
        answer(drill, case, STAND_IN)


async def test_a_wider_permission_written_into_the_tables_sends_nothing(drill: Drill, case: CaseRow) -> None:
    ask(drill, case)
    await drill.player.open_by_hand()
    answer(drill, case, SECOND)
    with drill.store.db.write() as session:
        row = session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case.id)).one()
        row.facts = {**row.facts, "overrides": ["adv_share", "max_open_positions"]}
        row.not_before_wall = None
        session.add(row)
    await drill.play(1, "none")
    assert again(drill, case).state == CaseState.VOIDED.value
    assert [row.severity for row in drill.findings("tampered")] == ["critical"]
    with drill.store.db.read() as session:
        assert session.exec(select(OrderRow).where(OrderRow.case_id == case.id)).all() == []
        assert session.exec(select(GrantRow).where(GrantRow.case_id == case.id)).one().status != "consumed"


async def test_another_control_that_blocks_meanwhile_still_blocks(drill: Drill, case: CaseRow) -> None:
    ask(drill, case)
    law = drill.desk.law
    drill.desk.law = replace(law, limits=law.limits.model_copy(update={"restricted": (case.symbol,)}))
    await drill.player.open_by_hand()
    assert again(drill, case).state == "blocked"
    assert (again(drill, case).reason or "").startswith("restricted:")
    with drill.store.db.read() as session:
        assert session.get(OverrideRow, case.id) is not None
        assert session.get_one(RunRow, drill.desk.run_id).active
