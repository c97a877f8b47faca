"""What the operator agent may read, as callables over SQL and the risk tools, each held against its person's rights.

All of them read or compute. `propose` opens a case through the one function given for it, or says that none was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlmodel import Session

from agents.explanation.output import Explanation
from agents.operator.facts import (
    CaseFacts,
    Changes,
    DeskFacts,
    Figure,
    HaltFacts,
    LessonFacts,
    Opened,
    PositionFacts,
    Supposed,
    WaitingFacts,
)
from agents.operator.slots import Universe
from agents.opinion import Context
from memory.tables import CaseRow, ExplanationRow, RunRow
from pipeline import operator_facts as facts
from pipeline import operator_measures as measures
from pipeline import supposing
from pipeline.budget import CHAT
from pipeline.context import agent_context
from pipeline.desk_view import desk_view
from pipeline.feed import market_of
from pipeline.operator_rights import require_may
from pipeline.risk_view import closed_tick
from pipeline.roles import SCOPES_OF, Identity
from pipeline.store import Principal, Store, active_run
from pipeline.strategies import NAMES
from pipeline.why_not import why_not
from tools.data.types import MarketData
from tools.errors import ApprovalError
from tools.semantic.entities import surface_forms
from tools.types import ORDER_KINDS, Finding, Side

P = ParamSpec("P")
T = TypeVar("T")


class OpensCase(Protocol):
    """Opens a case for a person and returns its id; ApprovalError when it cannot."""

    def __call__(
        self, store: Store, symbol: str, side: Side, quantity: int, /, *, principal: Principal, reason: str
    ) -> str: ...


def chat_context(store: Store) -> Context:
    """The context of the operator agent; its model calls are recorded under the cycle `chat`."""
    with store.db.read() as session:
        run = active_run(session)
    run_id = run.id if run else "none"
    return agent_context(store, run_id, CHAT)


def operator_tools(store: Store, reader: Identity, opens_case: OpensCase | None = None) -> StoreTools:
    """The tools of one person's conversation."""
    return StoreTools(store, reader, opens_case)


def reader_of(principal: Principal) -> Identity:
    """Somebody of whom only the name is known: they are told what every viewer may see."""
    return Identity(principal.name, "viewer", "person", SCOPES_OF["viewer"], principal.session_id, principal.address)


