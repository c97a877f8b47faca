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
from tools.canonical import plain
from tools.risk.measures.types import Change, WhatIf
from tools.risk.types import Check
from tools.types import Evidence, Review, ReviewReason


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


def effect(
    *, largest: str | None = "open_risk", tail: tuple[str | None, str | None] = ("0.0103", "0.0107")
) -> Evidence:
    """What the order would do to the book, as evidence."""

    def change(measure: str, label: str, before: str | None, after: str | None, limit: str | None) -> Change:
        pair = [None if value is None else Decimal(value) for value in (before, after, limit)]
        return Change(measure=measure, label=label, unit="share", before=pair[0], after=pair[1], limit=pair[2])

    found = WhatIf(
        symbol=proposal().symbol, side="buy", quantity=150, price=Decimal("127.03"), largest=largest,
        changes=(
            change("open_risk", "risk to the stops", "0.0155", "0.0170", "0.05"),
            change("var", "value at risk", *tail, "0.03"),
        ),
        incremental_var=None, marginal_var=None, confidence=0.95, horizon_sessions=1, window_sessions=126,
    )  # fmt: skip
    return Evidence.of(
        "what_if", "tools.risk.measures.what_if", plain(found), event_time=proposal().as_of,
        known_at=proposal().as_of, symbol=found.symbol,
    )  # fmt: skip


def with_evidence(*more: Evidence) -> ExplanationBrief:
    brief = explanation_brief()
    return brief.model_copy(update={"evidence": (*brief.evidence, *more)})


def said(explanation: Explanation, kind: str) -> str:
    return " ".join(claim.text for claim in explanation.claims if claim.kind == kind)


async def test_the_change_that_takes_most_of_the_room_left_is_named_with_figures_that_resolve() -> None:
    told = said(await explained(with_evidence(effect())), "what_if")
    assert "it moves risk to the stops most: from 1.55 % to 1.70 % of equity, of a maximum of 5.00 %" in told
    assert "at 95 % confidence, goes from 1.03 % to 1.07 % of equity" in told


async def test_value_at_risk_is_not_told_twice() -> None:
    told = said(await explained(with_evidence(effect(largest="var"))), "what_if")
    assert told.count("value at risk") == 1


async def test_what_is_not_known_of_the_tail_is_said() -> None:
    told = said(await explained(with_evidence(effect(tail=(None, None)))), "what_if")
    assert "What it does to value at risk is not known" in told


async def test_an_order_that_moves_no_limit_says_so() -> None:
    told = said(await explained(with_evidence(effect(largest=None))), "what_if")
    assert told.startswith("It changes no measure that has a limit.")


async def test_the_method_of_the_size_and_the_protection_are_told() -> None:
    at = proposal().as_of
    payload = {"asked": "kelly", "method": "fixed_risk", "binding": "max_trade_share", "factor": Decimal("0.5")}
    sized = Evidence.of(
        "sizing", "tools.strategy.sizing", payload, event_time=at, known_at=at, symbol=proposal().symbol
    )  # fmt: skip
    told = said(await explained(with_evidence(sized)), "sizing")
    assert "It was sized by fixed risk, held down by max trade share. Kelly could not size it" in told
    assert "The drawdown protection scaled it to 50.00 %." in told
