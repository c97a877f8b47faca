"""Every trap of LangGraph that we know of, sprung on our case graph: SQL says what happened, and it happened once.

Each test ends with the same questions: how many orders does the case have, and was it approved?
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from memory.tables import ApprovalRow, RunRow
from pipeline import case_graph
from pipeline.activation import in_force
from pipeline.case_graph import CaseContext, CaseGraphState, build_case_graph
from pipeline.desk import Desk, RunRequest, start_run
from pipeline.headless import open_player
from pipeline.session import SessionPlayer
from pipeline.store import Store
from pipeline.submission import OpenMarket
from pipeline.supervisor import child_environment
from pipeline.venue import open_broker, open_market
from pipeline.work import CycleWork
from tests.pipeline import life
from tests.pipeline.life import Question, code_of, say, truth
from tools.canonical import plain, stable_id
from tools.types import Proposal

SYMBOLS = ("IBM", "GIS", "XOM")
ROOT = Path(__file__).parents[2]
SENT = life.Truth("submitted", "approved", ("consumed",), 1, 1, 1)
WAITING = life.Truth("awaiting", "pending", (), 0, 0, 0)
APPROVED = life.Truth("approved", "approved", ("minted",), 0, 0, 1)


class Case:
    """One asked case on a real desk: its thread is parked, nobody has answered."""

    def __init__(self, desk: Desk, player: SessionPlayer, question: Question) -> None:
        self.desk = desk
        self.player = player
        self.question = question
        self.config: RunnableConfig = {"configurable": {"thread_id": question.case_id}}

    @property
    def store(self) -> Store:
        return self.desk.store

    @property
    def graph(self) -> Any:
        return self.player.case_graph

    def context(self, *, market_open: bool = True) -> CaseContext:
        work = CycleWork(self.desk, 60)
        return CaseContext(self.desk, work, now_open=self.now_open() if market_open else None)

    def now_open(self) -> OpenMarket:
        return OpenMarket(tick=self.desk.tick(61, "open"), opens=life.OPEN.opens, adv=life.OPEN.adv)

    def approve(self) -> None:
        say(self.store, self.question)

    async def invoke(self, given: Any, config: RunnableConfig | None = None) -> Any:
        return await self.graph.ainvoke(given, config or self.config, context=self.context(), durability="sync")

    async def resume(self) -> None:
        """What the engine does at the open with every approved case."""
        await self.player.resume(self.question.case_id, self.context())

    def truth(self) -> life.Truth:
        return truth(self.store, self.question)


@pytest.fixture(scope="module")
def market() -> Any:
    return open_market(SYMBOLS)


@pytest.fixture
def desk(tmp_path: Path, market: Any) -> Iterator[Desk]:
    """A desk on the embedded market at the close of session 60, without recall."""
    store = life.new_store(tmp_path / "home")
    run = start_run(store, RunRequest(symbols=SYMBOLS))
    with store.db.write() as session:
        row = session.get_one(RunRow, run.id)
        row.session_index, row.stage = 60, "closed"
        session.add(row)
    yield Desk(
        store=store, run_id=run.id, market=market, broker=open_broker(store, run), law=in_force(store), recall=None,
        seed=0,
    )  # fmt: skip
    store.db.dispose()


async def ask(desk: Desk, player: SessionPlayer, number: int = 0) -> Case:
    """Draft a case and let its thread run until it waits for a person."""
    as_of = desk.tick(60, "close").as_of
    body = life.proposal(number, run_id=desk.run_id, cycle_id=desk.cycle_id(60), as_of=as_of, quantity=10)
    case_id = life.draft(desk.store, body)
    life.tamper(desk.store, "DELETE FROM explanations WHERE case_id = :case", case=case_id)
    life.tamper(desk.store, "UPDATE cases SET checks = NULL, review = :review WHERE id = :case", case=case_id,
                review=f'{{"proposal_id":"{body.id}","reasons":[],"verdict":"keep"}}')  # fmt: skip
    await player.open_threads(CycleWork(desk, 60), [case_id])
    return Case(desk, player, Question(case_id, stable_id("appr", case_id), body.digest))


@pytest.fixture
async def player(desk: Desk) -> AsyncIterator[SessionPlayer]:
    async with open_player(desk) as opened:
        yield opened


@pytest.fixture
async def case(desk: Desk, player: SessionPlayer) -> Case:
    """One case that waits for one person."""
    found = await ask(desk, player)
    assert found.truth() == WAITING
    return found


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
        node.__annotations__ = {"state": CaseGraphState, "runtime": case_graph.Runtime[CaseContext]}
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


def test_the_parked_node_is_one_interrupt_that_nothing_can_swallow() -> None:
    """`except Exception` around `interrupt()` would swallow it, and code before it would run twice."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(case_graph.await_human))).body[0]
    assert isinstance(tree, ast.AsyncFunctionDef)
    _, parked, back = tree.body
    assert isinstance(parked, ast.Expr)
    assert ast.unparse(parked).startswith("interrupt(")
    assert isinstance(back, ast.Return)


