"""What a person sees of the desk at a glance: read models for the API and the command line."""

from __future__ import annotations

import os
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, func, select

from memory import ledger
from memory.tables import (
    ApprovalRow,
    CaseRow,
    EquityRow,
    FindingRow,
    HeartbeatRow,
    LedgerRow,
    RunRow,
)
from pipeline.book import equity_of, open_positions
from pipeline.findings import still_open
from pipeline.halt import FILE_SOURCE, file_halt
from pipeline.halt_scope import NARROW, in_force
from pipeline.heartbeats import STALE_AFTER
from pipeline.model_view import model_state
from pipeline.processes import lives
from pipeline.store import Store, active_run, now
from pipeline.troubles import REMEDIES, STORE_REMEDY, Trouble, law_remedy, troubles
from tools.execution.venue_file import in_words
from tools.types import Frozen, Instant

CURVE_POINTS = 400


class HaltView(Frozen):
    """A halt in force. `ends_index` is the session at which it ends by itself; None is never."""

    id: str
    scope: str
    target: str | None
    action: str
    reason: str
    principal: str
    engaged: Instant
    source: str = "person"
    ends_index: int | None = None
    carried_out: bool = True
    detail: str | None = None


class CurvePoint(Frozen):
    session: date
    equity: Decimal
    drawdown: float
    index_close: float


class LedgerView(Frozen):
    entries: int
    head: str


class DeskView(Frozen):
    """The header of the console. Shares and returns are fractions, money is in account currency."""

    mode: str
    label: str
    venue: str
    run: str | None
    session: date | None
    session_index: int | None
    sessions_total: int
    phase: str
    stage: Literal["starting", "waiting", "playing", "halted", "finished", "safe"]
    holding: bool
    as_of: Instant | None
    equity: Decimal
    equity_start: Decimal
    cash: Decimal
    drawdown: float
    day_change: float
    gross: Decimal
    positions: int
    waiting: int
    data_age_hours: float
    principal: str
    reasoner: str
    model: str
    halts: tuple[HaltView, ...]
    findings_open: int
    troubles: tuple[Trouble, ...]
    ledger: LedgerView
    speed: float | None
    version: str
    curve: tuple[CurvePoint, ...]


class ComponentView(Frozen):
    component: str
    state: Literal["ok", "starting", "busy", "stale", "down", "off"]
    detail: str
    at: Instant | None
    pid: int | None
    remedy: str = ""


class HealthView(Frozen):
    status: Literal["ok", "degraded", "down"]
    components: tuple[ComponentView, ...]


def package_version() -> str:
    try:
        return version("quarterdeck")
    except PackageNotFoundError:
        return "0"


def halts_view(store: Store, session: Session) -> tuple[HaltView, ...]:
    """Halts in force, the file one included."""
    rows = in_force(session)
    if store.home.halt_file.exists() and not any(row.source == FILE_SOURCE for row in rows):
        rows = (*rows, file_halt(store))
    shown = set(HaltView.model_fields) - {"engaged"}
    return tuple(HaltView(**row.model_dump(include=shown), engaged=row.engaged_wall) for row in rows)


def desk_view(store: Store) -> DeskView:
    """One consistent picture of the active run."""
    settings = store.settings
    with store.db.read() as session:
        run = active_run(session)
        halts = halts_view(store, session)
        heartbeat = session.get(HeartbeatRow, "engine")
        law = session.get(HeartbeatRow, "law")
        seq, head = ledger.head(session)
        common = {
            "mode": settings.mode, "halts": halts, "troubles": tuple(troubles(session, run)),
            "ledger": LedgerView(entries=seq, head=head), "speed": settings.speed, "version": package_version(),
            "principal": "local operator", "reasoner": settings.reasoner,
            "model": settings.model_id if settings.reasoner == "model" else "rules (no model configured)",
        }  # fmt: skip
        if run is None:
            return DeskView(
                **common, label="", venue="", run=None, session=None, session_index=None, sessions_total=0,
                phase="close", stage="starting", holding=True, as_of=None, equity=Decimal(0), equity_start=Decimal(0),
                cash=Decimal(0), drawdown=0, day_change=0, gross=Decimal(0), positions=0, waiting=0,
                data_age_hours=0, findings_open=0, curve=(),
            )  # fmt: skip
        curve = _curve(session, run.id)
        held = open_positions(session, run.id)
        equity = equity_of(session, run)
        asked = _count(session, run.id)
        last = curve[-1] if curve else None
        total = int(run.config.get("sessions", 0))
        playing = run.stage != "closed" or (heartbeat is not None and heartbeat.state == "busy")
        finished = total > 0 and run.session_index >= total - 1 and run.stage == "closed"
        stage: Literal["waiting", "playing", "halted", "finished", "safe"] = "waiting"
        if any(item.scope not in NARROW for item in halts):
            stage = "halted"
        elif law is not None and law.state == "safe":
            stage = "safe"
        elif playing:
            stage = "playing"
        elif finished:
            stage = "finished"
        day = float(equity / run.day_start_equity - 1) if run.day_start_equity > 0 else 0.0
        return DeskView(
            **common, label=str(run.config["label"]), venue=_venue(run), run=run.id,
            session=last.session if last else None, session_index=run.session_index, sessions_total=total,
            phase="close" if run.stage == "closed" else "open", stage=stage,
            holding=settings.speed is None and asked > 0, as_of=_as_of(session, run), equity=equity,
            equity_start=run.equity_start, cash=run.cash, drawdown=float(1 - equity / run.peak_equity), day_change=day,
            gross=sum((abs(row.mark * row.quantity) for row in held), Decimal(0)), positions=len(held),
            waiting=asked, data_age_hours=0.0, findings_open=_open_findings(session, run.id), curve=curve,
        )  # fmt: skip