class StoreTools:
    """OperatorTools over the store. AccessError for what the reader may not see."""

    def __init__(self, store: Store, reader: Identity, opens_case: OpensCase | None = None) -> None:
        self._store, self.reader, self._opens_case = store, reader, opens_case

    async def universe(self) -> Universe:
        def find(_session: Session, run: RunRow) -> Universe:
            market = market_of(self._store, run)
            last = market.sessions.index(closed_tick(run, market).session)
            names, forms, sectors = _names(market)
            return Universe(
                names=names, forms=forms, sectors=sectors, strategies=NAMES, sessions=market.sessions[: last + 1]
            )

        return await self._read("universe", find, Universe())

    async def desk(self) -> DeskFacts | None:
        require_may(self.reader, "desk")
        view = await asyncio.to_thread(desk_view, self._store)
        if view.run is None:
            return None
        return DeskFacts(
            mode=view.mode, label=view.label, session=view.session, phase=view.phase, equity=view.equity,
            cash=view.cash, gross=view.gross, drawdown=Decimal(str(view.drawdown)),
            day_change=Decimal(str(view.day_change)), positions=view.positions, waiting=view.waiting,
            halts=tuple(
                HaltFacts(
                    halt_id=h.id, action=h.action, scope=h.scope, target=h.target, reason=h.reason,
                    principal=h.principal,
                )
                for h in view.halts
            ),
        )  # fmt: skip

    async def positions(self) -> tuple[PositionFacts, ...]:
        return await self._read("positions", facts.positions, ())

    async def exposure(self, dimension: str) -> tuple[Figure, ...]:
        return await self._compute("exposure", measures.exposure, dimension)

    async def risk(self) -> tuple[Figure, ...]:
        return await self._compute("risk", measures.risk)

    async def limits_used(self) -> tuple[Figure, ...]:
        return await self._compute("limits_used", measures.limits_used)

    async def waiting(self) -> tuple[WaitingFacts, ...]:
        return await self._read("waiting", facts.waiting, ())

    async def find_cases(self, symbol: str | None, strategy: str | None) -> tuple[CaseFacts, ...]:
        def find(session: Session, run: RunRow) -> tuple[CaseFacts, ...]:
            return facts.cases(session, run, symbol, strategy)

        return await self._read("find_cases", find, ())

    async def case(self, case_id: str) -> CaseFacts | None:
        def find(session: Session, _run: RunRow) -> CaseFacts | None:
            row = session.get(CaseRow, case_id)
            return facts.case(session, row) if row and row.kind in ORDER_KINDS else None

        return await self._read("case", find, None)

    async def explain(self, case_id: str) -> Explanation | None:
        def find(session: Session, _run: RunRow) -> Explanation | None:
            row = session.get(ExplanationRow, case_id)
            return Explanation.model_validate(row.body) if row else None

        return await self._read("explain", find, None)

    async def why_not(self, case_id: str) -> tuple[str, ...]:
        return await self._compute("why_not", _why_not, case_id)

    async def changes(self, since: date) -> Changes | None:
        def find(session: Session, run: RunRow) -> Changes | None:
            return facts.changes(session, run, since)

        return await self._read("changes", find, None)

    async def findings(self) -> tuple[Finding, ...]:
        return await self._read("findings", facts.findings, ())

    async def pace(self) -> tuple[Figure, ...]:
        return await self._compute("pace", measures.pace)

    async def lessons(self, strategy: str | None) -> tuple[LessonFacts, ...]:
        def find(session: Session, run: RunRow) -> tuple[LessonFacts, ...]:
            return facts.lessons(session, run, strategy)

        return await self._read("lessons", find, ())

    async def suppose_limit(self, limit: str, value: Decimal | None, factor: Decimal | None) -> Supposed | None:
        return await self._compute("suppose_limit", supposing.suppose_limit, limit, value, factor)

    async def suppose_order(self, symbol: str, side: Side, quantity: int) -> tuple[Figure, ...]:
        return await self._compute("suppose_order", measures.suppose_order, symbol, side, quantity)

    async def suppose_shock(self, scope: str, target: str | None, move: Decimal) -> tuple[Figure, ...]:
        return await self._compute("suppose_shock", measures.suppose_shock, scope, target, move)

    async def propose(self, symbol: str, side: Side, quantity: int, reason: str) -> Opened | None:
        require_may(self.reader, "propose")
        if self._opens_case is None:
            return None
        opens, principal = self._opens_case, self.reader.principal()
        case_id = await asyncio.to_thread(
            lambda: opens(self._store, symbol, side, quantity, principal=principal, reason=reason)
        )
        return Opened(case_id=case_id)

    async def _compute(
        self, tool: str, compute: Callable[Concatenate[Store, P], T], *given: P.args, **named: P.kwargs
    ) -> T:
        require_may(self.reader, tool)
        return await asyncio.to_thread(compute, self._store, *given, **named)

    async def _read(self, tool: str, find: Callable[[Session, RunRow], T], nothing: T) -> T:
        """Run one read over the active run; `nothing` before the first one."""
        require_may(self.reader, tool)

        def read() -> T:
            with self._store.db.read() as session:
                run = active_run(session)
                return nothing if run is None else find(session, run)

        return await asyncio.to_thread(read)


def _why_not(store: Store, case_id: str) -> tuple[str, ...]:
    try:
        return why_not(store, case_id).sentences
    except ApprovalError as error:
        if error.code == "invalid":
            return ()
        raise


def _names(market: MarketData) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Companies by symbol, what a text may call them, and the sectors, of a market."""
    instruments = {symbol: market.instrument(symbol) for symbol in market.symbols}
    sectors = tuple(sorted({item.sector for item in instruments.values()}))
    return {symbol: item.name for symbol, item in instruments.items()}, surface_forms(instruments), sectors
