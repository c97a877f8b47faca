"""A promoted lesson in a brief only ever tightens, whoever reviews."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.coordinator.rules import effective_factor
from agents.decision import rules
from agents.decision.node import review_candidates
from agents.explanation.grounding import check
from agents.explanation.node import explain
from agents.learning.rules import figures_evidence, lesson
from agents.learning.scopes import Scope
from tests.agents.builders import (
    AS_OF,
    decision_brief,
    explanation_brief,
    features,
    headline,
    model_context,
    past,
    proposal,
    rules_context,
    tone,
)
from tests.agents.learning.test_model import brief
from tests.agents.learning.test_rules import views
from tools.types import Evidence, Proposal

Peer = Callable[..., Any]


def taught(item: Proposal, centre: float = -0.03) -> Evidence:
    """A promoted lesson on the strategy of a proposal, as the desk puts it into a brief."""
    seen = views(40, centre)
    made = lesson(Scope(strategy=item.strategy), seen, brief(*seen), 3)
    return figures_evidence(made, AS_OF, {"proposal": item.id}, item.symbol)


async def test_it_scales_down_and_cites_itself_with_figures_that_resolve() -> None:
    item = proposal()
    held = taught(item)
    (review,) = await review_candidates(decision_brief(item, evidence=(held,)), rules_context())
    assert (review.verdict, review.factor) == ("scale", Decimal("0.5"))
    assert (review.reasons[0].code, review.reasons[0].evidence_ids) == ("lesson_against", (held.id,))
    assert "40 settled views in its scope averaged -3.00 % against the index" in review.reasons[0].text
    assert check(review.reasons[0].text, (held,)).ok


@pytest.mark.parametrize("centre", [0.0, 0.05])
async def test_one_that_found_nothing_worse_does_nothing(centre: float) -> None:
    item = proposal()
    (review,) = await review_candidates(decision_brief(item, evidence=(taught(item, centre),)), rules_context())
    assert (review.verdict, effective_factor(review)) == ("keep", Decimal(1))


async def test_it_is_for_the_candidate_it_names_and_never_for_an_exit() -> None:
    entry, leaving = proposal("IBM"), proposal("XOM", kind="order.exit")
    reviews = await review_candidates(
        decision_brief(entry, leaving, evidence=(taught(proposal("GE")), taught(leaving))), rules_context()
    )
    assert [(item.verdict, item.factor) for item in reviews] == [("keep", Decimal(1)), ("keep", Decimal(1))]


@settings(max_examples=120)
@given(
    st.floats(-0.2, 0.2), st.floats(0.01, 1.5), st.floats(1e4, 1e9), st.floats(-1, 1) | st.none(),
    st.floats(-0.3, 0.3) | st.none(), st.booleans(),
)  # fmt: skip
def test_over_any_review_it_tightens_or_does_nothing(
    centre: float, volatility: float, adv: float, mood: float | None, earlier: float | None, reduces: bool
) -> None:
    item = proposal(kind="order.exit") if reduces else proposal()
    text = () if mood is None else (headline("IBM in the news"), tone(mood))
    known = features(item.symbol, volatility_20=volatility, adv_20=adv)
    item = item.model_copy(update={"evidence_ids": (known.id,)})
    recalled = {} if earlier is None else {item.id: past(6, earlier)}
    plain = decision_brief(item, evidence=(known, *text), recalled=recalled)
    with_lesson = plain.model_copy(update={"evidence": (*plain.evidence, taught(item, centre))})
    before = rules.review(item, plain, rules.Thresholds())
    after = rules.review(item, with_lesson, rules.Thresholds())
    assert effective_factor(after) <= effective_factor(before)
    if before.verdict in ("escalate", "veto", "abstain"):
        assert after.verdict == before.verdict
    if centre > 0.01 or reduces:
        assert after == before


@pytest.mark.parametrize("mode", ["ok", "obeys"])
async def test_a_model_reads_it_as_data_and_cannot_loosen_it(openai_peer: Peer, mode: str) -> None:
    peer = openai_peer(mode)
    context, _ = model_context(peer)
    item = proposal()
    (review,) = await review_candidates(decision_brief(item, evidence=(taught(item),)), context)
    assert effective_factor(review) <= Decimal("0.5")
    system, user = (str(part["content"]) for part in peer.requests[0]["messages"])
    assert "Promoted lessons against it: 40 settled views in its scope averaged -3.00 % against the index." in user
    assert "settled views in its scope" not in system


async def test_a_brief_without_a_lesson_asks_the_model_exactly_what_it_asked_before(openai_peer: Peer) -> None:
    peer = openai_peer()
    context, _ = model_context(peer)
    await review_candidates(decision_brief(proposal()), context)
    assert "lesson" not in str(peer.requests[0]["messages"]).lower()


async def test_the_explanation_names_it_as_a_claim_with_figures_that_resolve() -> None:
    item = proposal()
    held = taught(item)
    (review,) = await review_candidates(decision_brief(item, evidence=(held,)), rules_context())
    told = await explain(explanation_brief(item, review=review, evidence=(held,)), rules_context())
    (claim,) = [one for one in told.claims if one.kind == "lesson"]
    assert "40 settled views averaged -3.00 % against the index" in claim.text
    assert claim.text in told.prose
    assert (told.stats.unresolved, told.stats.dropped) == (0, 0)
