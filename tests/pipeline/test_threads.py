"""Threads: answers stay with their question, whoever asks meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agents.operator.output import Reply, Span
from agents.operator.slots import Intent, Remembered
from memory.tables import ChatRow
from pipeline.store import Store
from pipeline.threads import keep_answer, keep_question, list_threads, put_away, read_thread
from tests.pipeline.life import ANN, BOB
from tools.errors import AccessError


def reply(symbol: str) -> Reply:
    return Reply(intent=Intent(name="why", symbol=symbol), remembered=Remembered(symbol=symbol))


def test_two_tabs_in_one_thread_do_not_mix_up_their_answers(store: Store) -> None:
    first = keep_question(store, ANN, "why IBM?", None)
    second = keep_question(store, ANN, "why GE?", first.thread_id)
    keep_answer(store, second, [Span(text="because of GE")], reply("GE"))
    keep_answer(store, first, [Span(text="because of IBM")], reply("IBM"))
    turns = read_thread(store, ANN, first.thread_id)
    assert [(turn.question, turn.answer) for turn in turns] == [
        ("why IBM?", "because of IBM"), ("why GE?", "because of GE"),
    ]  # fmt: skip


def test_a_thread_goes_on_from_its_last_answer(store: Store) -> None:
    asked = keep_question(store, ANN, "why IBM?", None)
    assert asked.earlier == Remembered()
    keep_answer(store, asked, [Span(text="so")], reply("IBM"))
    assert keep_question(store, ANN, "and?", asked.thread_id).earlier.symbol == "IBM"


def test_answers_from_before_they_named_their_question_are_still_read(store: Store) -> None:
    with store.db.write() as session:
        for role, who, text in (("person", "ann", "why?"), ("operator", "operator", "so")):
            row = ChatRow(
                thread_id="thread_old", role=role, principal=who, text=text, evidence_ids=[],
                at_wall=datetime(2026, 1, 1, tzinfo=UTC),
            )  # fmt: skip
            session.add(row)
            session.flush()
    (turn,) = read_thread(store, ANN, "thread_old")
    assert (turn.question, turn.answer, turn.spans) == ("why?", "so", (Span(text="so"),))


def test_the_latest_thread_is_first_and_what_was_put_away_is_gone(store: Store) -> None:
    old, new = (keep_question(store, ANN, text, None).thread_id for text in ("first", "second"))
    assert [item.id for item in list_threads(store, ANN)] == [new, old]
    put_away(store, ANN, new)
    assert [(item.id, item.title, item.questions) for item in list_threads(store, ANN)] == [(old, "first", 1)]


@pytest.mark.parametrize("thread", ["theirs", "nobody's"])
def test_anybody_elses_thread_is_none_of_yours(store: Store, thread: str) -> None:
    found = keep_question(store, ANN, "mine", None).thread_id if thread == "theirs" else "thread_none"
    for call in (read_thread, put_away):
        with pytest.raises(AccessError) as caught:
            call(store, BOB, found)
        assert caught.value.code == "not_found"
