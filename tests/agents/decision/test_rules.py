from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.coordinator.rules import effective_factor
from agents.decision.node import review_candidates
from agents.decision.rules import Thresholds
from agents.explanation.grounding import check
from tests.agents.builders import (
    AS_OF,
    decision_brief,
    features,
    headline,
    past,
    proposal,
    recall,
    rules_context,
    tone,
)
from tools.errors import ConfigError
from tools.types import Evidence, Finding, Proposal, Review


async def one(item: Proposal, *evidence: Evidence, **options: object) -> Review:
    brief = decision_brief(item, evidence=evidence, **options)  # type: ignore[arg-type]
    (review,) = await review_candidates(brief, rules_context())
    for reason in review.reasons:
        cited = [found for one in reason.evidence_ids if (found := brief.find(one)) is not None]
        assert len(cited) == len(reason.evidence_ids)
        assert check(reason.text, cited).ok, reason.text
    return review


async def test_nothing_against_it_is_a_keep_that_cites_the_features() -> None:
    item = proposal()
    review = await one(item)
    assert (review.verdict, review.factor, review.reasoner) == ("keep", Decimal(1), "rules")
    assert review.reasons[0].evidence_ids == item.evidence_ids


async def test_strongly_negative_text_vetoes() -> None:
    review = await one(proposal(), headline("IBM under investigation"), tone(-0.82))
    assert review.verdict == "veto"
    assert effective_factor(review) == 0
    assert review.reasons[0].code == "text_negative"


async def test_mild_text_only_brings_a_person_and_good_news_brings_nothing_more() -> None:
    for score in (-0.2, 0.0, 0.95):
        review = await one(proposal(), headline("IBM in the news"), tone(score))
        assert (review.verdict, effective_factor(review)) == ("escalate", Decimal(1))
        assert review.reasons[-1].code == "tainted_evidence"


async def test_text_about_another_name_does_not_matter() -> None:
    review = await one(proposal("IBM"), headline("GE in trouble", "GE", 2), tone(-0.9, "GE", 2))
    assert review.verdict == "keep"


async def test_a_headline_naming_several_symbols_counts_for_each() -> None:
    shared = Evidence.of(
        "headline", "test", {"headline_id": "h7", "text": "Both sued", "symbols": ["GE", "IBM"]},
        event_time=AS_OF, known_at=AS_OF, taint=True,
    )  # fmt: skip
    score = Evidence.of(
        "sentiment", "lexicon", {"headline_id": "h7", "score": -0.7}, event_time=AS_OF, known_at=AS_OF, taint=True
    )
    assert (await one(proposal("IBM"), shared, score)).verdict == "veto"


async def test_an_illiquid_name_is_vetoed_with_its_figure() -> None:
    item = proposal(evidence=(features(adv_20=1_250_000.0),))
    review = await one(item, features(adv_20=1_250_000.0))
    assert review.verdict == "veto"
    assert "1,250,000" in review.reasons[0].text


async def test_high_volatility_halves() -> None:
    wild = features(volatility_20=0.734)
    review = await one(proposal(evidence=(wild,)), wild)
    assert (review.verdict, review.factor) == ("scale", Decimal("0.5"))
    assert "73.4 %" in review.reasons[0].text


@pytest.mark.parametrize(("count", "excess", "verdict"), [(5, -0.02, "scale"), (4, -0.02, "keep"), (5, 0.01, "keep")])
async def test_enough_poor_similar_cases_halve(count: int, excess: float, verdict: str) -> None:
    item, cases = proposal(), past(count, excess)
    review = await one(item, recall(cases), recalled={item.id: cases})
    assert review.verdict == verdict


async def test_a_scale_survives_under_an_escalation() -> None:
    wild = features(volatility_20=0.9)
    review = await one(proposal(evidence=(wild,), taint=True), wild)
    assert (review.verdict, review.factor) == ("escalate", Decimal("0.5"))


async def test_missing_features_are_no_opinion() -> None:
    item = proposal(evidence=())
    review = await one(item)
    assert (review.verdict, review.abstain_reason) == ("abstain", "evidence_missing")


@pytest.mark.parametrize(("severity", "verdict"), [("critical", "veto"), ("warning", "escalate"), ("info", "keep")])
async def test_a_finding_about_the_name_counts_by_its_severity(severity: str, verdict: str) -> None:
    finding = Finding.model_validate(
        {
            "id": "find_1", "code": "data_quality", "severity": severity, "component": "market", "symbol": "IBM",
            "message": "m", "recommendation": "r", "as_of": AS_OF,
        }
    )  # fmt: skip
    assert (await one(proposal(), findings=(finding,))).verdict == verdict


async def test_an_exit_is_kept_even_under_the_worst_news() -> None:
    review = await one(proposal(kind="order.exit"), headline("IBM collapses"), tone(-1.0))
    assert (review.verdict, review.factor) == ("keep", Decimal(1))


def test_a_misspelt_threshold_is_refused() -> None:
    with pytest.raises(ConfigError, match="high_volatilty"):
        Thresholds.of({"high_volatilty": 0.5})


@given(
    scores=st.lists(st.floats(-1, 1), max_size=4),
    volatility=st.floats(0, 3),
    adv=st.floats(0, 1e10),
    taint=st.booleans(),
)
async def test_no_evidence_whatever_raises_what_is_let_through(
    scores: list[float], volatility: float, adv: float, taint: bool
) -> None:
    own = features(volatility_20=volatility, adv_20=adv)
    item = proposal(evidence=(own,), taint=taint)
    plain = decision_brief(item, evidence=(own,))
    told = decision_brief(item, evidence=(own, *(tone(s, number=i) for i, s in enumerate(scores))))
    (before,) = await review_candidates(plain, rules_context())
    (after,) = await review_candidates(told, rules_context())
    assert effective_factor(after) <= effective_factor(before) <= 1
