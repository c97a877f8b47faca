from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from agents.decision.node import review_candidates
from agents.models import LiveEndpoint
from agents.operator.output import IntentChoice
from agents.opinion import Abstain, Context
from agents.reasoning import Answer, call_structured
from prompts.loader import Tier, load
from tests.agents.builders import (
    KEY,
    Budget,
    Calls,
    decision_brief,
    endpoint,
    model_context,
    proposal,
    rules_context,
)

Peer = Callable[..., Any]


async def ask(context: Context, **options: Any) -> Answer[IntentChoice] | Abstain:
    prompt = load("operator/intent").render(intents=[("why", "why")], question="why did we buy IBM?")
    return await call_structured(
        context, call="operator.intent", prompt=prompt, output=IntentChoice, max_output_tokens=50, **options
    )


@pytest.mark.parametrize(
    ("mode", "reason", "calls"),
    [
        ("dead", "model_unreachable", 1),
        ("unauthorized", "model_unreachable", 1),
        ("error", "model_unreachable", 1),
        ("busy", "model_unreachable", 1),
        ("refused", "model_refused", 1),
        ("filtered", "model_refused", 1),
        ("garbage", "schema_invalid", 2),
        ("not_an_object", "schema_invalid", 2),
        ("wrong_schema", "schema_invalid", 2),
        ("truncated", "schema_invalid", 2),
        ("tool_calls", "schema_invalid", 2),
        ("extra_fields", "schema_invalid", 2),
        ("wrong_enum", "schema_invalid", 2),
        ("too_much", "schema_invalid", 2),
        ("broken", "schema_invalid", 2),
        ("other_keys", "schema_invalid", 2),
        ("obeys_loudly", "schema_invalid", 2),
        ("deep", "schema_invalid", 2),
        ("half_pair", "schema_invalid", 2),
    ],
)
async def test_every_way_to_fail_abstains_with_its_reason(
    openai_peer: Peer, mode: str, reason: str, calls: int
) -> None:
    context, recorded = model_context(openai_peer(mode))
    answer = await ask(context)
    assert isinstance(answer, Abstain)
    assert answer.reason == reason
    assert len(recorded.made) == calls
    assert recorded.repairs == calls - 1
    assert recorded.made[-1]["response"]["abstain"] in (reason, None)


async def test_a_late_answer_is_a_timeout_and_nobody_waits_for_it(openai_peer: Peer) -> None:
    context, recorded = model_context(openai_peer("slow", delay_s=20), timeout_s=0.3)
    started = time.monotonic()
    answer = await ask(context)
    assert isinstance(answer, Abstain)
    assert answer.reason == "timeout"
    assert time.monotonic() - started < 5
    assert len(recorded.made) == 1


async def test_an_answer_that_drips_is_a_timeout_however_steadily_it_drips(openai_peer: Peer) -> None:
    context, recorded = model_context(openai_peer("drip"), timeout_s=0.5)
    started = time.monotonic()
    answer = await ask(context)
    assert isinstance(answer, Abstain)
    assert answer.reason == "timeout"
    assert time.monotonic() - started < 5
    assert len(recorded.made) == 1


@pytest.mark.parametrize(("mode", "reason"), [("dead", "model_unreachable"), ("error", "model_unreachable"),
                                              ("busy", "model_unreachable"), ("slow", "timeout")])  # fmt: skip
async def test_who_cannot_be_reached_is_passed_over_for_the_next_and_each_attempt_is_recorded(
    openai_peer: Peer, mode: str, reason: str
) -> None:
    spare = openai_peer()
    context, recorded = model_context(openai_peer(mode, delay_s=20), openai_peer("error"), spare, timeout_s=0.5)
    answer = await ask(context)
    assert isinstance(answer, Answer)
    assert (answer.calls, answer.repairs, spare.calls) == (3, 0, 1)
    assert [item["request"]["model"] for item in recorded.made] == ["tiny", "second", "third"]
    assert [item["request"].get("endpoint", 0) for item in recorded.made] == [0, 1, 2]
    assert recorded.made[1]["meta"]["quarterdeck.fallback.reason"] == reason
    assert recorded.made[2]["meta"]["quarterdeck.fallback.from"] == "second"


