"""A model beside the monitoring rules may add a guess; it takes nothing away, allows nothing and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from agents.monitoring.node import judge_all, monitor
from agents.opinion import Context, HealthFact, HealthPoint, MonitoringBrief
from tests.agents.builders import AS_OF, Budget, model_context, rules_context
from tools.types import Evidence

Peer = Callable[..., Any]


def fact(
    name: str, value: float, limit: float | None, component: str = "book", symbol: str | None = None
) -> HealthFact:
    held = evidence(name, value, component)
    return HealthFact(
        component=component, name=name, value=value, limit=limit, unit="share", evidence_id=held.id, symbol=symbol,
        history=(HealthPoint(session=AS_OF.date(), value=value),),
    )  # fmt: skip


def evidence(name: str, value: float, component: str) -> Evidence:
    payload = {"name": name, "value": value, "unit": "share"}
    return Evidence.of("health", f"pipeline.{component}", payload, event_time=AS_OF, known_at=AS_OF)


def brief() -> MonitoringBrief:
    given = [("drawdown", 0.14, "book"), ("abstention_share", 0.1, "agents")]
    return MonitoringBrief(
        run_id="run_1", cycle_id="cyc_1", as_of=AS_OF, evidence=tuple(evidence(*one) for one in given),
        facts=(fact("drawdown", 0.14, 0.15, symbol="IBM"), fact("abstention_share", 0.1, None, "agents")),
    )  # fmt: skip


def asking(peer: Any, **options: Any) -> Context:
    context, _ = model_context(peer, **options)
    return replace(context, beside=frozenset({"monitoring"}))


async def test_a_guess_stands_beside_the_rules_findings_and_weighs_on_nothing(openai_peer: Peer) -> None:
    peer = openai_peer()
    peer.noticed = ["The drawdown of 14.00 % came with few abstentions."]
    ruled = judge_all(brief())
    found = await monitor(brief(), asking(peer))
    assert [item for item in found if item.code != "model_noticed"] == list(ruled)
    (added,) = (item for item in found if item.code == "model_noticed")
    assert added.message == "A model suspects: The drawdown of 14.00 % came with few abstentions."
    assert (added.severity, added.symbol, added.recommends_halt, added.rule) == ("warning", None, False, "hypothesis")
    assert added.evidence_ids == (brief().facts[0].evidence_id,)


@pytest.mark.parametrize(
    "text", ["The drawdown is 37.5 %.", "Value at risk doubled to 4,200,000 USD.", "   ", "IBM lost 99 % today."]
)
async def test_a_guess_with_a_number_of_its_own_is_dropped(openai_peer: Peer, text: str) -> None:
    peer = openai_peer()
    peer.noticed = [text]
    assert await monitor(brief(), asking(peer)) == judge_all(brief())


@pytest.mark.parametrize("mode", ["error", "garbage", "slow", "wrong_schema", "obeys_loudly", "refused", "tool_calls"])
async def test_a_model_that_fails_leaves_the_rules_findings_as_they_are(openai_peer: Peer, mode: str) -> None:
    context = asking(openai_peer(mode), timeout_s=0.5)
    assert await monitor(brief(), context) == judge_all(brief())


async def test_three_guesses_at_most_and_one_for_a_component(openai_peer: Peer) -> None:
    peer = openai_peer()
    peer.noticed = ["One thing.", "Another thing.", "A third thing."]
    found = await monitor(brief(), asking(peer))
    assert len([item for item in found if item.code == "model_noticed"]) == 1
    peer.noticed = ["One.", "Two.", "Three.", "Four."]
    assert await monitor(brief(), asking(peer)) == judge_all(brief())


async def test_a_spent_budget_asks_nothing(openai_peer: Peer) -> None:
    peer = openai_peer()
    assert await monitor(brief(), asking(peer, budget=Budget(0))) == judge_all(brief())
    assert peer.calls == 0


async def test_nothing_is_asked_where_it_is_not_wanted(openai_peer: Peer) -> None:
    peer = openai_peer()
    context, _ = model_context(peer)
    assert await monitor(brief(), context) == await monitor(brief(), rules_context()) == judge_all(brief())
    assert peer.calls == 0
