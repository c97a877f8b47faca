"""The case that the texts written by hand are about: two names, one of them in a finding, and a yield of two days."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from agents.opinion import ExplanationBrief
from tests.agents.builders import AS_OF, explanation_brief, features, past
from tools.canonical import plain
from tools.risk.measures.types import Change, WhatIf
from tools.types import Evidence, Finding


def brief_by_hand() -> ExplanationBrief:
    """150 shares of IBM, six similar cases in GE that lost, and a finding about GE."""
    other = features("GE", close=15.8, sma_50=16.4, sma_20=16.0, momentum_60=-0.08)
    found = Finding(
        id="find_1", code="weak_name", severity="warning", component="book",
        message="GE closed at 15.80, below its fifty-session average of 16.40.", recommendation="Look at it.",
        evidence_ids=(other.id,), as_of=AS_OF,
    )  # fmt: skip
    earlier = AS_OF - timedelta(days=7)
    older = Evidence.of(
        "rate", "test", {"series": "UST_10Y", "value": 3.28, "unit": "percent"}, event_time=earlier, known_at=earlier
    )
    yesterday = features(close=125.9, sma_50=121.1).model_copy(update={"event_time": AS_OF - timedelta(days=1)})
    return explanation_brief(
        evidence=(other, older, yesterday, _effect(), _name()), recalled=past(6, -0.0187), findings=(found,)
    )


def _name() -> Evidence:
    payload = {"side": "buy", "name": "International Business Machines Corp"}
    return Evidence.of("proposal", "test", payload, event_time=AS_OF, known_at=AS_OF, symbol="IBM")


def _effect() -> Evidence:
    def change(measure: str, label: str, before: str, after: str, limit: str) -> Change:
        pair = [Decimal(value) for value in (before, after, limit)]
        return Change(measure=measure, label=label, unit="share", before=pair[0], after=pair[1], limit=pair[2])

    found = WhatIf(
        symbol="IBM", side="buy", quantity=150, price=Decimal("127.03"), largest="open_risk",
        changes=(
            change("open_risk", "risk to the stops", "0.0155", "0.0170", "0.05"),
            change("var", "value at risk", "0.0103", "0.0107", "0.03"),
        ),
        incremental_var=None, marginal_var=None, confidence=0.95, horizon_sessions=1, window_sessions=126,
    )  # fmt: skip
    return Evidence.of(
        "what_if", "tools.risk.measures.what_if", plain(found), event_time=AS_OF, known_at=AS_OF, symbol="IBM"
    )