def _venue(run: RunRow) -> str:
    """Where orders go, and on which terms where the desk sets them."""
    name = str(run.config.get("broker"))
    return f"{name}, {in_words(run.config)}" if name == "simulation" else name


def _curve(session: Session, run_id: str) -> tuple[CurvePoint, ...]:
    rows = session.exec(
        select(EquityRow).where(EquityRow.run_id == run_id).order_by(col(EquityRow.session).desc()).limit(CURVE_POINTS)
    ).all()
    return tuple(
        CurvePoint(session=r.session, equity=r.equity, drawdown=float(r.drawdown), index_close=r.index_close)
        for r in reversed(rows)
    )


def _count(session: Session, run_id: str) -> int:
    query = select(func.count()).select_from(ApprovalRow)
    return session.exec(query.where(ApprovalRow.run_id == run_id, ApprovalRow.status == "pending")).one()


def _open_findings(session: Session, run_id: str) -> int:
    query = select(func.count()).select_from(FindingRow)
    return session.exec(query.where(FindingRow.run_id == run_id, still_open(now()))).one()


def _as_of(session: Session, run: RunRow) -> datetime | None:
    """Desk time of the newest mark."""
    query = select(LedgerRow.desk_time).where(LedgerRow.run_id == run.id, LedgerRow.kind == "session.closed")
    return session.exec(query.order_by(col(LedgerRow.seq).desc()).limit(1)).first()


def health_view(store: Store) -> HealthView:
    """Health per component. The store is asked first: when it cannot answer, everything is down."""
    try:
        with store.db.read() as session:
            beats = {row.component: row for row in session.exec(select(HeartbeatRow)).all()}
            session.exec(select(func.count()).select_from(CaseRow)).one()
            model = model_state(session, store.settings)
    except SQLAlchemyError as error:
        lost = ComponentView(
            component="store", state="down", detail=type(error).__name__, at=None, pid=None, remedy=STORE_REMEDY
        )
        return HealthView(status="down", components=(lost,))
    components = (
        ComponentView(component="api", state="ok", detail="answers", at=now(), pid=os.getpid()),
        ComponentView(component="store", state="ok", detail=store.db.dialect, at=now(), pid=None),
        *(_process(name, beats.get(name)) for name in ("engine", "watchdog")),
        *(_told(name, beats.get(name)) for name in ("broker", "recall", "law")),
        *(_told(name, beats[name]) for name in ("stream", "data") if name in beats),
        *_clock(beats.get("clock")),
        ComponentView(component="model", state=model.state, detail=model.detail, at=model.at, pid=None),
    )  # fmt: skip
    components = tuple(
        item if item.state in ("ok", "busy", "starting") else item.model_copy(update={"remedy": remedy_of(item)})
        for item in components
    )
    good = all(item.state in ("ok", "busy", "starting") for item in components if item.component != "model")
    return HealthView(status="ok" if good else "degraded", components=components)


def remedy_of(item: ComponentView) -> str:
    """What to do about a component that is not well; the empty string where its detail says it or nothing is wrong."""
    safe = item.component == "law"
    return law_remedy(item.detail) if safe else REMEDIES.get(item.component, "") if item.state != "off" else ""


def _told(name: str, row: HeartbeatRow | None) -> ComponentView:
    """What the engine said last of a component that only it can see."""
    if row is None:
        return ComponentView(component=name, state="off", detail="the engine has not opened it yet", at=None, pid=None)
    state: Literal["ok", "down"] = "ok" if row.state == "ok" else "down"
    return ComponentView(component=name, state=state, detail=row.detail, at=row.at_wall, pid=row.pid)


def _clock(row: HeartbeatRow | None) -> tuple[ComponentView, ...]:
    """A complaint when the wall clock was turned back: what runs on minutes counts from the latest time seen."""
    if row is None or row.at_wall - now() < STALE_AFTER:
        return ()
    detail = f"turned back: questions on minutes count as at {row.at_wall:%Y-%m-%d %H:%M:%SZ} until it is that late"
    return (ComponentView(component="clock", state="down", detail=detail, at=row.at_wall, pid=row.pid),)


def _process(name: str, row: HeartbeatRow | None) -> ComponentView:
    """A process by its heartbeat: one that is gone or a zombie is down, whatever it said last."""
    if row is None:
        return ComponentView(component=name, state="off", detail="never started", at=None, pid=None)
    state: Literal["ok", "starting", "busy", "stale", "down", "off"] = "ok"
    if row.state in ("starting", "busy", "off", "down"):
        state = row.state  # type: ignore[assignment]
    if state != "off" and not lives(row.pid):
        state = "down"
    elif state == "ok" and now() - row.at_wall > STALE_AFTER:
        state = "stale"
    return ComponentView(component=name, state=state, detail=row.detail, at=row.at_wall, pid=row.pid)
