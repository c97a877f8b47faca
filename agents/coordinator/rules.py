"""The published rules by which reviews and proposals are reconciled. Every rule only tightens (P2)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from agents.coordinator.output import BlockReason, Conflict
from tools.canonical import round_float
from tools.types import Proposal, Review


class Settled(NamedTuple):
    """What all reviews of one proposal come to."""

    blocked: BlockReason | None
    factor: Decimal
    escalated: bool


FREE = Settled(None, Decimal(1), False)


def standing(proposal: Proposal) -> tuple[int, float]:
    """What the rank of a proposal follows from; equal for equally ranked ones, which only their ids put in order."""
    return (
        0 if proposal.risk_effect == "reduces" else 1, -round_float(proposal.strength * proposal.confidence)
    )  # fmt: skip


def effective_factor(review: Review) -> Decimal:
    """The share of an increasing proposal that a review lets through, in [0, 1]."""
    if review.verdict in ("veto", "abstain"):
        return Decimal(0)
    return review.factor if review.verdict in ("scale", "escalate") else Decimal(1)


def settle(proposal: Proposal, reviews: Sequence[Review]) -> Settled:
    """Join all reviews of a proposal: the tighter wins. What reduces risk is free whatever anybody says.

    No review at all is no opinion. A factor of zero is a veto.
    """
    if proposal.risk_effect == "reduces":
        return FREE
    if not reviews:
        return Settled("no_review", Decimal(0), False)
    verdicts = {review.verdict for review in reviews}
    factor = min(effective_factor(review) for review in reviews)
    if "veto" in verdicts or (factor == 0 and "abstain" not in verdicts):
        return Settled("vetoed", Decimal(0), False)
    if "abstain" in verdicts:
        return Settled("no_opinion", Decimal(0), False)
    return Settled(None, factor, "escalate" in verdicts)


def disagreements(proposal: Proposal, reviews: Sequence[Review]) -> list[Conflict]:
    """Reviews of one proposal that let different shares through."""
    if proposal.risk_effect == "reduces":
        return []
    ordered = sorted(reviews, key=effective_factor)
    return [
        Conflict(
            symbol=proposal.symbol,
            rule="tighter_review_wins",
            kept=f"{ordered[0].reasoner}: {ordered[0].verdict}",
            dropped=f"{loser.reasoner}: {loser.verdict}",
        )
        for loser in ordered[1:]
        if effective_factor(loser) != effective_factor(ordered[0])
    ]
