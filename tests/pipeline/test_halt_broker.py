"""A broker that times out, refuses or is slow: the halt is tried again, told of, and not said to be carried out."""

from __future__ import annotations

from memory.tables import OutboxRow
from pipeline import execution, halt, halt_program
from pipeline.store import Store
from tests.pipeline import life
from tests.pipeline.halting import PoorBroker, halt_row, order_of, unsent
from tests.pipeline.life import BOB, OPEN_TICK, Question
from tools.execution.types import OrderState


def resting(store: Store, broker: PoorBroker) -> tuple[Question, str]:
    question = unsent(store, 0)
    execution.dispatch(store, broker, life.RUN, OPEN_TICK)
    return question, order_of(store, question).client_order_id


def engage(store: Store) -> str:
    return halt.engage(store, action="cancel", reason="drill", principal=BOB).id


def test_a_cancel_that_times_out_is_tried_until_the_broker_answers(store: Store) -> None:
    broker = PoorBroker({})
    question, name = resting(store, broker)
    key = engage(store)
    broker.silent.add(name)
    for _ in range(3):
        assert halt_program.carry_out_all(store, broker) == halt_program.Round(0, 1)
    row = halt_row(store, key)
    assert (row.carried_out, order_of(store, question).state) == (False, "new")
    assert "could not be cancelled yet" in (row.detail or "")
    broker.silent.clear()
    assert halt_program.carry_out_all(store, broker) == halt_program.Round(1, 0)
    assert (halt_row(store, key).detail, order_of(store, question).state) == (None, "cancelled")


def test_a_refused_cancel_is_a_finding_once_and_the_halt_goes_on_trying(store: Store) -> None:
    broker = PoorBroker({})
    _question, name = resting(store, broker)
    key = engage(store)
    broker.refusing.add(name)
    for _ in range(3):
        halt_program.carry_out_all(store, broker)
    assert life.findings(store) == ["cancel_refused"]
    assert not halt_row(store, key).carried_out
    assert broker.calls.count("cancel") == 3


def test_a_cancel_that_is_only_pending_is_not_taken_for_done(store: Store) -> None:
    broker = PoorBroker({})
    question, name = resting(store, broker)
    key = engage(store)
    broker.pending.add(name)
    halt_program.carry_out_all(store, broker)
    assert (halt_row(store, key).carried_out, order_of(store, question).state) == (False, "pending_cancel")
    broker.orders[name] = broker.orders[name].model_copy(update={"state": OrderState.CANCELLED})
    assert halt_program.carry_out_all(store, broker).finished == 1


def test_an_order_that_is_just_being_sent_is_waited_for_and_then_cancelled(store: Store) -> None:
    """The sender claimed it before the halt, and the broker has it only after the first look."""
    broker = PoorBroker({})
    question = unsent(store, 0)
    order = order_of(store, question)
    life.tamper(store, "UPDATE outbox SET status = 'sent'")
    key = engage(store)
    halt_program.carry_out_all(store, broker)
    assert not halt_row(store, key).carried_out
    broker.submit(order.body)
    assert halt_program.carry_out_all(store, broker).finished == 1
    assert broker.orders[order.client_order_id].state.value == "cancelled"


def test_a_sender_that_died_after_its_claim_sends_nothing_under_the_halt_when_it_is_back(store: Store) -> None:
    broker = PoorBroker({})
    question = unsent(store, 0)
    life.tamper(store, "UPDATE outbox SET status = 'sent'")
    engage(store)
    execution.dispatch(store, broker, life.RUN, OPEN_TICK)
    assert broker.orders == {}
    assert order_of(store, question).state == "denied"


def test_an_unsent_order_that_the_halt_ended_is_not_sent_by_a_sender_that_read_before(store: Store) -> None:
    broker = PoorBroker({})
    question = unsent(store, 0)
    with store.db.read() as session:
        row = session.get_one(OutboxRow, 1)
    engage(store)
    halt_program.carry_out_all(store, broker)
    assert execution._say(store, broker, row, OPEN_TICK, missed=False) is None
    assert (broker.orders, order_of(store, question).state) == ({}, "denied")
