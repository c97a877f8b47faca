"""Limits that the book passes without an order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.tools.risk.situations import LIMITS, book, held, limited
from tools.risk.breaches import Breach, passive_breaches
from tools.risk.types import Limits, PortfolioView

D = Decimal


def found(portfolio: PortfolioView, limits: Limits = LIMITS, groups: Any = None) -> dict[tuple[str, str], Decimal]:
    return {(item.control, item.subject): item.value for item in passive_breaches(portfolio, limits, groups)}


def test_a_book_within_its_limits_has_none() -> None:
    assert found(book()) == {}
    assert found(book(positions=(held(quantity=400),))) == {}


def test_a_position_beyond_its_share_is_named_with_its_value() -> None:
    assert found(book(positions=(held(quantity=401),))) == {("position_share", "IBM"): D("0.0401")}


def test_a_short_counts_by_its_size() -> None:
    assert ("position_share", "IBM") in found(book(positions=(held(quantity=-401, stop_price=D(100)),)))


@pytest.mark.parametrize(("each", "breached"), [(1_250, False), (1_251, True)])
def test_a_sector_is_breached_beyond_its_share_and_not_at_it(each: int, breached: bool) -> None:
    positions = (held("IBM", each), held("HPQ", each))
    wide = limited(max_position_share=D(1))
    assert (("sector_share", "Technology") in found(book(positions=positions), wide)) is breached


def test_a_group_is_breached_only_when_more_than_one_of_it_is_held() -> None:
    groups = {"IBM": frozenset(("IBM", "XOM")), "XOM": frozenset(("IBM", "XOM"))}
    wide = limited(max_position_share=D(1), max_sector_share=D(1))
    both = book(positions=(held("IBM", 1_600), held("XOM", 1_600, sector="Energy")))
    assert {key[1] for key in found(both, wide, groups) if key[0] == "group_share"} == {"IBM", "XOM"}
    one = book(positions=(held("IBM", 3_200),))
    assert [key for key in found(one, wide, groups) if key[0] == "group_share"] == []


def test_open_risk_and_leverage_count_what_the_stops_would_cost() -> None:
    bare = book(positions=(held("IBM", 600, stop_price=None),))
    assert ("total_open_risk", "") in found(bare)
    geared = book(positions=(held("IBM", 12_000),))
    assert found(geared)[("leverage", "")] == D("1.2")


def test_without_equity_everything_held_is_a_breach() -> None:
    ruined = book(equity=D(0), positions=(held(quantity=1, stop_price=None),))
    assert {key[0] for key in found(ruined)} == {
        "position_share", "sector_share", "gross_share", "net_share", "total_open_risk", "leverage",
    }  # fmt: skip


def test_it_is_told_in_one_sentence() -> None:
    breach = Breach(control="position_share", subject="IBM", value=D("0.0401"), limit=D("0.04"))
    assert breach.text == "position share of IBM is 4.01 %, above 4.00 %, without an order"


def test_without_equity_only_what_is_held_is_a_breach() -> None:
    flat = book(equity=D(0), positions=(held("IBM", 100), held("GE", -100)))
    assert "net_share" not in {item.control for item in passive_breaches(flat, LIMITS)}
