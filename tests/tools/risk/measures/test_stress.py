"""Stress: which move is taken for each name, what it costs, which limit that would cross, and what the data hold."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.risk.measures.books import LIMITS, MILLION, book, view
from tools.data.collectors.crises import read_crises
from tools.data.collectors.embedded import EmbeddedMarket
from tools.errors import ToolRejected
from tools.risk.measures.scenarios import BROKEN, scenarios
from tools.risk.measures.stress import put_through, read_shocks, supposed
from tools.risk.measures.types import Scenario, Shock, StressResult

BEFORE = datetime(2010, 5, 6, 19, 59, tzinfo=UTC)
AFTER = datetime(2010, 5, 6, 20, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def market() -> EmbeddedMarket:
    return EmbeddedMarket(["IBM", "KO", "PG"])


def through(*shocks: Shock, **values: int) -> StressResult:
    return put_through(supposed(shocks), book(**values), {"AAA": 1.5, "BBB": 0.5}, view(), LIMITS)


def market_falls(move: str) -> Shock:
    return Shock(scope="market", move=Decimal(move))


def test_the_most_specific_move_counts_and_each_position_says_which() -> None:
    found = through(
        market_falls("-0.1"), Shock(scope="sector", target="Energy", move=Decimal("-0.2")),
        Shock(scope="symbol", target="CCC", move=Decimal("-0.3")), AAA=100_000, BBB=100_000, CCC=100_000, DDD=100_000,
    )  # fmt: skip
    moves = {item.symbol: (item.used, item.move, item.change) for item in found.positions}
    assert moves == {
        "AAA": ("sector", -0.2, Decimal("-20000.00")), "BBB": ("beta", -0.05, Decimal("-5000.00")),
        "CCC": ("own", -0.3, Decimal("-30000.00")), "DDD": ("assumed_beta", -0.1, Decimal("-10000.00")),
    }  # fmt: skip
    assert found.change == Decimal("-65000.00")
    assert found.loss_share == Decimal("0.065")
    assert found.equity_after == MILLION - 65_000


def test_a_short_gains_and_no_long_loses_more_than_all() -> None:
    assert through(market_falls("-0.1"), AAA=-100_000).change == Decimal("15000.00")
    assert through(market_falls("-1"), AAA=100_000).change == Decimal("-100000.00")


def test_a_name_that_no_shock_reaches_is_untouched() -> None:
    (item,) = through(Shock(scope="symbol", target="BBB", move=Decimal("-0.5")), AAA=100_000).positions
    assert (item.used, item.change) == ("untouched", Decimal("0.00"))


def test_limits_that_would_be_crossed_are_named_and_equality_is_inside() -> None:
    at = through(market_falls("-0.02"), AAA=1_000_000).crossings
    assert [(item.limit, item.value, item.crossed) for item in at] == [
        ("max_daily_loss", Decimal("0.030000"), False), ("max_drawdown", Decimal("0.030000"), False),
    ]  # fmt: skip
    deep = put_through(
        supposed([market_falls("-0.1")]), book(AAA=1_000_000), {"AAA": 1.0}, view(peak=Decimal(1_100_000)), LIMITS
    )
    assert [item.crossed for item in deep.crossings] == [True, True]


@given(st.decimals("-1", "1", places=4), st.integers(-(10**6), 10**6))
def test_a_loss_is_the_change_turned_round(move: Decimal, value: int) -> None:
    found = through(Shock(scope="symbol", target="AAA", move=move), AAA=value)
    assert found.change == (value * move).quantize(Decimal("0.01"))
    assert found.equity_after == MILLION + found.change


def test_shocks_are_read_from_text() -> None:
    found = read_shocks(" market=-10%, energy = -20.5 %,ibm=+3%", symbols=("IBM",), sectors=("Energy",))
    assert [(s.scope, s.target, s.move) for s in found] == [
        ("market", None, Decimal("-0.1")), ("sector", "Energy", Decimal("-0.205")), ("symbol", "IBM", Decimal("0.03")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("market", "write target=percent"), ("market=-10", "write target=percent"), ("market=ten%", "write target="),
        ("moon=-10%", "nor a sector of Energy"), ("market=-101%", "give -100 to 1000"), ("=-1%", "write target="),
        ("market=٣%", "write target="), ("market=-1.2.3%", "write target="),
    ],
)  # fmt: skip
def test_a_shock_that_means_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(ToolRejected, match=said):
        read_shocks(text, symbols=("IBM",), sectors=("Energy",))


def test_no_shock_and_two_for_one_target_are_refused() -> None:
    with pytest.raises(ToolRejected, match="no shock"):
        supposed([])
    with pytest.raises(ToolRejected, match="twice"):
        supposed([market_falls("-0.1"), market_falls("-0.2")])


def test_september_2008_is_the_fall_from_august_to_the_lowest_close() -> None:
    crises = read_crises()
    assert (crises.september.first, crises.september.last) == (date(2008, 8, 29), date(2008, 9, 29))
    assert crises.september.value == pytest.approx(1106.42 / 1282.83 - 1, abs=1e-4)
    assert crises.flash_crash.value == pytest.approx(1065.79 / 1165.87 - 1, abs=1e-3)
    assert set(crises.september_sectors) == {
        "Materials", "Energy", "Financials", "Information Technology", "Utilities"
    }  # fmt: skip
    assert all(-0.35 < move.value < -0.05 for move in crises.september_sectors.values())


def test_before_its_close_the_flash_crash_knows_no_name(market: EmbeddedMarket) -> None:
    september, crash = scenarios(market, read_crises(), BEFORE)
    assert (september.hindsight, crash.hindsight) == (False, True)
    assert crash.symbol_moves == {}


def test_after_its_close_every_name_takes_its_own_low(market: EmbeddedMarket) -> None:
    _, crash = scenarios(market, read_crises(), AFTER)
    assert not crash.hindsight
    bar = market.bars(date(2010, 5, 6), AFTER)["PG"]
    before = market.bars(date(2010, 5, 5), AFTER)["PG"]
    assert crash.symbol_moves["PG"] == pytest.approx(float(bar.low / before.close - 1), abs=1e-8)
    assert set(crash.symbol_moves) == {"IBM", "KO", "PG"}


def test_no_low_counts_for_more_than_trades_that_stood() -> None:
    _, crash = scenarios(EmbeddedMarket(), read_crises(), AFTER)
    assert min(crash.symbol_moves.values()) >= BROKEN


def test_a_scenario_without_a_book_costs_nothing() -> None:
    found = put_through(Scenario(id="x", name="x", market_move=-0.5), book(), {}, view(), LIMITS)
    assert found.change == found.loss_share == 0
    assert found.positions == ()
