"""The traps of LangGraph as a client of the HTTP API can spring them: each ends with its status code, and what it may
not change is as it was.

The API takes answers into the table and never touches a thread, so most traps end at the table. Where the thread
matters (a renamed node, a deleted checkpoint, an answer that arrives while a thread resumes) a real desk parks the
case, the answer comes over HTTP, and the desk plays on.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from fastapi.testclient import TestClient
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from sqlmodel import SQLModel

from api.app import create_app
from memory.ledger import Entry, Stage, append
from memory.tables import ApprovalRow, CaseRow
from pipeline import case_graph, supervisor
from pipeline.case_graph import CaseGraphState
from pipeline.headless import open_player
from pipeline.session import SessionPlayer
from pipeline.settings import load_settings
from pipeline.store import open_store
from pipeline.terms import terms_of
from pipeline.work import CycleWork
from tests.e2e.desk import until
from tests.people_help import add, key_of
from tests.pipeline import life
from tests.pipeline.conftest import desk, market  # noqa: F401  (fixtures)
from tests.pipeline.parked import APPROVED, SENT, WAITING, Case, ask
from tools.types import CaseState

from .conftest import BASE_URL, RUN, Seeded, approval_row, case_row, proposal

API = "/api/v1"


def tables(store: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with store.db.read() as session:
        connection = session.connection()
        return {
            name: [tuple(row) for row in connection.execute(table.select())]
            for name, table in SQLModel.metadata.tables.items()
        }  # fmt: skip


def answer(client: TestClient, approval_id: str, digest: str, **changes: Any) -> Any:
    body = {"decision": "approve", "digest": digest, "reason": "fits the plan", **changes}
    return client.post(f"{API}/approvals/{approval_id}/decision", json=body)


def told(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


class Desk:
    """The seeded desk with two people who hold keys."""

    def __init__(self, client: TestClient, seeded: Seeded) -> None:
        self.client = client
        self.seeded = seeded
        self.keys = {name: key_of(add(seeded.store, name, "approver")) for name in ("ann", "bob")}

    def say(self, name: str = "ann", **changes: Any) -> Any:
        given = {"approval_id": self.seeded.approval_id, "digest": self.seeded.digest, **changes}
        approval_id = given.pop("approval_id")
        digest = given.pop("digest")
        self.client.headers["authorization"] = f"Bearer {self.keys[name]}"
        return answer(self.client, approval_id, digest, **given)

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        return tables(self.seeded.store)


@pytest.fixture
def two(app_client: TestClient, seeded: Seeded) -> Desk:
    return Desk(app_client, seeded)


def test_a_double_decision_is_the_same_result_and_writes_nothing(two: Desk) -> None:
    first = two.say().json()
    before = two.tables()
    for _ in range(3):
        again = two.say(reason="once more, in other words")
        assert (again.status_code, again.json()) == (200, {**first, "repeated": True})
    assert two.tables() == before


def test_a_late_second_answer_is_told_who_was_first_and_writes_nothing(two: Desk) -> None:
    """The graph would swallow it silently."""
    two.say("bob", decision="reject")
    before = two.tables()
    for name, decision in (("ann", "approve"), ("ann", "reject"), ("bob", "approve")):
        late = two.say(name, decision=decision)
        assert told(late) == (409, "decided")
        assert late.json()["error"]["detail"]["decided_by"] == "bob"
    assert two.tables() == before


def test_an_answer_to_what_was_changed_while_it_waited_is_stale_and_writes_nothing(two: Desk) -> None:
    """`update_state` while pending would let a bare approve act on changed content."""
    life.tamper(two.seeded.store, """UPDATE cases SET body = replace(body, '"quantity":100', '"quantity":900')""")
    before = two.tables()
    for decision in ("approve", "reject", "respond"):
        assert told(two.say(decision=decision)) == (409, "stale_digest")
    assert two.tables() == before


def test_an_answer_with_the_digest_of_before_an_edit_is_stale_and_writes_nothing(two: Desk) -> None:
    life.tamper(two.seeded.store, f"UPDATE approvals SET digest = '{'e' * 64}' WHERE id = '{two.seeded.approval_id}'")
    before = two.tables()
    assert told(two.say()) == (409, "stale_digest")
    assert two.tables() == before


def test_an_answer_to_the_id_of_another_question_decides_neither(two: Desk) -> None:
    """A stale interrupt id answers the node's next question; here the digest names the one that was seen."""
    body = proposal(50, "ORCL", two.seeded.evidence_id)
    with two.seeded.store.db.write() as session:
        session.add(case := case_row(body, 50, CaseState.AWAITING))
        session.add(asked := approval_row(case, "pending"))
        session.flush()
        append(
            session,
            Entry(
                kind="case.awaiting", step="awaiting", case_id=case.id, revision=1, run_id=RUN, desk_time=body.as_of,
                stage=Stage.REQUEST, content=terms_of(asked),
            ),
        )  # fmt: skip
    before = two.tables()
    assert told(two.say(approval_id="appr_case_50")) == (409, "stale_digest")
    assert told(two.say(digest=body.digest)) == (409, "stale_digest")
    assert told(two.say(approval_id="appr_case_51")) == (404, "unknown")
    assert told(two.say(approval_id="0" * 32)) == (404, "unknown")
    assert two.tables() == before
    assert two.say(approval_id="appr_case_50", digest=body.digest).json()["case_id"] == "case_50"
    with two.seeded.store.db.read() as session:
        assert session.get_one(CaseRow, two.seeded.case_id).state == "awaiting"


