"""The part of a desk that an order goes through: grant, parent, order, outbox, broker, booking, reconciliation.

One store and one peer serve one schedule after another, each with a run, a book and a journal of its own.
"""

from __future__ import annotations

import queue
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from sqlalchemy import event
from sqlmodel import col, select

from memory.ledger import Stage
from memory.tables import BreakRow, CaseRow, FillRow, GrantRow, HaltRow, OrderRow, PositionRow, RunRow
from pipeline import execution, halt, halt_program, parents, reconciliation
from pipeline.book import live_orders, market_view, open_positions
from pipeline.cases import advance
from pipeline.order_messages import take_message
from pipeline.protection import protect
from pipeline.store import Store, now
from pipeline.submission import add_order, cancel_order, order_id
from tests.peers.alpaca_peer import KEY, SECRET, AlpacaPeer
from tests.peers.alpaca_wire import attach
from tests.pipeline import life
from tools.canonical import plain, stable_id
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.brokers.alpaca import AlpacaBroker
from tools.execution.brokers.alpaca_stream import heard
from tools.execution.messages import Gap
from tools.execution.types import Leg, OrderRequest
from tools.types import CaseState, Side, Tick

SYMBOLS = ("IBM", "DELL", "GE")
HELD = 40
"""Shares of GE that both books begin with, at `PAID`."""
PAID = Decimal(16)
ROUND_S = 7.0
OPEN = Tick(session=datetime(2026, 3, 2).date(), phase="open", as_of=datetime(2026, 3, 2, 14, 30, tzinfo=UTC))


class Died(BaseException):
    """The process ended here; what was not committed is gone."""


