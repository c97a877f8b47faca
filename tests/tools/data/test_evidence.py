"""Evidence is stable, dated twice and tainted where a stranger wrote it."""

from __future__ import annotations

from datetime import date

from tools.canonical import content_sha256
from tools.data.collectors.embedded import EmbeddedMarket
from tools.data.evidence import action_evidence, bar_evidence, headline_evidence, observation_evidence


def test_a_bar_gives_the_same_evidence_in_any_market(market: EmbeddedMarket) -> None:
    tick = market.tick(date(2010, 1, 4), "close")
    first = bar_evidence(market.bars(tick.session, tick.as_of)["IBM"])
    again = bar_evidence(EmbeddedMarket(["IBM"]).bars(tick.session, tick.as_of)["IBM"])
    assert first == again
    assert (first.kind, first.symbol, first.taint) == ("bar", "IBM", False)
    assert first.payload["close"] == "132.45"
    assert first.payload["session"] == "2010-01-04"


def test_only_headlines_are_tainted(market: EmbeddedMarket) -> None:
    tick = market.tick(date(2010, 7, 20), "close")
    headline = market.headlines(market.tick(date(2010, 7, 12), "open").as_of, tick.as_of)[0]
    observation = market.observations(tick.as_of)[0]
    action = market.corporate_actions(tick.session, tick.as_of)[0]
    assert headline_evidence(headline).taint
    assert headline_evidence(headline).payload["text"] == headline.text
    assert not observation_evidence(observation).taint
    assert observation_evidence(observation).kind == observation.kind == "index"
    assert not action_evidence(action).taint
    assert action_evidence(action).payload["cash"] == "26.46"


def test_a_changed_value_changes_the_id(market: EmbeddedMarket) -> None:
    observation = market.observations(market.tick(date(2010, 1, 4), "close").as_of)[0]
    other = observation.model_copy(update={"value": observation.value + 0.01})
    assert observation_evidence(observation).id != observation_evidence(other).id
    assert content_sha256(observation_evidence(observation)) == content_sha256(observation_evidence(observation))
