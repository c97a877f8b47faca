from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agents.explanation.node import explain
from tests.agents.builders import explanation_brief, headline, model_context, proposal, rules_context

Peer = Callable[..., Any]


async def test_prose_of_the_model_is_taken_when_every_number_resolves(openai_peer: Peer) -> None:
    peer = openai_peer()
    context, calls = model_context(peer)
    brief = explanation_brief()
    explanation = await explain(brief, context)
    assert explanation.reasoner == "model"
    assert explanation.model_abstained is None
    assert "127.03" in explanation.prose
    assert explanation.stats.dropped == explanation.stats.unresolved == 0
    assert (peer.calls, calls.made[0]["case_id"]) == (1, brief.case_id)
    assert explanation.claims == (await explain(brief, rules_context())).claims


@pytest.mark.parametrize(
    "prose",
    [
        "The chance of a gain is 87.31 %.",
        "It closed at 127.03 and the target is 140.",
        "Momentum is 18.4, the notional 19,054.50.",
        "The drawdown is 12.3 %.",
        "It will gain twelve percent.",
        "Decide before 2009-12-24.",
    ],
)
async def test_one_planted_number_drops_the_whole_prose_and_is_counted(openai_peer: Peer, prose: str) -> None:
    peer = openai_peer()
    peer.prose = f"Buy 150 shares near 127.03. {prose}"
    context, _ = model_context(peer)
    brief = explanation_brief()
    explanation = await explain(brief, context)
    rendered = await explain(brief, rules_context())
    assert explanation.prose == rendered.prose
    assert (explanation.reasoner, explanation.model_abstained) == ("rules", "unresolved_number")
    assert explanation.stats.dropped == 1
    assert explanation.stats.unresolved == 0


async def test_the_peers_bad_numbers_are_dropped(openai_peer: Peer) -> None:
    context, _ = model_context(openai_peer("bad_numbers"))
    explanation = await explain(explanation_brief(), context)
    assert (explanation.model_abstained, explanation.stats.dropped) == ("unresolved_number", 1)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("dead", "model_unreachable"), ("garbage", "schema_invalid"), ("slow", "timeout"), ("refused", "model_refused")],
)
async def test_a_failing_model_leaves_the_rendered_prose_and_says_why(
    openai_peer: Peer, mode: str, reason: str
) -> None:
    context, _ = model_context(openai_peer(mode, delay_s=20), timeout_s=0.5 if mode == "slow" else 5)
    brief = explanation_brief()
    explanation = await explain(brief, context)
    assert (explanation.reasoner, explanation.model_abstained) == ("rules", reason)
    assert explanation.prose == (await explain(brief, rules_context())).prose


async def test_an_exit_is_explained_without_a_call(openai_peer: Peer) -> None:
    peer = openai_peer()
    context, _ = model_context(peer)
    assert (await explain(explanation_brief(proposal(kind="order.exit")), context)).reasoner == "rules"
    assert peer.calls == 0


async def test_a_number_from_a_headline_is_no_number_of_the_desk(openai_peer: Peer) -> None:
    peer = openai_peer()
    peer.prose = "Profit is up 14 %."
    context, _ = model_context(peer)
    explanation = await explain(explanation_brief(evidence=(headline("Profit up 14 %"),)), context)
    assert explanation.model_abstained == "unresolved_number"
    system, user = (message["content"] for message in peer.requests[0]["messages"])
    assert "Profit up" not in system
    assert "Profit up" in user[user.index("<<<UNTRUSTED TEXT") : user.index(">>>")]
