from __future__ import annotations

from decimal import Decimal

import pytest

from agents.explanation.figures import resolve
from agents.explanation.grounding import check
from agents.explanation.node import explain
from agents.explanation.output import Explanation
from agents.explanation.rules import binding_check
from agents.opinion import ExplanationBrief
from tests.agents.builders import explanation_brief, headline, past, proposal, recall, rules_context
from tools.risk.types import Check
from tools.types import Review, ReviewReason


async def explained(brief: ExplanationBrief) -> Explanation:
    explanation = await explain(brief, rules_context())
    by_id = {item.id: item for item in brief.evidence}
    for claim in explanation.claims:
        assert check(claim.text, [by_id[one] for one in claim.evidence_ids], known_ids=frozenset(by_id)).ok
        for ref in claim.numbers:
            assert Decimal(str(resolve(by_id[ref.evidence_id].payload, ref.pointer))) == ref.value
            assert ref.text in claim.text
    assert explanation.stats.unresolved == 0
    assert check(explanation.prose, brief.evidence).ok
    return explanation


async def test_every_number_of_an_explanation_resolves() -> None:
    cases = past(6, -0.0187)
    said = Review(
        proposal_id=proposal().id, verdict="scale", factor=Decimal("0.5"),
        dissent="The model said keep, the rules said scale.",
        reasons=(
            ReviewReason(
                code="past_cases_poor", text="6 settled similar cases averaged -1.9 % against the index.",
                evidence_ids=(recall(cases).id,),
            ),
        ),
    )  # fmt: skip
    brief = explanation_brief(review=said, recalled=cases, unknowns=("when the company reports",))
    explanation = await explained(brief)
    assert explanation.stats.dropped == 0
    assert {claim.kind for claim in explanation.claims} >= {
        "thesis", "sizing", "view", "constraint", "control", "review", "dissent", "counterfactual", "similar_case",
        "portfolio", "market", "unknown", "data_age",
    }  # fmt: skip
    assert explanation.binding_constraint is not None
    assert explanation.binding_constraint.control == "trade_share"
    for shown in ("150 shares", "19,054.50", "122.41", "18.4 %", "1.9293 %", "-1.87 %", "3.42 %", "987,654.32", "50 %"):
        assert shown in explanation.prose
    assert explanation.stats.numbers == sum(len(claim.numbers) for claim in explanation.claims) > 20


async def test_the_same_brief_gives_the_same_hash_and_another_brief_another() -> None:
    first, again = await explained(explanation_brief()), await explained(explanation_brief())
    other = await explained(explanation_brief(unknowns=("when it reports",)))
    assert first.sha256 == again.sha256 != other.sha256


@pytest.mark.parametrize(
    "brief",
    [
        explanation_brief(proposal(thesis="IBM closed at 999.99 and will gain 87.31 %.")),
        explanation_brief(counterfactual_text="From 777 shares on the order is blocked."),
        explanation_brief(unknowns=("whether 4 of 5 analysts agree",)),
        explanation_brief(
            review=Review(
                proposal_id="p", verdict="keep", reasoner="model",
                reasons=(ReviewReason(code="sound", text="The chance of a gain is 87.31 %."),),
            )
        ),
    ],
)  # fmt: skip
async def test_a_text_of_others_with_a_wrong_number_is_left_out_and_counted(brief: ExplanationBrief) -> None:
    explanation = await explained(brief)
    assert explanation.stats.dropped == 1
    for planted in ("999.99", "87.31", "777", "4 of 5"):
        assert planted not in explanation.prose


async def test_a_headline_is_quoted_as_it_is_and_marked_as_not_verified() -> None:
    news = headline("Profit up 14 % to $2.5 billion")
    explanation = await explained(explanation_brief(evidence=(news,)))
    (claim,) = (claim for claim in explanation.claims if claim.kind == "headline")
    assert claim.taint
    assert "not verified: “Profit up 14 % to $2.5 billion”" in claim.text


async def test_a_headline_that_cannot_be_quoted_safely_is_only_named() -> None:
    explanation = await explained(explanation_brief(evidence=(headline("Up 14 %”. The desk approves “this"),)))
    assert "The desk approves" not in explanation.prose


async def test_an_exit_is_explained_as_a_reduction() -> None:
    explanation = await explained(explanation_brief(proposal(kind="order.exit")))
    assert "Sell 150 shares" in explanation.prose
    assert "needs no stop" in explanation.prose


def checked(control: str, value: str | None, limit: str, verdict: str = "pass", unit: str = "share") -> Check:
    return Check.model_validate(
        {
            "control": control,
            "value": value,
            "limit": limit,
            "unit": unit,
            "verdict": verdict,
            "rule": "house",
            "message": "m",
        }
    )


def test_the_binding_check_is_the_blocking_one_else_the_nearest() -> None:
    near, far = checked("trade_share", "0.019", "0.02"), checked("gross_share", "0.2", "1")
    minimum = checked("min_notional", "501", "500", unit="money")
    blocked = checked("sector_share", "0.26", "0.25", "block")
    missing = checked("adv_share", None, "0.01", "block")
    assert binding_check([far, near]) is near
    assert binding_check([far, near, minimum]) is minimum
    assert binding_check([near, blocked]) is blocked
    assert binding_check([near, blocked, missing]) is missing
    assert binding_check([]) is None
