"""Drafting: sizes stay inside every cap anywhere in the band, exits cover the position, rescaling only reduces."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.data.types import Panel
from tools.errors import ToolRejected
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.protection import protect
from tools.risk.types import PendingOrder, PortfolioView, PositionView
from tools.strategy.drafting import draft, rescale
from tools.strategy.evidence import entry
from tools.strategy.generators.exits import candidates as exit_candidates
from tools.strategy.ranking import rank
from tools.strategy.types import Candidate, Features
from tools.types import Proposal

AS_OF = datetime(2009, 11, 17, 21, 0, tzinfo=UTC)
LIMITS = load_limits(default_limits_text())
UPTREND = Features(
    symbol="IBM", close=126.45, sma_20=124.1, sma_50=121.3, high_55=127.0, momentum_60=0.3,
    zscore_20=1.1, rsi_14=61.0, atr_14=2.1, volatility_20=0.22, adv_20=5e8,
)  # fmt: skip


def wish(close: float = 126.45, atr: float = 2.1, symbol: str = "IBM", strength: float = 0.6) -> Candidate:
    item = UPTREND.model_copy(update={"close": close, "atr_14": atr, "symbol": symbol})
    made = entry("trend", item, strength=strength, confidence=0.5, horizon_sessions=20, as_of=AS_OF, reason="because")
    assert made is not None
    return made


def book(equity: str = "1000000", **more: object) -> PortfolioView:
    money = Decimal(equity)
    return PortfolioView.model_validate(
        {"equity": money, "cash": money, "peak_equity": money, "day_start_equity": money, **more}
    )


def held(quantity: int = 137) -> PositionView:
    return PositionView(
        symbol="IBM", quantity=quantity, average_price=Decimal(120), mark=Decimal("126.45"), sector="Technology",
        strategy="trend", opened_session_index=60, stop_price=Decimal(115),
    )  # fmt: skip


def drafted(*wishes: Candidate, portfolio: PortfolioView | None = None) -> tuple[Proposal, ...]:
    made = draft(wishes, portfolio=portfolio or book(), limits=LIMITS, run_id="run_1", cycle_id="cyc_1", as_of=AS_OF)
    return tuple(item.proposal for item in made)


def an_exit() -> Candidate:
    empty = np.empty((1, 1))
    panel = Panel((AS_OF.date(),), ("IBM",), empty, empty, empty, empty, empty)
    falling = UPTREND.model_copy(update={"sma_20": 130.0})
    return exit_candidates(panel, {"IBM": falling}, [held()], 70, AS_OF, LIMITS.exits)[0]


def test_an_entry_is_sized_stopped_and_banded() -> None:
    (proposal,) = drafted(wish())
    assert proposal.band.low == Decimal("124.35")
    assert proposal.band.high == Decimal("128.55")
    assert proposal.stop_price == Decimal("121.20")
    assert proposal.quantity == int(Decimal(20000) / Decimal("128.55"))
    assert (proposal.risk_effect, proposal.side) == ("increases", "buy")


def test_a_wild_name_is_sized_by_its_risk() -> None:
    (proposal,) = drafted(wish(close=100.0, atr=15.0))
    assert proposal.stop_price == Decimal("62.50")
    assert proposal.quantity == int(LIMITS.risk_per_trade * 1_000_000 / Decimal("37.5"))


def test_ids_follow_from_run_cycle_strategy_symbol_and_kind() -> None:
    first, again = drafted(wish()), drafted(wish(strength=0.9))
    assert first[0].id == again[0].id
    assert first[0].digest != again[0].digest
    other = draft([wish()], portfolio=book(), limits=LIMITS, run_id="run_2", cycle_id="cyc_1", as_of=AS_OF)
    assert other[0].proposal.id != first[0].id


def test_what_sizes_to_nothing_is_left_out() -> None:
    assert drafted(wish(), portfolio=book("5000")) == ()
    assert drafted(wish(), portfolio=book("-1")) == ()
    assert drafted(wish(close=3.0, atr=1.3)) == ()


def test_a_symbol_held_or_pending_is_not_bought_again() -> None:
    waiting = PendingOrder(symbol="IBM", side="buy", quantity=1, price=Decimal(1), sector="Technology")
    assert drafted(wish(), portfolio=book(positions=(held(),))) == ()
    assert drafted(wish(), portfolio=book(pending=(waiting,))) == ()
    assert len(drafted(wish(), portfolio=book(positions=(held(quantity=0),)))) == 1


def test_an_exit_covers_exactly_the_position() -> None:
    (proposal,) = drafted(an_exit(), portfolio=book(positions=(held(137),)))
    assert (proposal.quantity, proposal.side, proposal.risk_effect) == (137, "sell", "reduces")
    assert proposal.stop_price is None
    assert drafted(an_exit()) == ()


@settings(deadline=None, max_examples=200)
@given(
    close=st.floats(0.5, 900), atr_share=st.floats(0.001, 0.39), equity=st.integers(1_000, 50_000_000),
    at=st.floats(0, 1),
)  # fmt: skip
def test_no_draft_exceeds_a_cap_anywhere_in_its_band(close: float, atr_share: float, equity: int, at: float) -> None:
    for proposal in drafted(wish(close, close * atr_share), portfolio=book(str(equity))):
        assert proposal.stop_price is not None
        assert 0 < proposal.stop_price < proposal.reference_price
        price = proposal.band.low + (proposal.band.high - proposal.band.low) * Decimal(str(at))
        assert proposal.quantity * price <= LIMITS.max_trade_share * equity
        assert proposal.quantity * price <= LIMITS.max_order_notional
        assert proposal.quantity <= LIMITS.max_order_quantity
        at_risk = (proposal.reference_price - proposal.stop_price) * proposal.quantity
        assert at_risk <= LIMITS.risk_per_trade * equity
        assert proposal.band.holds(proposal.reference_price)


@settings(deadline=None)
@given(st.decimals("0", "1", places=4))
def test_rescaling_only_reduces_and_keeps_the_id(factor: Decimal) -> None:
    (proposal,) = drafted(wish())
    smaller = rescale(proposal, factor)
    if smaller is None:
        assert proposal.quantity * factor < 1
        return
    assert smaller.id == proposal.id
    assert 0 < smaller.quantity <= proposal.quantity * factor
    assert smaller.factor == factor
    assert smaller.model_copy(update={"quantity": proposal.quantity, "factor": proposal.factor}) == proposal


@pytest.mark.parametrize("factor", ["1.0001", "2", "-0.1", "NaN", "Infinity"])
def test_a_factor_outside_zero_to_one_is_refused(factor: str) -> None:
    (proposal,) = drafted(wish())
    with pytest.raises(ToolRejected, match="only scale by 0 to 1") as error:
        rescale(proposal, Decimal(factor))
    assert error.value.code == "factor_out_of_range"


def test_a_reduction_is_not_scaled_away() -> None:
    (proposal,) = drafted(an_exit(), portfolio=book(positions=(held(),)))
    assert rescale(proposal, Decimal(1)) == proposal
    with pytest.raises(ToolRejected) as error:
        rescale(proposal, Decimal(0))
    assert error.value.code == "reduction_scaled"


def test_exits_rank_first_then_conviction_then_id() -> None:
    portfolio = book(positions=(held(),))
    proposals = drafted(
        wish(symbol="AAA", strength=0.2), wish(symbol="BBB", strength=0.9), wish(symbol="CCC", strength=0.9), an_exit(),
        portfolio=portfolio,
    )  # fmt: skip
    ranked = rank(proposals)
    assert (ranked[0].symbol, ranked[-1].symbol) == ("IBM", "AAA")
    assert ranked[1].id < ranked[2].id
    assert rank(reversed(proposals)) == ranked


def test_an_entry_cites_how_it_was_sized_and_what_protects_it() -> None:
    (made,) = draft([wish()], portfolio=book(), limits=LIMITS, run_id="run_1", cycle_id="cyc_1", as_of=AS_OF)
    sizing, guard = made.evidence
    assert made.proposal.evidence_ids[-2:] == (sizing.id, guard.id)
    assert sizing.payload["method"] == "fixed_risk"
    assert sizing.payload["binding"] == "max_trade_share"
    assert sizing.payload["quantity"] == made.proposal.quantity
    sizes: Any = sizing.payload["sizes"]
    assert sizes["method"]["quantity"] > made.proposal.quantity == sizes["max_trade_share"]["quantity"]
    assert (guard.kind, guard.payload["factor"]) == ("protection", "1")


def test_a_drawdown_scales_new_entries_and_leaves_exits_alone() -> None:
    state = protect([Decimal("0.10")], LIMITS.protection)
    entry_, exit_ = wish(symbol="KO"), an_exit()
    made = draft(
        [entry_, exit_], portfolio=book(positions=(held(137),)), limits=LIMITS, run_id="r", cycle_id="c", as_of=AS_OF,
        protection=state,
    )  # fmt: skip
    whole = int(Decimal(20000) / Decimal("128.55"))
    assert [item.proposal.quantity for item in made] == [whole // 2, 137]
    assert made[1].evidence == ()


def test_at_the_end_of_the_curve_nothing_new_is_drafted() -> None:
    state = protect([Decimal("0.15")], LIMITS.protection)
    made = draft(
        [wish()], portfolio=book(), limits=LIMITS, run_id="r", cycle_id="c", as_of=AS_OF, protection=state
    )  # fmt: skip
    assert made == ()
