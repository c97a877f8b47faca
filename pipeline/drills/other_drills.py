"""The other ways in which the desk stops itself: file, unreadable state, dead-man timer, controls, tampering."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from memory.tables import ApprovalRow, DecisionRow, FindingRow, GrantRow, HaltRow, OrderRow, OutboxRow, RunRow
from pipeline import automatic_halts, execution, halt, halt_program, halt_release, signer
from pipeline.automatic_halts import Seen
from pipeline.drills.halt_drills import REASON, WHO
from pipeline.drills.report import Line
from pipeline.drills.scratch import Kind, Scene, Stage, answer_questions, on_copy
from pipeline.heartbeats import beat
from pipeline.watchdog import WATCHED, Watchdog
from tools.errors import ApprovalError
from tools.execution.types import OrderState
from tools.types import CaseState

Drill = Callable[[Scene], Awaitable[list[str]]]
"""What went wrong, one sentence each; nothing when the desk stopped as it must."""


async def drill_other(stage: Stage, name: str) -> Line:
    """Provoke one of `OTHERS` on a copy of the stage."""
    drill, seen = OTHERS[name]
    async with on_copy(stage, name) as scene:
        return Line.of(name, await drill(scene), seen)


def _wrong(*found: tuple[bool, str]) -> list[str]:
    return [text for bad, text in found if bad]


def _cases(scene: Scene, kind: Kind) -> list[str]:
    return [part.case_id for part in scene.stage.of(kind)]


def _entries(scene: Scene, kind: Kind) -> set[str]:
    orders = scene.orders("entry")
    return {orders[case].client_order_id for case in _cases(scene, kind)}


def _refused(scene: Scene, kind: Kind = "waiting") -> bool:
    """True when every question that waits refuses an approval."""
    taken = 0
    for case in _cases(scene, kind):
        with contextlib.suppress(ApprovalError):
            answer_questions(scene.store, [case])
            taken += 1
    return taken == 0


def _engaged(scene: Scene) -> list[HaltRow]:
    with scene.store.db.read() as session:
        return list(session.exec(select(HaltRow)).all())


def _held_back(scene: Scene, *, cancelled: bool) -> list[str]:
    """What a firm halt failed to hold back, with the halt program's work done."""
    resting, working = set(scene.resting()), _entries(scene, "working")
    return _wrong(
        (not halt.stands(scene.store), "no halt stands"),
        (cancelled and bool(working & resting), "orders that add risk still rest at the venue"),
        (not cancelled and not working <= resting, "working orders went, though the halt leaves them"),
        (not _refused(scene), "an approval was taken under the halt"),
    )


async def _halt_file(scene: Scene) -> list[str]:
    calm = halt.stands(scene.store)
    scene.store.home.halt_file.write_text(f"cancel: {REASON}\n", encoding="utf-8")
    at_once = halt.stands(scene.store)
    halt_program.carry_out_all(scene.store, scene.broker)
    rows = _engaged(scene)
    failures = _wrong((calm, "a halt stood before"), (not at_once, "the file alone did not halt"))
    failures += _wrong(([row.source for row in rows] != ["file"], "the file was not taken into the store"))
    failures += _held_back(scene, cancelled=True)
    halt_release.release(scene.store, reason=REASON, principal=WHO)
    return failures + _wrong(
        (scene.store.home.halt_file.exists(), "the release left the file"),
        (halt.stands(scene.store), "a halt stands after the release"),
    )


async def _unreadable(scene: Scene) -> list[str]:
    """The table of halts is gone: nobody can tell what is halted."""
    calm, before = halt.stands(scene.store), set(scene.resting())
    with scene.store.db.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE halts RENAME TO halts_gone")
    tick = scene.desk.tick(scene.index, "open")
    unsent, sent = frozenset(_entries(scene, "unsent")), True
    try:
        execution.dispatch(scene.store, scene.broker, scene.desk.run_id, tick, unsent)
    except SQLAlchemyError:
        sent = False
    return _wrong(
        (calm, "a halt stood before"), (not halt.stands(scene.store), "what cannot be read does not count as halted"),
        (not halt.holds_clock(scene.store), "the clock would go on"),
        (sent or set(scene.resting()) != before, "an order was sent"),
    )  # fmt: skip


