"""A real small model behind the real wire: what it says is valid or an abstention, paid for, recorded and replayable.

Nothing here asks for wisdom: at 135 million parameters there is none. The server is gone before the replay.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from pydantic import ValidationError
from sqlmodel import col, select

from agents.decision.output import Ballot
from agents.explanation.model import grounded
from agents.explanation.node import explain
from agents.explanation.output import Explanation, Prose
from agents.gate import Gate
from agents.models import LiveEndpoint, call_errors, chat_model, failure
from agents.operator.node import answer
from agents.operator.output import IntentChoice, Remark, Reply, text_of
from agents.opinion import Abstain, Closed, Context, ExplanationBrief
from memory.recordings import load_blob
from memory.tables import CaseRow, ModelReviewRow, RecordingRow, SpendRow
from pipeline.budget import CHAT
from pipeline.decision_replay import replay_decision
from pipeline.desk import RunRequest, start_run
from pipeline.operator_tools import chat_context, operator_tools
from pipeline.roles import SCOPES_OF, Identity
from pipeline.store import Store
from tests.drills.desk import at_work
from tests.peers.small_model import serving
from tests.pipeline import life
from tools.types import Review

NAMES = ("AMD",)
KEY = "a-key-of-this-test"
QUESTION = "Could you enlighten me as to the state of things?"
OUTPUTS: dict[str, type[Closed]] = {
    "decision.review": Ballot, "explanation.prose": Prose, "operator.intent": IntentChoice, "operator.remark": Remark,
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What a desk did with the model, the server being gone."""

    store: Store
    cycle_id: str
    brief: ExplanationBrief
    explained: Explanation
    said: str
    reply: Reply
    refused: Abstain


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """A session on rules with nobody there, then one reviewed by the model, a case explained and a question asked."""
    home = tmp_path_factory.mktemp("small") / "home"
    store = life.new_store(home)
    start_run(store, RunRequest(symbols=NAMES))
    asyncio.run(play(store))
    store.db.dispose()
    with serving(KEY) as url:
        store = life.new_store(
            home, model_base_url=url, model_api_key=KEY, model_id="smollm2", model_timeout_s=240,
            model_prices="smollm2=0.001/0.002",
        )  # fmt: skip
        cycle_id = asyncio.run(play(store))
        brief = brief_of(store)
        explained, said, reply = asyncio.run(ask(store, cycle_id, brief))
        refused = asyncio.run(ask_with_another_key(url))
    yield Seen(store, cycle_id, brief, explained, said, reply, refused)
    store.db.dispose()


async def play(store: Store) -> str:
    async with at_work(store) as drill:
        await drill.play(1, "none")
        return drill.desk.cycle_id(drill.index)


def brief_of(store: Store) -> ExplanationBrief:
    with store.db.read() as session:
        query = select(RecordingRow).where(RecordingRow.call == "explanation.explain").order_by(col(RecordingRow.id))
        row = session.exec(query).all()[-1]
        return ExplanationBrief.model_validate(load_blob(session, row.input_sha256))


async def ask(store: Store, cycle_id: str, brief: ExplanationBrief) -> tuple[Explanation, str, Reply]:
    async with at_work(store) as drill:
        explained = await explain(brief, drill.desk.agent_context(cycle_id))
    reader = Identity("ann", "operator", "person", SCOPES_OF["operator"])
    pieces = [piece async for piece in answer(QUESTION, operator_tools(store, reader), chat_context(store))]
    assert isinstance(pieces[-1], Reply)
    return explained, text_of(pieces), pieces[-1]


async def ask_with_another_key(url: str) -> Abstain:
    endpoint = LiveEndpoint(chat_model(url, "another-key", "smollm2", 10), "smollm2", 10, Gate(1))
    with pytest.raises(call_errors()) as caught:
        await endpoint.ask([HumanMessage(QUESTION)], {"schema": Remark.model_json_schema()}, 20)
    return failure(caught.value)


