"""Halts that controls engage: beyond a limit, not at it; on findings with a cap, an end and clean evidence."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from memory import evidence as evidence_store
from memory.tables import HaltRow, LedgerRow, RunRow
from pipeline import automatic_halts, halt
from pipeline.automatic_halts import Seen
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.halting import asked, order_of, unsent
from tests.pipeline.life import AS_OF, code_of, say
from tools.risk.limits import default_limits_text, load_limits
from tools.types import Evidence, Finding

LIMITS = load_limits(default_limits_text())
FINE = Seen(0.0, {})


def close(store: Store, seen: Seen = FINE, *findings: Finding) -> list[HaltRow]:
    """Let the controls look at a close; returns the halts that came of it."""
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        return list(automatic_halts.consider(session, run, LIMITS, seen, findings, AS_OF))


def book(store: Store, **values: Any) -> None:
    with store.db.write() as session:
        run = session.get_one(RunRow, life.RUN)
        for name, value in values.items():
            setattr(run, name, value)
        session.add(run)


def finding(store: Store, number: int = 0, *, taint: bool = False, **changes: Any) -> Finding:
    """A critical finding that recommends a halt, with its evidence kept."""
    item = Evidence.of(
        "health", "pipeline.book", {"name": "drawdown", "value": number}, event_time=AS_OF, known_at=AS_OF, taint=taint
    )
    with store.db.write() as session:
        evidence_store.keep(session, [item])
    body: dict[str, Any] = {
        "id": f"find_{number}", "code": "drawdown", "severity": "critical", "component": "book",
        "message": "Drawdown is high.", "recommendation": "Halt.", "evidence_ids": (item.id,), "as_of": AS_OF,
        "recommends_halt": True,
    }  # fmt: skip
    return Finding(**{**body, **changes})


def why_not(store: Store) -> list[str]:
    with store.db.read() as session:
        rows = session.exec(select(LedgerRow).where(LedgerRow.kind == "halt.not_engaged")).all()
    return [row.content for row in rows]


def test_a_book_in_order_halts_nothing(store: Store) -> None:
    life.hold(store)
    assert close(store, Seen(96.0, {"IBM": 100})) == []
    assert not halt.stands(store)


@pytest.mark.parametrize(
    ("control", "at", "beyond"),
    [
        ("daily_loss", {"cash": Decimal(970_000)}, {"cash": Decimal(969_998)}),
        ("drawdown", {"cash": Decimal(850_000), "day_start_equity": Decimal(850_000)},
         {"cash": Decimal(849_998), "day_start_equity": Decimal(849_998)}),
    ],
)  # fmt: skip
def test_a_loss_at_its_limit_passes_and_beyond_it_leaves_only_reductions(
    store: Store, control: str, at: dict[str, Any], beyond: dict[str, Any]
) -> None:
    book(store, **at)
    assert close(store) == []
    book(store, **beyond)
    (row,) = close(store)
    assert (row.source, row.action, row.scope, row.ends_index) == (f"control:{control}", "reduce_only", "firm", 65)
    assert code_of(lambda: say(store, asked(store, 0))) == "forbidden"


def test_books_that_disagree_open_nothing_new(store: Store) -> None:
    life.hold(store)
    (row,) = close(store, Seen(0.0, {"IBM": 99, "MSFT": 1}))
    assert (row.source, row.action) == ("control:book_break", "no_new")
    assert row.reason.endswith("disagree in IBM, MSFT")


def test_more_orders_in_doubt_than_allowed_open_nothing_new(store: Store) -> None:
    for number, symbol in enumerate(("IBM", "MSFT", "GE")):
        name = order_of(store, unsent(store, number, symbol)).client_order_id
        assert close(store) == []
        life.tamper(store, "UPDATE orders SET state = 'unknown' WHERE client_order_id = :name", name=name)
    assert [row.source for row in close(store)] == ["control:unknown_orders"]


@pytest.mark.parametrize(("held", "hours", "halted"), [(True, 96.1, True), (True, 96.0, False), (False, 500.0, False)])
def test_dead_data_halt_only_while_something_is_held(store: Store, held: bool, hours: float, halted: bool) -> None:
    if held:
        life.hold(store)
    found = close(store, Seen(hours, {"IBM": 100} if held else {}))
    assert [row.source for row in found] == (["control:data_dead"] if halted else [])


def test_a_control_whose_halt_stands_engages_no_second_one_and_may_again_after_its_end(store: Store) -> None:
    book(store, cash=Decimal(900_000))
    (first,) = close(store)
    assert close(store) == []
    life.tamper(store, "UPDATE halts SET released_wall = engaged_wall")
    life.move_clock(store, 61)
    (second,) = close(store)
    assert first.id != second.id


def test_a_finding_on_clean_evidence_halts_for_a_short_time(store: Store) -> None:
    (row,) = close(store, FINE, finding(store))
    assert (row.source, row.action, row.scope, row.ends_index, row.cause) == (
        "control:finding", "no_new", "firm", 61, "find_0",
    )  # fmt: skip


def test_a_finding_about_one_symbol_halts_that_symbol(store: Store) -> None:
    (row,) = close(store, FINE, finding(store, symbol="IBM"))
    assert (row.scope, row.target) == ("symbol", "IBM")
    assert not halt.holds_clock(store)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"taint": True}, "tainted"), ({"evidence_ids": ()}, "not kept"), ({"evidence_ids": ("ev_x",)}, "not kept"),
        ({"severity": "warning"}, "only a critical"),
    ],
)  # fmt: skip
def test_a_finding_that_may_not_halt_is_recorded_and_stops_nobody(
    store: Store, changes: dict[str, Any], why: str
) -> None:
    assert close(store, FINE, finding(store, **changes)) == []
    assert not halt.stands(store)
    assert why in why_not(store)[0]


def test_a_finding_that_recommends_nothing_halts_nothing(store: Store) -> None:
    assert close(store, FINE, finding(store, recommends_halt=False)) == []
    assert why_not(store) == []


def test_findings_halt_no_more_often_than_the_window_allows(store: Store) -> None:
    """Two in twenty sessions; the twenty-first has room again."""
    engaged = []
    for number in range(21):
        life.move_clock(store, 60 + number)
        engaged += [row.engaged_index for row in close(store, FINE, finding(store, number))]
        life.tamper(store, "UPDATE halts SET released_wall = engaged_wall")
    assert engaged == [60, 61, 80]
    assert len(why_not(store)) == 18


def test_a_finding_that_stands_halts_again_once_its_halt_is_over_and_never_twice_in_a_session(store: Store) -> None:
    engaged = []
    for index in (60, 60, 61, 62):
        life.move_clock(store, index)
        engaged += [row.engaged_index for row in close(store, FINE, finding(store))]
        if index != 61:
            life.tamper(store, "UPDATE halts SET released_wall = engaged_wall")
    assert engaged == [60, 61]


def test_a_close_that_is_computed_again_changes_nothing(store: Store) -> None:
    book(store, cash=Decimal(900_000))
    told = finding(store), finding(store, 1, taint=True)
    close(store, FINE, *told)
    before = life.everything(store)
    assert close(store, FINE, *told) == []
    assert life.everything(store) == before


def test_the_same_close_in_two_homes_engages_the_same_halts(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = life.new_store(tmp_path_factory.mktemp("other") / "home")
    life.seed_run(other)
    leaves = []
    for home in (store, other):
        book(home, cash=Decimal(900_000))
        close(home, FINE, finding(home), finding(home, 1, taint=True))
        with home.db.read() as session:
            leaves.append(session.exec(select(LedgerRow.leaf).where(LedgerRow.run_id == life.RUN)).all())
    assert leaves[0] == leaves[1]
    assert len(leaves[0]) == 3
    other.db.dispose()
