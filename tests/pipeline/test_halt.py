"""A halt: in force when it returns, holds every increase, lets reductions go, and its release sends nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from memory.tables import GrantRow, HaltRow, LedgerRow, OrderRow, OutboxRow
from pipeline import execution, halt, halt_program, halt_release
from pipeline.halt_scope import Action, Scope
from pipeline.store import Store, open_store
from tests.pipeline import life
from tests.pipeline.halting import own, venue
from tests.pipeline.life import ANN, BOB, NOBODY, OPEN_TICK, TWO, Question, code_of, say, submit, truth
from tools.execution.types import OrderState

VOID = life.Truth("voided", "voided", ("voided",), 0, 0, 1)


def engage(store: Store, action: Action = "no_new", **changes: Any) -> HaltRow:
    return halt.engage(store, **{"action": action, "reason": "drill", "principal": BOB, **changes})


def release(store: Store) -> halt_release.ReleaseResult:
    return halt_release.release(store, reason="drill is over", principal=BOB)


def sent(store: Store) -> list[str]:
    return [order.symbol for order in venue(store).open_orders()]


@pytest.fixture
def approved(store: Store) -> Question:
    question = life.ask(store)
    say(store, question)
    return question


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "stop"}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 2_001}, {"target": "IBM"},
        {"scope": "symbol"}, {"scope": "strategy", "target": None},
    ],
)  # fmt: skip
def test_a_halt_that_makes_no_sense_is_refused_and_nothing_is_saved(store: Store, wrong: dict[str, Any]) -> None:
    before = life.everything(store)
    assert code_of(lambda: engage(store, **wrong)) == "invalid"
    assert life.everything(store) == before
    assert not halt.stands(store)


def test_a_halt_stands_from_the_moment_it_returns_in_every_process(store: Store) -> None:
    engage(store)
    other = life.new_store(store.home.path)
    assert halt.stands(other)
    other.db.dispose()
    with store.db.read() as session:
        row = session.exec(select(LedgerRow).where(LedgerRow.kind == "halt.engaged")).one()
    assert '"principal":"bob"' in row.content


def test_an_approved_increase_is_voided_at_submission_and_its_grant_with_it(store: Store, approved: Question) -> None:
    engage(store)
    assert submit(store, approved).value == "voided"
    assert truth(store, approved) == VOID


@pytest.mark.parametrize(
    ("scope", "target", "held"),
    [("symbol", "IBM", True), ("symbol", "MSFT", False), ("strategy", "trend-0", True), ("strategy", "other", False)],
)
def test_a_narrow_halt_holds_only_what_it_names(
    store: Store, approved: Question, scope: Scope, target: str, held: bool
) -> None:
    engage(store, scope=scope, target=target)
    assert submit(store, approved).value == ("voided" if held else "submitted")


def test_a_halt_of_a_scope_nobody_knows_holds_everything(store: Store, approved: Question) -> None:
    engage(store)
    life.tamper(store, "UPDATE halts SET scope = 'galaxy', target = 'x'")
    assert submit(store, approved).value == "voided"


def test_the_halt_file_is_a_halt(store: Store, approved: Question) -> None:
    store.home.halt_file.touch()
    assert halt.stands(store)
    question = life.ask(store, life.proposal(1))
    assert code_of(lambda: say(store, question)) == "forbidden"
    assert submit(store, approved).value == "voided"


def test_a_state_that_cannot_be_read_counts_as_halted(store: Store, approved: Question) -> None:
    assert not halt.stands(store)
    life.tamper(store, "DROP TABLE halts")
    assert halt.stands(store)
    with pytest.raises(Exception, match="no such table"):
        submit(store, approved)
    assert truth(store, approved) == life.Truth("approved", "approved", ("minted",), 0, 0, 1)


def test_a_database_that_is_gone_bad_counts_as_halted(store: Store) -> None:
    store.db.dispose()
    for path in store.home.path.glob("quarterdeck.sqlite*"):
        path.unlink()
    (store.home.path / "quarterdeck.sqlite").write_bytes(b"no database" * 1000)
    assert halt.stands(store)


def test_a_database_that_is_missing_counts_as_halted_though_an_open_connection_still_reads(
    store: Store, approved: Question
) -> None:
    assert not halt.stands(store)
    for path in store.home.path.glob("quarterdeck.sqlite*"):
        path.unlink()
    assert halt.stands(store)
    assert halt.holds_clock(store)
    assert submit(store, approved).value == "voided"


def test_a_home_whose_database_is_gone_is_not_opened_as_an_empty_one(store: Store) -> None:
    store.db.dispose()
    for path in store.home.path.glob("quarterdeck.sqlite*"):
        path.unlink()
    assert code_of(lambda: open_store(store.settings, create=False)) == "home_unreadable"
    assert not store.home.database_file.exists()


def test_a_store_that_stays_locked_makes_a_halt_the_halt_file_soon(
    store: Store, approved: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.halt.LOCK_TIMEOUT_S", 0.05)
    holder = sqlite3.connect(store.home.database_file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        row = halt.engage_surely(
            store, action="cancel", reason="smoke", principal=BOB, scope="symbol", target="IBM", source="api"
        )
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert (row.source, row.scope, row.action) == ("file", "firm", "cancel")
    assert store.home.halt_file.read_text() == "cancel: smoke\n"
    assert submit(store, approved).value == "voided"


def test_a_halt_file_in_a_place_that_cannot_be_looked_at_counts_as_halted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    assert halt.stands(store)


def test_a_release_voids_what_waited_and_what_was_approved_and_sends_nothing(store: Store, approved: Question) -> None:
    waiting = life.ask(store, life.proposal(1), TWO)
    say(store, waiting)
    row = engage(store, "cancel")
    found = release(store)
    assert found.released == (row.id,)
    assert sorted(found.voided_cases) == sorted([approved.case_id, waiting.case_id])
    assert truth(store, approved) == VOID
    assert truth(store, waiting) == life.Truth("voided", "voided", (), 0, 0, 1)
    assert submit(store, approved).value == "voided"
    assert code_of(lambda: say(store, waiting, BOB)) == "expired"
    assert not halt.stands(store)
    assert life.count(store, OutboxRow) == 0


def test_a_release_leaves_finished_cases_alone(store: Store, approved: Question) -> None:
    submit(store, approved)
    execution.dispatch(store, venue(store), life.RUN, OPEN_TICK)
    refused = life.ask(store, life.proposal(1))
    say(store, refused, decision="reject")
    engage(store)
    assert release(store).voided_cases == ()
    assert (truth(store, approved).state, truth(store, refused).state) == ("submitted", "rejected")


def test_a_release_removes_the_halt_file_and_voids_too(store: Store, approved: Question) -> None:
    store.home.halt_file.touch()
    assert release(store).voided_cases == (approved.case_id,)
    assert not store.home.halt_file.exists()
    assert not halt.stands(store)


def test_nothing_halted_is_nothing_to_release(store: Store, approved: Question) -> None:
    assert code_of(lambda: release(store)) == "invalid"
    assert truth(store, approved).state == "approved"


def test_a_release_needs_a_reason(store: Store) -> None:
    engage(store)
    assert code_of(lambda: halt_release.release(store, reason=" ", principal=BOB)) == "invalid"
    assert halt.stands(store)


def test_an_order_written_but_not_yet_sent_is_not_sent_under_a_halt(store: Store, approved: Question) -> None:
    """The desk died between the transaction that wrote the order and the word to the broker."""
    submit(store, approved)
    engage(store)
    execution.dispatch(store, venue(store), life.RUN, OPEN_TICK)
    assert sent(store) == []
    assert truth(store, approved).state == "cancelled"
    assert life.findings(store) == ["halted"]


@pytest.mark.parametrize("how", ["row", "file"])
def test_an_order_that_waited_through_a_halt_is_not_sent_after_its_release(
    store: Store, approved: Question, how: str
) -> None:
    submit(store, approved)
    if how == "row":
        engage(store)
    else:
        store.home.halt_file.touch()
    release(store)
    execution.dispatch(store, venue(store), life.RUN, OPEN_TICK)
    assert sent(store) == []
    assert truth(store, approved).state == "cancelled"


def test_an_order_the_broker_already_has_is_not_denied_by_a_later_halt(store: Store, approved: Question) -> None:
    """The desk died after the broker took the order: asking finds it, whatever was halted since."""
    submit(store, approved)
    with store.db.read() as session:
        order = session.exec(select(OrderRow)).one()
    venue(store).submit(order.body)
    engage(store)
    execution.dispatch(store, venue(store), life.RUN, OPEN_TICK)
    with store.db.read() as session:
        assert session.get_one(OrderRow, order.client_order_id).state == "new"
    assert truth(store, approved).state == "submitted"


def test_an_order_after_a_released_halt_goes_out(store: Store) -> None:
    engage(store)
    release(store)
    question = life.ask(store, life.proposal(1))
    say(store, question)
    submit(store, question)
    execution.dispatch(store, venue(store), life.RUN, OPEN_TICK)
    assert sent(store) == ["IBM"]


def test_a_reduction_goes_out_under_a_halt(store: Store) -> None:
    life.hold(store)
    question = life.ask(store, life.exit_proposal(), NOBODY, exposure=100)
    engage(store, "cancel")
    assert submit(store, question).value == "submitted"
    execution.dispatch(store, venue(store), life.RUN, OPEN_TICK)
    with store.db.read() as session:
        assert session.exec(select(OutboxRow.status)).one() == "done"
        assert session.exec(select(OrderRow.state)).one() != "denied"


def _at_the_venue(store: Store, approved: Question) -> str:
    submit(store, approved)
    execution.dispatch(store, venue(store), life.RUN, OPEN_TICK)
    with store.db.read() as session:
        return session.exec(select(OrderRow.client_order_id)).one()


def test_cancel_takes_live_entries_back_and_leaves_protective_stops(store: Store, approved: Question) -> None:
    name = _at_the_venue(store, approved)
    engage(store, "cancel")
    assert halt_program.carry_out_all(store, venue(store)).finished == 1
    found = venue(store).find(name)
    assert found is not None
    assert found.state is OrderState.CANCELLED
    assert truth(store, approved).state == "cancelled"
    assert halt_program.carry_out_all(store, venue(store)).finished == 0, "a halt is carried out once"


def test_no_new_takes_nothing_back(store: Store, approved: Question) -> None:
    name = _at_the_venue(store, approved)
    engage(store, "no_new")
    assert halt_program.carry_out_all(store, venue(store)).finished == 0
    found = venue(store).find(name)
    assert found is not None
    assert found.state is OrderState.NEW


def test_flatten_mints_a_reduce_only_mandate_for_each_position_and_at_most_the_position(store: Store) -> None:
    own(store, {"IBM": 70, "MSFT": 30})
    life.hold(store, 0, "GE")
    engage(store, "flatten")
    halt_program.carry_out_all(store, venue(store))
    halt_program.carry_out_all(store, venue(store))
    with store.db.read() as session:
        orders = session.exec(select(OrderRow).order_by(OrderRow.symbol)).all()
        grants = session.exec(select(GrantRow)).all()
    assert [(o.symbol, o.side, o.quantity, o.leg, o.body.reduce_only) for o in orders] == [
        ("IBM", "sell", 70, "flatten", True), ("MSFT", "sell", 30, "flatten", True),
    ]  # fmt: skip
    assert {(g.kind, g.status, g.body["reduce_only"], g.quantity_budget) for g in grants} == {
        ("halt_mandate", "consumed", True, 70), ("halt_mandate", "consumed", True, 30),
    }  # fmt: skip


def test_flatten_of_one_symbol_leaves_the_others(store: Store) -> None:
    own(store, {"IBM": 70, "MSFT": 30})
    engage(store, "flatten", scope="symbol", target="MSFT")
    halt_program.carry_out_all(store, venue(store))
    with store.db.read() as session:
        assert session.exec(select(OrderRow.symbol)).all() == ["MSFT"]


def test_the_halt_program_works_in_a_process_of_its_own_with_no_engine(store: Store, approved: Question) -> None:
    own(store, {"MSFT": 40})
    name = _at_the_venue(store, approved)
    engage(store, "flatten")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.halt_program", "--home", str(store.home.path)], capture_output=True, text=True,
        check=False, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    found = venue(store).find(name)
    assert found is not None
    assert found.state is OrderState.CANCELLED
    with store.db.read() as session:
        flatten = session.exec(select(OrderRow).where(OrderRow.leg == "flatten")).one()
        assert session.exec(select(HaltRow.detail)).all() == ["1 positions still open"]
    assert (flatten.symbol, flatten.quantity) == ("MSFT", 40)


def test_the_halt_program_says_in_one_line_what_is_wrong_with_a_home(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.halt_program", "--home", str(tmp_path / "none")], capture_output=True,
        text=True, check=False, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 2
    assert "[no_home]" in done.stdout
    assert done.stderr == ""


def test_the_halt_program_imports_no_model_graph_or_vector_store() -> None:
    script = (
        "import sys, pipeline.halt_program; "
        "print([m for m in ('langgraph', 'langchain_core', 'chromadb', 'openai', 'fastapi') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_launch_does_not_wait_and_the_halt_is_carried_out(store: Store) -> None:
    own(store, {"MSFT": 40})
    engage(store, "flatten")
    began = time.monotonic()
    halt.launch(store)
    assert time.monotonic() - began < 1
    deadline = time.monotonic() + 30
    while life.count(store, OrderRow) == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert life.count(store, OrderRow) == 1


def test_the_same_person_may_halt_twice_and_one_release_ends_both(store: Store) -> None:
    first, second = engage(store), halt.engage(store, action="cancel", reason="again", principal=ANN)
    assert set(release(store).released) == {first.id, second.id}
    assert not halt.stands(store)