MALFORMED: dict[str, bytes] = {
    "nothing": b"", "null": b"null", "an empty object": b"{}", "an empty list": b"[]", "a word": b'"approve"',
    "a number": b"42", "true": b"true", "false": b"false", "not JSON": b"{", "not text": b"\xff\xfe\x00",
    "decisions of LangChain": b'{"decisions": [{"type": "approve"}]}', "a list of one": b'["approve"]',
    "deep": b"[" * 5_000 + b"]" * 5_000, "a long reason": json.dumps({"reason": "x" * 60_000}).encode(),
    "half a surrogate": b'{"decision": "approve", "digest": "%s", "reason": "\\ud800"}' % (b"0" * 64),
    "not a number": b'{"decision": NaN}', "a large number": b'{"decision": 1e999}',
    "many digits": b'{"decision": ' + b"9" * 5_000 + b"}",
}  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_or_empty_answer_is_refused_saved_nowhere_and_poisons_nothing(two: Desk, body: bytes) -> None:
    before = two.tables()
    two.client.headers["authorization"] = f"Bearer {two.keys['ann']}"
    for path in (f"{two.seeded.approval_id}/decision", "decisions", f"{two.seeded.approval_id}/extend"):
        refused = two.client.post(
            f"{API}/approvals/{path}", content=body, headers={"content-type": "application/json"}
        )  # fmt: skip
        assert told(refused) == (422, "invalid"), path
    assert two.tables() == before
    assert two.say().json()["status"] == "approved"


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "\ud800"}, {"reason": "a\x00b"}, {"decision": "edit", "edit": {"quantity": 10**30}},
        {"decision": "edit", "reason_code": "other", "edit": {"stop_price": "1e400"}},
        {"decision": "edit", "reason_code": "other", "edit": {"stop_price": "NaN"}},
        {"decision": "respond", "reason": "a\x00b"}, {"decision": "reject", "reason": "\udfff"},
    ],
    ids=repr,
)  # fmt: skip
def test_text_and_numbers_that_no_table_can_hold_are_invalid_and_saved_nowhere(
    two: Desk, changes: dict[str, Any]
) -> None:
    before = two.tables()
    body = {"decision": "approve", "digest": two.seeded.digest, "reason": "why", **changes}
    two.client.headers["authorization"] = f"Bearer {two.keys['ann']}"
    refused = two.client.post(
        f"{API}/approvals/{two.seeded.approval_id}/decision", content=json.dumps(body),
        headers={"content-type": "application/json"},
    )  # fmt: skip
    assert told(refused) == (422, "invalid")
    assert two.tables() == before


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("cases?symbol=%00", (422, "invalid")), ("findings?run=a%00", (422, "invalid")),
        ("cases/%00", (404, "not_found")), ("approvals/a%00b", (404, "not_found")),
    ],
)  # fmt: skip
def test_an_address_with_the_character_nul_is_refused(two: Desk, address: str, refusal: tuple[int, str]) -> None:
    """PostgreSQL can neither keep nor look for it."""
    two.client.headers["authorization"] = f"Bearer {two.keys['ann']}"
    assert told(two.client.get(f"{API}/{address}")) == refusal
    del two.client.headers["authorization"]
    assert told(two.client.get(f"{API}/{address}")) == (401, "unauthorized")


@pytest.mark.parametrize("decisions", [("approve", "approve"), ("approve", "reject"), ("reject", "reject")])
def test_two_clients_at_once_get_one_outcome_between_them(two: Desk, decisions: tuple[str, str]) -> None:
    """Answers match questions by order in the graph; here each names its own."""

    def one(name: str, decision: str) -> Any:
        with TestClient(two.client.app, base_url=BASE_URL) as client:
            client.headers["authorization"] = f"Bearer {two.keys[name]}"
            return answer(client, two.seeded.approval_id, two.seeded.digest, decision=decision)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one, ("ann", "bob"), decisions))
    codes = sorted(response.status_code for response in found)
    with two.seeded.store.db.read() as session:
        status = session.get_one(ApprovalRow, two.seeded.approval_id).status
    if decisions == ("approve", "reject"):
        assert codes in ([200, 200], [200, 409])
        assert status == "rejected"
    else:
        assert codes == [200, 409]
        assert status == {"approve": "approved", "reject": "rejected"}[decisions[0]]


