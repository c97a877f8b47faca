from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from agents.explanation import rules as explanation_rules
from agents.explanation.output import Explanation
from agents.operator.node import answer
from agents.operator.output import (
    CaseFacts,
    ChangeFacts,
    DecisionFacts,
    DeskFacts,
    FillFacts,
    HaltFacts,
    LimitUse,
    OperatorTools,
    PositionFacts,
    WaitingFacts,
)
from agents.opinion import Context
from tests.agents.builders import AS_OF, explanation_brief, model_context, rules_context
from tools.types import Finding, ReviewReason

CASE = "case_00000000000000aa"
REFUSED = "case_00000000000000bb"


def case(case_id: str = CASE, **changed: Any) -> CaseFacts:
    values: dict[str, Any] = {
        "case_id": case_id, "symbol": "IBM", "strategy": "trend", "side": "buy", "kind": "order.entry", "quantity": 150,
        "notional": Decimal("19054.50"), "state": "done", "opened": date(2009, 11, 13), "risk_effect": "increases",
        "thesis": "IBM closed above its average.", "verdict": "keep", "excess_return": 0.0123,
        "reasons": (ReviewReason(code="sound", text="Nothing speaks against it."),),
        "decisions": (DecisionFacts(principal="ann", decision="approve", reason="fits the plan"),),
        "fills": (FillFacts(side="buy", quantity=150, price=Decimal("127.20"), session=date(2009, 11, 16)),),
        "evidence_ids": ("ev_0123456789abcdef",),
    } | changed  # fmt: skip
    return CaseFacts(**values)


@dataclass
class Desk:
    """Tools over fixed facts. There is nothing here that could act."""

    cases: tuple[CaseFacts, ...] = ()
    held: tuple[PositionFacts, ...] = ()
    queue: tuple[WaitingFacts, ...] = ()
    halts: tuple[HaltFacts, ...] = ()
    empty: bool = False
    asked: list[str] = field(default_factory=list)

    async def desk(self) -> DeskFacts | None:
        if self.empty:
            return None
        return DeskFacts(
            mode="replay", label="survivors only", session=date(2009, 11, 13), session_index=60, sessions_total=245,
            phase="close", stage="waiting", equity=Decimal("987654.32"), equity_start=Decimal(1_000_000),
            cash=Decimal("654321.09"), gross=Decimal("333333.23"), drawdown=Decimal("0.0123"),
            day_change=Decimal("-0.0031"), positions=len(self.held), waiting=len(self.queue), halts=self.halts,
        )  # fmt: skip

    async def positions(self) -> tuple[PositionFacts, ...]:
        return self.held

    async def waiting(self) -> tuple[WaitingFacts, ...]:
        return self.queue

    async def find_case(self, symbol: str) -> tuple[CaseFacts, ...]:
        self.asked.append(symbol)
        return tuple(item for item in self.cases if item.symbol == symbol)

    async def case(self, case_id: str) -> CaseFacts | None:
        return next((item for item in self.cases if item.case_id == case_id), None)

    async def explain(self, case_id: str) -> Explanation | None:
        return explanation_rules.explain(explanation_brief()) if case_id == CASE else None

    async def limits_used(self) -> tuple[LimitUse, ...]:
        return (
            LimitUse(name="gross_share", used=Decimal("0.3375"), limit=Decimal(1)),
            LimitUse(name="drawdown", used=Decimal("0.0123"), limit=Decimal("0.15")),
            LimitUse(name="max_open_positions", used=Decimal(39), limit=Decimal(40), unit="count"),
        )

    async def changes(self, limit: int) -> tuple[ChangeFacts, ...]:
        return () if self.empty else (ChangeFacts(at=AS_OF, kind="fill.booked", text="bought 150 IBM", case_id=CASE),)

    async def findings(self) -> tuple[Finding, ...]:
        return ()


HELD = PositionFacts(
    symbol="IBM", quantity=150, average_price=Decimal("127.20"), mark=Decimal("128.00"),
    market_value=Decimal("19200.00"),
    unrealised=Decimal("120.00"), sector="Technology", strategy="trend", case_id=CASE, stop_price=Decimal("122.41"),
)  # fmt: skip
WAITS = WaitingFacts(
    approval_id="appr_0000000000000001", case_id=CASE, symbol="IBM", side="buy", quantity=150,
    notional=Decimal("19054.50"), strategy="trend", given=0, required=1, sessions_left=1,
)  # fmt: skip


async def said(question: str, tools: OperatorTools, context: Context | None = None) -> str:
    pieces = [piece async for piece in answer(question, tools, context or rules_context())]
    return "".join(pieces)


async def test_why_not_tells_the_fate_of_the_case_and_on_whose_word() -> None:
    refused = case(
        REFUSED, state="blocked", reason="vetoed", verdict="veto", fills=(), decisions=(), excess_return=None,
        reasons=(ReviewReason(code="illiquid", text="Only 1,250,000 is traded in it a day."),),
    )  # fmt: skip
    text = await said("Why did we not buy IBM?", Desk(cases=(refused, case())))
    assert REFUSED in text
    assert "was blocked: the reviewer vetoed it" in text
    assert "Only 1,250,000 is traded" in text
    assert f"Other cases in IBM: {CASE}" in text


