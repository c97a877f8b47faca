"""The life of one case built from rows, without market data, graph or broker: what the service functions need."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from sqlalchemy import text
from sqlmodel import Session, func, select

from agents.opinion import ExplanationBrief
from memory.recordings import record
from memory.tables import (
    ApprovalRow,
    CaseRow,
    DecisionRow,
    ExplanationRow,
    FindingRow,
    GrantRow,
    LedgerRow,
    OrderRow,
    OutboxRow,
    PositionRow,
    RunRow,
)
from pipeline import approvals, asking, briefs, queue_time
from pipeline import store as store_module
from pipeline.activation import InForce, activate, in_force
from pipeline.book import market_view
from pipeline.flow import checked_view
from pipeline.policy import Facts, Ruling, default_policy_text
from pipeline.settings import load_settings
from pipeline.store import Principal, Store, now, open_store
from pipeline.submission import OpenMarket, submit_case
from tools.canonical import content_sha256, plain, stable_id
from tools.data.types import Instrument, MarketData
from tools.risk.controls import check_order
from tools.types import CaseState, Phase, PriceBand, Proposal, Review, Tick

RUN = "run_1"
SESSION = date(2009, 11, 13)
AS_OF = datetime(2009, 11, 13, 21, 0, tzinfo=UTC)
OPEN_TICK = Tick(session=date(2009, 11, 16), phase="open", as_of=datetime(2009, 11, 16, 14, 30, tzinfo=UTC))
ALONE = {"IBM": frozenset({"IBM"})}
OPEN = OpenMarket(
    tick=OPEN_TICK, opens={"IBM": Decimal("120.6")}, adv={"IBM": Decimal(500_000_000)}, groups=ALONE
)  # fmt: skip
ANN, BOB, CARL = (Principal(name, "person") for name in ("ann", "bob", "carl"))
STAND_IN = Principal("stand-in:1", "stand_in")
ONE = Ruling(rule="entry", required=1, roles=("approver",), ttl_sessions=1)
TWO = Ruling(rule="large", required=2, roles=("approver",), ttl_sessions=1)
NOBODY = Ruling(rule="exit", required=0, roles=(), ttl_sessions=1)


class StillMarket:
    """A market that only knows sectors and two sessions."""

    sessions = (SESSION, OPEN_TICK.session)

    def tick(self, session: date, phase: Phase) -> Tick:
        at = AS_OF if phase == "close" else AS_OF.replace(hour=14, minute=30)
        return Tick(session=session, phase=phase, as_of=at + (session - SESSION))

    def instrument(self, symbol: str) -> Instrument:
        return Instrument(symbol=symbol, name=symbol, sector="Technology", industry="Computers")


MARKET = cast(MarketData, StillMarket())


def proposal(number: int = 0, **changes: Any) -> Proposal:
    """An entry of 100 IBM at 120.50; each number has a strategy of its own, so that several may be open."""
    body: dict[str, Any] = {
        "id": f"prop_{number:016x}", "run_id": RUN, "cycle_id": "cyc_1", "kind": "order.entry",
        "strategy": f"trend-{number}", "symbol": "IBM", "side": "buy", "quantity": 100,
        "reference_price": Decimal("120.5"), "band": PriceBand(low=Decimal("118"), high=Decimal("123")),
        "stop_price": Decimal("114"), "atr": Decimal("2.5"), "risk_effect": "increases", "horizon_sessions": 10,
        "strength": 0.6, "confidence": 0.55, "thesis": "above its average", "evidence_ids": ("ev_1",), "taint": False,
        "as_of": AS_OF,
    }  # fmt: skip
    return Proposal(**{**body, **changes})


def exit_proposal(number: int = 0, **changes: Any) -> Proposal:
    body = {"kind": "order.exit", "side": "sell", "risk_effect": "reduces", "stop_price": None}
    return proposal(number, **{**body, **changes})


def new_store(home: Path, database_url: str | None = None, **settings: Any) -> Store:
    return open_store(load_settings(home=home, database_url=database_url, **settings))


def seed_run(store: Store, **changes: Any) -> None:
    """An open run that stands at the close of session 60."""
    row: dict[str, Any] = {
        "id": RUN, "ordinal": 1, "mode": "replay", "fingerprint": "f", "seed": 0, "start": SESSION,
        "config": {"broker": "simulation", "symbols": ["IBM"]}, "session_index": 60,
        "equity_start": Decimal(1_000_000), "cash": Decimal(1_000_000), "peak_equity": Decimal(1_000_000),
        "day_start_equity": Decimal(1_000_000), "created_wall": now(),
    }  # fmt: skip
    with store.db.write() as session:
        session.add(RunRow(**{**row, **changes}))


def activate_policy(store: Store, **values: str) -> None:
    """Put the default policy with other top-level values in force."""
    lines = default_policy_text().splitlines()
    for name, value in values.items():
        lines = [f"{name}: {value!r}" if line.startswith(f"{name}:") else line for line in lines]
    (store.home.config / "policy.yaml").write_text("\n".join(lines), encoding="utf-8")
    activate(store, "policy", principal=Principal("local operator", "person"), reason="for this test")


def hold(store: Store, quantity: int = 100, symbol: str = "IBM", **changes: Any) -> None:
    """Put a position into the book."""
    row: dict[str, Any] = {
        "run_id": RUN, "symbol": symbol, "quantity": quantity, "average_price": Decimal(120),
        "realised": Decimal(0), "mark": Decimal(121), "sector": "Technology", "strategy": "trend-0",
        "case_id": "case_old", "opened_index": 55, "stop_price": Decimal(114),
    }  # fmt: skip
    with store.db.write() as session:
        session.merge(PositionRow(**{**row, **changes}))


def draft(store: Store, body: Proposal) -> str:
    """Open a drafted case with its explanation; returns its id."""
    with store.db.write() as session:
        return _draft(session, body)


def _draft(session: Session, body: Proposal) -> str:
    case_id = stable_id("case", body.run_id, body.id)
    explanation = {"prose": f"Buy {body.symbol}.", "case_id": case_id}
    session.add(
        CaseRow(
            id=case_id, run_id=body.run_id, cycle_id=body.cycle_id, strategy=body.strategy, symbol=body.symbol,
            side=body.side, kind=body.kind, state=CaseState.DRAFTED.value, rank=0, risk_effect=body.risk_effect,
            digest=body.digest, opened=SESSION, opened_index=60, review=plain(_review(body)), checks=[], body=body,
            updated_wall=now(),
        )
    )  # fmt: skip
    session.add(
        ExplanationRow(
            case_id=case_id, run_id=body.run_id, sha256=content_sha256(explanation), claims=1, numbers=0,
            unresolved=0, dropped=0, reasoner="rules", body=explanation,
        )
    )  # fmt: skip
    return case_id


def _review(body: Proposal) -> Review:
    return Review(proposal_id=body.id, verdict="keep", reasons=())


class Question(NamedTuple):
    case_id: str
    approval_id: str
    digest: str


def ask(
    store: Store,
    body: Proposal | None = None,
    ruling: Ruling = ONE,
    exposure: int = 0,
    law: InForce | None = None,
    facts: Facts | None = None,
    cooling_off_seconds: int = 0,
) -> Question:
    """Open a case and put it to people, as the case graph does; by one person alone with a cooling-off."""
    law = law or in_force(store)
    single = {"profile": "single_operator", "cooling_off_seconds": cooling_off_seconds}
    law = replace(law, policy=law.policy.model_copy(update=single if cooling_off_seconds else {"profile": "desk"}))
    with store.db.write() as session:
        return _ask(store, session, law, body or proposal(), ruling, exposure, facts)


def ask_all(
    store: Store, bodies: Sequence[Proposal], ruling: Ruling = ONE, exposure: int = 0, law: InForce | None = None
) -> list[Question]:
    """Open many cases and put them to people, all in one transaction."""
    law = law or in_force(store)
    law = replace(law, policy=law.policy.model_copy(update={"profile": "desk"}))
    with store.db.write() as session:
        return [_ask(store, session, law, body, ruling, exposure) for body in bodies]


def _ask(
    store: Store,
    session: Session,
    law: InForce,
    body: Proposal,
    ruling: Ruling,
    exposure: int,
    facts: Facts | None = None,
) -> Question:
    case_id = _draft(session, body)
    session.flush()
    case = session.get_one(CaseRow, case_id)
    explained = session.get_one(ExplanationRow, case_id)
    row = asking.request(
        store, session, case, ruling,
        asking.Asked(
            explanation_hash=explained.sha256, portfolio_hash="0" * 64, exposure=exposure, data_sha256="0" * 64,
            checks={}, expires=OPEN_TICK.session, desk_time=AS_OF, facts=facts,
        ),
        law,
    )  # fmt: skip
    assert row is not None
    return Question(case_id, row.id, row.digest)


def remember_inputs(store: Store, question: Question, law: InForce | None = None) -> None:
    """Record what the case was checked and explained with, so that it can be edited."""
    limits = (law or in_force(store)).limits
    with store.db.write() as session:
        run, case = session.get_one(RunRow, RUN), session.get_one(CaseRow, question.case_id)
        body, tick = case.order, Tick(session=SESSION, phase="close", as_of=AS_OF)
        view = checked_view(session, run, MARKET, tick, limits)
        seen = market_view(
            session, run, MARKET, tick, body.symbol, groups=ALONE,
            price=body.reference_price, atr=body.atr, adv=OPEN.adv[body.symbol], known_at=AS_OF,
        )  # fmt: skip
        checks = check_order(body, view, seen, limits)
        evidence = (
            briefs.proposal_evidence(body), briefs.checks_evidence(checks, body.symbol, AS_OF),
            briefs.review_evidence(_review(body), body.symbol, AS_OF), briefs.portfolio_evidence(view, AS_OF),
        )  # fmt: skip
        brief = ExplanationBrief(
            run_id=RUN, cycle_id=body.cycle_id, as_of=AS_OF, case_id=case.id, proposal=body, review=_review(body),
            checks=checks, counterfactuals=(), evidence=evidence,
        )  # fmt: skip
        for kind, call, request in (
            ("tool", "risk.check_order", {"proposal": body, "portfolio": view, "market": seen, "edited": AS_OF}),
            ("agent", "explanation.explain", brief),
        ):
            record(
                session, run_id=RUN, cycle_id=body.cycle_id, case_id=case.id, kind=kind, call=call, request=request,
                response=list(checks),
            )  # fmt: skip


def set_wall(patch: pytest.MonkeyPatch, clock: Callable[[], datetime]) -> None:
    """Give every part of the pipeline that reads the wall clock this one instead."""
    real = store_module.now
    for name, module in list(sys.modules.items()):
        if name.startswith("pipeline.") and getattr(module, "now", None) is real:
            patch.setattr(module, "now", clock)


def say(
    store: Store, question: Question, who: Principal = ANN, decision: approvals.Answer = "approve", **changes: Any
) -> approvals.DecisionResult:
    given: dict[str, Any] = {"digest": question.digest, "reason": "because"}
    return approvals.decide(
        store, question.approval_id, principal=who, decision=decision, **{**given, **changes}
    )  # fmt: skip


def submit(
    store: Store, question: Question, now_open: OpenMarket = OPEN, law: InForce | None = None
) -> CaseState:  # fmt: skip
    return submit_case(store, MARKET, law or in_force(store), question.case_id, now_open)


def move_clock(store: Store, index: int) -> None:
    with store.db.write() as session:
        run = session.get_one(RunRow, RUN)
        run.session_index = index
        session.add(run)


def expire(store: Store, index: int) -> list[str]:
    """Enter a session: the clock moves and what has run out of time expires, in one transaction."""
    with store.db.write() as session:
        run = session.get_one(RunRow, RUN)
        run.session_index = index
        session.add(run)
        session.flush()
        return queue_time.expire_due(session, run, OPEN_TICK.as_of)


def tamper(store: Store, statement: str, **values: Any) -> None:
    """Change the database behind the desk's back."""
    with store.db.write() as session:
        if values:
            session.connection().execute(text(statement), values)
        else:
            session.connection().exec_driver_sql(statement)