def calls(seen: Seen) -> list[tuple[RecordingRow, dict[str, Any]]]:
    with seen.store.db.read() as session:
        rows = session.exec(select(RecordingRow).where(RecordingRow.kind == "model")).all()
        return [(row, load_blob(session, row.output_sha256)) for row in rows]


def test_the_desk_asked_it_to_review_to_explain_and_to_route(seen: Seen) -> None:
    assert {row.call for row, _ in calls(seen)} >= {"decision.review", "explanation.prose", "operator.intent"}
    assert {row.meta["gen_ai.request.model"] for row, _ in calls(seen)} == {"smollm2"}


def test_every_answer_fits_its_schema_or_is_named_as_one_that_does_not(seen: Seen) -> None:
    for row, said in calls(seen):
        assert said["abstain"] is None, "the endpoint itself has not failed"
        try:
            OUTPUTS[row.call].model_validate_json(said["content"])
        except ValidationError:
            assert said["problem"]
            assert not row.meta["quarterdeck.usable"]
        else:
            assert row.meta["quarterdeck.usable"] or said["problem"]


def test_every_entry_has_its_review_or_an_abstention_with_a_reason(seen: Seen) -> None:
    with seen.store.db.read() as session:
        cases = session.exec(select(CaseRow).where(CaseRow.cycle_id == seen.cycle_id)).all()
        kept = session.exec(select(ModelReviewRow).where(ModelReviewRow.cycle_id == seen.cycle_id)).all()
    reviews = [Review.model_validate(case.review) for case in cases]
    assert len(reviews) == len(kept) > 0
    for review in reviews:
        assert review.reasoner == "model"
        assert (review.verdict == "abstain") == (review.abstain_reason is not None)
    assert {case.id for case in cases if case.state == "awaiting"} <= {
        case.id for case, review in zip(cases, reviews, strict=True) if review.verdict in ("keep", "scale", "escalate")
    }


def test_its_prose_stands_in_the_claims_or_is_dropped(seen: Seen) -> None:
    if seen.explained.reasoner == "model":
        assert grounded(seen.explained.prose, seen.brief, seen.explained).ok
    else:
        assert seen.explained.model_abstained is not None


def test_the_operator_answers_from_the_tools_or_says_that_it_did_not_understand(seen: Seen) -> None:
    assert seen.said
    assert seen.reply.intent.name in {*IntentChoice.model_json_schema()["properties"]["intent"]["enum"], "unclear"}
    assert seen.reply.dropped == 0


def test_every_call_is_settled_at_what_the_endpoint_counted(seen: Seen) -> None:
    counted = {row.meta["gen_ai.usage.input_tokens"] + row.meta["gen_ai.usage.output_tokens"] for row, _ in calls(seen)}
    with seen.store.db.read() as session:
        spent = session.exec(select(SpendRow)).all()
    assert all(row.settled and row.money for row in spent)
    assert {row.tokens for row in spent} == counted
    assert {row.cycle_id for row in spent} == {seen.cycle_id, CHAT}


def test_another_key_is_turned_away_and_not_named(seen: Seen) -> None:
    assert seen.refused == Abstain(reason="model_unreachable", detail="the endpoint answered with status 401")


def test_no_recording_holds_the_key(seen: Seen) -> None:
    assert KEY not in json.dumps([[said, row.meta] for row, said in calls(seen)])


def test_the_cycle_replays_to_the_same_bytes_with_the_server_gone(seen: Seen) -> None:
    found = replay_decision(seen.store, seen.cycle_id)
    assert found.identical, [step for step in found.steps if not step.identical]


def test_without_the_server_the_next_question_is_an_abstention(seen: Seen) -> None:
    async def again() -> Explanation:
        async with at_work(seen.store) as drill:
            context: Context = drill.desk.agent_context("cyc_of_nobody")
            return await explain(seen.brief, context)

    assert asyncio.run(again()).model_abstained == "model_unreachable"
