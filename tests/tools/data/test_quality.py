"""The inspection finds what is wrong and stays silent about what is explained."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from tools.data import quality
from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.types import QualityIssue
from tools.types import Tick

ACTION_DAYS = ("2009-09-01", "2010-06-09", "2010-06-14", "2010-07-20")


def _codes(issues: tuple[QualityIssue, ...]) -> set[tuple[str, str | None]]:
    return {(issue.code, issue.symbol) for issue in issues}


@pytest.mark.parametrize("day", ACTION_DAYS)
def test_a_known_action_is_no_jump(market: EmbeddedMarket, day: str) -> None:
    for phase in ("open", "close"):
        issues = quality.inspect(market, market.tick(date.fromisoformat(day), phase))
        assert not [issue for issue in issues if issue.code == "unexplained_jump"]


@pytest.mark.parametrize(("day", "symbol"), [("2010-06-09", "GIS"), ("2010-06-14", "DHR"), ("2010-07-20", "WY")])
def test_a_split_nobody_told_of_is_found_at_the_open_and_at_the_close(day: str, symbol: str) -> None:
    ignorant = EmbeddedMarket([symbol, "IBM"])
    ignorant._adjustments = ()
    for phase in ("open", "close"):
        issues = quality.inspect(ignorant, ignorant.tick(date.fromisoformat(day), phase))
        assert ("unexplained_jump", symbol) in _codes(issues)
        assert ("unexplained_jump", "IBM") not in _codes(issues)


def test_sessions_the_data_lack_are_reported_on_the_next_one(market: EmbeddedMarket) -> None:
    issues = quality.inspect(market, market.tick(date(2009, 11, 5), "open"))
    hole = next(issue for issue in issues if issue.code == "missing_session")
    assert hole.value == 5
    assert "2009-10-29" in hole.message
    assert not [
        i for i in quality.inspect(market, market.tick(date(2009, 11, 6), "open")) if i.code == "missing_session"
    ]


def test_a_repaired_bar_is_reported_on_its_day(market: EmbeddedMarket) -> None:
    repaired = [(day, symbol) for day, symbol in sorted(market._repaired) if symbol in market.symbols]
    assert repaired, "one complete name needs a repair"
    day, symbol = repaired[0]
    assert ("repaired_bar", symbol) in _codes(quality.inspect(market, market.tick(day, "close")))


def test_frozen_and_untraded_names_are_found() -> None:
    market = EmbeddedMarket(["GE", "IBM"])
    fields = [grid.copy() for grid in market._fields]
    fields[3][40:60, 0] = 15.0
    fields[4][59, 0] = 0
    market._fields = tuple(fields)
    codes = _codes(quality.inspect(market, market.tick(market.sessions[59], "close")))
    assert {("frozen_price", "GE"), ("zero_volume", "GE")} <= codes
    assert not {code for code in codes if code[1] == "IBM"}


def test_a_series_that_stopped_is_stale(market: EmbeddedMarket) -> None:
    tick = market.tick(date(2010, 3, 15), "close")
    assert not [issue for issue in quality.inspect(market, tick) if issue.code == "stale_series"]
    strict = replace(quality.DEFAULT_THRESHOLDS, default_days=0.5)
    stale = {issue.series for issue in quality.inspect(market, tick, strict) if issue.code == "stale_series"}
    assert "UST_10Y" in stale
    assert "SP500" not in stale


def test_the_year_is_quiet_but_for_known_holes_and_one_takeover(market: EmbeddedMarket) -> None:
    loud: set[tuple[str, str]] = set()
    for day in market.sessions:
        for phase in ("open", "close"):
            for issue in quality.inspect(market, market.tick(day, phase)):
                if issue.code not in ("repaired_bar", "missing_session"):
                    loud.add((issue.code, issue.symbol or issue.series or ""))
    assert loud == {("unexplained_jump", "MFE"), ("unexplained_jump", "CCE")}


def test_the_summary_counts_repairs_of_the_whole_file(market: EmbeddedMarket) -> None:
    summary = quality.summarise(market)
    assert summary.repaired_rows == 78
    assert (summary.sessions, summary.names, len(summary.missing_sessions)) == (245, 379, 7)
    assert summary.dataset_sha256 == market.dataset_sha256


def test_what_a_market_noticed_itself_is_among_the_issues_of_its_session(market: EmbeddedMarket) -> None:
    tick = market.tick(market.sessions[50], "close")
    noticed = QualityIssue(
        code="damaged_cache",
        severity="warning",
        session=tick.session,
        value=1,
        limit=0,
        unit="rows",
        message="it broke",
    )

    class Noticing(EmbeddedMarket):
        def noticed(self, at: Tick) -> tuple[QualityIssue, ...]:
            return (noticed,) if at.session == tick.session else ()

    told = Noticing(["IBM"])
    assert noticed in quality.inspect(told, tick)
    assert noticed not in quality.inspect(told, market.tick(market.sessions[51], "close"))
