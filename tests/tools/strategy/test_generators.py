"""Generators: thresholds at their edges, evidence that hashes, and reasons whose figures stand in the payload."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from tools.canonical import content_sha256
from tools.data.types import Panel
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.types import PositionView
from tools.strategy.generators import exits, reversion, trend
from tools.strategy.types import Candidate, Features

AS_OF = datetime(2009, 11, 17, 21, 0, tzinfo=UTC)
EXITS = load_limits(default_limits_text()).exits
UPTREND = Features(
    symbol="IBM", close=126.45, sma_20=124.125, sma_50=121.3333333, high_55=127.0, momentum_60=0.1837,
    zscore_20=1.1, rsi_14=61.0, atr_14=2.123456, volatility_20=0.22, adv_20=5e8,
)  # fmt: skip


def features(**changes: float) -> Features:
    return UPTREND.model_copy(update=changes)


def panel(*symbols: str) -> Panel:
    empty = np.empty((1, len(symbols)))
    return Panel((date(2009, 11, 17),), symbols, empty, empty, empty, empty, empty)


def one(item: Features, module: object = trend) -> list[Candidate]:
    generate = trend.candidates if module is trend else reversion.candidates
    return generate(panel(item.symbol), {item.symbol: item}, AS_OF)


def assert_figures_resolve(candidate: Candidate) -> None:
    values = [
        float(value)
        for item in candidate.evidence
        for value in item.payload.values()
        if isinstance(value, int | float) or (isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value))
    ]
    words = candidate.reason.replace(candidate.symbol, "")
    for text, sign in re.findall(r"(-?\d+(?:\.\d+)?)( %)?", words):
        digits = len(text.partition(".")[2])
        scale = 100 if sign else 1
        half = 0.5 * 10**-digits + 1e-9
        assert any(abs(value * scale - float(text)) <= half for value in values), f"{text} is not in the evidence"


def test_trend_wants_momentum_at_its_threshold_and_not_below() -> None:
    assert len(one(features(momentum_60=trend.DEFAULT.momentum))) == 1
    assert one(features(momentum_60=trend.DEFAULT.momentum - 1e-6)) == []


def test_trend_takes_a_breakout_without_momentum_but_not_a_touch() -> None:
    assert len(one(features(close=127.01, momentum_60=0.02))) == 1
    assert one(features(close=127.0, momentum_60=0.02)) == []


@pytest.mark.parametrize("average", ["sma_20", "sma_50"])
def test_trend_wants_the_close_strictly_above_both_averages(average: str) -> None:
    assert one(features(momentum_60=0.4, **{average: 126.45})) == []


def test_reversion_wants_a_deep_dip_inside_an_uptrend() -> None:
    dip = features(zscore_20=-2.0)
    assert len(one(dip, reversion)) == 1
    assert one(features(zscore_20=-1.999), reversion) == []
    assert one(features(zscore_20=-2.5, sma_20=121.0), reversion) == []
    assert one(features(zscore_20=-2.5, sma_20=UPTREND.sma_50), reversion) == []


def test_a_deeper_dip_is_a_stronger_wish() -> None:
    shallow, deep = one(features(zscore_20=-2.2), reversion)[0], one(features(zscore_20=-3.5), reversion)[0]
    assert deep.strength > shallow.strength
    assert one(features(zscore_20=-9.0), reversion)[0].strength == 1


@pytest.mark.parametrize(
    ("item", "module"),
    [
        (features(momentum_60=0.31), trend),
        (features(close=131.0, momentum_60=-0.0123), trend),
        (features(zscore_20=-2.345), reversion),
    ],
)
def test_entries_carry_hashed_evidence_and_reasons_that_resolve(item: Features, module: object) -> None:
    (candidate,) = one(item, module)
    (evidence,) = candidate.evidence
    assert evidence.kind == "features"
    assert evidence.known_at == AS_OF
    assert evidence.payload["close"] == item.close
    signal = candidate.signal
    assert signal.evidence_ids == (evidence.id,)
    assert signal.sha256 == content_sha256(signal.model_dump(exclude={"id", "sha256", "calibrated_confidence"}))
    assert (candidate.side, candidate.kind, candidate.taint) == ("buy", "order.entry", False)
    assert candidate.price == Decimal(str(item.close))
    assert candidate.atr == Decimal("2.1235")
    assert_figures_resolve(candidate)


def test_the_same_features_give_the_same_candidate() -> None:
    assert one(features(momentum_60=0.4)) == one(features(momentum_60=0.4))


def test_symbols_without_features_are_passed_over_and_order_is_the_panels() -> None:
    wanted = {name: features(momentum_60=0.4).model_copy(update={"symbol": name}) for name in ("AA", "ZZ")}
    assert [item.symbol for item in trend.candidates(panel("ZZ", "MM", "AA"), wanted, AS_OF)] == ["ZZ", "AA"]


def position(strategy: str, opened: int, quantity: int = 100) -> PositionView:
    return PositionView(
        symbol="IBM", quantity=quantity, average_price=Decimal("120"), mark=Decimal("126.45"), sector="Technology",
        strategy=strategy, opened_session_index=opened, stop_price=Decimal("115"),
    )  # fmt: skip


def wants_out(item: Features, held: PositionView, index: int = 70) -> list[Candidate]:
    return exits.candidates(panel("IBM"), {"IBM": item}, [held], index, AS_OF, EXITS)


def test_a_trend_position_leaves_below_its_average_and_not_at_it() -> None:
    (leaving,) = wants_out(features(sma_20=126.46), position("trend", 69))
    assert (leaving.kind, leaving.side, leaving.signal.direction) == ("order.exit", "sell", "down")
    assert_figures_resolve(leaving)
    assert wants_out(features(sma_20=126.45), position("trend", 69)) == []


def test_a_reversion_position_leaves_at_its_average() -> None:
    (leaving,) = wants_out(features(zscore_20=0.0), position("reversion", 69))
    assert_figures_resolve(leaving)
    assert wants_out(features(zscore_20=-0.01), position("reversion", 69)) == []


@pytest.mark.parametrize("strategy", ["trend", "reversion"])
def test_a_position_leaves_when_its_time_is_up(strategy: str) -> None:
    calm = features(zscore_20=-0.5)
    horizon = EXITS.time_stop_sessions[strategy]
    (leaving,) = wants_out(calm, position(strategy, 70 - horizon))
    assert_figures_resolve(leaving)
    assert wants_out(calm, position(strategy, 70 - horizon + 1)) == []


def test_the_strategys_own_rule_is_named_before_the_clock() -> None:
    (leaving,) = wants_out(features(sma_20=130.0), position("trend", 0))
    assert "the trend it was bought for has ended" in leaving.reason


def test_no_exit_for_a_short_a_stranger_or_a_symbol_without_features() -> None:
    falling = features(sma_20=130.0)
    assert wants_out(falling, position("trend", 0, quantity=-5)) == []
    assert wants_out(falling, position("manual", 0)) == []
    assert exits.candidates(panel("IBM"), {}, [position("trend", 0)], 70, AS_OF + timedelta(days=1), EXITS) == []