@pytest.mark.parametrize("mode", ["unauthorized", "refused", "filtered", "garbage", "wrong_schema", "truncated"])
async def test_who_answers_badly_or_refuses_is_not_passed_over(openai_peer: Peer, mode: str) -> None:
    spare = openai_peer()
    context, _ = model_context(openai_peer(mode), spare)
    assert isinstance(await ask(context), Abstain)
    assert spare.calls == 0


async def test_the_repair_goes_to_who_answered_and_on_from_there(openai_peer: Peer) -> None:
    first, second, third = openai_peer("error"), openai_peer("error", script=["wrong_schema"]), openai_peer()
    context, recorded = model_context(first, second, third)
    answer = await ask(context)
    assert isinstance(answer, Answer)
    assert (first.calls, second.calls, third.calls) == (1, 2, 1)
    assert [item["meta"]["quarterdeck.repair"] for item in recorded.made] == [False, False, True, True]


async def test_when_all_are_down_the_last_one_says_why(openai_peer: Peer) -> None:
    context, recorded = model_context(openai_peer("dead"), openai_peer("slow", delay_s=20), timeout_s=0.3)
    answer = await ask(context)
    assert isinstance(answer, Abstain)
    assert (answer.reason, len(recorded.made)) == ("timeout", 2)


async def test_a_fallback_is_paid_for_too_and_without_money_the_first_failure_stands(openai_peer: Peer) -> None:
    plenty = Budget()
    await ask(model_context(openai_peer(), budget=plenty)[0])
    ((_, _, most),) = plenty.asked
    spare, budget = openai_peer(), Budget(left=most.total + 10)
    context, _ = model_context(openai_peer("slow", delay_s=20), spare, budget=budget, timeout_s=0.3)
    answer = await ask(context)
    assert isinstance(answer, Abstain)
    assert (answer.reason, spare.calls) == ("timeout", 0)


async def test_no_more_than_the_places_of_a_gate_are_under_way(openai_peer: Peer) -> None:
    peer = openai_peer("slow", delay_s=0.1)
    line = [endpoint(peer.base_url, places=2)]
    context = Context("model", Calls(), Budget(), endpoints={"fast": line})
    answers = await asyncio.gather(*(ask(context) for _ in range(7)))
    assert all(isinstance(answer, Answer) for answer in answers)
    assert peer.most_at_once == 2


async def test_waiting_for_a_place_is_not_being_late(openai_peer: Peer) -> None:
    peer = openai_peer("slow", delay_s=0.3)
    line = [endpoint(peer.base_url, places=1, timeout_s=1.0)]
    context = Context("model", Calls(), Budget(), endpoints={"fast": line})
    answers = await asyncio.gather(*(ask(context) for _ in range(5)))
    assert all(isinstance(answer, Answer) for answer in answers)


async def test_the_tier_of_the_prompt_says_which_model_is_asked(openai_peer: Peer) -> None:
    fast, deep = openai_peer(), openai_peer()
    endpoints: dict[Tier, list[LiveEndpoint]] = {"fast": [endpoint(fast.base_url)], "deep": [endpoint(deep.base_url)]}
    context = Context("model", Calls(), Budget(), endpoints=endpoints)
    await ask(context)
    await review_candidates(decision_brief(proposal()), context)
    assert (fast.calls, deep.calls) == (1, 1)
    assert load("decision/review").head.tier == "deep"


async def test_one_repair_saves_an_answer_that_broke_the_schema(openai_peer: Peer) -> None:
    peer = openai_peer(script=["wrong_schema"])
    context, recorded = model_context(peer)
    answer = await ask(context)
    assert isinstance(answer, Answer)
    assert (answer.calls, answer.repairs) == (2, 1)
    assert [item["attempt"] for item in recorded.made] == [0, 1]
    assert recorded.made[0]["response"]["problem"] is not None
    assert recorded.made[1]["response"]["problem"] is None
    assert "target_price" in peer.requests[1]["messages"][2]["content"]