async def _database_gone(scene: Scene) -> list[str]:
    calm, before = halt.stands(scene.store), set(scene.resting())
    for path in scene.store.home.path.glob("quarterdeck.sqlite*"):
        path.unlink()
    tick = scene.desk.tick(scene.index, "open")
    execution.dispatch(scene.store, scene.broker, scene.desk.run_id, tick, frozenset(_entries(scene, "unsent")))
    return _wrong(
        (calm, "a halt stood before"), (not halt.stands(scene.store), "a database that is gone does not halt"),
        (not _refused(scene), "an approval was taken"), (set(scene.resting()) != before, "an order was sent"),
    )  # fmt: skip


async def _released(scene: Scene) -> list[str]:
    """A release voids what waits, what was approved and what was not sent, and sends nothing."""
    row = halt.engage_surely(scene.store, action="no_new", reason=REASON, principal=WHO)
    before = scene.resting()
    result = halt_release.release(scene.store, reason=REASON, principal=WHO)
    execution.dispatch(scene.store, scene.broker, scene.desk.run_id, scene.desk.tick(scene.index, "open"))
    states = scene.states()
    held_back = [*_cases(scene, "waiting"), *_cases(scene, "approved")]
    bought = {name for name, order in scene.resting().items() if order.side == "buy"}
    return _wrong(
        (result.released != (row.id,), "the halt was not released"), (halt.stands(scene.store), "a halt still stands"),
        (set(result.voided_cases) != set(held_back), "not every question and approval was voided"),
        (any(states[case] != CaseState.CANCELLED.value for case in _cases(scene, "unsent")), "an unsent order stays"),
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
            early = _engaged(scene)
            for step in (3.0, 3.0):
                at[0] += step
                watchdog.step()
        rows = _engaged(scene)
        failures = _wrong(
            (bool(early), "it halted before its time"),
            ([(row.source, row.action, row.scope) for row in rows] != [("watchdog", "cancel", "firm")],
             f"it did not halt the firm once for the silence of the {component}"),
            (bool(rows) and component not in rows[0].reason, "the halt names another component"),
            (scene.broker.positions() != held, "positions changed"),
        )  # fmt: skip
        return failures + _held_back(scene, cancelled=True)

    return drill


def _by_control(control: str, provoke: Callable[[Session, RunRow, Seen], Seen]) -> Drill:
    """A control that halts by itself: quiet over the book as it is, engaged over the book that was provoked."""

    async def drill(scene: Scene) -> list[str]:
        limits, as_of = scene.desk.law.limits, scene.desk.tick(scene.index, "open").as_of
        seen = Seen(0.0, scene.broker.positions())

        def consider(seen: Seen) -> list[str]:
            with scene.store.db.write() as session:
                run = session.get_one(RunRow, scene.desk.run_id)
                rows = automatic_halts.consider(session, run, limits, seen, (), as_of)
                return [row.source for row in rows]

        calm = consider(seen)
        with scene.store.db.write() as session:
            run = session.get_one(RunRow, scene.desk.run_id)
            seen = provoke(session, run, seen)
            session.add(run)
        engaged = consider(seen)
        failures = _wrong(
            (bool(calm), f"{', '.join(calm)} halted before anything was provoked"),
            (engaged != [f"control:{control}"], f"engaged were {', '.join(engaged) or 'none'}"),
        )
        halt_program.carry_out_all(scene.store, scene.broker)
        rows = _engaged(scene)
        failures += _wrong((any(row.ends_index is None for row in rows), "the halt has no end"))
        return failures + _held_back(scene, cancelled=bool(rows) and rows[0].action != "no_new")

    return drill


def _lose(session: Session, run: RunRow, seen: Seen) -> Seen:  # noqa: ARG001
    run.day_start_equity *= 2
    return seen


def _fall(session: Session, run: RunRow, seen: Seen) -> Seen:  # noqa: ARG001
    run.peak_equity *= 2
    return seen


def _differ(session: Session, run: RunRow, seen: Seen) -> Seen:  # noqa: ARG001
    first = min(seen.broker_positions)
    return Seen(seen.data_age_hours, {**seen.broker_positions, first: seen.broker_positions[first] - 1})


def _age(session: Session, run: RunRow, seen: Seen) -> Seen:  # noqa: ARG001
    return Seen(1e6, seen.broker_positions)


def _doubt(session: Session, run: RunRow, seen: Seen) -> Seen:
    """Every order that protects a position is in doubt."""
    for row in session.exec(select(OrderRow).where(OrderRow.run_id == run.id, OrderRow.leg == "stop")).all():
        row.state = OrderState.UNKNOWN.value
        session.add(row)
    return seen


def _tampered(change: Callable[[Session, str], None]) -> Drill:
    """What was approved is changed behind the desk's back: the open sends the rest and this never."""

    async def drill(scene: Scene) -> list[str]:
        case, *others = _cases(scene, "approved")
        with scene.store.db.write() as session:
            change(session, case)
        await scene.trade_open()
        bought, states = scene.filled(), scene.states()
        with scene.store.db.read() as session:
            found = session.exec(select(FindingRow).where(FindingRow.code == "tampered")).all()
        return _wrong(
            (bought.get(case) is not None, "an order was written"),
            (states[case] != CaseState.VOIDED.value, f"its case is {states[case]}"),
            (not any(case in row.message for row in found), "no finding tells of it"),
            (not all(bought.get(other) for other in others), "an order that nobody touched was not sent either"),
        )

    return drill


def _approval(session: Session, case: str) -> ApprovalRow:
    return session.exec(select(ApprovalRow).where(ApprovalRow.case_id == case)).one()


def _widen_band(session: Session, case: str) -> None:
    row = _approval(session, case)
    row.band_high = row.band_high * 2
    session.add(row)


def _enlarge(session: Session, case: str) -> None:
    grant = session.exec(select(GrantRow).where(GrantRow.case_id == case)).one()
    grant.quantity_budget += 1
    grant.body = {**grant.body, "quantity_budget": grant.quantity_budget}
    session.add(grant)


def _forget_signature(session: Session, case: str) -> None:
    for row in session.exec(select(DecisionRow).where(DecisionRow.case_id == case)).all():
        session.delete(row)


async def _unsigned(scene: Scene) -> list[str]:
    """The signer reads the table itself: it signs what people approved, and nothing that the table does not bear out."""
    case = _cases(scene, "approved")[0]
    with scene.store.db.read() as session:
        approval = _approval(session, case).id
    signs = _signs(scene, approval)
    with scene.store.db.write() as session:
        _forget_signature(session, case)
    return _wrong(
        (not signs, "it does not sign what was approved"), (_signs(scene, approval), "it signs without a signature")
    )


def _signs(scene: Scene, approval: str) -> bool:
    try:
        with scene.store.db.read() as session:
            signer.approval_body(session, approval)
    except ApprovalError:
        return False
    return True


async def _twice(scene: Scene) -> list[str]:
    """A crash before the answer: the same words are said to the venue again, and it has each order once."""
    names = _entries(scene, "working")
    with scene.store.db.write() as session:
        for row in session.exec(select(OutboxRow).where(col(OutboxRow.client_order_id).in_(names))).all():
            row.status = "sent"
            session.add(row)
    before = scene.resting()
    execution.dispatch(scene.store, scene.broker, scene.desk.run_id, scene.desk.tick(scene.index, "open"),
                       frozenset(names))  # fmt: skip
    await scene.trade_open()
    bought = {row.symbol: row.filled_quantity for row in scene.orders("entry").values() if row.client_order_id in names}
    held = scene.broker.positions()
    return _wrong(
        (not names <= set(before), "the orders did not rest at the venue"),
        ({symbol: held.get(symbol) for symbol in bought} != bought, "the venue holds more than was ordered"),
    )


OTHERS: Mapping[str, tuple[Drill, str]] = {
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
        f"stop:control:{name}": (_by_control(name, provoke), told)
        for name, provoke, told in (
            ("daily_loss", _lose, "a loss of the day beyond its limit left only reductions"),
            ("drawdown", _fall, "a drawdown beyond its limit left only reductions"),
            ("data_dead", _age, "data beyond their age with positions open: nothing new is opened"),
            ("book_break", _differ, "two books that disagree: nothing new is opened"),
            ("unknown_orders", _doubt, "too many orders in doubt: nothing new is opened"),
        )
    },
    "tamper:price_band": (_tampered(_widen_band), "an approval with a wider band was voided, with a finding"),
    "tamper:quantity": (_tampered(_enlarge), "a grant for more shares was voided, with a finding"),
    "tamper:signature": (_tampered(_forget_signature), "an approval without its person was voided, with a finding"),
    "tamper:unsigned_grant": (_unsigned, "the signer signed what was approved and refused what nobody signed"),
    "outbox:said_twice": (_twice, "orders said to the venue again after a crash were placed once"),
}  # fmt: skip
"""Name, drill, and what is said of it when it fired."""
