"""How the case graph is built and started, so that the library's traps have nothing to catch."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from pipeline import case_graph
from pipeline.case_graph import build_case_graph
from pipeline.desk import Desk
from pipeline.session import SessionPlayer
from pipeline.supervisor import child_environment
from tests.pipeline import life
from tests.pipeline.parked import Case, ask
from tools.canonical import plain
from tools.types import Proposal

ROOT = Path(__file__).parents[2]


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