async def test_a_call_is_recorded_with_what_was_sent_what_came_back_and_what_it_cost(openai_peer: Peer) -> None:
    peer = openai_peer()
    context, recorded = model_context(peer)
    await ask(context, case_id="case_1")
    (made,) = recorded.made
    meta = made["meta"]
    prompt = load("operator/intent")
    assert made["case_id"] == "case_1"
    assert meta["gen_ai.request.model"] == "tiny"
    assert meta["gen_ai.response.model"] == "tiny-peer"
    assert meta["gen_ai.usage.input_tokens"] > 0
    assert meta["gen_ai.usage.output_tokens"] > 0
    assert (meta["quarterdeck.prompt.id"], meta["quarterdeck.prompt.version"]) == (prompt.id, prompt.version)
    assert meta["quarterdeck.prompt.sha256"] == prompt.sha256
    assert meta["quarterdeck.latency_ms"] >= 0
    assert made["request"]["messages"][0]["content"] == peer.requests[0]["messages"][0]["content"]
    assert json.loads(made["response"]["content"]) == peer.intent


@pytest.mark.parametrize("mode", ["ok", "unauthorized", "dead", "garbage"])
async def test_the_key_is_in_no_recording_and_in_no_reason(openai_peer: Peer, mode: str) -> None:
    context, recorded = model_context(openai_peer(mode))
    answer = await ask(context)
    assert KEY not in str(answer)
    assert KEY not in str(recorded.made)
    assert KEY not in repr(context)


async def test_a_spent_budget_abstains_before_anything_is_sent(openai_peer: Peer) -> None:
    peer = openai_peer()
    context, recorded = model_context(peer, budget=Budget(left=10))
    answer = await ask(context)
    assert isinstance(answer, Abstain)
    assert answer.reason == "budget_spent"
    assert (peer.calls, recorded.made) == (0, [])


@pytest.mark.parametrize("mode", ["ok", "no_usage", "dead", "garbage", "refused", "error"])
async def test_every_reservation_is_settled(openai_peer: Peer, mode: str) -> None:
    budget = Budget()
    context, _ = model_context(openai_peer(mode), budget=budget)
    await ask(context)
    assert budget.reserved == 0
    assert (budget.used > 0) is (mode not in ("dead", "error"))


@pytest.mark.parametrize("counts", [(-100_000, 5), (5, -100_000), (10**30, 1), (True, 1)])
async def test_counts_that_cannot_be_give_nothing_back_and_what_was_set_aside_is_spent(
    openai_peer: Peer, counts: tuple[int, int]
) -> None:
    peer, budget = openai_peer("false_counts"), Budget()
    peer.counts = counts
    context, recorded = model_context(peer, budget=budget)
    assert isinstance(await ask(context), Answer)
    ((_, _, most),) = budget.asked
    assert (budget.used, budget.reserved) == (most.total, 0)
    assert "gen_ai.usage.input_tokens" not in recorded.made[0]["meta"]


async def test_half_a_surrogate_pair_is_recorded_as_a_question_mark(openai_peer: Peer) -> None:
    context, recorded = model_context(openai_peer("half_pair"))
    await ask(context)
    assert [item["response"]["content"] for item in recorded.made] == ["?", "?"]


async def test_the_model_sees_a_closed_schema_and_no_stranger_in_the_system_message(openai_peer: Peer) -> None:
    peer = openai_peer()
    context, _ = model_context(peer)
    await ask(context)
    (request,) = peer.requests
    wanted = request["response_format"]["json_schema"]
    assert wanted["strict"] is True
    assert wanted["schema"]["additionalProperties"] is False
    assert set(wanted["schema"]["required"]) == set(wanted["schema"]["properties"])
    system, user = request["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "IBM" not in system["content"]
    assert "UNTRUSTED TEXT" in user["content"]


async def test_no_model_configured_is_an_abstention_too() -> None:
    answer = await ask(rules_context())
    assert isinstance(answer, Abstain)
    assert answer.reason == "model_unreachable"
