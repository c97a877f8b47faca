"""Manual tickets: a person proposes a hedge or an exit, and it becomes a case like any other.

The person names symbol, side and shares; price, band, stop and `risk_effect` are the tools'. The case is checked,
explained, and asked or released by the policy as a strategy's would be, and who proposed it never signs it alone where
two are asked for: the name is part of the proposal, and so of what an approval binds.
"""

from __future__ import annotations

from decimal import Decimal

from sqlmodel import Session, col, func, select

from memory import evidence as evidence_store
from memory.ledger import Entry, Stage, append
from memory.tables import OPEN_CASE_STATES, CaseRow, PositionRow, RunRow
from pipeline import halt, manual
from pipeline.activation import in_force
from pipeline.approvals import clean_reason
from pipeline.feed import market_of
from pipeline.halt_scope import Candidate
from pipeline.standing import confirm
from pipeline.store import Principal, Store, now, require_run
from pipeline.working import plan_of
from tools.canonical import plain, stable_id
from tools.data.types import MarketData
from tools.errors import ApprovalError, ExecutionError, ToolRejected
from tools.types import CaseState, Frozen, Proposal, Review, ReviewReason, Side, Working


class Ticket(Frozen):
    """What a person wants: the open must not be beyond `limit_price`, an entry is protected at `stop_price`.

    With `working` it becomes one child at each of the next opens, else one order at the next.
    """

    symbol: str
    side: Side
    quantity: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    working: Working | None = None


def propose(store: Store, ticket: Ticket, *, principal: Principal, reason: str) -> CaseRow:
    """Open the case of a ticket; the engine checks, explains and asks it within seconds.

    ApprovalError: invalid (reason, name, price, a sale through zero, a plan that does not fit), exists (one of yours is
    open), halted, role.
    """
    text = clean_reason(reason)
    if principal.kind != "person":
        raise ApprovalError("only a person writes a ticket", code="role")
    limits = in_force(store).limits
    with store.db.read() as session:
        run = require_run(session)
    market = market_of(store, run)
    as_of = market.tick(market.sessions[max(run.session_index, 0)], "close").as_of
    with store.db.write() as session:
        confirm(session, principal, needed="operator")
        run = session.get_one(RunRow, run.id)
        if run.stage != "closed":
            raise ApprovalError("a session is being played: write the ticket when it has closed", code="exists")
        strategy = manual.strategy_of(principal.name)
        _refuse_second(session, run, strategy, ticket)
        held = session.get(PositionRow, (run.id, ticket.symbol))
        try:
            made = manual.propose(
                market, limits, key=f"ticket:{_written(session, run.id)}", run_id=run.id, symbol=ticket.symbol,
                side=ticket.side, quantity=ticket.quantity, held=held.quantity if held else 0, reason=text, as_of=as_of,
                stop_price=ticket.stop_price, limit_price=ticket.limit_price, strategy=strategy,
                working=ticket.working,
            )  # fmt: skip
            _require_fit(market, made.proposal, run.session_index + 1)
        except (ToolRejected, ExecutionError) as error:
            raise ApprovalError(error.message, code="invalid") from None
        if made.proposal.risk_effect == "mixed":
            raise ApprovalError(
                f"{ticket.side} {ticket.quantity} passes through zero: {held.quantity if held else 0} are held. "
                "Write one ticket that closes and another that opens",
                code="invalid",
            )
        case = _case(session, run, made.proposal, text)
        evidence_store.keep(session, [made.evidence])
        _refuse_halted(store, session, case)
        append(
            session,
            Entry(
                kind="case.drafted", step="drafted", case_id=case.id, run_id=run.id, desk_time=as_of, stage=Stage.CASE,
                content={"proposal": made.proposal, "digest": case.digest, "proposer": principal.name, "reason": text},
                envelope={"address": principal.address, "session": principal.session_id},
            ),
        )  # fmt: skip
    store.publish_head()
    return case


def _require_fit(market: MarketData, proposal: Proposal, first: int) -> None:
    """Plan it once as the next open would; ExecutionError where that does not fit, before anybody is asked."""
    how = proposal.working
    if how is None:
        return
    if proposal.quantity < how.sessions:
        raise ExecutionError(
            f"{proposal.quantity} shares cannot be worked over {how.sessions} sessions: take fewer", code="too_small"
        )
    if first >= len(market.sessions):
        raise ExecutionError("this market has no further session", code="too_few_sessions")
    plan_of(market, proposal, how, proposal.id, market.sessions[first], as_of=proposal.as_of)


def open_ticket(store: Store, symbol: str, side: Side, quantity: int, /, *, principal: Principal, reason: str) -> str:
    """The id of the case that a ticket became."""
    return propose(store, Ticket(symbol=symbol, side=side, quantity=quantity), principal=principal, reason=reason).id


def waiting(session: Session, run_id: str) -> list[str]:
    """Tickets that were written and not yet checked and asked."""
    query = select(CaseRow.id).where(
        CaseRow.run_id == run_id, CaseRow.state == CaseState.DRAFTED.value,
        col(CaseRow.strategy).startswith(manual.PREFIX, autoescape=True),
    )  # fmt: skip
    return list(session.exec(query.order_by(col(CaseRow.id))).all())


def _written(session: Session, run_id: str) -> int:
    query = select(func.count()).select_from(CaseRow)
    by_hand = col(CaseRow.strategy).startswith(manual.PREFIX, autoescape=True)
    return session.exec(query.where(CaseRow.run_id == run_id, by_hand)).one()


def _refuse_second(session: Session, run: RunRow, strategy: str, ticket: Ticket) -> None:
    standing = session.exec(
        select(CaseRow.id).where(
            CaseRow.run_id == run.id, CaseRow.strategy == strategy, CaseRow.symbol == ticket.symbol,
            CaseRow.side == ticket.side, col(CaseRow.state).in_([state.value for state in OPEN_CASE_STATES]),
        )
    ).first()  # fmt: skip
    if standing is not None:
        raise ApprovalError(
            f"case {standing} of yours is open for {ticket.side} {ticket.symbol}: wait for it, or have it refused",
            code="exists", detail={"case_id": standing},
        )  # fmt: skip


def _refuse_halted(store: Store, session: Session, case: CaseRow) -> None:
    if case.risk_effect == "reduces":
        return
    if store.reduce_only:
        raise ApprovalError("the desk is in safe mode: only what reduces is taken", code="halted")
    if halt.blocks_increase(store, session, Candidate(case.id, case.strategy, case.symbol, case.review)):
        raise ApprovalError("a halt is in force: only what reduces is taken", code="halted")


def _case(session: Session, run: RunRow, body: Proposal, reason: str) -> CaseRow:
    review = Review(
        proposal_id=body.id, verdict="keep", reasons=(ReviewReason(code="by_hand", text=reason),)
    )  # fmt: skip
    case = CaseRow(
        id=stable_id("case", body.run_id, body.id), run_id=run.id, cycle_id=body.cycle_id, strategy=body.strategy,
        symbol=body.symbol, side=body.side, kind=body.kind, state=CaseState.DRAFTED.value, rank=0,
        risk_effect=body.risk_effect, digest=body.digest, opened=body.as_of.date(), opened_index=run.session_index,
        review=plain(review), body=body, updated_wall=now(),
    )  # fmt: skip
    session.add(case)
    session.flush()
    return case