class OrderDesk:
    """The execution of one desk, which can die at any named moment and come back."""

    def __init__(self, folder: Path, peer: AlpacaPeer) -> None:
        self.folder, self.peer = folder, peer
        self.store: Store = life.new_store(folder / "home", mode="paper")
        event.listen(self.store.db.engine, "connect", lambda opened, _: opened.execute("PRAGMA synchronous=OFF"))
        self.store.db.dispose()
        self.run_id = ""
        self.clock = 0.0
        self.deaths = 0
        self.fate: Callable[[str], bool] = lambda point: False
        self.broker: AlpacaBroker | None = None

    def begin(self, seed: int, cash: Decimal) -> None:
        """A new run that agrees with the peer's fresh book."""
        self.close()
        self.run_id, self.clock = f"run_{seed}", 0.0
        with self.peer.lock:
            self.peer.book.positions["GE"] = HELD
        with self.store.db.write() as session:
            for row in session.exec(select(RunRow).where(RunRow.active)).all():
                row.active = False
                session.add(row)
            for stop in session.exec(select(HaltRow).where(col(HaltRow.released_wall).is_(None))).all():
                stop.released_wall = now()
                session.add(stop)
            session.add(
                RunRow(
                    id=self.run_id, ordinal=seed + 1, mode="paper", fingerprint="f", seed=seed, start=OPEN.session,
                    config={"broker": "alpaca", "symbols": list(SYMBOLS)}, session_index=60, stage="traded",
                    equity_start=cash, cash=cash, peak_equity=cash, day_start_equity=cash, created_wall=now(),
                )
            )  # fmt: skip
            session.add(
                PositionRow(
                    run_id=self.run_id, symbol="GE", quantity=HELD, average_price=PAID, realised=Decimal(0), mark=PAID,
                    sector="Technology", strategy="trend-0", case_id="case_old", opened_index=55,
                )
            )  # fmt: skip
        self._connect()

    def grant(self, number: int, symbol: str, side: Side, quantity: int, *, limit: Decimal | None) -> str:
        """An approved case whose grant becomes a parent, its order and what must be said of it; the order's id."""
        leg: Leg = "entry" if side == "buy" else "exit"
        made = life.proposal if side == "buy" else life.exit_proposal
        body = made(
            number, id=f"prop_{number}_{self.run_id}", run_id=self.run_id, symbol=symbol, quantity=quantity
        )  # fmt: skip
        case_id = stable_id("case", self.run_id, body.id)
        with self.store.db.write() as session:
            run = session.get_one(RunRow, self.run_id)
            case = CaseRow(
                id=case_id, run_id=run.id, cycle_id=body.cycle_id, strategy=body.strategy, symbol=symbol, side=side,
                kind=body.kind, state=CaseState.APPROVED.value, rank=0, risk_effect=body.risk_effect,
                digest=body.digest, opened=OPEN.session, opened_index=60, review=plain(life._review(body)), checks=[],
                body=body, updated_wall=now(),
            )  # fmt: skip
            held = GrantRow(
                id=stable_id("grant", case_id), case_id=case_id, approval_id=case_id, run_id=run.id, status="minted",
                digest=body.digest, quantity_budget=quantity, body={}, signature="", minted_wall=now(),
            )  # fmt: skip
            session.add_all([case, held])
            session.flush()
            parent = parents.open_parent(
                session, run, held, case_id=case_id, symbol=symbol, side=side, quantity=quantity, at=OPEN
            )
            request = OrderRequest(
                client_order_id=order_id(run.id, case_id, leg, 1), symbol=symbol, side=side, quantity=quantity,
                order_type="limit" if limit else "market", limit_price=limit, time_in_force="day",
                reduce_only=leg == "exit",
            )  # fmt: skip
            if leg == "exit":
                for stop in live_orders(session, run.id):
                    if stop.symbol == symbol and stop.leg == "stop":
                        cancel_order(session, stop)
            add_order(
                session, run, request, case_id=case_id, grant_id=held.id, leg=leg, attempt=1, at=OPEN, parent=parent
            )
            advance(session, case, CaseState.SUBMITTED, content={}, desk_time=OPEN.as_of, stage=Stage.SUBMIT)
        return request.client_order_id

    def cancel(self, name: str) -> None:
        """Somebody wants an order gone."""
        with self.store.db.write() as session:
            cancel_order(session, session.get_one(OrderRow, name))

    def halt(self, draw: random.Random, names: list[str]) -> None:
        scope, target = draw.choice([("firm", None), ("symbol", "IBM"), ("order", draw.choice(names))])
        halt.engage(self.store, action="cancel", reason="a drill", principal=life.ANN, scope=scope, target=target)  # type: ignore[arg-type]

    def round(self, *, missed: bool, stops: bool) -> None:
        """What the engine does between two parts of a session; where it dies it comes back."""
        self.clock += ROUND_S
        try:
            self._attempt(lambda: halt_program.carry_out_all(self.store, self.broker))
            self._attempt(
                lambda: execution.dispatch(self.store, self._broker, self.run_id, OPEN, missed=missed)
            )  # fmt: skip
            self._attempt(self._book)
            self._attempt(self._hear)
            if stops:
                self._attempt(lambda: protect(self.store, self._broker, self.run_id, OPEN))
        except Died:
            self.deaths += 1
            self.restart()

    def reconcile(self, occasion: reconciliation.Occasion = "timer") -> str | None:
        """Compare the books; what kept them from being compared, if anything did."""
        try:
            return reconciliation.reconcile(
                self.store, self._broker, life.MARKET, self.run_id, self._seen(), occasion
            ).error  # fmt: skip
        except Died:
            self.deaths += 1
            self._connect()
            return "died"

    def restart(self) -> None:
        """Come back as another process: the store and the journal are all that is left."""
        self._connect()
        self.reconcile("start")

    def close(self) -> None:
        if self.broker is not None:
            self.broker.close()
            self.broker = None

    def orders(self) -> list[OrderRow]:
        with self.store.db.read() as session:
            return list(session.exec(select(OrderRow).where(OrderRow.run_id == self.run_id)).all())

    def fills(self) -> list[FillRow]:
        with self.store.db.read() as session:
            return list(session.exec(select(FillRow).where(FillRow.run_id == self.run_id)).all())

    def books(self) -> tuple[dict[str, int], Decimal]:
        with self.store.db.read() as session:
            held = {row.symbol: row.quantity for row in open_positions(session, self.run_id)}
            return held, session.get_one(RunRow, self.run_id).cash

    def breaks(self) -> list[BreakRow]:
        with self.store.db.read() as session:
            query = select(BreakRow).where(BreakRow.run_id == self.run_id, BreakRow.status == "open")
            return list(session.exec(query).all())

    def blocks(self, symbol: str) -> bool:
        """Whether the control `unknown_order` keeps risk from being added in a symbol."""
        with self.store.db.read() as session:
            run = session.get_one(RunRow, self.run_id)
            seen = market_view(
                session, run, life.MARKET, OPEN, symbol, price=None, atr=None, adv=None, known_at=None
            )  # fmt: skip
            return bool(seen.unknown_order)

    @property
    def _broker(self) -> AlpacaBroker:
        assert self.broker is not None
        return self.broker

    def reach(self, point: str) -> None:
        """What stands in for `pipeline.faults.reach`: die here when fate says so."""
        if self.fate(point):
            raise Died(point)

    def _connect(self) -> None:
        self.close()
        self.broker = attach(
            AlpacaBroker(
                key_id=KEY, secret_key=SECRET, base_url=self.peer.base_url, stream_url=self.peer.stream_url,
                journal=self.folder / f"{self.run_id}.sqlite", clock=lambda: self.clock,
            ),
            self.peer,
        )  # fmt: skip
        self._inbox: queue.Queue[bytes | None] = self.peer.listen()

    def _seen(self) -> Tick:
        return OPEN.model_copy(update={"as_of": OPEN.as_of + timedelta(hours=6)})

    def _book(self) -> int:
        return execution.book_fills(self.store, self._broker, life.MARKET, self.run_id, self._seen())

    def _hear(self) -> None:
        """Take what the stream said. Where it broke, everything up to the next connection is lost."""
        asks = False
        while not self._inbox.empty():
            raw = self._inbox.get_nowait()
            try:
                told = Gap(reason="the stream was closed") if raw is None else heard(raw)
            except ValueError:
                told = Gap(reason="the stream broke")
            if isinstance(told, Gap):
                asks = True
                if raw is None or not told.listening:
                    self._inbox = self.peer.listen()
                    break
            elif told is not None:
                named = self._broker.named(told)
                asks |= isinstance(named, Gap) or take_message(self.store, self.run_id, named, self._seen())
        if asks:
            self._book()

    def _attempt(self, action: Callable[[], object]) -> None:
        """Go on as the engine does where the broker gives no answer."""
        with suppress(RetryableToolError, ExecutionError):
            action()
