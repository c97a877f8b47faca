"""Chat over a played home: every figure stands where it says, rights are those of the API, threads belong to people."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from agents.explanation.figures import as_number, resolve
from agents.operator.facts import OperatorTools
from api.app import create_app
from pipeline.headless import run_sessions
from pipeline.operator_rights import NEEDED
from pipeline.operator_tools import operator_tools
from pipeline.roles import ROLES, SCOPES_OF, Identity
from pipeline.store import Principal, Store
from tests.api.conftest import BASE_URL
from tests.api.test_roles import NEEDED as DOORS
from tests.people_help import add, key_of, make_passwords_cheap
from tests.pipeline import life
from tests.pipeline.test_policy_replay import sizes
from tools.errors import AccessError
from tools.types import Side

QUESTIONS = (
    "what is waiting?", "exposure by sector", "what is our exposure?", "exposure by strategy", "risk", "limits",
    "what changed since last session", "why did we buy EL?", "why not AMD", "what would have changed EL?",
    "how did EL end?", "compare EL with last time", "what if max position were 1 %", "what if we sold 10 EL?",
    "what if the market fell 10 %", "any findings", "exposure to EL", "how near is the sector cap", "equity",
    "what have we learnt?",
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    home: Path = tmp_path_factory.mktemp("chat") / "home"
    opened = life.new_store(home)
    asyncio.run(run_sessions(opened, sessions=3, symbols=("AMD", "EL", "TXT", "FCX", "PNC"), stand_in="approve"))
    yield opened
    opened.db.dispose()


@pytest.fixture(scope="module")
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(create_app(store), base_url=BASE_URL) as found:
        found.headers["authorization"] = f"Bearer {store.home.token()}"
        yield found


def ask(client: TestClient, text: str, thread: str | None = None, **headers: str) -> list[dict[str, Any]]:
    answer = client.post("/api/v1/chat", json={"text": text, "thread_id": thread}, headers=headers)
    assert answer.status_code == 200, answer.text
    return [json.loads(frame.removeprefix("data: ")) for frame in answer.text.strip().split("\n\n")]


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in events if event["type"] == "token")


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_figure_stands_in_the_record_that_it_names(client: TestClient, question: str) -> None:
    events = ask(client, question)
    done = events[-1]
    assert (done["type"], done["dropped"]) == ("done", 0)
    records: dict[str, Any] = {}
    for event in events:
        if "ref" in event:
            record = event["ref"]["record"]
            answer = client.get("/api/v1" + record)
            assert answer.status_code == 200, record
            records[record] = answer.json()
            resolve(records[record], event["ref"]["pointer"])
    for figure in done["figures"]:
        held = as_number(resolve(records[figure["record"]], figure["pointer"]))
        assert held is not None, figure
        assert abs(held - Decimal(figure["value"])) <= Decimal("1e-6"), figure


def test_a_question_about_limits_computes_and_changes_nothing(client: TestClient, store: Store) -> None:
    law = client.get("/api/v1/law").json()
    before = {table: size for table, size in sizes(store).items() if table not in ("chat", "evidence")}
    told = text_of(ask(client, "what if max position were 1 %"))
    assert "pass before, block then" in told
    assert "The book itself: position share of EL" in told
    assert {table: size for table, size in sizes(store).items() if table not in ("chat", "evidence")} == before
    assert client.get("/api/v1/law").json() == law


def test_a_wider_limit_that_no_file_may_hold_is_refused(client: TestClient) -> None:
    assert "Not in evidence: no limits file could hold that value" in text_of(ask(client, "what if drawdown were -0"))


def test_the_rights_of_chat_are_those_of_the_api() -> None:
    tools = {name for name in vars(OperatorTools) if not name.startswith("_")}
    assert set(NEEDED) == tools
    for tool, needed in NEEDED.items():
        assert (needed.role, needed.scope) == DOORS.get(needed.operation, ("viewer", "read")), tool


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_is_told_only_what_the_api_would_tell_it(store: Store, role: Any) -> None:
    tools = operator_tools(store, Identity("ann", role, "person", SCOPES_OF[role]))
    allowed = ROLES.index(role) >= ROLES.index("approver")
    if allowed:
        await tools.pace()
    else:
        with pytest.raises(AccessError, match="approver"):
            await tools.pace()
    assert await tools.positions()


async def test_a_key_without_reading_is_told_nothing(store: Store) -> None:
    tools = operator_tools(store, Identity("ann", "admin", "person", frozenset({"halt"})))
    for call in (tools.desk, tools.positions, tools.waiting, tools.risk, tools.universe):
        with pytest.raises(AccessError):
            await call()


async def test_a_viewer_opens_no_case_and_without_a_way_nobody_does(store: Store) -> None:
    opened: list[str] = []

    def opens(_: Store, symbol: str, side: Side, quantity: int, *, principal: Principal, reason: str) -> str:
        opened.append(f"{principal.name} {side} {quantity} {symbol} {reason}")
        return "case_1"

    viewer = operator_tools(store, Identity("eve", "viewer", "person", SCOPES_OF["viewer"]), opens)
    with pytest.raises(AccessError):
        await viewer.propose("EL", "sell", 10, "now")
    operator = Identity("ann", "operator", "person", SCOPES_OF["operator"])
    assert await operator_tools(store, operator).propose("EL", "sell", 10, "now") is None
    made = await operator_tools(store, operator, opens).propose("EL", "sell", 10, "now")
    assert made is not None
    assert opened == ["ann sell 10 EL now"]


def test_a_thread_goes_on_is_listed_and_can_be_put_away(client: TestClient) -> None:
    first = ask(client, "why did we buy EL?")
    thread = first[0]["thread_id"]
    assert first[-1]["thread_id"] == thread
    then = ask(client, "and FCX?", thread)
    assert then[-1]["slots"] == {"symbol": "FCX"}
    turns = client.get(f"/api/v1/chat/threads/{thread}").json()["turns"]
    assert [turn["question"] for turn in turns] == ["why did we buy EL?", "and FCX?"]
    assert [turn["answer"] for turn in turns] == [text_of(first), text_of(then)]
    assert turns[0]["spans"][1]["ref"]["record"].startswith("/cases/")
    assert thread in [item["id"] for item in client.get("/api/v1/chat/threads").json()["items"]]
    assert client.delete(f"/api/v1/chat/threads/{thread}").status_code == 204
    assert client.get(f"/api/v1/chat/threads/{thread}").status_code == 404
    assert thread not in [item["id"] for item in client.get("/api/v1/chat/threads").json()["items"]]
    assert ask(client, "and IBM?", thread)[-1]["code"] == "not_found"


def test_a_thread_belongs_to_whoever_began_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)
    client = TestClient(create_app(store), base_url=BASE_URL)
    ann, bob = (f"Bearer {key_of(add(store, name, 'operator'))}" for name in ("ann", "bob"))
    thread = ask(client, "risk", authorization=ann)[0]["thread_id"]
    assert client.get(f"/api/v1/chat/threads/{thread}", headers={"authorization": bob}).status_code == 404
    assert client.delete(f"/api/v1/chat/threads/{thread}", headers={"authorization": bob}).status_code == 404
    assert client.get("/api/v1/chat/threads", headers={"authorization": bob}).json() == {"items": []}
    assert ask(client, "and?", thread, authorization=bob)[-1]["code"] == "not_found"
    assert len(client.get(f"/api/v1/chat/threads/{thread}", headers={"authorization": ann}).json()["turns"]) == 1


def test_a_broken_stream_keeps_what_was_asked(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> Any:
        raise AccessError("gone", code="role")
        yield  # pragma: no cover

    with monkeypatch.context() as patched:
        patched.setattr("agents.operator.node.answer", broken)
        events = ask(client, "why did we buy EL?")
    assert [event["type"] for event in events] == ["asked", "error"]
    (turn,) = client.get(f"/api/v1/chat/threads/{events[0]['thread_id']}").json()["turns"]
    assert (turn["question"], turn["answer"]) == ("why did we buy EL?", None)


def test_the_halt_that_was_asked_for_in_chat_is_not_engaged(client: TestClient) -> None:
    done = ask(client, "halt trading in EL")[-1]
    assert done["action"] == {"open_dialog": "halt", "action": "no_new", "scope": "symbol", "target": "EL"}
    assert client.get("/api/v1/halts").json()["total"] == 0


def test_evidence_is_found_by_its_id_and_only_then(client: TestClient) -> None:
    found = ask(client, "what if the sector cap were 5 %")[-1]["evidence_ids"]
    assert client.get(f"/api/v1/evidence/{found[0]}").json()["payload"]["limit"] == "max_sector_share"
    assert client.get("/api/v1/evidence/ev_0000000000000000").status_code == 404
