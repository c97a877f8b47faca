from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.coordinator.rules import effective_factor
from agents.decision.node import compare_candidates
from agents.frameworks import FRAMEWORKS, MINIMUM_AGREEMENT, agree, direct, self_consistency
from agents.opinion import Context
from tests.agents.builders import Budget, decision_brief, features, model_context, proposal
from tools.types import Review, ReviewReason, Verdict

Peer = Callable[..., Any]
VERDICTS: tuple[Verdict, ...] = ("keep", "veto", "scale", "escalate", "abstain")


def review(verdict: Verdict, factor: str = "1") -> Review:
    reason = ReviewReason(code="sound", text="Because.")
    return Review(
        proposal_id="p", verdict=verdict, factor=Decimal(factor), reasons=(reason,), reasoner="model",
        abstain_reason="evidence_missing" if verdict == "abstain" else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "verdict", "agreement"),
    [
        ("keep keep keep", "keep", 1.0),
        ("keep keep veto", "keep", 2 / 3),
        ("keep veto keep veto", "veto", 0.5),
        ("keep escalate escalate keep", "escalate", 0.5),
        ("veto abstain veto abstain", "veto", 0.5),
        ("keep veto escalate", "abstain", 1 / 3),
        ("abstain abstain keep", "abstain", 2 / 3),
    ],
)
def test_the_most_frequent_verdict_stands_and_of_equals_the_tighter(said: str, verdict: str, agreement: float) -> None:
    judged = agree([review(word) for part in said.split() for word in VERDICTS if word == part])
    assert judged.review.verdict == verdict
    assert judged.agreement == pytest.approx(agreement)


def test_two_factors_are_two_opinions() -> None:
    judged = agree([review("scale", "0.25"), review("scale", "0.75"), review("scale", "0.5")])
    assert (judged.review.verdict, judged.review.abstain_reason) == ("abstain", "samples_disagree")


def test_a_reader_is_told_that_samples_differed() -> None:
    assert [r.code for r in agree([review("keep")] * 3).review.reasons] == ["sound"]
    assert [r.code for r in agree([review("keep"), review("keep"), review("veto")]).review.reasons] == [
        "sound", "samples",
    ]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(VERDICTS), st.sampled_from(["0.25", "0.5", "0.75"])), min_size=1, max_size=9))
def test_what_comes_out_was_said_by_enough_or_is_no_opinion(said: list[tuple[Verdict, str]]) -> None:
    reviews = [review(verdict, factor if verdict == "scale" else "1") for verdict, factor in said]
    judged = agree(reviews)
    assert judged.agreement is not None
    if judged.agreement < MINIMUM_AGREEMENT:
        assert judged.review.verdict == "abstain"
    else:
        same = [r for r in reviews if (r.verdict, r.factor) == (judged.review.verdict, judged.review.factor)]
        assert len(same) / len(reviews) == judged.agreement
    assert effective_factor(judged.review) <= max(effective_factor(item) for item in reviews)


async def test_a_framework_is_any_function_of_one_way_to_ask() -> None:
    asked: list[int] = []

    async def ask(context: Context) -> dict[str, Review]:
        asked.append(context.sample)
        return {"p": review("keep" if context.sample else "veto")}

    context = Context(reasoner="model", recorder=Any, budget=Budget(), samples=5)  # type: ignore[arg-type]
    assert (await direct(ask, context))["p"].review.verdict == "veto"
    assert asked == [0]
    assert (await self_consistency(ask, context))["p"].review.verdict == "keep"
    assert sorted(asked[1:]) == [0, 1, 2, 3, 4]
    assert set(FRAMEWORKS) == {"direct", "self_consistency"}


async def test_each_sample_is_a_call_with_its_own_reservation_and_recording(openai_peer: Peer) -> None:
    peer, budget = openai_peer(), Budget()
    context, calls = model_context(peer, budget=budget, framework="self_consistency", samples=4)
    (made,) = await compare_candidates(decision_brief(proposal()), context)
    assert (made.review.verdict, made.agreement, peer.calls) == ("keep", 1.0, 4)
    assert len(budget.asked) == 4
    assert budget.reserved == 0
    assert sorted(item["request"].get("sample", 0) for item in calls.made) == [0, 1, 2, 3]


async def test_a_sample_that_fails_is_an_abstention_among_the_votes(openai_peer: Peer) -> None:
    context, _ = model_context(openai_peer(script=["error"]), framework="self_consistency", samples=3)
    (made,) = await compare_candidates(decision_brief(proposal()), context)
    assert made.review.verdict == "keep"
    assert made.agreement == pytest.approx(2 / 3)
    context, _ = model_context(openai_peer("error", script=["ok"]), framework="self_consistency", samples=3)
    (made,) = await compare_candidates(decision_brief(proposal()), context)
    assert (made.review.verdict, made.review.abstain_reason) == ("abstain", "model_unreachable")


async def test_however_many_agree_the_rules_stand_where_they_are_tighter(openai_peer: Peer) -> None:
    thin = features(adv_20=1000.0)
    context, _ = model_context(openai_peer(), framework="self_consistency", samples=5)
    brief = decision_brief(proposal(evidence=(thin,)), evidence=(thin,))
    (made,) = await compare_candidates(brief, context)
    assert made.said is not None
    assert (made.said.verdict, made.ruled.verdict, made.review.verdict) == ("keep", "veto", "veto")
