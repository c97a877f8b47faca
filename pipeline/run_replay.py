"""Replay a whole run: every session again in a home of its own, models from the tape, the network closed.

What people decided is taken from the tables and done again after the same sessions. The two ledgers of the run must
then say the same, entry by entry: `content_sha256` is equal, or the first entry that differs is named.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlmodel import Session, col, select

from agents.opinion import BesideRules, Context, Usage
from memory import ledger
from memory.recordings import CycleRecorder, load_blob
from memory.tables import LedgerRow, RecordingRow, RunRow
from pipeline import reconciliation
from pipeline.closed_network import closed_network
from pipeline.context import rules_context
from pipeline.desk import SIMULATION, Desk, begin_run, open_desk
from pipeline.feed import open_market
from pipeline.headless import open_player
from pipeline.recorded_model import recorded_endpoints
from pipeline.replayed_people import Deeds, deeds_of, repeat, require_repeatable
from pipeline.store import Store, open_store
from prompts.loader import load
from tools.errors import ConfigError, HomeError, LedgerError
from tools.types import Frozen

REVIEW = "decision.review_candidates"
BESIDE: Mapping[str, BesideRules] = {"monitoring.monitor": "monitoring", "coordinator.plan": "coordinator"}
_SHOWN = 400


class EntryShown(Frozen):
    """One record of the ledger in short."""

    kind: str
    step: str
    case_id: str | None
    desk_time: str
    body: str


class FirstDifference(Frozen):
    """Where two ledgers of one run part; None on the side that has no entry there. `position` counts from one."""

    position: int
    recorded: EntryShown | None
    replayed: EntryShown | None


class RunReplay(Frozen):
    """What came of playing a run again. `unanswered` questions to a model stood in no recording."""

    run_id: str
    sessions: int
    model_answers: int
    decisions: int
    entries: int
    recorded_sha256: str
    replayed_sha256: str
    identical: bool
    unanswered: int
    first_difference: FirstDifference | None


class _Free:
    """A budget that covers everything: what was refused then has no recording."""

    def reserve(self, call: str, model_id: str, most: Usage) -> int:
        del call, model_id, most
        return 0

    def settle(self, reservation: int, used: Usage) -> None:
        del reservation, used


@dataclass(frozen=True)
class _Cycle:
    """The recorded model calls of one cycle, and how the model was asked; no framework where it was not."""

    rows: tuple[RecordingRow, ...] = ()
    answers: Mapping[str, Any] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)
    beside: frozenset[BesideRules] = frozenset()


@dataclass
class _TapeDesk(Desk):
    """A desk whose models answer from recordings."""

    tape: Mapping[str, _Cycle] = field(kw_only=True)
    missing: list[str] = field(default_factory=list)

    def agent_context(self, cycle_id: str) -> Context:
        cycle = self.tape.get(cycle_id, _Cycle())
        if "framework" not in cycle.how:
            return rules_context(self.store, self.run_id, cycle_id)
        return Context(
            reasoner="model", recorder=CycleRecorder(self.store.db, self.run_id, cycle_id), budget=_Free(),
            endpoints=recorded_endpoints(cycle.rows, cycle.answers, self.missing), framework=cycle.how["framework"],
            samples=cycle.how["samples"], beside=cycle.beside,
        )  # fmt: skip


def replay_run(store: Store, run_id: str, into: Path | None = None) -> RunReplay:
    """Play a run again; the new home stays at `into`, else it goes.

    LedgerError: unknown_target, not_replayable (its mode, its venue, what people did in it, the middle of a session),
    recording_missing, recording_edited, prompt_changed. Whoever reaches for the network gets AccessError.
    """
    with store.db.read() as session:
        run = session.get(RunRow, run_id)
        if run is None:
            raise LedgerError(f"there is no run {run_id}: `quarterdeck ledger` names them", code="unknown_target")
        if run.mode != "replay" or run.config["broker"] != SIMULATION or run.stage != "closed":
            raise LedgerError(
                f"run {run_id} is a {run.mode} run at {run.config['broker']}, {run.stage}: only a replay at the "
                "simulation that stands at the close of a session can be played again",
                code="not_replayable",
            )
        require_repeatable(session, run)
        tape = _tape(session, run)
    if into is not None and into.exists() and any(into.iterdir()):
        raise HomeError(f"{into} is not empty: name a new folder for the replayed home", code="home_not_empty")
    with TemporaryDirectory(prefix="quarterdeck-replay-") as scratch, closed_network():
        return asyncio.run(_play(store, run, tape, into or Path(scratch) / "home"))


async def _play(store: Store, run: RunRow, tape: Mapping[str, _Cycle], home: Path) -> RunReplay:
    again, deeds = await asyncio.to_thread(_begin, store, run, home)
    try:
        desk = open_desk(again)
        desk = _TapeDesk(**{item.name: getattr(desk, item.name) for item in fields(desk)}, tape=tape)
        reconciliation.at_start(desk)
        async with open_player(desk) as player:
            for _ in range(run.sessions_played):
                await player.play()
                await asyncio.to_thread(repeat, again, deeds, desk.run().session_index)
        return _report(store, again, run, desk, deeds)
    finally:
        again.db.dispose()


def _begin(store: Store, run: RunRow, home: Path) -> tuple[Store, Deeds]:
    """A home with the law, the book and the clock that the run began with."""
    market = open_market(run.config["symbols"])
    if market.dataset_sha256 != run.config["data_sha256"]:
        raise ConfigError(
            "the installed market data differ from those of the run: run `make setup`", code="data_changed"
        )
    closes = [market.tick(day, "close").as_of for day in market.sessions]
    with store.db.read() as session:
        deeds = deeds_of(session, run, closes)
    settings = store.settings.model_copy(update={"home": home, "database_url": None, "heads_dir": None})
    again = open_store(settings)
    for kind, row in deeds.law.items():
        (again.home.config / f"{kind}.yaml").write_text(row.body, encoding="utf-8")
    first = market.sessions.index(run.start)
    kept = {"id", "mode", "fingerprint", "seed", "start", "config", "equity_start", "created_wall"}
    fresh = RunRow(
        **run.model_dump(include=kept), ordinal=1, session_index=first - 1, cash=run.equity_start,
        peak_equity=run.equity_start, day_start_equity=run.equity_start,
    )  # fmt: skip
    with again.db.write() as session:
        begin_run(session, fresh, market.tick(run.start, "open").as_of)
    return again, deeds


def _tape(session: Session, run: RunRow) -> dict[str, _Cycle]:
    """Every recorded model call of the run by cycle, each read and held against its name and its prompt."""
    calls: dict[str, list[RecordingRow]] = defaultdict(list)
    how: dict[str, Mapping[str, Any]] = {}
    beside: dict[str, set[BesideRules]] = defaultdict(set)
    query = select(RecordingRow).where(RecordingRow.run_id == run.id).order_by(col(RecordingRow.id))
    for row in session.exec(query):
        if row.kind == "model":
            _require_prompt(row)
            calls[row.cycle_id].append(row)
        elif row.call == REVIEW:
            how[row.cycle_id] = row.meta
        elif row.call in BESIDE and row.meta.get("reasoner") == "model":
            beside[row.cycle_id].add(BESIDE[row.call])
    return {
        cycle: _Cycle(
            tuple(calls[cycle]), {row.input_sha256: load_blob(session, row.output_sha256) for row in calls[cycle]},
            how.get(cycle, {}), frozenset(beside[cycle]),
        )
        for cycle in {*calls, *how}
    }  # fmt: skip


def _require_prompt(row: RecordingRow) -> None:
    name, version, sha256 = (str(row.meta.get(f"quarterdeck.prompt.{part}")) for part in ("id", "version", "sha256"))
    now = load(name)
    if now.sha256 != sha256:
        raise LedgerError(
            f"the prompt {name} was version {version} ({sha256[:12]}) in this run and is version {now.version} "
            f"({now.sha256[:12]}) now: its answers belong to another question; replay with the version of then",
            code="prompt_changed",
        )


def _report(store: Store, again: Store, run: RunRow, desk: _TapeDesk, deeds: Deeds) -> RunReplay:
    with store.db.read() as before, again.db.read() as after:
        recorded, replayed = (ledger.content_sha256(session, run.id) for session in (before, after))
        entries = ledger.count(before, run.id)
        different = None if recorded == replayed else _first(before, after, run.id)
    if different is not None and desk.missing:
        where = different.recorded or different.replayed
        raise LedgerError(
            f"{len(desk.missing)} questions to a model have no recorded answer, and the run comes out otherwise from "
            f"entry {different.position} on ({where.kind if where else 'none'}): the recordings are not whole",
            code="recording_missing",
        )
    return RunReplay(
        run_id=run.id, sessions=run.sessions_played, model_answers=sum(len(item.rows) for item in desk.tape.values()),
        decisions=sum(map(len, deeds.answers.values())), entries=entries, recorded_sha256=recorded,
        replayed_sha256=replayed, identical=recorded == replayed, unanswered=len(desk.missing),
        first_difference=different,
    )  # fmt: skip


def _first(before: Session, after: Session, run_id: str) -> FirstDifference | None:
    order = (col(LedgerRow.desk_time), col(LedgerRow.stage), col(LedgerRow.rank), col(LedgerRow.leaf))
    query = select(LedgerRow).where(LedgerRow.run_id == run_id).order_by(*order)
    pairs = zip_longest(before.exec(query).all(), after.exec(query).all())
    for position, (was, is_) in enumerate(pairs, 1):
        if was is None or is_ is None or was.leaf != is_.leaf:
            return FirstDifference(position=position, recorded=_shown(was), replayed=_shown(is_))
    return None


def _shown(row: LedgerRow | None) -> EntryShown | None:
    if row is None:
        return None
    body = json.dumps(json.loads(row.content)["body"], sort_keys=True)
    return EntryShown(
        kind=row.kind, step=row.step, case_id=row.case_id, desk_time=row.desk_time.isoformat(), body=body[:_SHOWN]
    )