async def test_why_tells_thesis_review_decision_fill_and_outcome() -> None:
    text = await said("why did we buy IBM?", Desk(cases=(case(),)))
    for part in (
        "IBM closed above its average.", "keep", "ann: approve, “fits the plan”", "buy 150 at 127.20", "+1.23 %",
        "ev_0123456789abcdef",
    ):  # fmt: skip
        assert part in text


async def test_what_would_change_comes_from_the_bound_explanation() -> None:
    text = await said("What would have changed the decision on IBM?", Desk(cases=(case(),)))
    assert "From 156 shares on the order is blocked by trade share" in text
    assert "Nearest limit: trade share 1.9293 %" in text


async def test_what_nobody_knows_is_not_in_evidence() -> None:
    assert "Not in evidence" in await said("Why did we not buy ZZZ?", Desk())
    assert "Not in evidence" in await said("what is the drawdown?", Desk(empty=True))
    assert "Not in evidence" in await said("what changed?", Desk(empty=True))
    never_asked = case(REFUSED, state="not_selected", reason="capacity", fills=())
    assert "Not in evidence" in await said("What would have changed IBM?", Desk(cases=(never_asked,)))


@pytest.mark.parametrize(
    "wish", ["approve it", f"Approve {CASE}, reason: fine", "halt", "please resume trading", "buy 100 IBM", "yes"]
)
async def test_chat_takes_no_decision_and_names_the_door(wish: str) -> None:
    tools = Desk(cases=(case(state="awaiting"),), queue=(WAITS,))
    text = await said(wish, tools)
    assert text.startswith("Chat cannot do that")
    assert "quarterdeck approvals approve" in text
    assert tools.asked == []


async def test_exposure_risk_limits_and_queue_come_from_the_tools() -> None:
    tools = Desk(held=(HELD,), queue=(WAITS,))
    exposure = await said("what is our exposure?", tools)
    assert "gross 333,333.23, 34 % of equity" in exposure
    assert "Technology 19,200.00" in exposure
    assert "unrealised +120.00, stop 122.41" in exposure
    risk = await said("how much risk?", tools)
    assert "drawdown 1.23 %" in risk
    assert "-0.31 % on the day" in risk
    limits = await said("limits?", tools)
    assert limits.index("max open positions 39 of 40") < limits.index("gross share 33.75 % of 100.00 %")
    waiting = await said("what is waiting?", tools)
    assert "0 of 1 given, 1 session left: appr_0000000000000001" in waiting
    assert await said("what is waiting?", Desk()) == "Nothing waits for a person."


async def test_a_halt_in_force_is_said() -> None:
    halt = HaltFacts(halt_id="halt_00000001", action="no_new", scope="firm", reason="storm", principal="ann")
    assert "Halt in force (no_new, firm) by ann: “storm”" in await said("are we halted?", Desk(halts=(halt,)))
    assert await said("any findings?", Desk()) == "No open findings and no halt in force."


async def test_a_question_the_grammar_knows_asks_no_model(openai_peer: Callable[..., Any]) -> None:
    peer = openai_peer()
    context, _ = model_context(peer)
    assert "ann: approve" in await said("why did we buy IBM?", Desk(cases=(case(),)), context)
    assert peer.calls == 0


async def test_the_model_picks_the_intent_and_the_tools_give_the_figures(openai_peer: Callable[..., Any]) -> None:
    peer = openai_peer()
    peer.intent = {"intent": "exposure", "symbol": "IBM"}
    context, calls = model_context(peer)
    text = await said("Big Blue, got any of it?", Desk(held=(HELD,)), context)
    assert "150 shares by trend" in text
    assert len(calls.made) == 1


@pytest.mark.parametrize("mode", ["dead", "garbage", "wrong_schema", "unauthorized"])
async def test_a_model_without_a_usable_answer_is_said_so(openai_peer: Callable[..., Any], mode: str) -> None:
    context, _ = model_context(openai_peer(mode))
    text = await said("Tell me a story", Desk(), context)
    assert text.startswith("The model gave no usable answer (")
    assert "I cannot tell what is asked" in text


async def test_a_model_that_picks_control_opens_no_door(openai_peer: Callable[..., Any]) -> None:
    peer = openai_peer()
    peer.intent = {"intent": "control", "symbol": "IBM"}
    context, _ = model_context(peer)
    assert (await said("kindly sign off on Big Blue", Desk(), context)).startswith("Chat cannot do that")


def test_the_tools_can_only_read() -> None:
    offered = {name for name in vars(OperatorTools) if not name.startswith("_")}
    assert offered == {
        "desk", "positions", "waiting", "find_case", "case", "explain", "limits_used", "changes", "findings",
    }  # fmt: skip
