"""Corporate actions: what each kind does, from when it may be known, and what is left to a person."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.peers.alpaca_data_peer import AlpacaDataPeer
from tests.tools.data.collectors.alpaca_help import SETTLED, START, market_of
from tools.data import quality
from tools.data.collectors.alpaca_market import AlpacaMarket
from tools.data.types import CorporateAction

D = Decimal
KINDS: dict[str, tuple[dict[str, Any], str, Decimal, Decimal]] = {
    "forward_splits": ({"old_rate": 1, "new_rate": 2}, "split", D(2), D(0)),
    "reverse_splits": ({"old_rate": 10, "new_rate": 1}, "split", D("0.1"), D(0)),
    "stock_dividends": ({"rate": 0.05}, "split", D("1.05"), D(0)),
    "cash_dividends": ({"rate": 0.55, "special": False}, "distribution", D(1), D("0.55")),
}


def _told(day: date, **body: Any) -> dict[str, Any]:
    return {"id": "a1", "symbol": "IBM", "ex_date": str(day), **body}


def _at_open(market: AlpacaMarket, peer: AlpacaDataPeer, day: date) -> tuple[CorporateAction, ...]:
    peer.day.to_open(day)
    return market.corporate_actions(day, market.tick(day, "open").as_of)


def _codes(market: AlpacaMarket, peer: AlpacaDataPeer, day: date) -> set[tuple[str, str | None]]:
    tick = market.tick(day, "close")
    peer.day.now = max(peer.day.now, tick.as_of + SETTLED)
    return {(issue.code, issue.symbol) for issue in quality.inspect(market, tick)}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_booked_and_adjusts_the_past(kind: str, peer: AlpacaDataPeer, tmp_path: Path) -> None:
    body, ours, ratio, cash = KINDS[kind]
    day = peer.day.days[START + 1]
    peer.actions = {kind: [_told(day, **body)]}
    market = market_of(peer, tmp_path)
    raw = float(peer.day.bars(peer.day.days[START])["IBM"].close)
    before = market.panel(peer.day.now, 1)
    assert before.close[-1, before.column("IBM")] == raw
    (action,) = _at_open(market, peer, day)
    assert (action.kind, action.ratio, action.cash) == (ours, ratio, cash)
    after = market.panel(market.tick(day, "open").as_of, 1)
    np.testing.assert_allclose(after.close[-1, after.column("IBM")], (raw - float(cash)) / float(ratio))


def test_an_action_is_known_from_when_we_saw_it(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    day = peer.day.days[START + 3]
    peer.actions = {"cash_dividends": [_told(day, rate=1)]}
    seen = peer.day.now
    market = market_of(peer, tmp_path)
    (action,) = _at_open(market, peer, day)
    assert action.known_at == seen
    assert market.corporate_actions(day, seen - timedelta(seconds=1)) == ()
    (again,) = market_of(peer, tmp_path, anchor=market.anchor).corporate_actions(day, peer.day.now)
    assert again.known_at == seen


def test_an_action_of_the_history_was_known_at_its_open(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    day = peer.day.days[START - 10]
    peer.actions = {"cash_dividends": [_told(day, rate=1)]}
    market = market_of(peer, tmp_path)
    opening = market.tick(day, "open").as_of
    assert [item.known_at for item in market.corporate_actions(day, opening)] == [opening]
    assert market.corporate_actions(day, opening - timedelta(seconds=1)) == ()


def test_an_action_told_after_its_open_is_late_and_reported(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    day = market.anchor
    assert _at_open(market, peer, day) == ()
    peer.actions = {"forward_splits": [_told(day, old_rate=1, new_rate=2)]}
    closing = market.tick(day, "close").as_of
    peer.day.to(closing + SETTLED)
    assert market.corporate_actions(day, closing) == ()
    (late,) = market.corporate_actions(day, peer.day.now)
    assert late.known_at == peer.day.now
    assert ("late_action", "IBM") in _codes(market, peer, market.sessions[121])


def test_a_spin_off_is_worth_the_open_of_what_it_hands_out(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    day = peer.day.days[START + 1]
    spin = {"source_symbol": "IBM", "source_rate": 4, "new_symbol": "GIS", "new_rate": 1, "ex_date": str(day)}
    peer.actions = {"spin_offs": [{"id": "s1", **spin}]}
    market = market_of(peer, tmp_path)
    assert market.corporate_actions(day, market.tick(day, "open").as_of) == ()
    (action,) = _at_open(market, peer, day)
    worth = (peer.day.bars(day)["GIS"].open / 4).quantize(D("0.01"))
    assert (action.kind, action.cash, action.known_at) == ("distribution", worth, market.tick(day, "open").as_of)
    assert "GIS" in action.note


def test_a_spin_off_without_a_price_is_left_to_a_person(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    day = peer.day.days[START + 1]
    spin = {"source_symbol": "IBM", "source_rate": 1, "new_symbol": "NEWCO", "new_rate": 1, "ex_date": str(day)}
    peer.actions = {"spin_offs": [{"id": "s1", **spin}]}
    market = market_of(peer, tmp_path)
    assert _at_open(market, peer, day) == ()
    assert ("unbooked_action", "IBM") in _codes(market, peer, day)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("cash_mergers", {"symbol": None, "acquiree_symbol": "IBM", "rate": 30, "effective_date": "2026-08-01"}),
        ("name_changes", {"symbol": None, "old_symbol": "IBM", "new_symbol": "IBX", "process_date": "2026-08-01"}),
        ("forward_splits", {"old_rate": 0, "new_rate": 2}),
        ("cash_dividends", {"rate": -1}),
        ("worthless_removals", {}),
    ],
)
def test_what_cannot_be_booked_is_reported(
    kind: str, body: dict[str, Any], peer: AlpacaDataPeer, tmp_path: Path
) -> None:
    peer.actions = {kind: [_told(peer.day.days[START + 5], **body)]}
    market = market_of(peer, tmp_path)
    assert ("unbooked_action", "IBM") in _codes(market, peer, market.anchor)


def test_a_distribution_above_the_price_is_reported_and_not_applied(peer: AlpacaDataPeer, tmp_path: Path) -> None:
    day = peer.day.days[START - 10]
    peer.actions = {"cash_dividends": [_told(day, rate=100_000)]}
    market = market_of(peer, tmp_path)
    panel = market.panel(peer.day.now, 30)
    assert (panel.close > 0).all()
    assert ("unbooked_action", "IBM") in _codes(market, peer, market.anchor)


def test_actions_are_asked_for_a_month_ahead_and_once_an_hour(market: AlpacaMarket, peer: AlpacaDataPeer) -> None:
    (first,) = peer.asked("/v1/corporate-actions")
    assert first["start"] == str(market.sessions[0])
    assert date.fromisoformat(first["end"]) == peer.day.now.date() + timedelta(days=30)
    market.corporate_actions(market.anchor, peer.day.now)
    assert len(peer.asked("/v1/corporate-actions")) == 1
    peer.day.to_open(market.anchor)
    market.corporate_actions(market.anchor, peer.day.now)
    assert len(peer.asked("/v1/corporate-actions")) == 2