LEAKS = {
    "LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "ls-key", "LANGCHAIN_TRACING_V2": "true",
    "LANGCHAIN_API_KEY": "lc-key", "LANGSMITH_ENDPOINT": "http://127.0.0.1:9", "LANGGRAPH_STRICT_MSGPACK": "false",
}  # fmt: skip


@pytest.mark.slow
def test_the_process_that_answers_http_has_strict_checkpoints_and_no_tracing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands in the shell that the desk is served from."""
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = load_settings(home=tmp_path / "home", port=port)
    open_store(settings).db.dispose()
    child = supervisor.Child("api", settings, tmp_path / "api.log")
    try:
        until(lambda: _health(port), "the API answers")
        environment = psutil.Process(child.process.pid).environ()
    finally:
        child.stop()
    assert environment["LANGGRAPH_STRICT_MSGPACK"] == "true"
    assert not [name for name in environment if name.startswith(("LANGSMITH_", "LANGCHAIN_"))]


def _health(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{API}/health", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


# --- with a thread behind it


@pytest.fixture
async def parked(desk: Any) -> Any:  # noqa: F811
    """A case that waits in its thread, and a client of the API over the same home."""
    async with open_player(desk) as player:
        yield await ask(desk, player)


@pytest.fixture
def over_http(parked: Case) -> Iterator[TestClient]:
    with TestClient(create_app(parked.store), base_url=BASE_URL) as client:
        client.headers["authorization"] = f"Bearer {parked.store.home.token()}"
        yield client


def approve(client: TestClient, case: Case, **changes: Any) -> Any:
    return answer(client, case.question.approval_id, case.question.digest, **changes)


async def test_a_node_renamed_while_paused_loses_no_answer_that_came_over_http(
    parked: Case, over_http: TestClient
) -> None:
    async def await_person(state: CaseGraphState) -> CaseGraphState:
        return await case_graph.await_human(state)

    older = StateGraph(CaseGraphState)
    older.add_node("await_person", await_person)
    older.add_edge(START, "await_person")
    saver = parked.player.checkpointer
    await saver.adelete_thread(parked.question.case_id)
    await older.compile(checkpointer=saver).ainvoke(
        {"case_id": parked.question.case_id}, parked.config, durability="sync"
    )
    assert approve(over_http, parked).status_code == 200
    assert parked.truth() == APPROVED
    await parked.player.release_approved(CycleWork(parked.desk, 60), parked.now_open())
    assert parked.truth() == SENT


async def test_deleted_checkpoints_lose_no_answer_that_came_over_http_and_repeat_none(
    parked: Case, over_http: TestClient, tmp_path: Path
) -> None:
    waiting = await ask(parked.desk, parked.player, 1)
    assert approve(over_http, parked).status_code == 200
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "empty.sqlite")) as saver:
        again = SessionPlayer(parked.desk, saver)
        await again.release_approved(CycleWork(parked.desk, 60), parked.now_open())
        assert (parked.truth(), waiting.truth()) == (SENT, WAITING)
        assert told(approve(over_http, parked, decision="reject")) == (409, "decided")
        assert approve(over_http, waiting).json()["status"] == "approved"
        for _ in range(2):
            await again.release_approved(CycleWork(parked.desk, 60), parked.now_open())
    assert (parked.truth(), waiting.truth()) == (SENT, SENT)


async def test_new_input_on_the_interrupted_thread_throws_no_answer_of_http_away(
    parked: Case, over_http: TestClient
) -> None:
    await parked.invoke({"case_id": parked.question.case_id})
    assert approve(over_http, parked).status_code == 200
    await parked.invoke({"case_id": parked.question.case_id})
    assert parked.truth() == APPROVED
    await parked.resume()
    assert parked.truth() == SENT
    assert approve(over_http, parked).json()["repeated"] is True
    assert parked.truth() == SENT


async def test_a_refusal_over_http_before_the_resume_wins_over_the_approval(
    parked: Case, over_http: TestClient
) -> None:
    assert approve(over_http, parked).status_code == 200
    key = key_of(add(parked.store, "bob", "approver"))
    over_http.headers["authorization"] = f"Bearer {key}"
    assert approve(over_http, parked, decision="reject").json()["status"] == "rejected"
    await parked.resume()
    assert parked.truth() == life.Truth("rejected", "rejected", ("voided",), 0, 0, 2)


async def test_a_resume_that_was_started_over_and_over_answers_http_the_same(
    parked: Case, over_http: TestClient
) -> None:
    """A resume with an old checkpoint runs again each time; the queue shows one decision and one order."""
    old = (await parked.graph.aget_state(parked.config)).config
    approve(over_http, parked)
    for _ in range(3):
        await parked.graph.ainvoke(None, old, context=parked.context(), durability="sync")
        await parked.resume()
    shown = over_http.get(f"{API}/cases/{parked.question.case_id}").json()
    assert (shown["state"], len(shown["decisions"]), len(shown["orders"])) == ("submitted", 1, 1)