def test_there_is_one_interrupt_in_the_whole_pipeline() -> None:
    """Answers match questions by order: with one question there is no order to get wrong."""
    calls = [
        f"{path.name}:{node.lineno}"
        for path in sorted((ROOT / "pipeline").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "interrupt"
    ]
    assert len(calls) == 1, calls


async def test_the_question_in_the_interrupt_has_one_action_in_the_public_shape(case: Case) -> None:
    state = await case.graph.aget_state(case.config)
    (parked,) = state.interrupts
    assert [action["name"] for action in parked.value["action_requests"]] == ["release_case"]
    assert parked.value["review_configs"] == [
        {"action_name": "release_case", "allowed_decisions": ["approve", "reject"]}
    ]


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


async def test_input_that_names_another_case_does_not_release_it(
    case: Case, desk: Desk, player: SessionPlayer
) -> None:
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


async def test_case_threads_are_written_before_the_call_returns(
    case: Case, desk: Desk, player: SessionPlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's default is `async`: a crash could lose the last step. We say `sync` every time."""
    said: list[str | None] = []
    graph_type = type(player.case_graph)
    original = graph_type.ainvoke

    async def spy(self: Any, *given: Any, **named: Any) -> Any:
        said.append(named.get("durability"))
        return await original(self, *given, **named)

    monkeypatch.setattr(graph_type, "ainvoke", spy)
    second = await ask(desk, player, 1)
    second.approve()
    await second.resume()
    assert said == ["sync", "sync"]
    async with AsyncSqliteSaver.from_conn_string(str(case.store.home.checkpoints)) as reader:
        kept = await build_case_graph(reader).aget_state(case.config)
    assert [parked.value["action_requests"][0]["name"] for parked in kept.interrupts] == ["release_case"]


async def test_a_case_thread_holds_nothing_but_the_id_of_its_case(case: Case) -> None:
    """Tuples come back as lists and moved classes as dicts: a string comes back as a string."""
    async for state in case.graph.aget_state_history(case.config):
        assert state.values in ({}, {"case_id": case.question.case_id})


def test_cycle_state_as_lists_and_plain_json_is_the_same_proposal_again() -> None:
    body = life.proposal(evidence_ids=("ev_1", "ev_2"))
    as_json = plain(body)
    assert isinstance(as_json["evidence_ids"], list)
    assert Proposal.model_validate(as_json) == body
    assert Proposal.model_validate(as_json).digest == body.digest


LEAKS = {
    "LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "ls-key", "LANGCHAIN_TRACING_V2": "true",
    "LANGCHAIN_API_KEY": "lc-key", "LANGSMITH_ENDPOINT": "http://127.0.0.1:9", "LANGGRAPH_STRICT_MSGPACK": "false",
}  # fmt: skip
PROBE = """
import os, sys
from api._launch import prepare
assert not any(name.split('.')[0] in ('langgraph', 'langsmith', 'langchain_core') for name in sys.modules)
prepare(os.environ)
import pipeline.case_graph
from langgraph.checkpoint.serde import _msgpack
from langsmith.utils import tracing_is_enabled
print(bool(_msgpack.STRICT_MSGPACK_ENABLED), bool(tracing_is_enabled()))
"""


def test_strict_msgpack_is_on_and_tracing_off_before_anything_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env={**os.environ, **LEAKS}, capture_output=True, text=True, check=False,
        cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_the_processes_of_a_desk_inherit_neither_tracing_nor_a_loose_msgpack(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)
    environment = child_environment()
    assert environment["LANGGRAPH_STRICT_MSGPACK"] == "true"
    assert not any(name.startswith(("LANGSMITH", "LANGCHAIN")) for name in environment)
