"""Ways to stop beside a person's halt: the file, a state that cannot be read, the dead-man timer, controls."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from memory.tables import EvidenceRow, OrderRow, RunRow
from pipeline import automatic_halts, halt, halt_program, halt_release
from pipeline.automatic_halts import Seen
from pipeline.drills.halt_drills import REASON, WHO
from pipeline.drills.stage import Scene
from pipeline.heartbeats import beat
from pipeline.watchdog import WATCHED, Watchdog
from tools.execution.types import OrderState
from tools.types import CaseState, Finding

Drill = Callable[[Scene], Awaitable[list[str]]]
"""What went wrong on a copy of the stage, one sentence each; nothing when the desk stopped as it must."""


def wrong(*found: tuple[bool, str]) -> list[str]:
    """The sentences whose condition holds."""
    return [text for bad, text in found if bad]


def _held_back(scene: Scene, *, cancelled: bool) -> list[str]:
    """What a firm halt failed to hold back, with the halt program's work done."""
    resting, working = set(scene.resting()), scene.entries("working")
    return wrong(
        (not halt.stands(scene.store), "no halt stands"),
        (cancelled and bool(working & resting), "orders that add risk still rest at the venue"),
        (not cancelled and not working <= resting, "working orders went, though the halt leaves them"),
        (not scene.refuses(), "an approval was taken under the halt"),
    )


async def _halt_file(scene: Scene) -> list[str]:
    calm = halt.stands(scene.store)
    scene.store.home.halt_file.write_text(f"cancel: {REASON}\n", encoding="utf-8")
    at_once = halt.stands(scene.store)
    halt_program.carry_out_all(scene.store, scene.broker)
    rows = scene.halts()
    failures = wrong((calm, "a halt stood before"), (not at_once, "the file alone did not halt"))
    failures += wrong(([row.source for row in rows] != ["file"], "the file was not taken into the store"))
    failures += _held_back(scene, cancelled=True)
    halt_release.release(scene.store, reason=REASON, principal=WHO)
    return failures + wrong(
        (scene.store.home.halt_file.exists(), "the release left the file"),
        (halt.stands(scene.store), "a halt stands after the release"),
    )


async def _unreadable(scene: Scene) -> list[str]:
    """The table of halts is gone: nobody can tell what is halted."""
    calm, before, unsent = halt.stands(scene.store), set(scene.resting()), scene.entries("unsent")
    with scene.store.db.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE halts RENAME TO halts_gone")
    sent = True
    try:
        scene.send(unsent)
    except SQLAlchemyError:
        sent = False
    return wrong(
        (calm, "a halt stood before"), (not halt.stands(scene.store), "what cannot be read does not count as halted"),
        (not halt.holds_clock(scene.store), "the clock would go on"),
        (sent or set(scene.resting()) != before, "an order was sent"),
    )  # fmt: skip


async def _database_gone(scene: Scene) -> list[str]:
    calm, before, unsent = halt.stands(scene.store), set(scene.resting()), scene.entries("unsent")
    for path in scene.store.home.path.glob("quarterdeck.sqlite*"):
        path.unlink()
    scene.send(unsent)
    return wrong(
        (calm, "a halt stood before"), (not halt.stands(scene.store), "a database that is gone does not halt"),
        (not scene.refuses(), "an approval was taken"), (set(scene.resting()) != before, "an order was sent"),
    )  # fmt: skip


async def _released(scene: Scene) -> list[str]:
    """A release voids what waits, what was approved and what was not sent, and sends nothing."""
    row = halt.engage_surely(scene.store, action="no_new", reason=REASON, principal=WHO)
    before = scene.resting()
    result = halt_release.release(scene.store, reason=REASON, principal=WHO)
    scene.send()
    states = scene.states()
    held_back = [*scene.cases("waiting"), *scene.cases("approved")]
    bought = {name for name, order in scene.resting().items() if order.side == "buy"}
    return wrong(
        (result.released != (row.id,), "the halt was not released"), (halt.stands(scene.store), "a halt still stands"),
        (set(result.voided_cases) != set(held_back), "not every question and approval was voided"),
        (any(states[case] != CaseState.CANCELLED.value for case in scene.cases("unsent")), "an unsent order stays"),
        (bought != {name for name, order in before.items() if order.side == "buy"}, "the release sent an order"),
    )  # fmt: skip


def _dead_man(component: str) -> Drill:
    async def drill(scene: Scene) -> list[str]:
        at = [0.0]
        watchdog = Watchdog(scene.store.settings, clock=lambda: at[0])
        bears = scene.desk.law.limits.halts.dead_man_seconds
        held = scene.broker.positions()
        with contextlib.redirect_stdout(sys.stderr):
            for name in WATCHED:
                beat(scene.store, name, "ok", REASON)
            for step in (0.0, bears - 1.0):
                at[0] += step
                watchdog.step()
            beat(scene.store, next(name for name in WATCHED if name != component), "ok", REASON)
            early = scene.halts()
            for step in (3.0, 3.0):
                at[0] += step
                watchdog.step()
        rows = scene.halts()
        failures = wrong(
            (bool(early), "it halted before its time"),
            ([(row.source, row.action, row.scope) for row in rows] != [("watchdog", "cancel", "firm")],
             f"it did not halt the firm once for the silence of the {component}"),
            (bool(rows) and component not in rows[0].reason, "the halt names another component"),
            (scene.broker.positions() != held, "positions changed"),
        )  # fmt: skip
        return failures + _held_back(scene, cancelled=True)

    return drill


