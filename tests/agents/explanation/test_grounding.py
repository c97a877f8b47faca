from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.explanation.figures import leaves, resolve
from agents.explanation.grounding import check
from tests.agents.builders import AS_OF, features, headline
from tools.errors import ToolRejected
from tools.types import Evidence


def held(kind: Any, payload: dict[str, Any], **options: Any) -> Evidence:
    return Evidence.of(kind, "test", payload, event_time=AS_OF, known_at=AS_OF, **options)


EVIDENCE = (
    features(),
    held("portfolio", {"equity": "1234567.89", "cash": "654321.09", "drawdown": "0.0321", "positions": 12}),
    held("rate", {"series": "UST_10Y", "value": 3.42, "unit": "percent"}),
    held("checks", {"checks": {"sector_share": {"value": "0.2431", "limit": "0.25"}, "stale_data": {"value": "5.5"}}}),
    held("recall", {"items": [{"case_id": "case_00000000000000ab", "excess_return": -0.0187}], "n": 6}),
    held("recall", {"mean_excess_return": -0.0125}),
    held("proposal", {"quantity": 1500, "horizon_sessions": 20, "stop_price": "122.41", "factor": "0.5"}),
    held("sentiment", {"score": -0.62, "headline_id": "h1"}),
    headline("Profit up 14 % to $2.5 billion, says IBM"),
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "It closed at 127.03.",
        "It closed at 127.0, near 127.",
        "Momentum is 18.4 %, or 18.37%, or 18 percent, or 1,837 bps, or 0.1837.",
        "Equity is 1,234,567.89, about $1.23 million, or $1.2 million, or 1.2m.",
        "Equity is 1235 thousand.",
        "The ten-year yield is 3.42 %, that is 342 basis points.",
        "The drawdown is 3.21 % and the sector share 24.31 % of a cap of 25 %.",
        "Similar cases returned -1.25 % on average; one lost 1.87 %, and fell by 1.87 percent.",
        "Their tone is −0.62.",
        "Buy 1,500 shares for 20 sessions with a stop at 122.41 at 50 %.",
        "Data are 5.5 hours old.",
        "6 cases and 12 positions.",
        "twelve positions; six cases; twenty sessions; fifty percent",
        "On 2009-11-13, 13 November 2009, Nov 13, 2009, November 13th and in November 2009, in 2009 at 21:00 UTC.",
        "1. First\n2. Second\n3. Third\nThe 1st and the 2nd of them.",
        "Its 20-session average (sma_20) and its momentum over sixty sessions.",
        "The S&P 500 and UST_10Y, also written UST 10Y.",
        "A headline says “Profit up 14 % to $2.5 billion”.",
        "See case_00000000000000ab.",
        "No number at all.",
    ],
)
def test_a_text_whose_figures_stand_in_evidence_is_grounded(text: str) -> None:
    assert check(text, EVIDENCE).unresolved == ()


@pytest.mark.parametrize(
    "text",
    [
        "It closed at 127.04.",
        "It closed at 127.030.1",
        "Momentum is 0.18 %.",
        "Momentum is 18.3 %.",
        "Momentum is 184 bps.",
        "Momentum is 1837 %.",
        "Momentum is -18.4 %.",
        "It fell 18.4 %.",
        "Equity is 1,234,567 million.",
        "Equity is 1.24 million.",
        "Equity is 1,23,4567.89.",
        "The yield is 342 %.",
        "The yield is 3.42.",
        "The drawdown is -3.21 %.",
        "Similar cases returned +1.25 %.",
        "Similar cases returned 1.25 %.",
        "The tone is 0.62.",
        "Buy $1,500 of it.",
        "Buy 127 shares.",
        "Hold it for 6 sessions.",
        "Data are 96.5 hours old.",
        "On 2009-11-14.",
        "On 14 November 2009.",
        "In November 2010 or in 2010.",
        "On 13/11/2009.",
        "At 09:30.",
        "500. That is no list.",
        "A headline says “Profit up 15 %”.",
        "The profit was 14 %.",
        "Its 33-session average.",
        "Held for sixty sessions.",
        "seventeen percent",
        "two million dollars",
        "half percent",
        "A chance of ½.",
        "A chance of ８７ %.",
        "See case_00000000000000ff.",
        "A gain of 1e9.",
        "Q3 was good.",
        "12abc",
    ],
)
def test_a_figure_nothing_in_evidence_says_is_found(text: str) -> None:
    assert check(text, EVIDENCE).unresolved != ()


