"""No order passes into an excess, everything pending filled at its worst; a reduction passes up to its position."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.risk.situations import (
    LIMITS,
    D,
    book,
    buy,
    held,
    limited,
    market,
    sell,
    waiting,
)
from tools.risk.controls import check_order, utilisation, verdict
from tools.risk.types import PendingOrder, PositionView
from tools.types import PriceBand

cents = st.integers(1_000, 20_000).map(lambda value: D(value) / 100)
pendings = st.builds(
    waiting, symbol=st.sampled_from(["IBM", "HPQ", "XOM"]), quantity=st.integers(1, 300),
    price=cents.map(str), sector=st.sampled_from(["Technology", "Energy"]), stop_price=st.none() | cents,
)  # fmt: skip
positions = st.lists(
    st.builds(
        held, symbol=st.sampled_from(["IBM", "DELL", "CVX"]), quantity=st.integers(1, 300), mark=cents.map(str),
        sector=st.sampled_from(["Technology", "Energy"]), stop_price=st.none() | cents,
    ),
    max_size=3, unique_by=lambda item: item.symbol,
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    quantity=st.integers(1, 400), price=cents, open_positions=positions, pending=st.lists(pendings, max_size=3),
    equity=st.integers(200_000, 5_000_000), cash=st.integers(20_000, 5_000_000),
)  # fmt: skip
def test_no_order_passes_that_would_exceed_a_cap_with_all_pending_filled(
    quantity: int,
    price: Decimal,
    open_positions: list[PositionView],
    pending: list[PendingOrder],
    equity: int,
    cash: int,
) -> None:
    proposal = buy(quantity, band=PriceBand(low=price, high=price), stop_price=max(D("0.01"), price * D("0.9")))
    money = D(equity)
    portfolio = book(
        equity=money, cash=D(cash), peak_equity=money, day_start_equity=money, positions=tuple(open_positions),
        pending=tuple(pending),
    )  # fmt: skip
    checks = check_order(proposal, portfolio, market(price=price), LIMITS)
    for item in checks:
        use = utilisation(item)
        assert use is None or (use > 1) == (item.verdict == "block")
    if verdict(checks) == "block":
        return
    after: dict[str, Decimal] = {item.symbol: item.market_value for item in open_positions}
    sectors: dict[str, Decimal] = {"Technology": D(0), "Energy": D(0)}
    for position in open_positions:
        sectors[position.sector] += position.market_value
    for symbol, sector, worth in [
        *((one.symbol, one.sector, one.notional) for one in pending), ("IBM", "Technology", price * quantity),
    ]:  # fmt: skip
        after[symbol] = after.get(symbol, D(0)) + worth
        sectors[sector] += worth
    risk = sum((one.open_risk for one in open_positions), D(0)) + sum((one.open_risk for one in pending), D(0))
    assert proposal.stop_price is not None
    assert after["IBM"] <= money * LIMITS.max_position_share
    assert sectors["Technology"] <= money * LIMITS.max_sector_share
    assert sum(after.values()) <= money * LIMITS.max_gross_share
    assert sum(after.values()) <= money * LIMITS.max_net_share
    left = money - risk - (price - proposal.stop_price) * quantity
    assert left > 0
    assert sum(after.values()) <= left * LIMITS.max_leverage
    assert risk + (price - proposal.stop_price) * quantity <= money * LIMITS.max_total_open_risk
    assert len(after) <= LIMITS.max_open_positions
    assert sum((one.notional for one in pending), price * quantity) <= cash
    assert price * quantity <= money * LIMITS.max_trade_share


@settings(deadline=None, max_examples=150)
@given(quantity=st.integers(1, 300), owned=st.integers(0, 200), pending=st.lists(pendings, max_size=4))
def test_a_reduction_passes_exactly_up_to_the_position(quantity: int, owned: int, pending: list[PendingOrder]) -> None:
    ours = (held(quantity=owned),) if owned else ()
    broke = book(equity=D(1), cash=D(-5), positions=ours, pending=tuple(pending))
    blind = market(price=None, adv=None, data_age_hours=None, halted=None, unknown_order=True)
    checks = check_order(sell(quantity), broke, blind, limited(restricted=("IBM",)))
    assert (verdict(checks) == "pass") == (quantity <= owned)
