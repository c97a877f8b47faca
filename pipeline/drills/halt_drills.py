"""Every scope with every action: engage it with everything in flight, carry it out at the venue, release it.

What a cell must do is held against the same open played without a halt: what the halt names is stopped, closed or
refused as its action says, and everything else ends share for share as it did there, at the venue and in our book.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlmodel import select

from memory.tables import HaltRow, PositionRow
from pipeline import halt, halt_program, halt_release
from pipeline.drills.report import Line
from pipeline.drills.scratch import DrillError
from pipeline.drills.stage import IN_FLIGHT, MIX, Kind, Part, Scene, Stage, answer_questions, on_copy
from pipeline.halt_scope import ACTIONS, SCOPES, Action, Scope
from pipeline.store import Principal
from tools.errors import ApprovalError
from tools.execution.types import BrokerOrder
from tools.types import CaseState

WHO = Principal("drill", "person")
REASON = "a drill on a scratch desk"
KINDS: tuple[Kind, ...] = (*IN_FLIGHT, "held", "leaving")
VOIDING: tuple[Action, ...] = ("reduce_only", "flatten")


class Usual(NamedTuple):
    """How the open goes without a halt: shares bought by case, and what the venue holds then."""

    bought: Mapping[str, int]
    positions: Mapping[str, int]


def cell_name(scope: Scope, action: Action) -> str:
    return f"halt:{scope}:{action}"


CELLS: Mapping[str, tuple[Scope, Action]] = {
    cell_name(scope, action): (scope, action) for scope in SCOPES for action in ACTIONS
}


async def play_usual(stage: Stage) -> Usual:
    """Play the open without a halt; DrillError unless every order fills and only exits leave, or a halt would prove
    nothing."""
    async with on_copy(stage, "usual") as scene:
        answer_questions(scene.store, [part.case_id for part in stage.of("waiting")])
        await scene.trade_open()
        usual = Usual(scene.filled(), scene.broker.positions())
    idle = [part.symbol for kind in IN_FLIGHT for part in stage.of(kind) if not usual.bought.get(part.case_id)]
    idle += [part.symbol for part in stage.of("held") if part.symbol not in usual.positions]
    idle += [part.symbol for part in stage.of("leaving") if part.symbol in usual.positions]
    if idle:
        raise DrillError(f"without a halt the open does not go as it should in {', '.join(idle)}")
    return usual


def targets_of(stage: Stage, scope: Scope) -> tuple[str | None, ...]:
    """What a scope is aimed at: one target, or where a target names one case or symbol, one of each kind."""
    firsts = []
    for kind in KINDS:
        known = [part for part in stage.of(kind) if (part.strategy, part.reasoner) == MIX[0]]
        if not known:
            raise DrillError(f"the scratch desk has nothing {kind} of {' and '.join(MIX[0])}: correct its symbols")
        firsts.append(known[0].key(scope))
    return tuple(dict.fromkeys(firsts))


async def drill_cell(stage: Stage, usual: Usual, scope: Scope, action: Action) -> Line:
    """Engage one cell on a copy of the stage, look at what it does and what it leaves alone, and release it."""
    name = cell_name(scope, action)
    async with on_copy(stage, name) as scene:
        cell = _Cell(scene, usual, scope, action)
        await cell.play()
        return Line.of(name, cell.failures, cell.seen())


class _Cell:
    """One cell at work; `failures` says what was not as it must be."""

    def __init__(self, scene: Scene, usual: Usual, scope: Scope, action: Action) -> None:
        self.scene, self.usual, self.scope, self.action = scene, usual, scope, action
        self.targets = targets_of(scene.stage, scope)
        named = [part for part in scene.stage.parts if part.key(scope) in self.targets]
        self.named = {kind: [part for part in named if part.kind == kind] for kind in KINDS}
        self.outside = [part for part in scene.stage.parts if part not in named]
        self.failures: list[str] = []
        self.held = scene.broker.positions()
        self.entries = {case: row.client_order_id for case, row in scene.orders("entry").items()}

    def expect(self, found: object, wanted: object, what: str) -> None:
        if found != wanted:
            self.failures.append(f"{what}: {_short(found)} instead of {_short(wanted)}")

    async def play(self) -> None:
        self.expect(bool(self.outside), self.scope != "firm", "something outside of the scope is there")
        rows = self._engage()
        self._say_yes()
        await self.scene.trade_open()
        self._opened(rows)
        self._release(rows)

    def _engage(self) -> tuple[HaltRow, ...]:
        scene, before, states = self.scene, self.scene.resting(), self.scene.states()
        rows = tuple(
            halt.engage_surely(
                scene.store, action=self.action, reason=REASON, principal=WHO, scope=self.scope, target=target
            )
            for target in self.targets
        )
        self.expect({row.source for row in rows}, {"person"}, "the halt is in the store")
        self.expect(halt.stands(scene.store), True, "a halt stands")
        self.expect(halt_program.carry_out_all(scene.store, scene.broker).troubled, 0, "answers of the venue missing")
        after = scene.resting()
        self.expect(before.keys() - after.keys(), self._must_go(before), "orders that left the venue")
        self._closing({order.symbol: order.quantity for name, order in after.items() if name not in before})
        voided = {"waiting", "approved"} if self.action in VOIDING else set[str]()
        wanted = {part.case_id for part in self._stopped() if part.kind in voided}
        waiting = {part.case_id for kind in ("waiting", "approved") for part in scene.stage.of(kind)}
        now = scene.states()
        self.expect({case for case in waiting if now[case] != states[case]}, wanted, "questions and approvals voided")
        return rows

    def _must_go(self, before: Mapping[str, BrokerOrder]) -> set[str]:
        """Orders that must leave the venue: entries for every action but `no_new`, stops under a flatten as well."""
        gone = {self.entries[part.case_id] for part in self.named["working"] if self.action != "no_new"}
        if self.action == "flatten":
            closing = _symbols([*self.named["held"], *self.named["leaving"]])
            gone |= {name for name, order in before.items() if order.order_type == "stop" and order.symbol in closing}
        return gone

    def _closing(self, sent: Mapping[str, int]) -> None:
        """Under a flatten each position that stays is closed by one reduce-only order for all of it, and no other."""
        wanted = {part.symbol: self.held[part.symbol] for part in self.named["held"] if self.action == "flatten"}
        self.expect(sent, wanted, "closing orders at the venue")
        rows = self.scene.orders("flatten").values()
        self.expect({row.symbol: row.quantity for row in rows if row.body.reduce_only}, wanted, "reduce-only orders")

    def _stopped(self) -> list[Part]:
        """What of the scope must never be bought."""
        return [
            part for kind in IN_FLIGHT if (kind, self.action) != ("working", "no_new") for part in self.named[kind]
        ]  # fmt: skip

    def _say_yes(self) -> None:
        """Approve every question that waits: what the halt names is refused, what it does not is taken."""
        refused = set()
        for part in self.scene.stage.of("waiting"):
            try:
                answer_questions(self.scene.store, [part.case_id])
            except ApprovalError:
                refused.add(part.case_id)
        self.expect(refused, {part.case_id for part in self.named["waiting"]}, "approvals refused")

    def _opened(self, rows: tuple[HaltRow, ...]) -> None:
        scene, usual, stopped = self.scene, self.usual, self._stopped()
        cases = {part.case_id for part in stopped}
        bought = scene.filled()
        self.expect(
            {case: bought.get(case, 0) for case in usual.bought},
            {case: 0 if case in cases else shares for case, shares in usual.bought.items()},
            "shares bought",
        )
        wanted = {symbol: shares for symbol, shares in usual.positions.items() if symbol not in _symbols(stopped)}
        for row in scene.orders("flatten").values():
            wanted[row.symbol] -= row.filled_quantity
            self.expect(0 < row.filled_quantity <= self.held[row.symbol], True, f"{row.symbol} was closed, no more")
        wanted = {symbol: shares for symbol, shares in wanted.items() if shares}
        self.expect(scene.broker.positions(), wanted, "positions at the venue after the open")
        self.expect(self._book(), wanted, "positions in our book after the open")
        halt_program.carry_out_all(scene.store, scene.broker)
        with scene.store.db.read() as session:
            done = all(session.get_one(HaltRow, row.id).carried_out for row in rows)
        rest = self.action == "flatten" and bool(_symbols(self.named["held"]) & wanted.keys())
        self.expect(done, not rest, "the halt is carried out")

    def _book(self) -> dict[str, int]:
        with self.scene.store.db.read() as session:
            rows = session.exec(select(PositionRow).where(PositionRow.quantity != 0)).all()
            return {row.symbol: row.quantity for row in rows}

    def _release(self, rows: tuple[HaltRow, ...]) -> None:
        scene, before = self.scene, (self.scene.resting(), self.scene.pending())
        result = halt_release.release(scene.store, reason=REASON, principal=WHO)
        self.expect(set(result.released), {row.id for row in rows}, "halts released")
        held_back = set() if self.action in VOIDING else {part.case_id for part in self.named["waiting"]}
        self.expect(set(result.voided_cases), held_back, "cases voided by the release")
        states = scene.states()
        still = [part.case_id for part in self.named["waiting"] if states[part.case_id] != CaseState.VOIDED.value]
        self.expect(still, [], "questions of the scope still open")
        self.expect((scene.resting(), scene.pending()), before, "what the release sent")
        self.expect(halt.stands(scene.store), False, "a halt stands after the release")

    def seen(self) -> str:
        """What the cell did, for people."""
        named = self.named
        did = [f"{len(named['waiting'])} approvals refused", f"{len(named['approved'])} approved and not submitted",
               f"{len(named['unsent'])} written and not sent"]  # fmt: skip
        if self.action == "no_new":
            did.append(f"{len(named['working'])} working orders left")
        else:
            did.append(f"{len(named['working'])} working orders cancelled")
        if self.action == "flatten":
            sold = sum(row.filled_quantity for row in self.scene.orders("flatten").values())
            held = sum(self.held[part.symbol] for part in named["held"])
            did.append(f"{len(named['held'])} positions closed, {sold} of {held} shares")
        exits = len(self.scene.stage.of("leaving"))
        return f"{', '.join(did)}; {exits} exits went out; {len(self.outside)} outside as usual; released"


def _symbols(parts: Iterable[Part]) -> set[str]:
    return {part.symbol for part in parts}


def _short(value: object) -> str:
    text = ", ".join(sorted(map(str, value))) if isinstance(value, set | list) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
