"""Policy: who is asked. It can ask for more than it says, never for less than the principles demand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.policy import Facts, Policy, Rule, When, default_policy_text, facts_of, load_policy
from tests.pipeline import life
from tools.errors import ConfigError
from tools.risk.types import MarketView, PortfolioView
from tools.types import Proposal

EQUITY = Decimal(1_000_000)
DEFAULT = load_policy(default_policy_text())


MARKET = MarketView(
    symbol="IBM", sector="Technology", price=Decimal("120.5"), atr=Decimal("2.5"), adv=Decimal(500_000_000),
    data_age_hours=0.0,
)  # fmt: skip


def policy(*rules: Rule, **changes: Any) -> Policy:
    return DEFAULT.model_copy(update={"rules": rules, **changes})


def facts(body: Proposal, equity: Decimal = EQUITY, abstained: str | None = None) -> Facts:
    book = PortfolioView(equity=equity, cash=equity, peak_equity=equity, day_start_equity=equity)
    return facts_of(body, book, MARKET, abstained)


def test_the_shipped_policy_asks_one_person_for_an_entry_and_nobody_for_an_exit() -> None:
    entry = DEFAULT.rule_on(facts(life.proposal()))
    leaving = DEFAULT.rule_on(facts(life.exit_proposal()))
    assert (entry.rule, entry.required, entry.roles, entry.ttl_sessions) == ("entry", 1, ("approver",), 1)
    assert (leaving.rule, leaving.required) == ("exit", 0)


def test_the_shipped_policy_asks_a_person_for_anything_tainted() -> None:
    for body in (life.proposal(taint=True), life.exit_proposal(taint=True)):
        assert (DEFAULT.rule_on(facts(body)).rule, DEFAULT.rule_on(facts(body)).required) == ("tainted", 1)


def test_a_known_kind_without_a_rule_needs_one_approver() -> None:
    found = policy().rule_on(facts(life.proposal()))
    assert (found.rule, found.required, found.roles) == ("default", 1, ("approver",))
    assert policy().rule_on(facts(life.exit_proposal())).required == 1


def test_an_unknown_kind_is_refused_whatever_the_rules_say() -> None:
    strange = life.proposal().model_copy(update={"kind": "order.leverage"})
    everything = Rule(name="all", when=When(), approvers=0)
    for law in (policy(), policy(everything)):
        with pytest.raises(ConfigError, match=r"order\.leverage") as caught:
            law.rule_on(facts(strange))
        assert caught.value.code == "unknown_kind"


def test_the_first_rule_that_matches_answers() -> None:
    two = Rule(name="two", when=When(kinds=("order.entry",)), approvers=2)
    one = Rule(name="one", when=When(), approvers=1)
    assert policy(two, one).rule_on(facts(life.proposal())).rule == "two"
    assert policy(two, one).rule_on(facts(life.exit_proposal())).rule == "one"
    assert policy(one, two).rule_on(facts(life.proposal())).rule == "one"


@pytest.mark.parametrize(("share", "rule"), [("0.012049", "large"), ("0.01205", "large"), ("0.012051", "default")])
def test_a_rule_by_size_begins_at_its_share_of_equity(share: str, rule: str) -> None:
    """The proposal is 100 x 120.50 = 12,050, which is 1.205 % of a million."""
    large = Rule(name="large", when=When(min_share=Decimal(share)), approvers=2)
    assert policy(large).rule_on(facts(life.proposal())).rule == rule


PROPOSALS = st.builds(
    lambda leaving, taint, effect: (life.exit_proposal if leaving else life.proposal)(taint=taint, risk_effect=effect),
    st.booleans(), st.booleans(), st.sampled_from(["increases", "reduces", "mixed"]),
)  # fmt: skip
RULES = st.builds(
    Rule,
    name=st.just("any"),
    when=st.builds(
        When,
        kinds=st.none() | st.lists(st.sampled_from(["order.entry", "order.exit"]), max_size=2).map(tuple),
        risk_effect=st.none() | st.lists(st.sampled_from(["increases", "reduces", "mixed"]), max_size=3).map(tuple),
        taint=st.none() | st.booleans(),
        min_share=st.none() | st.decimals("0", "0.1", places=3),
    ),
    approvers=st.integers(0, 5),
)


@given(PROPOSALS, st.lists(RULES, max_size=4))
def test_no_policy_releases_by_itself_what_increases_risk_or_is_tainted(body: Proposal, rules: list[Rule]) -> None:
    found = policy(*rules).rule_on(facts(body))
    if body.taint or body.risk_effect != "reduces":
        assert found.required >= 1
    if found.rule == "any":
        matching = next(rule for rule in rules if rule.when.matches(facts(body), "trial", "supervise"))
        assert found.required in (matching.approvers, max(1, matching.approvers))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("approvers: 0", "approvers: -1", "approvers"),
        ("approvers: 0", "approvers: six", "approvers"),
        ("approvers: 0", "approver: 0", "rules.1"),
        ("kinds: [order.entry]", "kinds: [order.entrance]", "order.entrance"),
        ("ttl_sessions: 1", "ttl_sessions: 0", "ttl_sessions"),
        ("ttl_sessions: 1", "", "ttl_sessions"),
        ("capacity: 5", "capacity: 5\nlimits: 3", "limits"),
        ("profile: single_operator", "profile: nobody", "nobody"),
        ("rules:", "rules: [", "not YAML"),
        ('version: "1"', "", "version"),
    ],
)
def test_a_misspelt_policy_is_refused_naming_the_field(old: str, new: str, named: str) -> None:
    text = default_policy_text()
    assert old in text
    with pytest.raises(ConfigError, match=named) as caught:
        load_policy(text.replace(old, new, 1))
    assert caught.value.code == "bad_policy"


@pytest.mark.parametrize("text", ["", "[]", "just words", "null"])
def test_a_file_that_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_policy(text)
    assert caught.value.code == "bad_policy"


def test_the_digest_of_a_proposal_covers_its_risk_effect() -> None:
    changes: list[dict[str, Any]] = [{"risk_effect": "reduces"}, {"quantity": 101}, {"taint": True}]
    digests = {life.proposal(**change).digest for change in changes} | {life.proposal().digest}
    assert len(digests) == 4


def test_what_nobody_could_measure_counts_as_large() -> None:
    unknown = Facts(kind="order.entry", risk_effect="increases")
    large = Rule(name="large", when=When(min_adv_share=Decimal("0.01")), approvers=2)
    assert policy(large).rule_on(unknown).rule == "large"
    assert policy(large).rule_on(facts(life.proposal())).rule == "default"


def test_risk_after_the_order_counts_what_the_stop_leaves_open() -> None:
    found = facts(life.proposal())
    assert found.risk_after == Decimal("0.00065")
    assert facts(life.proposal(stop_price=None)).risk_after == found.notional_share


def test_observing_asks_nobody_and_advising_asks_without_effect_but_exits_go_on() -> None:
    for mode in ("observe", "advise"):
        law = DEFAULT.model_copy(update={"mode": mode})
        assert law.rule_on(facts(life.proposal())).disposition == mode
        assert law.rule_on(facts(life.exit_proposal())).disposition == "release"


def test_only_an_autonomous_desk_releases_an_entry_alone_and_never_a_tainted_one_or_one_without_opinion() -> None:
    free = Rule(name="free", when=When(), approvers=0)
    alone = policy(free, mode="autonomous")
    assert alone.rule_on(facts(life.proposal())).disposition == "release"
    assert alone.rule_on(facts(life.proposal(taint=True))).required == 1
    assert alone.rule_on(facts(life.proposal(), abstained="timeout")).required == 1
    assert policy(free).rule_on(facts(life.proposal())).required == 1


def test_maturity_of_a_strategy_is_read_from_the_policy_and_unknown_ones_are_on_trial() -> None:
    tried = Rule(name="tried", when=When(maturity="proven"), approvers=1)
    law = policy(tried, maturity={"trend-0": "proven"})
    assert law.rule_on(facts(life.proposal())).rule == "tried"
    assert law.rule_on(facts(life.proposal(number=1))).rule == "default"


def test_a_policy_whose_own_test_fails_is_not_loaded() -> None:
    wrong = default_policy_text().replace("expect: {rule: entry,", "expect: {rule: exit,")
    with pytest.raises(ConfigError, match="an entry needs one person") as caught:
        load_policy(wrong)
    assert caught.value.code == "policy_test_failed"


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="stands twice"):
        load_policy(default_policy_text().replace("name: large_entry", "name: entry"))
