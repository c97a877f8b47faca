"""How an order is worked is part of what is hashed, and leaves what was hashed before it alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from tests.pipeline import life
from tools.canonical import plain
from tools.risk.limits import default_limits_text, load_limits
from tools.types import Proposal, Working

D = Decimal
BEFORE = "d7807e4475d26640a6389bd480d3c5155cfd3626d3812455295316e00f86ed81"
"""Digest of `life.proposal()` as the desk computed it before orders could be worked."""
HOW = Working(algorithm="twap", sessions=5)
RULE = 'working: {above_adv_share: "0.005", algorithm: vwap, sessions: 4, participation: "0.01"}\n'


def test_a_proposal_that_is_not_worked_has_the_digest_and_the_json_it_always_had() -> None:
    assert life.proposal().digest == BEFORE
    assert "working" not in life.proposal().model_dump(mode="json")
    assert "working" not in plain(life.proposal())


def test_how_it_is_worked_is_bound_and_comes_back_from_json() -> None:
    worked = life.proposal(working=HOW)
    others = [HOW.model_copy(update={"sessions": 6}), HOW.model_copy(update={"algorithm": "vwap"}), None]
    assert len({worked.digest, *(life.proposal(working=other).digest for other in others)}) == 4
    assert Proposal.model_validate(worked.model_dump(mode="json")) == worked


@pytest.mark.parametrize(
    "wrong", [{"sessions": 1}, {"sessions": 21}, {"participation": 0}, {"participation": D("1.1")}, {"algorithm": "x"}]
)
def test_a_way_of_working_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Working.model_validate({**HOW.model_dump(), **wrong})


def test_limits_without_the_section_work_nothing_and_hash_as_before() -> None:
    limits = load_limits(default_limits_text())
    assert limits.working is None
    assert "working" not in plain(limits)


def test_entries_above_the_share_of_daily_value_are_worked_and_nothing_else() -> None:
    rule = load_limits(default_limits_text() + RULE).working
    assert rule is not None
    entry, leaving = life.proposal(), life.exit_proposal()
    edge = entry.notional / D("0.005")
    assert rule.worked(entry, edge - 1).working == Working(algorithm="vwap", sessions=4, participation=D("0.01"))
    assert rule.worked(entry, edge) == entry
    assert rule.worked(entry, None) == entry
    assert rule.worked(leaving, D(1)) == leaving


@pytest.mark.parametrize(("horizon", "sessions"), [(20, 4), (4, 3), (3, 2), (2, None), (1, None)])
def test_an_entry_is_worked_before_its_view_is_judged(horizon: int, sessions: int | None) -> None:
    rule = load_limits(default_limits_text() + RULE).working
    assert rule is not None
    how = rule.worked(life.proposal(horizon_sessions=horizon), D(1)).working
    assert (how.sessions if how else None) == sessions