TWO = (
    held("proposal", {"side": "buy", "name": "International Business Machines Corp", "quantity": 150}, symbol="IBM"),
    features(close=127.03, sma_50=121.25),
    features("GE", close=15.8, sma_50=16.4, momentum_60=-0.08),
    held("rate", {"series": "UST_10Y", "value": 3.42, "unit": "percent"}),
    Evidence.of(
        "rate", "test", {"series": "UST_10Y", "value": 3.28, "unit": "percent"}, event_time=AS_OF - timedelta(days=7),
        known_at=AS_OF - timedelta(days=7),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "International Business Machines closed at 127.03.",
        "Buy IBM On Strong Momentum",
        "IBM closed at 127.03 and GE at 15.80.",
        "IBM closed at 127.03; while it rose, GE fell.",
        "IBM closed at 127.03, not below its fifty-session average of 121.25.",
        "The close is above the average over fifty sessions.",
        "GE has negative momentum; that of IBM is positive momentum.",
        "The yield was 3.28 % on Friday, 6 November 2009.",
        "The reviewer has no opinion. A veto would end it.",
        "What the desk buys is 150 shares; it does not sell 150 shares.",
        "The trend is up. The strategy is the same strategy as before.",
    ],
)
def test_names_directions_and_dates_that_evidence_holds_are_grounded(text: str) -> None:
    assert check(text, TWO).unresolved == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is Hewlett-Packard that closed at 127.03.", "Hewlett-Packard"),
        ("MSFT closed at 127.03.", "MSFT"),
        ("Intel fell.", "Intel"),
        ("It comes from the reversion strategy.", "reversion strategy"),
        ("GE closed at 127.03.", "127.03"),
        ("GE closed at 15.80, above its fifty-session average of 16.40.", "above"),
        ("The close is below the average over fifty sessions.", "below"),
        ("IBM has negative momentum.", "negative momentum"),
        ("The desk would sell 150 shares.", "sell"),
        ("The yield fell from 3.28 % on 6 November 2009 to 3.42 % now.", "fell from"),
        ("The yield is 3.28 %.", "3.28 %"),
        ("IBM closed at 127.03 on 6 November 2009.", "6 November 2009"),
        ("On Monday, 13 November 2009 it closed at 127.03.", "13 November 2009"),
        ("Two out of three such cases end well.", "Two out of three"),
        ("It doubled.", "doubled"),
    ],
)
def test_a_name_a_direction_or_a_date_that_evidence_contradicts_is_found(text: str, found: str) -> None:
    assert check(text, TWO).unresolved == (found,)


def test_words_are_left_alone_where_only_numbers_are_asked_about() -> None:
    text = "MSFT closed at 15.80, above its fifty-session average of 16.40."
    assert check(text, TWO, words=False).ok
    assert not check(text, TWO).ok


def test_a_reference_leads_back_to_the_value() -> None:
    report = check("Momentum is 18.4 %, equity 1.23 million, the average -1.25 %.", EVIDENCE)
    by_id = {item.id: item for item in EVIDENCE}
    assert [ref.text for ref in report.resolved] == ["18.4 %", "1.23 million", "-1.25 %"]
    for ref in report.resolved:
        assert Decimal(str(resolve(by_id[ref.evidence_id].payload, ref.pointer))) == ref.value
    assert [ref.pointer for ref in report.resolved] == ["/momentum_60", "/equity", "/mean_excess_return"]


def test_a_pointer_to_nothing_is_refused() -> None:
    with pytest.raises(ToolRejected, match="/nowhere"):
        resolve(EVIDENCE[0].payload, "/nowhere")


def test_only_the_named_values_may_be_used() -> None:
    close = frozenset({(EVIDENCE[0].id, "/close")})
    assert check("127.03", EVIDENCE, only=close).ok
    assert not check("124.5", EVIDENCE, only=close).ok


def test_without_evidence_no_number_resolves() -> None:
    assert check("127.03 and 5 %", ()).unresolved == ("127.03", "5 %")


@given(value=st.decimals("0.01", "1000000", places=2), digits=st.integers(0, 2))
def test_a_value_shown_to_any_precision_resolves_and_what_lies_beside_it_does_not(value: Decimal, digits: int) -> None:
    evidence = (held("portfolio", {"equity": str(value)}),)
    step = Decimal(1).scaleb(-digits)
    shown = value.quantize(step)
    assert check(f"Equity is {shown:,}.", evidence).ok
    assert not check(f"Equity is {shown + 2 * step:,}.", evidence).ok
    assert not check(f"Equity is -{shown + step:,}.", evidence).ok


@given(value=st.floats(-0.99, 0.99).filter(lambda v: abs(v) > 1e-4))
def test_a_fraction_resolves_as_percent_with_its_own_sign_only(value: float) -> None:
    evidence = (held("recall", {"mean_excess_return": value}),)
    (leaf,) = leaves(evidence)
    assert check(f"It returned {leaf.value * 100:+.4f} %.", evidence).ok
    assert not check(f"It returned {-leaf.value * 100:+.4f} %.", evidence).ok
    assert not check(f"It returned {leaf.value * 10000:+.4f} %.", evidence).ok


@given(st.text(max_size=200))
def test_any_text_can_be_checked(text: str) -> None:
    check(text, EVIDENCE)
