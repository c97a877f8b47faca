"""A model beside the coordinator's rules may hold entries back and order ties; it can add nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage

from agents.coordinator.advice import AdviceLine
from agents.coordinator.model import coordinate, in_order
from agents.coordinator.node import plan
from agents.coordinator.output import CoordinatorPlan
from agents.coordinator.rules import standing
from agents.opinion import Context
from tests.agents.builders import Budget, Calls, model_context, proposal
from tools.strategy.ranking import rank
from tools.types import Proposal, Review

Peer = Callable[..., Any]
NAMES = ("IBM", "GE", "XOM", "KO", "PG")


def entry(number: int, strength: float = 0.6, **changes: Any) -> Proposal:
    body = {"id": f"prop_{number:016x}", "strength": strength, **changes}
    return proposal(NAMES[number]).model_copy(update=body)


def keep(item: Proposal, verdict: Any = "keep") -> Review:
    return Review(proposal_id=item.id, verdict=verdict, reasons=())


def asking(peer: Any, **options: Any) -> Context:
    context, _ = model_context(peer, **options)
    return replace(context, beside=frozenset({"coordinator"}))


async def advised(items: Sequence[Proposal], context: Context, capacity: int = 5) -> CoordinatorPlan:
    return await coordinate(items, [keep(i) for i in items], [i.id for i in items], capacity, None, context)


def ruled(items: Sequence[Proposal], capacity: int = 5) -> CoordinatorPlan:
    return plan(items, [keep(i) for i in items], [i.id for i in items], capacity, None)


async def test_what_should_wait_waits_and_its_place_stays_empty(openai_peer: Peer) -> None:
    peer = openai_peer()
    peer.waits = frozenset({"p1"})
    items = [entry(n, 0.9 - n / 10) for n in range(4)]
    made = await advised(items, asking(peer), capacity=2)
    assert made.asked == (items[1].id,)
    assert made.not_selected[items[0].id] == "advised_to_wait"
    assert {made.not_selected[item.id] for item in items[2:]} == {"capacity"}
    (dissent,) = made.conflicts
    assert (dissent.rule, dissent.kept, dissent.dropped) == (
        "tighter_advice_wins", "model: wait, fits", "rules: ask"
    )  # fmt: skip


async def test_a_model_without_an_opinion_leaves_the_rules_plan(openai_peer: Peer) -> None:
    items = [entry(n) for n in range(3)]
    for mode in ("error", "garbage", "wrong_schema", "obeys_loudly"):
        assert await advised(items, asking(openai_peer(mode))) == ruled(items)
    peer = openai_peer()
    assert await advised(items, asking(peer, budget=Budget(0))) == ruled(items)
    context, _ = model_context(peer)
    assert await advised(items, context) == ruled(items)
    assert peer.calls == 0


async def test_it_is_not_asked_about_what_reduces_risk_is_blocked_or_left_out(openai_peer: Peer) -> None:
    peer = openai_peer()
    out = entry(0, risk_effect="reduces", kind="order.exit", side="sell", stop_price=None)
    items = [out, *(entry(n, 0.9 - n / 10) for n in (1, 2, 3))]
    reviews = [keep(items[0]), keep(items[1], "veto"), keep(items[2]), keep(items[3])]
    await coordinate(items, reviews, [i.id for i in items], 1, None, asking(peer))
    schema = peer.requests[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["advice"]["items"]["properties"]["entry"]["enum"] == ["p1"]
    assert "XOM" in peer.requests[0]["messages"][1]["content"]


def test_equal_standing_is_the_rank_without_the_id() -> None:
    items = [entry(2, 0.5), entry(0, 0.9), entry(1, 0.5)]
    assert list(rank(items)) == sorted(items, key=lambda item: (*standing(item), item.id))


class Says:
    """An endpoint that says whatever it is given."""

    model_id = "says"

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.answer = json.dumps(answer)

    async def ask(
        self, messages: Sequence[BaseMessage], request: Mapping[str, Any], max_output_tokens: int
    ) -> AIMessage:
        return AIMessage(self.answer)


LINES = st.builds(
    lambda entry, say, place: {
        "entry": entry, "say": say, "place": place, "reason": "fits", "rationale": "",
    },
    st.sampled_from(["p1", "p2", "p3", "p4", "p5", "p9"]), st.sampled_from(["ask", "wait"]), st.integers(1, 9),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    st.lists(LINES, max_size=7),
    st.lists(st.sampled_from([0.5, 0.6]), min_size=1, max_size=5),
    st.lists(st.sampled_from(["keep", "veto", "scale", "abstain"]), min_size=5, max_size=5),
    st.integers(0, 5),
)
def test_whatever_it_says_nothing_more_is_asked_blocked_or_let_through(
    lines: list[dict[str, Any]], strengths: list[float], verdicts: list[Any], capacity: int
) -> None:
    items = list(rank([entry(n, strength) for n, strength in enumerate(strengths)]))
    reviews = [
        Review(proposal_id=item.id, verdict=verdict, reasons=(), factor="0.5" if verdict == "scale" else "1")
        for item, verdict in zip(items, verdicts, strict=False)
    ]
    endpoint = Says({"advice": lines})
    context = Context(
        reasoner="model", recorder=Calls(), budget=Budget(), endpoints={"deep": [endpoint], "fast": [endpoint]},
        beside=frozenset({"coordinator"}),
    )  # fmt: skip
    order = [item.id for item in items]
    before = plan(items, reviews, order, capacity, None)
    after = asyncio.run(coordinate(items, reviews, order, capacity, None, context))
    assert set(after.asked) <= set(before.asked)
    assert after.blocked == before.blocked
    assert {key: before.factors[key] for key in after.factors} == after.factors
    assert set(after.escalated) == set(before.escalated) & set(after.asked)
    assert len(after.asked) + len(after.blocked) + len(after.not_selected) == len(items)
    by_id = {item.id: standing(item) for item in items}
    assert [by_id[key] for key in after.asked] == sorted(by_id[key] for key in after.asked)


@pytest.mark.parametrize(("places", "wanted"), [((2, 1), (1, 0, 2)), ((1, 2), (0, 1, 2))])
def test_ties_stand_in_the_order_advised(places: tuple[int, int], wanted: tuple[int, int, int]) -> None:
    items = [entry(0), entry(1), entry(2, 0.3)]
    said = {
        items[n].id: AdviceLine.model_validate(
            {"entry": f"p{n + 1}", "say": "ask", "place": place, "reason": "fits", "rationale": ""}
        )
        for n, place in enumerate(places)
    }
    assert in_order(items, said) == [items[n].id for n in wanted]