class Truth(NamedTuple):
    """What SQL says of one case."""

    state: str
    approval: str
    grants: tuple[str, ...]
    orders: int
    outbox: int
    decisions: int


def truth(store: Store, question: Question) -> Truth:
    with store.db.read() as session:
        case = session.get_one(CaseRow, question.case_id)
        approval = session.get(ApprovalRow, question.approval_id)
        grants = session.exec(select(GrantRow.status).where(GrantRow.case_id == question.case_id)).all()
        orders = session.exec(select(OrderRow).where(OrderRow.case_id == question.case_id)).all()
        outbox = session.exec(
            select(OutboxRow).where(OutboxRow.client_order_id.in_([o.client_order_id for o in orders]))  # type: ignore[attr-defined]
        ).all()
        decisions = session.exec(select(DecisionRow).where(DecisionRow.case_id == question.case_id)).all()
        return Truth(
            case.state, approval.status if approval else "gone", tuple(grants), len(orders), len(outbox),
            len(decisions),
        )  # fmt: skip


def count(store: Store, row: type[Any]) -> int:
    with store.db.read() as session:
        return session.exec(select(func.count()).select_from(row)).one()


def everything(store: Store) -> tuple[int, ...]:
    """Sizes of all tables that an action could write to."""
    tables = (LedgerRow, DecisionRow, GrantRow, OrderRow, OutboxRow, FindingRow)
    return tuple(count(store, table) for table in tables)


def findings(store: Store) -> list[str]:
    with store.db.read() as session:
        return list(session.exec(select(FindingRow.code)).all())


def code_of(action: Callable[[], Any]) -> str:
    """Code of the error that an action ends with; the empty string for none."""
    from tools.errors import QuarterdeckError

    try:
        action()
    except QuarterdeckError as error:
        return error.code
    return ""
