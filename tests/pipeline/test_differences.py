"""What a new file changes, and whether that tightens or loosens: nobody has to read two files side by side."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.differences import compare, effect_of, only_tightens
from pipeline.policy import Policy, default_policy_text, load_policy
from tools.risk.limits import default_limits_text, load_limits
from tools.risk.types import Limits
from tools.types import Difference

LIMITS = load_limits(default_limits_text())
POLICY = load_policy(default_policy_text())


def limits(**changes: Any) -> Limits:
    return Limits.model_validate({**LIMITS.model_dump(), **changes})


def policy(**changes: Any) -> Policy:
    return Policy.model_validate({**POLICY.model_dump(), **changes})


def effects(differences: tuple[Difference, ...]) -> dict[str, str]:
    return {item.field: item.effect for item in differences}


def test_nothing_changed_is_no_difference() -> None:
    assert compare(LIMITS, limits()) == ()
    assert not only_tightens(())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"max_drawdown": "0.1"}, {"max_drawdown": "tighter"}), ({"max_drawdown": "0.2"}, {"max_drawdown": "looser"}),
        ({"min_order_notional": "900"}, {"min_order_notional": "tighter"}),
        ({"risk_per_trade": "0.001"}, {"risk_per_trade": "tighter"}), ({"stop_atr": "1"}, {"stop_atr": "unclear"}),
        ({"restricted": ("IBM",)}, {"restricted": "tighter"}), ({"version": "2"}, {"version": "neutral"}),
        ({"price_band_atr": "2"}, {"price_band_atr": "looser"}),
    ],
)  # fmt: skip
def test_each_field_of_the_limits_has_its_direction(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert effects(compare(LIMITS, limits(**changes))) == expected


SECTIONS = {"sizing", "protection", "exits", "halts", "working"}
"""Their fields mostly depend on each other: moving one counts as loosening."""


@pytest.mark.parametrize("name", sorted(set(Limits.model_fields) - {"stop_atr"} - SECTIONS))
def test_every_limit_but_the_stop_has_a_known_direction(name: str) -> None:
    lists = name in ("restricted", "permitted")
    before, after = (["IBM"], []) if lists else (True, False) if name == "short_permitted" else (2, 1)
    assert effect_of(name, before, after) != "unclear"


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_a_section_is_compared_field_by_field_and_what_is_not_known_counts_as_looser(name: str) -> None:
    assert effect_of(f"{name}.something", 2, 1) == "unclear"
    assert not only_tightens(compare(LIMITS, limits(exits=LIMITS.exits.model_copy(update={"trail_atr": 9}))))


def test_one_name_for_another_on_the_restricted_list_is_unclear() -> None:
    assert effects(compare(limits(restricted=("IBM",)), limits(restricted=("GE",)))) == {"restricted": "unclear"}


def test_a_rule_of_the_policy_is_named_and_its_fields_compared() -> None:
    rules = [rule.model_dump() for rule in POLICY.rules]
    for rule in rules:
        if rule["name"] == "entry":
            rule["approvers"], rule["evidence_required"], rule["roles"] = 2, True, ("risk_officer",)
    assert effects(compare(POLICY, policy(rules=rules))) == {
        "rules.entry.approvers": "tighter", "rules.entry.evidence_required": "tighter", "rules.entry.roles": "tighter",
    }  # fmt: skip


def test_conditions_order_and_coming_and_going_of_rules_are_unclear() -> None:
    rules = [rule.model_dump() for rule in POLICY.rules]
    found = effects(compare(POLICY, policy(rules=rules[1:])))
    assert set(found.values()) == {"unclear"}
    assert "rules" in found
    assert effects(compare(POLICY, policy(rules=[*reversed(rules)]))) == {"rules": "unclear"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"mode": "observe"}, "tighter"), ({"mode": "autonomous"}, "looser"), ({"profile": "desk"}, "tighter"),
        ({"capacity": 2}, "tighter"), ({"cooling_off_seconds": 0}, "looser"), ({"ttl_sessions": 5}, "looser"),
        ({"maturity": {"trend": "trial", "reversion": "trial"}}, "tighter"), ({"ttl_minutes": 60}, "unclear"),
    ],
)  # fmt: skip
def test_the_policys_own_fields_have_their_directions(changes: dict[str, Any], expected: str) -> None:
    assert set(effects(compare(POLICY, policy(**changes))).values()) == {expected}


def test_one_looser_field_among_tighter_ones_is_an_increase() -> None:
    assert only_tightens(compare(LIMITS, limits(max_drawdown="0.1", version="2")))
    assert not only_tightens(compare(LIMITS, limits(max_drawdown="0.1", max_daily_loss="0.04")))
    assert not only_tightens(compare(LIMITS, limits(version="2")))
    assert not only_tightens(compare(None, LIMITS))


@given(before=st.decimals("0.001", "1", places=3), after=st.decimals("0.001", "1", places=3))
def test_the_way_back_of_what_tightens_loosens(before: Any, after: Any) -> None:
    there, back = (effects(compare(limits(max_drawdown=a), limits(max_drawdown=b))) for a, b in
                   ((before, after), (after, before)))  # fmt: skip
    if before == after:
        assert there == back == {}
    else:
        assert {there["max_drawdown"], back["max_drawdown"]} == {"tighter", "looser"}
        assert (there["max_drawdown"] == "tighter") == (after < before)


@pytest.mark.parametrize(
    ("name", "before", "after"), [("unheard_of", 2, 1), ("mode", "observe", "sleep"), ("max_x", "a", "b")]
)
def test_what_nobody_knows_is_unclear(name: str, before: Any, after: Any) -> None:
    assert effect_of(name, before, after) == "unclear"
