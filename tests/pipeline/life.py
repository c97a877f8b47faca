"""The life of one case built from rows, without market data, graph or broker: what the service functions need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, cast

from sqlalchemy import text
from sqlmodel import func, select

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
from pipeline import approvals, asking, queue_time
from pipeline.activation import in_force
from pipeline.policy import Facts, Ruling
from pipeline.settings import load_settings
from pipeline.store import Principal, Store, now, open_store
from pipeline.submission import OpenMarket, submit_case
from tools.canonical import content_sha256, stable_id
from tools.data.types import Instrument, MarketData
from tools.types import CaseState, Phase, PriceBand, Proposal, Tick

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
    case_id = stable_id("case", body.run_id, body.id)
    explanation = {"prose": f"Buy {body.symbol}.", "case_id": case_id}
    with store.db.write() as session:
        session.add(
            CaseRow(
                id=case_id, run_id=body.run_id, cycle_id=body.cycle_id, strategy=body.strategy, symbol=body.symbol,
                side=body.side, kind=body.kind, state=CaseState.DRAFTED.value, rank=0, risk_effect=body.risk_effect,
                digest=body.digest, opened=SESSION, opened_index=60, review={}, checks=[], body=body,
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


class Question(NamedTuple):
    case_id: str
    approval_id: str
    digest: str


def ask(
    store: Store,
    body: Proposal | None = None,
    ruling: Ruling = ONE,
    exposure: int = 0,
    facts: Facts | None = None,
    cooling_off_seconds: int = 0,
) -> Question:
    """Open a case and put it to people, as the case graph does."""
    case_id = draft(store, body or proposal())
    law = in_force(store)
    single = {"profile": "single_operator", "cooling_off_seconds": cooling_off_seconds}
    law = replace(law, policy=law.policy.model_copy(update=single if cooling_off_seconds else {"profile": "desk"}))
    with store.db.write() as session:
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


def say(
    store: Store, question: Question, who: Principal = ANN, decision: approvals.Answer = "approve", **changes: Any
) -> approvals.DecisionResult:
    given: dict[str, Any] = {"digest": question.digest, "reason": "because"}
    return approvals.decide(
        store, question.approval_id, principal=who, decision=decision, **{**given, **changes}
    )  # fmt: skip


def submit(store: Store, question: Question, now_open: OpenMarket = OPEN) -> CaseState:
    return submit_case(store, MARKET, in_force(store), question.case_id, now_open)


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
