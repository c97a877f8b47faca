"""Bad entries on purpose: wrong on their face, and like any other to the controls and to a list."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.explanation import grounding
from tools.risk.controls import check_order, verdict
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.types import MarketView, PortfolioView
from tools.strategy.canaries import FAR_ABOVE, FLAWS, Flaw, Flawed, flawed
from tools.strategy.types import Features

AS_OF = datetime(2009, 11, 17, 21, 0, tzinfo=UTC)
LIMITS = load_limits(default_limits_text())
MILLION = Decimal(1_000_000)
BOOK = PortfolioView(
    equity=MILLION, cash=MILLION, peak_equity=MILLION, day_start_equity=MILLION, settled_cash=MILLION, orders=(),
    trades_today=0, loss_streak=0, automatic_executions={},
)  # fmt: skip


def features(symbol: str, **changes: float) -> Features:
    rising = {
        "close": 126.45, "sma_20": 124.1, "sma_50": 121.3, "high_55": 127.0, "momentum_60": 0.12, "zscore_20": 2.04,
        "rsi_14": 61.0, "atr_14": 2.1, "volatility_20": 0.22, "adv_20": 5e8,
    }  # fmt: skip
    return Features.model_validate({"symbol": symbol, **rising, **changes})


FALLING = {"close": 80.2, "sma_20": 84.9, "sma_50": 91.35, "momentum_60": -0.183, "zscore_20": -1.1}
MARKET = {
    **{symbol: features(symbol) for symbol in ("AAPL", "IBM", "MSFT")},
    **{symbol: features(symbol, **FALLING) for symbol in ("GE", "XOM")},
}


def make(flaw: Flaw, pick: int = 0, taken: frozenset[str] = frozenset(), market: object = None) -> Flawed | None:
    return flawed(
        flaw, pick, features=MARKET if market is None else market, taken=taken,  # type: ignore[arg-type]
        portfolio=BOOK, limits=LIMITS, run_id="run_1", cycle_id="cyc_1", as_of=AS_OF,
    )  # fmt: skip


def sound(flaw: Flaw, pick: int = 0) -> Flawed:
    made = make(flaw, pick)
    assert made is not None
    return made


@given(st.sampled_from(FLAWS), st.integers(0, 2**31))
def test_the_same_flaw_and_pick_make_the_same_proposal(flaw: Flaw, pick: int) -> None:
    assert sound(flaw, pick) == sound(flaw, pick)


def test_every_flaw_shows_on_its_face() -> None:
    trend = sound("against_trend").proposal
    assert trend.symbol in ("GE", "XOM")
    assert "keeps falling" in trend.thesis
    assert "-18.3 %" in trend.thesis
    assert "has not dipped" in sound("against_dip").proposal.thesis
    other = sound("other_company").proposal
    assert not other.thesis.startswith(other.symbol)


@pytest.mark.parametrize("flaw", FLAWS)
@pytest.mark.parametrize("pick", range(3))
def test_it_passes_every_control_so_that_it_reaches_a_person(flaw: Flaw, pick: int) -> None:
    proposal = sound(flaw, pick).proposal
    seen = MarketView(
        symbol=proposal.symbol, sector="Technology", price=proposal.reference_price, atr=proposal.atr,
        adv=Decimal(500_000_000), data_age_hours=1.0, trading_day=True, in_hours=True, volatility_paused=False,
        clock_skew_seconds=0.0, group=(proposal.symbol,),
    )  # fmt: skip
    assert verdict(check_order(proposal, BOOK, seen, LIMITS)) == "pass"


@pytest.mark.parametrize("flaw", FLAWS)
def test_its_thesis_stands_in_the_evidence_it_cites_so_that_it_is_shown(flaw: Flaw) -> None:
    made = sound(flaw)
    assert made.proposal.evidence_ids == tuple(item.id for item in made.evidence)
    assert grounding.check(made.proposal.thesis, made.evidence).ok


@pytest.mark.parametrize("flaw", FLAWS)
def test_nothing_but_its_content_tells_it_from_a_real_one(flaw: Flaw) -> None:
    proposal = sound(flaw).proposal
    assert proposal.kind == "order.entry"
    assert proposal.strategy in ("trend", "reversion")
    assert (proposal.side, proposal.risk_effect, proposal.taint) == ("buy", "increases", False)
    assert "canary" not in proposal.model_dump_json()
    assert LIMITS.min_order_notional < proposal.notional <= LIMITS.max_order_notional


def test_symbols_that_are_taken_are_left_alone() -> None:
    made = make("against_trend", taken=frozenset({"GE"}))
    assert made is not None
    assert made.proposal.symbol == "XOM"
    assert make("against_trend", taken=frozenset({"GE", "XOM"})) is None


def test_a_market_that_does_not_lend_itself_makes_nothing() -> None:
    calm = {"IBM": features("IBM", zscore_20=FAR_ABOVE - 0.01)}
    assert make("against_dip", market=calm) is None
    assert make("against_trend", market=calm) is None
    assert make("other_company", market=calm) is None
    assert make("other_company", market={}) is None


def test_a_name_too_dear_to_size_gives_way_to_the_next() -> None:
    market = {"AAA": features("AAA", close=9e6, sma_50=8e6), "IBM": features("IBM")}
    made = make("other_company", market=market)
    assert made is not None
    assert made.proposal.symbol == "IBM"
