"""What a halt means: which cases, orders and positions a scope names, and what each action does to them.

order     a case id or a client order id: that case, its orders, and of the position what its entry bought
strategy  a strategy: its cases and orders, and the positions it opened
agent     a reviewer (`decision`), a reasoner (`rules`, `model`) or a strategy that proposes: the cases that it
          reviewed or proposed, with their orders and positions
symbol    a symbol: everything in it
firm      everything; it has no target

Actions, each on what the scope names. `no_new`: nothing that adds risk is asked, approved, submitted or sent.
`cancel`: and its working and unsent orders that add risk are cancelled; protective stops and exits stay.
`reduce_only`: and the questions and approvals that add risk are voided at once; what reduces goes on.
`flatten`: and its positions are closed by reduce-only limit orders at the next opens, until nothing is left.

A scope that nobody knows, and a case of unknown origin, count as named where risk would be added, and as not
named where something would be sold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol, get_args

from sqlmodel import Session, col, select

from memory.tables import CaseRow, HaltRow, OrderRow, PositionRow
from tools.errors import ApprovalError

Action = Literal["no_new", "cancel", "reduce_only", "flatten"]
Scope = Literal["order", "strategy", "agent", "symbol", "firm"]
ACTIONS: tuple[Action, ...] = get_args(Action)
SCOPES: tuple[Scope, ...] = get_args(Scope)
MEANING: dict[Action, str] = {
    "no_new": "nothing that adds risk is asked, approved or sent; working orders stay",
    "cancel": "as no_new, and orders that add risk are cancelled; protective stops and exits stay",
    "reduce_only": "as cancel, and waiting questions and approvals that add risk are voided; reductions go on",
    "flatten": "as reduce_only, and positions are closed at the next opens by protected, capped orders",
}
NAMES: dict[Scope, str] = {
    "order": "one case or order, by its id", "strategy": "what one strategy proposes and holds",
    "agent": "what an agent or reasoner reviewed or proposed: decision, rules, model or a strategy",
    "symbol": "everything in one symbol", "firm": "everything",
}  # fmt: skip
REVIEWER = "decision"
MAX_TARGET = 80
NARROW: tuple[Scope, ...] = ("order", "strategy", "agent", "symbol")
_SYMBOL = re.compile(r"[A-Z][A-Z0-9.\-]{0,9}")


class Nameable(Protocol):
    """What of a case a halt can name; one that is only about to be opened has as much."""

    @property
    def id(self) -> str: ...

    @property
    def strategy(self) -> str: ...

    @property
    def symbol(self) -> str: ...

    @property
    def review(self) -> Mapping[str, Any]: ...


class Candidate(NamedTuple):
    """A case that is not written yet."""

    id: str
    strategy: str
    symbol: str
    review: Mapping[str, Any]


def require_sense(session: Session, scope: str, target: str | None, action: str) -> None:
    """ApprovalError(invalid) for an action, scope or target that would halt nothing or nobody knows."""
    wrong = None
    if action not in ACTIONS:
        wrong = f"halt action {action!r} is not one of {', '.join(ACTIONS)}"
    elif scope not in SCOPES:
        wrong = f"halt scope {scope!r} is not one of {', '.join(SCOPES)}"
    elif (scope == "firm") != (target is None):
        wrong = "a firm halt has no target, every other scope needs one"
    elif target is not None and not 0 < len(target.strip()) <= MAX_TARGET:
        wrong = f"a halt's target has 1 to {MAX_TARGET} characters"
    elif scope == "symbol" and not _SYMBOL.fullmatch(target or ""):
        wrong = f"{target!r} is not a symbol: write it in capitals, such as AAPL"
    elif scope == "order" and cases_of_order(session, target) == ():
        wrong = f"no case or order has the id {target!r}: take it from `quarterdeck cases`"
    if wrong:
        raise ApprovalError(wrong, code="invalid")


def cases_of_order(session: Session, target: str | None) -> tuple[str, ...]:
    """The case that an order scope's target names; empty when there is none."""
    if target is None:
        return ()
    if session.get(CaseRow, target) is not None:
        return (target,)
    order = session.get(OrderRow, target)
    return () if order is None else (order.case_id,)


def agents_of(case: Nameable) -> frozenset[str]:
    """Every agent name that an agent halt may call a case by: its reviewer, the reasoner and who proposed it."""
    reasoner = case.review.get("reasoner")
    told = {reasoner, f"{REVIEWER}:{reasoner}"} if reasoner else set()
    return frozenset({REVIEWER, case.strategy, *told})


def concerns(session: Session, halt: HaltRow, case: Nameable) -> bool:
    """True when the halt names the case, and when nobody can tell."""
    match halt.scope:
        case "symbol":
            return halt.target == case.symbol
        case "strategy":
            return halt.target == case.strategy
        case "agent":
            return halt.target in agents_of(case) or "reasoner" not in case.review
        case "order":
            return case.id in cases_of_order(session, halt.target)
        case _:
            return True


def concerns_order(session: Session, halt: HaltRow, order: OrderRow) -> bool:
    """True when the halt names an order that adds risk, and when nobody can tell."""
    if halt.scope == "firm":
        return True
    if halt.scope == "symbol":
        return halt.target == order.symbol
    case = session.get(CaseRow, order.case_id)
    return case is None or concerns(session, halt, case)


def closes(session: Session, halt: HaltRow, position: PositionRow) -> bool:
    """True when a flatten is to close the position; a position of unknown origin is not sold for a narrow halt."""
    match halt.scope:
        case "firm":
            return True
        case "symbol":
            return halt.target == position.symbol
        case "strategy":
            return halt.target == position.strategy
        case "order":
            return position.case_id in cases_of_order(session, halt.target)
        case "agent":
            case = session.get(CaseRow, position.case_id)
            return case is not None and halt.target in agents_of(case)
        case _:
            return False


def in_force(session: Session) -> tuple[HaltRow, ...]:
    """Halts not released yet, oldest first."""
    query = select(HaltRow).where(col(HaltRow.released_wall).is_(None))
    return tuple(session.exec(query.order_by(col(HaltRow.engaged_wall), col(HaltRow.id))).all())
