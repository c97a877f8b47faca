"""Exposures: groups add up to the book, and use is share over limit, rounded up."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tools.risk.exposure import ExposureItem, exposures
from tools.risk.limits import default_limits_text, load_limits

LIMITS = load_limits(default_limits_text())
D = Decimal


def item(symbol: str, value: str, **more: object) -> ExposureItem:
    return ExposureItem.model_validate(
        {
            "symbol": symbol, "sector": "Energy", "strategy": "trend", "agent": "decision by rules", "value": D(value),
            "open_risk": D(10), **more,
        }
    )  # fmt: skip


def test_long_short_net_gross_and_the_use_of_the_limit() -> None:
    found = exposures([item("AAA", "20000"), item("BBB", "-5000", strategy="reversion")], D(1_000_000), LIMITS)
    assert (found.total.long, found.total.short, found.total.net) == (D(20000), D(5000), D(15000))
    assert (found.total.gross, found.total.share, found.total.use) == (D(25000), D("0.025"), D("0.025"))
    assert [(one.name, one.use) for one in found.symbol] == [("AAA", D("0.5")), ("BBB", D("0.125"))]
    assert [one.name for one in found.strategy] == ["trend", "reversion"]
    assert found.strategy[0].limit is None
    assert found.sector[0].use == D("0.1")


def test_pending_orders_are_counted_and_shown_apart() -> None:
    found = exposures([item("AAA", "100"), item("AAA", "50", pending=True)], D(1000), LIMITS)
    (one,) = found.symbol
    assert (one.gross, one.pending, one.open_risk) == (D(150), D(50), D(20))


def test_an_empty_book_has_no_groups() -> None:
    found = exposures([], D(1000), LIMITS)
    assert (found.total.gross, found.symbol) == (D(0), ())


def test_a_share_is_rounded_up() -> None:
    assert exposures([item("AAA", "1")], D(3_000_000), LIMITS).total.share == D("0.000001")


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("XY"), st.integers(-(10**5), 10**5)), max_size=12))
def test_every_grouping_adds_up_to_the_book(drawn: list[tuple[str, str, int]]) -> None:
    items = [item(symbol, str(value), sector=sector, agent=sector) for symbol, sector, value in drawn]
    found = exposures(items, D(10**6), LIMITS)
    for groups in (found.symbol, found.sector, found.strategy, found.agent):
        assert sum((one.net for one in groups), D(0)) == found.total.net
        assert sum((one.gross for one in groups), D(0)) == found.total.gross
