"""Policy: who must release a case, and for how long the question stands. Hard limits are not its business.

A policy is a versioned YAML file that carries its own tests. Rules are read from the top and the first that
matches answers. A known kind without a rule needs one approver; an unknown kind is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from importlib.resources import files
from typing import Any, Literal, cast, get_args

import yaml
from pydantic import Field, ValidationError

from tools.errors import ConfigError
from tools.risk.exit_policy import Occasion
from tools.risk.types import MarketView, PortfolioView
from tools.types import LESSON_KINDS, ORDER_KINDS, ChangeKind, Frozen, Proposal, ProposalKind, RiskEffect

KINDS: tuple[str, ...] = (*ORDER_KINDS, *get_args(ChangeKind))
Role = Literal["viewer", "operator", "approver", "risk_officer", "admin"]
DeskMode = Literal["observe", "advise", "supervise", "autonomous"]
Maturity = Literal["trial", "proven"]
Tier = Literal["low", "normal", "high"]
Disposition = Literal["release", "ask", "advise", "observe"]


class Facts(Frozen):
    """What a policy may know of a case. Shares are fractions; None is unknown, and unknown counts as large."""

    kind: str
    risk_effect: RiskEffect
    taint: bool = False
    strategy: str = ""
    abstained: str | None = None
    notional: Decimal = Decimal(0)
    notional_share: Decimal | None = None
    adv_share: Decimal | None = None
    risk_after: Decimal | None = Field(default=None, description="total open risk over equity with this order filled")
    occasion: Occasion | None = Field(default=None, description="why an exit is to go with nobody there")
    overrides: tuple[str, ...] = Field(default=(), description="soft controls that a risk officer asks to let past")


class When(Frozen):
    """Conditions of a rule; an absent one matches everything. `min_*` match at and above the value.

    `occasions` alone is different: an exit with nobody there is matched only by a rule that names its occasion.
    """

    kinds: tuple[ProposalKind | ChangeKind, ...] | None = None
    risk_effect: tuple[RiskEffect, ...] | None = None
    taint: bool | None = None
    abstained: bool | None = None
    overridden: bool | None = None
    maturity: Maturity | None = None
    strategies: tuple[str, ...] | None = None
    modes: tuple[DeskMode, ...] | None = None
    occasions: tuple[Occasion, ...] | None = None
    min_notional: Decimal | None = None
    min_share: Decimal | None = None
    min_adv_share: Decimal | None = None
    min_risk_after: Decimal | None = None

    def matches(self, facts: Facts, maturity: Maturity, mode: DeskMode) -> bool:
        return (
            _among(facts.kind, self.kinds)
            and _among(facts.risk_effect, self.risk_effect)
            and _among(facts.strategy, self.strategies)
            and _among(mode, self.modes)
            and (facts.occasion is None if self.occasions is None else facts.occasion in self.occasions)
            and (self.taint is None or facts.taint == self.taint)
            and (self.abstained is None or (facts.abstained is not None) == self.abstained)
            and (self.overridden is None or bool(facts.overrides) == self.overridden)
            and (self.maturity is None or maturity == self.maturity)
            and _reaches(facts.notional, self.min_notional)
            and _reaches(facts.notional_share, self.min_share)
            and _reaches(facts.adv_share, self.min_adv_share)
            and _reaches(facts.risk_after, self.min_risk_after)
        )


def _among(value: str, allowed: tuple[str, ...] | None) -> bool:
    return allowed is None or value in allowed


def _reaches(value: Decimal | None, minimum: Decimal | None) -> bool:
    return minimum is None or value is None or value >= minimum


class Escalation(Frozen):
    """Who else is told once `after` (a fraction of the time to live) has passed without an answer."""

    after: Decimal = Field(gt=0, lt=1)
    to: Role


class Rule(Frozen):
    """One rule. `separate` names who must not be among the approvers."""

    name: str = Field(min_length=1)
    when: When
    approvers: int = Field(ge=0, le=5)
    roles: tuple[Role, ...] = ("approver",)
    tier: Tier = "normal"
    ttl_sessions: int | None = Field(default=None, ge=1, le=20)
    ttl_minutes: int | None = Field(default=None, ge=1, le=10_080)
    escalation: tuple[Escalation, ...] = ()
    review_sample: Decimal = Field(default=Decimal(0), ge=0, le=1)
    separate: tuple[Literal["proposer", "editor"], ...] = ()
    evidence_required: bool = False


class Ruling(Frozen):
    """What the policy says of one case."""

    rule: str
    required: int
    roles: tuple[Role, ...]
    ttl_sessions: int
    disposition: Disposition = "ask"
    tier: Tier = "normal"
    ttl_minutes: int | None = None
    escalation: tuple[Escalation, ...] = ()
    review_sample: Decimal = Decimal(0)
    separate: tuple[Literal["proposer", "editor"], ...] = ()
    evidence_required: bool = False


class Expectation(Frozen):
    """What a test of a policy expects; an absent field is not looked at."""

    rule: str | None = None
    disposition: Disposition | None = None
    tier: Tier | None = None
    approvers: int | None = None
    refused: bool = False


class Example(Frozen):
    """One test that a policy file carries."""

    name: str
    given: Facts
    expect: Expectation


class Release(Frozen):
    """Who lets a halt go in the desk profile; in single_operator the operator does. A typed reason always."""

    separate: bool = Field(default=True, description="not who engaged it")
    flatten_people: int = Field(default=2, ge=1, le=3, description="distinct people for a flatten")


class Load(Frozen):
    """How busy people are: how many may approve, and how many entries wait for them."""

    people: int = Field(ge=0)
    waiting: int = Field(ge=0)


class LoadExample(Frozen):
    """One test of the capacity: how many entries the next cycle may ask."""

    name: str
    given: Load
    asks: int = Field(ge=0)


class Policy(Frozen):
    """A policy file."""

    version: str = Field(min_length=1)
    profile: Literal["single_operator", "desk"]
    mode: DeskMode = "supervise"
    ttl_sessions: int = Field(ge=1, le=20)
    ttl_minutes: int | None = Field(default=None, ge=1, le=10_080)
    capacity: int = Field(ge=0, le=500)
    capacity_per_person: int | None = Field(
        default=None, ge=1, le=500, description="open entries per active person who may approve; None is any number"
    )
    cooling_off_seconds: int = Field(default=0, ge=0, le=86_400)
    canary_rate: Decimal = Field(default=Decimal(0), ge=0, le=1)
    second_signature_share: Decimal = Field(default=Decimal("0.01"), gt=0, le=1)
    require_sign_off: bool = Field(default=False, description="an unsigned start of day blocks what adds risk")
    maturity: Mapping[str, Maturity] = {}
    release: Release = Release()
    rules: tuple[Rule, ...]
    tests: tuple[Example, ...] = ()
    capacity_tests: tuple[LoadExample, ...] = ()

    def free_places(self, load: Load) -> int | None:
        """How many more entries people can hold: `capacity_per_person` each, less what waits. None is any number."""
        if self.capacity_per_person is None:
            return None
        return max(0, self.capacity_per_person * load.people - load.waiting)

    def rule_on(self, facts: Facts) -> Ruling:
        """Answer for one case. ConfigError(unknown_kind) for a kind nobody knows.

        Nobody is asked only for orders that reduce risk, or in autonomous mode; never for what is tainted or got no
        opinion (P2, P3, P8), except that an exit goes on an occasion which a rule names. Outside supervise and
        autonomous no order that adds risk is ever submitted. A change of the desk always takes a person. An override
        takes, whatever the rule, another person than the risk officer who asks, with the evidence opened, before the
        next open.
        """
        if facts.kind not in KINDS:
            raise ConfigError(f"proposals of kind {facts.kind!r} are refused: no such kind", code="unknown_kind")
        known = self.maturity.get(facts.strategy, "trial")
        is_order = facts.kind in ORDER_KINDS
        unruled = _DEFAULT if is_order else _UNRULED_CHANGE[facts.kind]
        rule = next((r for r in self.rules if r.when.matches(facts, known, self.mode)), unruled)
        reduces = facts.risk_effect == "reduces"
        alone = is_order and (
            reduces or (self.mode == "autonomous" and facts.abstained is None and not facts.overrides)
        )
        named = reduces and facts.occasion is not None
        required = rule.approvers if rule.approvers > 0 or (alone and (named or not facts.taint)) else 1
        disposition: Disposition = "ask" if required else "release"
        if is_order and not reduces and self.mode in ("observe", "advise"):
            disposition = "observe" if self.mode == "observe" else "advise"
        ruling = Ruling(
            rule=rule.name, disposition=disposition, tier=rule.tier, required=required, roles=rule.roles,
            ttl_sessions=rule.ttl_sessions or self.ttl_sessions, ttl_minutes=rule.ttl_minutes or self.ttl_minutes,
            escalation=rule.escalation, review_sample=rule.review_sample, separate=rule.separate,
            evidence_required=rule.evidence_required,
        )  # fmt: skip
        if not facts.overrides:
            return ruling
        floor = {"tier": "high", "ttl_sessions": 1, "evidence_required": True}
        return ruling.model_copy(update={**floor, "separate": tuple(sorted({*rule.separate, "proposer"}))})

    def failures(self) -> tuple[str, ...]:
        """Run the tests that the file carries; one sentence for each that fails."""
        loads = (self._load_failure(example) for example in self.capacity_tests)
        cases = (self._failure(example) for example in self.tests)
        return tuple(text for text in (*cases, *loads) if text is not None)

    def _load_failure(self, example: LoadExample) -> str | None:
        free = self.free_places(example.given)
        asks = self.capacity if free is None else min(self.capacity, free)
        return None if asks == example.asks else f"{example.name}: asks {asks}, expected {example.asks}"

    def _failure(self, example: Example) -> str | None:
        want = example.expect
        try:
            got = self.rule_on(example.given)
        except ConfigError as error:
            return None if want.refused else f"{example.name}: {error.message}"
        if want.refused:
            return f"{example.name}: expected a refusal, got rule {got.rule}"
        pairs = {
            "rule": (want.rule, got.rule), "disposition": (want.disposition, got.disposition),
            "tier": (want.tier, got.tier), "approvers": (want.approvers, got.required),
        }  # fmt: skip
        wrong = [f"{k} {g}, expected {w}" for k, (w, g) in pairs.items() if w is not None and w != g]
        return f"{example.name}: {'; '.join(wrong)}" if wrong else None


_DEFAULT = Rule(name="default", when=When(), approvers=1)
_UNRULED_CHANGE: Mapping[str, Rule] = {
    kind: _DEFAULT.model_copy(update={"roles": (role,), "tier": "high", "separate": ("proposer",)})
    for kind, role in (("limits.activation", "risk_officer"), ("policy.activation", "admin"))
} | {
    kind: _DEFAULT.model_copy(
        update={
            "name": "lesson_change", "roles": ("risk_officer",), "tier": "high", "separate": ("proposer",),
            "evidence_required": True,
        }
    )
    for kind in LESSON_KINDS
}  # fmt: skip
"""What a policy without a rule for a kind of change asks for it: a person who answers for it, not its proposer."""


def facts_of(
    proposal: Proposal,
    portfolio: PortfolioView,
    market: MarketView | None,
    abstained: str | None = None,
    occasion: str | None = None,
    overrides: Iterable[str] = (),
) -> Facts:
    """The facts of one proposal against the book and market it was checked on."""
    equity = portfolio.equity
    open_risk = sum((p.open_risk for p in portfolio.positions), Decimal(0))
    open_risk += sum((o.open_risk for o in portfolio.pending if o.symbol != proposal.symbol), Decimal(0))
    if proposal.risk_effect != "reduces":
        stop = proposal.stop_price
        lost = proposal.reference_price if stop is None else max(Decimal(0), proposal.reference_price - stop)
        open_risk += lost * proposal.quantity
    adv = None if market is None else market.adv
    step = Decimal("0.000001")
    return Facts(
        kind=proposal.kind, risk_effect=proposal.risk_effect, taint=proposal.taint, strategy=proposal.strategy,
        abstained=abstained, notional=proposal.notional,
        notional_share=(proposal.notional / equity).quantize(step) if equity > 0 else None,
        adv_share=(proposal.notional / adv).quantize(step) if adv else None,
        risk_after=(open_risk / equity).quantize(step) if equity > 0 else None,
        occasion=cast(Occasion | None, occasion), overrides=tuple(sorted(overrides)),
    )  # fmt: skip


def default_policy_text() -> str:
    return files("pipeline").joinpath("policy.yaml").read_text(encoding="utf-8")


def load_policy(text: str) -> Policy:
    """Parse a policy file and run its tests; ConfigError names the field and the value, or the test that fails."""
    try:
        raw: Any = yaml.safe_load(text)
        policy = Policy.model_validate(raw)
    except yaml.YAMLError as error:
        raise ConfigError(f"policy file is not YAML: {' '.join(str(error).split())}", code="bad_policy") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigError(f"policy file: {where}: {first['msg']} (got {first['input']!r})", code="bad_policy") from None
    names = [rule.name for rule in policy.rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"policy file: rule {twice[0]!r} stands twice: give each its own name", code="bad_policy")
    failed = policy.failures()
    if failed:
        raise ConfigError(f"policy file: its own test fails: {failed[0]}", code="policy_test_failed")
    return policy
