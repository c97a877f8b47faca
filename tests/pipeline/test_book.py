"""What a control may know of a symbol: in a replay nothing is paused, elsewhere only the venue says so."""

from __future__ import annotations

from datetime import datetime

import pytest

from memory.tables import RunRow
from pipeline.book import market_view
from pipeline.desk import Desk
from tests.pipeline import parked
from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.types import MarketData
from tools.risk.types import MarketView
from tools.types import Mode

SYMBOL = parked.SYMBOLS[0]
Known = bool | None


class SpeakingMarket(EmbeddedMarket):
    """The embedded market with a venue that answers the same to everything."""

    skew: float | None = 0.25
    answer: Known = False

    def clock_skew_seconds(self, now: datetime) -> float | None:
        assert now.tzinfo is not None
        return self.skew

    def paused(self, symbol: str, as_of: datetime) -> Known:
        assert symbol == SYMBOL
        return self.answer

    def borrow(self, symbol: str) -> Known:
        return self.answer

    def tradable(self, symbol: str) -> Known:
        return None if self.answer is None else not self.answer


@pytest.fixture(scope="module")
def speaking() -> SpeakingMarket:
    return SpeakingMarket(parked.SYMBOLS)


def _seen(desk: Desk, market: MarketData, mode: Mode) -> MarketView:
    with desk.db.read() as session:
        run = session.get_one(RunRow, desk.run_id)
        session.expunge(run)
        run.mode = mode
        tick = desk.tick(60, "close")
        return market_view(session, run, market, tick, SYMBOL, price=None, atr=None, adv=None, known_at=None)


def _said(seen: MarketView) -> tuple[Known, Known, Known, float | None]:
    return seen.halted, seen.volatility_paused, seen.borrow_available, seen.clock_skew_seconds


def test_a_replay_runs_on_one_clock_without_pauses(desk: Desk, speaking: SpeakingMarket) -> None:
    assert _said(_seen(desk, desk.market, "replay")) == (False, False, None, 0.0)
    assert _seen(desk, speaking, "replay") == _seen(desk, desk.market, "replay")


def test_a_market_without_a_venue_leaves_pause_and_skew_unknown(desk: Desk) -> None:
    assert _said(_seen(desk, desk.market, "paper")) == (False, None, None, None)


@pytest.mark.parametrize("answer", [True, False, None])
def test_a_market_with_a_venue_says_what_it_knows(desk: Desk, speaking: SpeakingMarket, answer: Known) -> None:
    speaking.answer, speaking.skew = answer, None if answer is None else 0.25
    seen = _seen(desk, speaking, "paper")
    assert _said(seen) == (answer, answer, answer, speaking.skew)
    assert seen.trading_day
    assert seen.in_hours
