"""The running assembly over one home: market, broker, recall, law, reasoners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlmodel import Session, col, select

from agents.opinion import Context
from memory.database import Database
from memory.ledger import Entry, Stage, append
from memory.recall import Recall
from memory.tables import RunRow
from pipeline.activation import InForce, at_start, in_force, look_again
from pipeline.context import agent_context
from pipeline.feed import ALPACA, market_of, new_market, open_market
from pipeline.findings import raise_finding
from pipeline.long_term import open_recall
from pipeline.store import Store, active_run, now
from pipeline.venue import open_broker
from tools.canonical import content_sha256, stable_id
from tools.data.types import MarketData
from tools.errors import ConfigError, DataError, ExecutionError, HomeError
from tools.execution.types import Broker, PlayedVenue
from tools.execution.venue_file import kept, read_venue
from tools.types import Frozen, Phase, Tick

SIMULATION = "simulation"


class RunRequest(Frozen):
    """What a new run is to be. `symbols` None is every complete name, `start` None the default session."""

    symbols: tuple[str, ...] | None = None
    start: date | None = None
    seed: int = 0
    stand_in: str = "none"


@dataclass
class Desk:
    """Everything the cycle and the cases use. One per engine process."""

    store: Store
    run_id: str
    market: MarketData
    broker: Broker
    law: InForce
    recall: Recall | None
    seed: int
    degraded: list[str] = field(default_factory=list)

    @property
    def db(self) -> Database:
        return self.store.db

    def run(self) -> RunRow:
        with self.db.read() as session:
            return session.get_one(RunRow, self.run_id)

    @property
    def venue(self) -> PlayedVenue:
        """The broker as a venue whose sessions the desk plays; ExecutionError(not_played) for a real one."""
        if isinstance(self.broker, PlayedVenue):
            return self.broker
        raise ExecutionError(
            f"the broker {self.broker.name} runs on its own clock: only a simulated venue can be replayed",
            code="not_played",
        )

    def tick(self, index: int, phase: Phase) -> Tick:
        return self.market.tick(self.market.sessions[index], phase)

    def cycle_id(self, index: int) -> str:
        return stable_id("cyc", self.run_id, self.market.sessions[index])

    def take_law(self) -> bool:
        """Take the law in force now, as every session and cycle does; True when a reason for safe mode went."""
        self.law = in_force(self.store)
        return look_again(self.store)

    def agent_context(self, cycle_id: str) -> Context:
        return agent_context(self.store, self.run_id, cycle_id)


def start_run(store: Store, request: RunRequest, *, attended: bool = False) -> RunRow:
    """Open a new run with its own id and book, and close the one before it for good."""
    if store.settings.mode == "replay" and store.settings.broker_name != SIMULATION:
        raise ConfigError(
            f"a replay is played at the simulation, not at {store.settings.broker_name}: use paper mode for it",
            code="bad_settings",
        )
    law = at_start(store, attended=attended)
    _require_pair(store)
    market, found_again = new_market(store, request.symbols)
    venue = _venue_terms(store)
    index = _start_index(market, request.start, store.settings.start_session)
    if found_again:
        index = market.sessions.index(date.fromisoformat(found_again["anchor"]))
    fingerprint = content_sha256(
        {
            "seed": request.seed, "symbols": market.symbols, "start": index, "data": market.dataset_sha256,
            "limits": law.limits_sha256, "policy": law.policy_sha256, "equity": store.settings.equity_start,
            "reasoner": store.settings.reasoner, "mode": store.settings.mode,
            **({} if store.settings.broker_name == SIMULATION else {"broker": store.settings.broker_name}),
            **({"venue": venue["venue"]["sha256"]} if venue else {}),
            **found_again,
        }
    )  # fmt: skip
    equity = Decimal(store.settings.equity_start)
    if store.settings.broker_name != SIMULATION:
        equity = _cash_at_broker(store, request.seed)
    with store.db.write() as session:
        earlier = session.exec(select(RunRow).order_by(col(RunRow.ordinal))).all()
        for row in earlier:
            row.active = False
            session.add(row)
        same = sum(row.fingerprint == fingerprint for row in earlier)
        run = RunRow(
            id=stable_id("run", fingerprint, same), ordinal=len(earlier) + 1, mode=store.settings.mode,
            fingerprint=fingerprint, seed=request.seed, start=market.sessions[index], session_index=index - 1,
            equity_start=equity, cash=equity, peak_equity=equity, day_start_equity=equity, created_wall=now(),
            config={
                "symbols": None if request.symbols is None else list(request.symbols), "names": len(market.symbols),
                "broker": store.settings.broker_name, "label": market.label, "data_sha256": market.dataset_sha256,
                "sessions": len(market.sessions), **venue, **found_again,
            },
        )  # fmt: skip
        begin_run(session, run, market.tick(market.sessions[index], "open").as_of)
    return run


def begin_run(session: Session, run: RunRow, opens: datetime) -> None:
    """Keep a new run with its first record; `opens` is the open of its first session."""
    session.add(run)
    session.flush()
    content = {
        **run.config, "seed": run.seed, "start": run.start, "equity_start": run.equity_start, "mode": run.mode
    }  # fmt: skip
    append(
        session,
        Entry(
            kind="run.started", step="start", run_id=run.id, stage=Stage.RUN, content=content, desk_time=opens
        ),
    )  # fmt: skip


def _require_pair(store: Store) -> None:
    """A venue that the desk plays needs prices that are all there; a real one needs those of today."""
    settings = store.settings
    if (settings.feed == ALPACA) == (settings.broker_name == SIMULATION):
        raise ConfigError(
            f"the broker {settings.broker_name} does not go with the {settings.feed} market: a replay takes simulation "
            "and embedded, paper and live take a real broker and alpaca",
            code="bad_settings",
        )


def _venue_terms(store: Store) -> dict[str, Any]:
    """What a new run keeps of the venue file of the settings: nothing where there is none, or it changes nothing."""
    path = store.settings.venue
    if path is None:
        return {}
    if store.settings.broker_name != SIMULATION:
        raise ConfigError(
            f"a venue file gives terms to the simulation, and this desk trades at {store.settings.broker_name}: "
            "leave QUARTERDECK_VENUE and --venue away",
            code="bad_settings",
        )
    return kept(read_venue(path))


def _cash_at_broker(store: Store, seed: int) -> Decimal:
    """What a run at a real broker begins with; its positions are breaks until a person adopts or leaves them."""
    asked = RunRow(
        id="new", ordinal=0, mode=store.settings.mode, fingerprint="", seed=seed, start=now().date(), session_index=0,
        config={"broker": store.settings.broker_name}, equity_start=Decimal(0), cash=Decimal(0),
        peak_equity=Decimal(0), day_start_equity=Decimal(0), created_wall=now(),
    )  # fmt: skip
    return open_broker(store, asked).cash()


def _start_index(market: MarketData, start: date | None, default: int) -> int:
    if start is None:
        return default
    sessions = market.sessions
    if start < sessions[default] or start > sessions[-1]:
        raise DataError(
            f"{start} is outside {sessions[default]} to {sessions[-1]}: strategies need {default} sessions of history "
            "before the start",
            code="start_outside_data",
        )
    return next(index for index, day in enumerate(sessions) if day >= start)


def open_desk(store: Store, *, attended: bool = False, started: bool = False) -> Desk:
    """Assemble the desk over the active run; HomeError(no_run) when there is none.

    `attended`: people can reach it; `started`: it ran before; see `activation.at_start`.
    """
    law = at_start(store, attended=attended, started=started)
    with store.db.read() as session:
        run = active_run(session)
    if run is None:
        raise HomeError("this home has no run yet: start one with `quarterdeck run`", code="no_run")
    symbols: Sequence[str] | None = run.config["symbols"]
    market = open_market(symbols) if run.mode == "replay" else market_of(store, run)
    if market.dataset_sha256 != run.config["data_sha256"]:
        raise DataError(
            "the installed market data differ from those this run began with: run `make setup`, or --new-run",
            code="data_changed",
        )
    degraded: list[str] = []
    recall = None
    try:
        recall = open_recall(store)
    except ConfigError as error:
        degraded.append(error.message)
    for reason in store.reduce_only:
        with store.db.write() as session:
            raise_finding(
                session, run, code="safe_mode", severity="critical", component="law", message=reason,
                recommendation="The desk only watches, cancels and reduces until the file is restored or activated.",
                as_of=market.tick(market.sessions[max(run.session_index, 0)], "close").as_of,
            )  # fmt: skip
    return Desk(
        store=store, run_id=run.id, market=market, broker=open_broker(store, run), law=law, recall=recall,
        seed=run.seed, degraded=degraded,
    )  # fmt: skip


def record_stage(session: Session, desk: Desk, stage: str, **values: Any) -> None:
    """Move the run's clock on, in the caller's transaction."""
    run = session.get_one(RunRow, desk.run_id)
    run.stage = stage
    for name, value in values.items():
        setattr(run, name, value)
    session.add(run)
