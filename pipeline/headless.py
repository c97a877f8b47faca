"""The headless replay behind `quarterdeck run`: sessions one after another, with or without a stand-in."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Literal

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from sqlmodel import Session, col, func, select

from memory import ledger
from memory.tables import (
    ApprovalRow,
    CaseRow,
    EquityRow,
    ExplanationRow,
    FillRow,
    OrderRow,
    RecordingRow,
    RunRow,
)
from pipeline import approvals, halt, reconciliation
from pipeline.book import equity_of
from pipeline.desk import Desk, RunRequest, open_desk, start_run
from pipeline.session import SessionPlayer, SessionReport
from pipeline.store import Principal, Store, active_run
from tools.errors import ConfigError, HomeError
from tools.execution.venue_file import in_words, read_venue, terms_of
from tools.types import ORDER_KINDS, Frozen

StandIn = Literal["approve", "reject", "none"]


class LedgerSummary(Frozen):
    entries: int
    content_sha256: str
    head: str
    verified: bool


class ExplanationSummary(Frozen):
    claims: int
    numbers: int
    unresolved: int
    dropped: int


class RunSummary(Frozen):
    """What `quarterdeck run` ends with. Money in account currency, drawdown as a fraction."""

    run: str
    label: str
    sessions: int
    proposals: int
    cases: dict[str, int]
    orders: int
    fills: int
    equity_start: Decimal
    equity_end: Decimal
    max_drawdown: Decimal
    abstentions: int
    model_calls: int
    ledger: LedgerSummary
    explanations: ExplanationSummary
    safe_mode: tuple[str, ...] = ()


@asynccontextmanager
async def open_player(desk: Desk) -> AsyncIterator[SessionPlayer]:
    """A player over the home's checkpoint database, closed at the end."""
    async with AsyncSqliteSaver.from_conn_string(str(desk.store.home.checkpoints)) as saver:
        await saver.setup()
        yield SessionPlayer(desk, saver)


def choose_run(store: Store, request: RunRequest, *, continue_run: bool, new_run: bool) -> None:
    """Start a run, or go on with the one that is there; HomeError(run_exists) when it is not said which."""
    with store.db.read() as session:
        run = active_run(session)
    if continue_run and new_run:
        raise ConfigError("--continue and --new-run exclude each other: choose one", code="bad_choice")
    if run is None and continue_run:
        raise HomeError("there is no run to continue: leave --continue away", code="no_run")
    if run is not None and not (continue_run or new_run):
        raise HomeError(f"{store.home.path} already holds run {run.id}: say --continue or --new-run", code="run_exists")
    if run is None or new_run:
        start_run(store, request)
    elif store.settings.venue is not None and terms_of(run.config) != read_venue(store.settings.venue).terms:
        raise ConfigError(
            f"run {run.id} has its venue's terms for ever ({in_words(run.config)}): "
            "leave --venue away, or say --new-run",
            code="venue_fixed",
        )


def stand_in_decides(desk: Desk, answer: StandIn, number: int) -> int:
    """Answer every waiting question as a declared stand-in, but approve nothing that a halt holds; returns how many."""
    if answer == "none":
        return 0
    with desk.db.read() as session:
        found = session.exec(
            select(ApprovalRow, CaseRow)
            .join(CaseRow, col(CaseRow.id) == col(ApprovalRow.case_id))
            .where(
                ApprovalRow.run_id == desk.run_id, ApprovalRow.status == "pending", col(CaseRow.kind).in_(ORDER_KINDS)
            )
            .order_by(col(CaseRow.rank))
        ).all()
        waiting = [row for row, case in found if answer != "approve" or not _held(desk.store, session, case)]
    for row in waiting:
        for extra in range(row.required if answer == "approve" else 1):
            said = approvals.decide(
                desk.store, row.id, principal=Principal(f"stand-in:{number + extra}", "stand_in"), decision=answer,
                digest=row.digest, reason=f"declared stand-in: {answer}",
            )  # fmt: skip
            if said.status != "pending":
                break
    return len(waiting)


def _held(store: Store, session: Session, case: CaseRow) -> bool:
    return case.risk_effect != "reduces" and halt.blocks_increase(store, session, case)


async def run_sessions(
    store: Store,
    *,
    sessions: int,
    symbols: tuple[str, ...] | None = None,
    start: date | None = None,
    seed: int = 0,
    stand_in: StandIn = "none",
    continue_run: bool = False,
    new_run: bool = False,
    on_session: Callable[[SessionReport], None] = lambda _report: None,
) -> RunSummary:
    """Play up to `sessions` sessions (fewer when the market ends) and sum up the run."""
    if sessions < 1:
        raise ConfigError(f"--sessions {sessions}: at least one session is needed", code="bad_sessions")
    if store.settings.mode != "replay":
        raise ConfigError(
            f"this is a {store.settings.mode} home, whose sessions come by the clock: run `quarterdeck serve`",
            code="stand_in_refused" if stand_in != "none" else "not_replay",
        )
    choose_run(store, RunRequest(symbols=symbols, start=start, seed=seed), continue_run=continue_run, new_run=new_run)
    desk = open_desk(store)
    reconciliation.at_start(desk)
    async with open_player(desk) as player:
        if desk.run().stage == "closed":  # an interrupted cycle first asks the rest of its questions
            stand_in_decides(desk, stand_in, 1)
        for _ in range(sessions):
            if player.finished():
                break
            report = await player.play()
            if report is None:
                break
            stand_in_decides(desk, stand_in, 1)
            on_session(report)
    store.publish_head()
    return summarise(desk)


def summarise(desk: Desk) -> RunSummary:
    """Count what a run holds; reads only."""
    verification = desk.store.verify_ledger()
    with desk.db.read() as session:
        run = session.get_one(RunRow, desk.run_id)
        states = Counter(session.exec(select(CaseRow.state).where(CaseRow.run_id == run.id)).all())
        drawdowns = session.exec(select(col(EquityRow.drawdown)).where(EquityRow.run_id == run.id)).all()
        explained = session.exec(select(ExplanationRow).where(ExplanationRow.run_id == run.id)).all()
        return RunSummary(
            run=run.id, label=str(run.config["label"]), sessions=run.sessions_played, proposals=sum(states.values()),
            cases=dict(sorted(states.items())), orders=_count(session, OrderRow, run.id),
            fills=_count(session, FillRow, run.id), equity_start=run.equity_start, equity_end=equity_of(session, run),
            max_drawdown=max(drawdowns, default=Decimal(0)),
            abstentions=sum(
                review.get("verdict") == "abstain"
                for review in session.exec(select(CaseRow.review).where(CaseRow.run_id == run.id))
            ),
            model_calls=len(
                session.exec(
                    select(RecordingRow.id).where(RecordingRow.run_id == run.id, RecordingRow.kind == "model")
                ).all()
            ),
            ledger=LedgerSummary(
                entries=ledger.count(session, run.id), content_sha256=ledger.content_sha256(session, run.id),
                head=verification.head, verified=verification.verified,
            ),
            explanations=ExplanationSummary(
                claims=sum(row.claims for row in explained), numbers=sum(row.numbers for row in explained),
                unresolved=sum(row.unresolved for row in explained), dropped=sum(row.dropped for row in explained),
            ),
            safe_mode=tuple(desk.store.reduce_only),
        )  # fmt: skip


def _count(session: Session, row: type[OrderRow] | type[FillRow], run_id: str) -> int:
    return session.exec(select(func.count()).select_from(row).where(row.run_id == run_id)).one()
