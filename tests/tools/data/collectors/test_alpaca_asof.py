"""P6 on a feed whose cache knows more than the clock: whatever is asked, nothing known later comes out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.tools.data.collectors.alpaca_help import SETTLED, market_of, new_day
from tools.data.collectors.alpaca_market import AlpacaMarket
from tools.data.collectors.embedded import EmbeddedMarket
from tools.errors import FutureDataError
from tools.types import Phase, Tick

ANCHOR, NOW = 241, 240
EPOCH = datetime.fromisoformat("2020-01-01T00:00:00Z")


@pytest.fixture(scope="module")
def late(source: EmbeddedMarket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlpacaMarket]:
    """A market that has everything up to session 240."""
    day = new_day(source, NOW)
    folder: Path = tmp_path_factory.mktemp("late")
    with AlpacaDataPeer(day) as peer:
        market = market_of(peer, folder, anchor=day.days[ANCHOR], history=ANCHOR, horizon=20)
        market.headlines(EPOCH, day.now)
        yield market


positions = st.integers(2, NOW)
minutes = st.integers(-90, 60)


@settings(max_examples=60, deadline=None)
@given(position=positions, phase=st.sampled_from(["open", "close"]), shift=minutes)
def test_nothing_is_read_before_it_is_known(late: AlpacaMarket, position: int, phase: str, shift: int) -> None:
    day = late.sessions[position]
    as_of = late.tick(day, "open" if phase == "open" else "close").as_of + timedelta(minutes=shift)
    panel = late.panel(as_of, 5)
    assert late.tick(panel.sessions[-1], "close").as_of <= as_of
    for item in late.headlines(EPOCH, as_of):
        assert item.known_at <= as_of
    for near in late.sessions[position - 2 : position + 2]:
        opening, closing = late.tick(near, "open").as_of, late.tick(near, "close").as_of
        assert all(item.known_at <= as_of for item in late.corporate_actions(near, as_of))
        if closing > as_of:
            with pytest.raises(FutureDataError):
                late.bars(near, as_of)
            with pytest.raises(FutureDataError):
                late.index_close(near, as_of)
        else:
            assert all(bar.known_at <= as_of for bar in late.bars(near, as_of).values())
        if opening > as_of:
            with pytest.raises(FutureDataError):
                late.opens(Tick(session=near, phase="open", as_of=as_of))


@settings(max_examples=40, deadline=None)
@given(position=positions, phase=st.sampled_from(["open", "close"]), lookback=st.integers(1, 130))
def test_a_panel_is_what_the_source_gives_at_the_same_tick(
    late: AlpacaMarket, source: EmbeddedMarket, position: int, phase: str, lookback: int
) -> None:
    which: Phase = "open" if phase == "open" else "close"
    ours = late.panel(late.tick(late.sessions[position], which).as_of, lookback)
    theirs = source.panel(source.tick(source.sessions[position], which).as_of, lookback)
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12)


def test_what_is_settled_needs_no_further_request(late: AlpacaMarket) -> None:
    assert late.panel(late.tick(late.sessions[NOW], "close").as_of + SETTLED / 2, 1).sessions == (late.sessions[NOW],)
