"""An endpoint that keeps failing is left alone, tried again by one question, and asked as before once it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.breaker import Breaker
from agents.models import LiveEndpoint
from agents.operator.output import IntentChoice
from agents.opinion import Abstain, Context
from agents.reasoning import Answer, call_structured
from prompts.loader import load
from tests.agents.builders import Budget, Calls, endpoint

Peer = Callable[..., Any]
LATE = Abstain(reason="timeout", detail="the endpoint did not answer in time")


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


class Desk:
    """Two endpoints in a line, the first with a breaker on a clock that can be moved."""

    def __init__(self, *peers: Any) -> None:
        self.clock, self.calls, self.budget = Clock(), Calls(), Budget()
        self.breaker = Breaker(3, 60.0, self.clock)
        line = [endpoint(peers[0].base_url, "first", breaker=self.breaker)]
        line += [endpoint(peer.base_url, "spare") for peer in peers[1:]]
        self.context = Context(
            reasoner="model", recorder=self.calls, budget=self.budget, endpoints={"fast": line, "deep": line}
        )

    async def ask(self) -> Answer[IntentChoice] | Abstain:
        prompt = load("operator/intent").render(intents=[("why", "why")], question="why did we buy IBM?")
        return await call_structured(
            self.context, call="operator.intent", prompt=prompt, output=IntentChoice, max_output_tokens=50
        )


async def test_after_three_failures_in_a_row_the_next_questions_go_straight_to_the_fallback(openai_peer: Peer) -> None:
    first, spare = openai_peer("error"), openai_peer()
    desk = Desk(first, spare)
    answers = [await desk.ask() for _ in range(6)]
    assert all(isinstance(item, Answer) for item in answers)
    assert (first.calls, spare.calls) == (3, 6)


async def test_without_a_fallback_they_abstain_at_once_for_the_reason_of_the_outage(openai_peer: Peer) -> None:
    first = openai_peer("error")
    desk = Desk(first)
    said = [await desk.ask() for _ in range(5)]
    assert first.calls == 3
    assert [item.reason for item in said if isinstance(item, Abstain)] == ["model_unreachable"] * 5
    assert isinstance(said[-1], Abstain)
    assert said[-1].detail == "the endpoint failed 3 times in a row and is left alone for a while"


async def test_what_was_not_sent_costs_nothing_and_is_recorded_as_such(openai_peer: Peer) -> None:
    desk = Desk(openai_peer("slow"))
    for _ in range(3):
        desk.breaker.failed(LATE)
    said = await desk.ask()
    assert isinstance(said, Abstain)
    assert said.reason == "timeout"
    assert desk.budget.used == 0
    assert not desk.budget.open
    assert desk.calls.made[-1]["meta"]["quarterdeck.breaker"] == "open"
    assert desk.calls.made[-1]["response"]["passing"]


async def test_one_question_probes_after_the_cool_down_and_an_answer_closes_it(openai_peer: Peer) -> None:
    first, spare = openai_peer("error"), openai_peer()
    desk = Desk(first, spare)
    for _ in range(4):
        await desk.ask()
    first.mode = "ok"
    desk.clock.at += 59.9
    await desk.ask()
    assert first.calls == 3
    desk.clock.at += 0.2
    await desk.ask()
    await desk.ask()
    assert (first.calls, spare.calls) == (5, 5)


async def test_a_probe_that_fails_opens_it_for_another_cool_down(openai_peer: Peer) -> None:
    first, spare = openai_peer("error"), openai_peer()
    desk = Desk(first, spare)
    for _ in range(4):
        await desk.ask()
    desk.clock.at += 61
    await asyncio.gather(*(desk.ask() for _ in range(4)))
    assert first.calls == 4
    desk.clock.at += 59
    await desk.ask()
    assert first.calls == 4


async def test_an_answer_that_is_only_bad_never_opens_it(openai_peer: Peer) -> None:
    first = openai_peer("garbage")
    desk = Desk(first)
    for _ in range(4):
        await desk.ask()
    assert first.calls == 8


async def test_an_answer_that_no_parser_goes_down_is_an_abstention(openai_peer: Peer) -> None:
    desk = Desk(openai_peer("deep"))
    answer = await desk.ask()
    assert isinstance(answer, Abstain)
    assert answer.reason == "schema_invalid"
    assert desk.budget.reserved == 0


async def test_a_probe_that_ends_in_an_error_nobody_foresaw_lets_another_one_go(
    openai_peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(openai_peer("error"))
    for _ in range(3):
        await desk.ask()
    desk.clock.at += 61.0

    async def broken(*_: Any) -> None:
        raise RuntimeError("nobody foresaw it")

    with monkeypatch.context() as patch:
        patch.setattr(LiveEndpoint, "_send", broken)
        with pytest.raises(RuntimeError):
            await desk.ask()
    assert desk.breaker.refusal() is None


def test_a_cancelled_probe_lets_another_one_go() -> None:
    clock = Clock()
    breaker = Breaker(1, 60.0, clock)
    breaker.failed(LATE)
    clock.at += 60
    assert breaker.refusal() is None
    assert breaker.refusal() is not None
    breaker.given_up()
    assert breaker.refusal() is None


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=40), st.integers(1, 4))
def test_nothing_is_sent_within_a_cool_down_and_one_call_at_a_time_probes(
    steps: list[tuple[float, bool]], most: int
) -> None:
    clock = Clock()
    breaker = Breaker(most, 60.0, clock)
    in_a_row, opened = 0, None
    for wait, answers in steps:
        clock.at += wait
        asked = breaker.refusal() is None
        assert asked == (opened is None or clock.at - opened >= 60.0)
        if not asked:
            continue
        if opened is not None:
            assert breaker.refusal() is not None
        if answers:
            breaker.answered()
            in_a_row, opened = 0, None
        else:
            breaker.failed(LATE)
            in_a_row += 1
            opened = clock.at if in_a_row >= most else None
