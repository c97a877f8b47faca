"""Policy: who must release a case, and for how long the question stands. Hard limits are not its business."""

from __future__ import annotations

from decimal import Decimal
from importlib.resources import files
from typing import Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError

from tools.errors import ConfigError
from tools.types import Frozen, Proposal, ProposalKind, RiskEffect

KINDS: tuple[str, ...] = get_args(ProposalKind)


class When(Frozen):
    """Conditions of a rule; an absent one matches everything. Shares are of equity."""

    kinds: tuple[ProposalKind, ...] | None = None
    risk_effect: tuple[RiskEffect, ...] | None = None
    taint: bool | None = None
    min_share: Decimal | None = None

    def matches(self, proposal: Proposal, equity: Decimal) -> bool:
        return (
            (self.kinds is None or proposal.kind in self.kinds)
            and (self.risk_effect is None or proposal.risk_effect in self.risk_effect)
            and (self.taint is None or proposal.taint == self.taint)
            and (self.min_share is None or proposal.notional >= self.min_share * equity)
        )


class Rule(Frozen):
    name: str
    when: When
    approvers: int = Field(ge=0, le=5)
    roles: tuple[str, ...] = ()


class Ruling(Frozen):
    """What the policy says of one proposal."""

    rule: str
    required: int
    roles: tuple[str, ...]
    ttl_sessions: int


class Policy(Frozen):
    """A policy file."""

    version: str
    profile: Literal["single_operator", "desk"]
    ttl_sessions: int = Field(ge=1, le=20)
    capacity: int = Field(ge=0, le=500)
    rules: tuple[Rule, ...]

    def rule_on(self, proposal: Proposal, equity: Decimal) -> Ruling:
        """First matching rule. Nobody is asked only for what reduces risk and is not tainted (P2, P8)."""
        if proposal.kind not in KINDS:
            raise ConfigError(f"proposals of kind {proposal.kind!r} are refused: no such kind", code="unknown_kind")
        for rule in self.rules:
            if rule.when.matches(proposal, equity):
                required = rule.approvers
                if required == 0 and (proposal.taint or proposal.risk_effect != "reduces"):
                    required = 1
                return Ruling(rule=rule.name, required=required, roles=rule.roles, ttl_sessions=self.ttl_sessions)
        return Ruling(rule="default", required=1, roles=("approver",), ttl_sessions=self.ttl_sessions)


def default_policy_text() -> str:
    return files("pipeline").joinpath("policy.yaml").read_text(encoding="utf-8")


def load_policy(text: str) -> Policy:
    """Parse a policy file; ConfigError names the field and the value."""
    try:
        raw: Any = yaml.safe_load(text)
        return Policy.model_validate(raw)
    except yaml.YAMLError as error:
        raise ConfigError(f"policy file is not YAML: {' '.join(str(error).split())}", code="bad_policy") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigError(f"policy file: {where}: {first['msg']} (got {first['input']!r})", code="bad_policy") from None