class Provoked(NamedTuple):
    """What is wrong with the book or with what is seen beside it when a control looks."""

    doubled: str | None = None
    """An earlier equity of the run, so that half of it counts as lost."""
    data_age_hours: float = 0.0
    shares_missing: int = 0
    in_doubt: bool = False


def _by_control(control: str, provoked: Provoked) -> Drill:
    """A control that halts by itself: quiet over the book as it is, engaged over the book that was provoked."""

    async def drill(scene: Scene) -> list[str]:
        held = scene.broker.positions()
        calm = _consider(scene, Seen(0.0, held))
        _spoil(scene, provoked)
        first = min(held)
        seen = Seen(provoked.data_age_hours, {**held, first: held[first] - provoked.shares_missing})
        engaged = _consider(scene, seen)
        halt_program.carry_out_all(scene.store, scene.broker)
        rows = scene.halts()
        failures = wrong(
            (bool(calm), f"{', '.join(calm)} halted before anything was provoked"),
            (engaged != [f"control:{control}"], f"engaged were {', '.join(engaged) or 'none'}"),
            (any(row.ends_index is None for row in rows), "the halt has no end"),
        )
        return failures + _held_back(scene, cancelled=bool(rows) and rows[0].action != "no_new")

    return drill


def _consider(scene: Scene, seen: Seen, *findings: Finding) -> list[str]:
    """Let the controls look as they do at each close; returns the sources of the halts that came of it."""
    with scene.store.db.write() as session:
        run = session.get_one(RunRow, scene.desk.run_id)
        as_of = scene.desk.tick(scene.index, "open").as_of
        return [
            row.source
            for row in automatic_halts.consider(session, run, scene.desk.law.limits, seen, findings, as_of)
        ]  # fmt: skip


def _spoil(scene: Scene, provoked: Provoked) -> None:
    with scene.store.db.write() as session:
        run = session.get_one(RunRow, scene.desk.run_id)
        if provoked.doubled is not None:
            setattr(run, provoked.doubled, 2 * getattr(run, provoked.doubled))
            session.add(run)
        if provoked.in_doubt:
            for row in session.exec(select(OrderRow).where(OrderRow.leg == "stop")).all():
                row.state = OrderState.UNKNOWN.value
                session.add(row)


async def _finding(scene: Scene) -> list[str]:
    """A critical finding on evidence that is kept halts, on none it does not, and no more often than the cap says."""
    seen, rules = Seen(0.0, scene.broker.positions()), scene.desk.law.limits.halts
    as_of = scene.desk.tick(scene.index, "open").as_of
    with scene.store.db.read() as session:
        kept = next(row.id for row in session.exec(select(EvidenceRow)).all() if not row.body.taint)

    def finding(number: int, evidence: str) -> Finding:
        return Finding(
            id=f"find_drill_{number}", code="drill", severity="critical", component="drill", message=REASON,
            recommendation="Halt.", evidence_ids=(evidence,), as_of=as_of, recommends_halt=True,
            symbol=None if number == 1 else scene.stage.parts[number].symbol,
        )  # fmt: skip

    baseless = _consider(scene, seen, finding(0, "ev_nothing"))
    engaged = _consider(scene, seen, finding(1, kept))
    failures = _held_back(scene, cancelled=False)
    more = [_consider(scene, seen, finding(number, kept)) for number in range(2, rules.findings_per_window + 2)]
    return failures + wrong(
        (bool(baseless), "a finding without evidence halted"),
        (engaged != ["control:finding"], "a finding on its evidence did not halt"),
        (more[-1] != [], f"more than {rules.findings_per_window} findings halted in one window"),
        (any(row.ends_index is None for row in scene.halts()), "the halt has no end"),
    )


STOPS: Mapping[str, tuple[Drill, str]] = {
    "stop:halt_file": (
        _halt_file, "the HALT file alone halted the firm, orders were cancelled, the release took it away"),
    "stop:unreadable_state": (_unreadable, "with no table of halts everything counts as halted and nothing is sent"),
    "stop:database_gone": (_database_gone, "with the database gone everything counts as halted and nothing is sent"),
    "stop:release_voids": (_released, "questions, approvals and unsent orders were voided, nothing was sent"),
    **{
        f"stop:dead_man:{name}": (
            _dead_man(name), f"silence of the {name} beyond its time cancelled what adds risk; positions stayed")
        for name in WATCHED
    },
    **{
        f"stop:control:{name}": (_by_control(name, provoked), told)
        for name, provoked, told in (
            ("daily_loss", Provoked("day_start_equity"), "a loss of the day beyond its limit left only reductions"),
            ("drawdown", Provoked("peak_equity"), "a drawdown beyond its limit left only reductions"),
            ("data_dead", Provoked(data_age_hours=1e6), "data beyond their age with positions open: nothing new"),
            ("book_break", Provoked(shares_missing=1), "two books that disagree in a share: nothing new"),
            ("unknown_orders", Provoked(in_doubt=True), "too many orders in doubt: nothing new"),
        )
    },
    "stop:control:finding": (_finding, "a critical finding on kept evidence: nothing new, for a time, and capped"),
}  # fmt: skip
"""Name, drill, and what is said of it when it fired."""
