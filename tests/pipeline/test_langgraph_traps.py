"""Every trap of LangGraph that we know of, sprung on our case graph: SQL says what happened, and it happened once.

Each test ends with the same questions: how many orders does the case have, and was it approved? Where a test is, by
trap (here; `setup` is test_langgraph_setup; `api` is tests/api/test_traps, where a client of HTTP springs the trap):

==============================================  ================================================================
trap                                            tests
==============================================  ================================================================
node restarts from its top on resume            node_restarts_from_its_top; setup: parked_node_is_one_interrupt
`except Exception` swallows `interrupt()`       setup: parked_node_is_one_interrupt
two concurrent resumes run the next node twice  two_concurrent_resumes (one and two connections); races:
                                                two_submissions_at_once (two processes); api: two_clients_at_once
a resume with `checkpoint_id` runs again        resume_that_carries_an_old_checkpoint, old_checkpoint_of_a_refused;
                                                api: resume_that_was_started_over_and_over
a replay from before execution acts again       replay_from_before_execution
a late second answer is a silent no-op          late_second_answer (graph, table); api: double_decision,
                                                late_second_answer, refusal_over_http_before_the_resume
a stale interrupt id answers the next question  answer_by_a_stale_interrupt_id; api: answer_to_the_id_of_another
answers match by order                          setup: one_interrupt_in_the_whole_pipeline; api: two_clients_at_once
a malformed answer is saved and poisons         malformed_or_empty_answer; api: malformed_or_empty_answer,
                                                text_and_numbers_that_no_table_can_hold, address_with_nul
`resume=None` crashes and `{}` is ignored       malformed_or_empty_answer; api: malformed_or_empty_answer
new input throws the interrupt away             new_input_on_an_interrupted_thread; api: new_input_on_the_interrupted
`update_state` while pending                    state_updated_while_pending, input_that_names_another_case; api:
                                                changed_while_it_waited, digest_of_before_an_edit
a renamed node loses the pending approval       node_renamed_while_paused; api: node_renamed_while_paused
deleted checkpoints                             deleted_checkpoint_database; api: deleted_checkpoints
default durability is `async`                   setup: case_threads_are_written_before_the_call_returns
tuples come back as lists                       setup: case_thread_holds_nothing_but_the_id, cycle_state_as_lists
`SqliteSaver` has no async methods              every test here runs on AsyncSqliteSaver
a shared connection's `rowcount` is racy        races: all of them, over RETURNING
`LANGGRAPH_STRICT_MSGPACK`, `LANGSMITH_*`       setup: strict_msgpack, processes_of_a_desk; api: process_that_answers
==============================================  ================================================================
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from memory.tables import ApprovalRow
from pipeline import case_graph
from pipeline.case_graph import CaseContext, CaseGraphState, build_case_graph
from pipeline.desk import Desk
from pipeline.session import SessionPlayer
from pipeline.work import CycleWork
from tests.pipeline import life
from tests.pipeline.life import code_of, say
from tests.pipeline.parked import APPROVED, SENT, WAITING, Case, ask


async def test_without_any_trap_an_approved_case_is_submitted_once(case: Case) -> None:
    case.approve()
    await case.resume()
    assert case.truth() == SENT


async def test_a_resume_before_anybody_answered_submits_nothing(case: Case) -> None:
    await case.resume()
    assert case.truth() == WAITING
    case.approve()
    await case.resume()
    assert case.truth() == SENT


async def test_a_resume_while_the_market_is_closed_leaves_the_approval_for_the_open(case: Case) -> None:
    case.approve()
    await case.player.resume(case.question.case_id, case.context(market_open=False))
    assert case.truth() == APPROVED
    await case.resume()
    assert case.truth() == SENT


async def test_a_node_restarts_from_its_top_on_resume_and_repeats_nothing(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: Counter[str] = Counter()

    def counted(name: str) -> Any:
        original = getattr(case_graph, name)

        async def node(state: CaseGraphState, runtime: Any) -> CaseGraphState:
            ran[name] += 1
            result: CaseGraphState = await (original(state) if name == "await_human" else original(state, runtime))
            return result

        node.__name__ = name
        node.__annotations__ = {"state": CaseGraphState, "runtime": Runtime[CaseContext]}
        return node

    for name in ("check_limits", "explain_proposal", "request_approval", "await_human", "submit"):
        monkeypatch.setattr(case_graph, name, counted(name))
    case.player.case_graph = build_case_graph(case.player.checkpointer)
    case.approve()
    await case.invoke(Command(resume={"wake": 1}))
    assert ran == {"await_human": 1, "submit": 1}
    assert case.truth() == SENT
    await case.invoke({"case_id": case.question.case_id})
    await case.invoke(Command(resume={"wake": 1}))
    assert ran["await_human"] == 3, "the parked node ran from its top again"
    assert case.truth() == SENT


async def test_two_concurrent_resumes_submit_once(case: Case) -> None:
    case.approve()
    await asyncio.gather(case.resume(), case.resume(), case.resume(), return_exceptions=True)
    await case.resume()
    assert case.truth() == SENT


async def test_two_concurrent_resumes_over_two_connections_submit_once(case: Case) -> None:
    case.approve()
    async with AsyncSqliteSaver.from_conn_string(str(case.store.home.checkpoints)) as saver:
        other = Case(case.desk, SessionPlayer(case.desk, saver), case.question)
        await asyncio.gather(case.resume(), other.resume(), return_exceptions=True)
        await other.resume()
    assert case.truth() == SENT


async def test_a_resume_that_carries_an_old_checkpoint_runs_again_and_submits_nothing_more(case: Case) -> None:
    old = (await case.graph.aget_state(case.config)).config
    assert old["configurable"]["checkpoint_id"]
    case.approve()
    for _ in range(3):
        await case.invoke(Command(resume={"wake": 1}), old)
    assert case.truth() == SENT


async def test_an_old_checkpoint_of_a_refused_case_submits_nothing(case: Case) -> None:
    old = (await case.graph.aget_state(case.config)).config
    say(case.store, case.question, decision="reject")
    await case.invoke(Command(resume={"decision": "approve"}), old)
    assert case.truth() == life.Truth("rejected", "rejected", (), 0, 0, 1)


async def test_a_replay_from_before_execution_asks_and_submits_nothing_again(case: Case) -> None:
    case.approve()
    await case.resume()
    history = [state async for state in case.graph.aget_state_history(case.config)]
    assert len(history) >= 5
    for state in history:
        await case.invoke(None, state.config)
        await case.invoke(Command(resume={"wake": 1}), state.config)
    assert case.truth() == SENT
    assert life.count(case.store, ApprovalRow) == 1


async def test_a_late_second_answer_through_the_graph_changes_nothing(case: Case) -> None:
    case.approve()
    await case.resume()
    for answer in ({"decision": "reject"}, {"decision": "approve"}, "reject"):
        with suppress(Exception):
            await case.invoke(Command(resume=answer))
    assert case.truth() == SENT


async def test_a_late_second_answer_through_the_table_is_said_to_be_late(case: Case) -> None:
    """The graph would swallow it silently; the table does not."""
    case.approve()
    await case.resume()
    assert code_of(lambda: say(case.store, case.question, life.BOB, "reject")) == "decided"
    assert case.truth() == SENT


async def test_an_answer_by_a_stale_interrupt_id_decides_nothing(case: Case) -> None:
    stale = (await case.graph.aget_state(case.config)).interrupts[0].id
    await case.resume()
    await case.invoke({"case_id": case.question.case_id})
    for name in (stale, "0" * 32):
        with suppress(Exception):
            await case.invoke(Command(resume={name: {"decision": "approve"}}))
    assert case.truth() == WAITING
    case.approve()
    await case.resume()
    assert case.truth() == SENT


@pytest.mark.parametrize(
    "answer",
    [
        "approve", "yes", 42, True, [], ["approve"], {"decision": "approve"}, {"decisions": [{"type": "approve"}]},
        {"wake": {"deep": ["x", {"y": 1}]}}, "x" * 100_000, {}, None, 0, "", False,
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
async def test_a_malformed_or_empty_answer_neither_decides_nor_poisons_the_thread(case: Case, answer: Any) -> None:
    with suppress(Exception):
        await case.invoke(Command(resume=answer))
    assert case.truth() == WAITING
    case.approve()
    await case.resume()
    assert case.truth() == SENT


async def test_new_input_on_an_interrupted_thread_throws_no_question_away(case: Case) -> None:
    await case.invoke({"case_id": case.question.case_id})
    assert case.truth() == WAITING
    case.approve()
    await case.invoke({"case_id": case.question.case_id})
    assert case.truth() == APPROVED
    await case.resume()
    assert case.truth() == SENT


async def test_state_updated_while_pending_does_not_let_one_approval_release_another_case(
    case: Case, desk: Desk, player: SessionPlayer
) -> None:
    other = await ask(desk, player, 1)
    case.approve()
    await case.graph.aupdate_state(case.config, {"case_id": other.question.case_id})
    with suppress(Exception):
        await case.invoke(Command(resume={"wake": 1}))
    assert other.truth() == WAITING
    assert case.truth() in (APPROVED, SENT)
    await case.player.checkpointer.adelete_thread(case.question.case_id)
    await case.resume()
    assert case.truth() == SENT
    assert other.truth() == WAITING


async def test_input_that_names_another_case_does_not_release_it(case: Case, desk: Desk, player: SessionPlayer) -> None:
    other = await ask(desk, player, 1)
    case.approve()
    await case.invoke({"case_id": other.question.case_id})
    await case.invoke(Command(resume={"wake": 1}))
    assert other.truth() == WAITING


async def test_a_deleted_checkpoint_database_loses_nothing_and_repeats_nothing(case: Case) -> None:
    """The home's checkpoints are deleted with an approved and a waiting case open; the desk starts again."""
    waiting = await ask(case.desk, case.player, 1)
    case.approve()
    gone = case.store.home.checkpoints.with_name("other.sqlite")
    async with AsyncSqliteSaver.from_conn_string(str(gone)) as saver:
        again = SessionPlayer(case.desk, saver)
        fresh = Case(case.desk, again, case.question)
        assert (await fresh.graph.aget_state(fresh.config)).values == {}
        await again.release_approved(CycleWork(case.desk, 60), case.now_open())
        assert case.truth() == SENT
        assert waiting.truth() == WAITING
        say(case.store, waiting.question)
        await again.release_approved(CycleWork(case.desk, 60), case.now_open())
        await again.release_approved(CycleWork(case.desk, 60), case.now_open())
    assert (case.truth(), waiting.truth()) == (SENT, SENT)
    assert life.count(case.store, ApprovalRow) == 2


async def test_a_node_renamed_while_paused_loses_no_approval(case: Case) -> None:
    """The thread was parked by an older version, in a node that this version does not have."""

    async def await_person(state: CaseGraphState) -> CaseGraphState:
        return await case_graph.await_human(state)

    older = StateGraph(CaseGraphState)
    older.add_node("await_person", await_person)
    older.add_edge(START, "await_person")
    await case.player.checkpointer.adelete_thread(case.question.case_id)
    await older.compile(checkpointer=case.player.checkpointer).ainvoke(
        {"case_id": case.question.case_id}, case.config, durability="sync"
    )
    case.approve()
    await case.resume()
    assert case.truth() == SENT
