"""What a lesson is about: the views of a strategy, all or those of one disposition, regime, confidence or refusal."""

from __future__ import annotations

from typing import Literal, Self, get_args

from agents.opinion import SettledView
from tools.types import Frozen, Proposal

Aspect = Literal["all", "disposition", "regime", "confidence", "refused_for", "kind"]
_ASPECTS = get_args(Aspect)
_CONFIDENCE = ((0.53, "low"), (0.55, "middle"))
"""Raw confidences below the bound are in the bucket; the rest is high."""


class Scope(Frozen):
    """One set of views. Written `strategy:NAME` or `strategy:NAME/ASPECT:VALUE`."""

    strategy: str
    aspect: Aspect = "all"
    value: str = ""

    @property
    def name(self) -> str:
        return f"strategy:{self.strategy}" + ("" if self.aspect == "all" else f"/{self.aspect}:{self.value}")

    @property
    def words(self) -> str:
        """The scope as people say it."""
        value = self.value.replace("_", " ")
        return self.strategy + {
            "all": "", "disposition": f", {value}", "regime": f", opened in a {value} market",
            "confidence": f", {value} confidence", "refused_for": f", refused by people for {value}",
            "kind": f", {value}s",
        }[self.aspect]  # fmt: skip

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read a written scope; None for one that nobody writes."""
        head, _, tail = name.rpartition("/")
        aspect, _, value = tail.partition(":")
        if head.startswith("strategy:") and aspect in _ASPECTS and value:
            return cls.model_validate({"strategy": head.partition(":")[2], "aspect": aspect, "value": value})
        kind, _, strategy = name.partition(":")
        return cls(strategy=strategy) if kind == "strategy" and strategy and "/" not in strategy else None

    @property
    def is_of_entries(self) -> bool:
        """Whether an entry that is only proposed can be in it: known before anybody has answered."""
        return self.aspect in ("all", "regime", "confidence") or (self.aspect, self.value) == ("disposition", "filled")

    def holds(self, view: SettledView) -> bool:
        """Whether a settled view belongs to this scope."""
        return self in scopes_of(view)

    def takes(self, proposal: Proposal, regime: str | None) -> bool:
        """Whether a lesson of this scope speaks of a candidate. What people released stands for what they may release;
        what became of refusals says nothing of a candidate."""
        if proposal.kind != "order.entry" or proposal.strategy != self.strategy or not self.is_of_entries:
            return False
        known = {"regime": regime, "confidence": confidence_bucket(proposal.confidence)}
        return self.aspect not in known or known[self.aspect] == self.value


def confidence_bucket(confidence: float) -> str:
    """Low, middle or high, of a raw confidence."""
    return next((name for bound, name in _CONFIDENCE if confidence < bound), "high")


def scopes_of(view: SettledView) -> tuple[Scope, ...]:
    """Every scope that a settled view belongs to. Exits are a scope of their own and in no other."""
    if view.kind == "order.exit":
        return (Scope(strategy=view.strategy, aspect="kind", value="exit"),)
    found: list[tuple[Aspect, str | None]] = [
        ("all", ""), ("disposition", view.disposition), ("regime", view.regime),
        ("confidence", confidence_bucket(view.confidence)), ("refused_for", view.refused_for),
    ]  # fmt: skip
    return tuple(Scope(strategy=view.strategy, aspect=a, value=value) for a, value in found if value is not None)
