"""Turn proposals, reviews and a rank into a plan: asked, blocked or not selected. Deterministic, no model."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agents.coordinator.output import BlockReason, Conflict, CoordinatorPlan, SkipReason
from agents.coordinator.rules import FREE, disagreements, settle
from tools.errors import ToolRejected
from tools.types import Proposal, Review


def plan(
    proposals: Sequence[Proposal],
    reviews: Sequence[Review],
    ranked_ids: Sequence[str],
    capacity: int,
    people_free: int | None = None,
) -> CoordinatorPlan:
    """Settle one cycle. `capacity` counts only what increases risk: people are scarce, exits never wait for a slot.

    `people_free` is how many more such questions the people who may answer can hold now; None is any number.

    Rules, in this order: the tighter review wins; where one symbol is both reduced and increased the reduction
    wins; of several entries in one symbol the best ranked wins; then rank decides up to `capacity` and
    `people_free`, whichever is smaller.
    Raises ToolRejected when `ranked_ids` is not a permutation of the proposals or one of the two is negative.
    """
    by_id = {item.id: item for item in proposals}
    if sorted(by_id) != sorted(ranked_ids) or len(by_id) != len(proposals):
        raise ToolRejected(
            "the rank must name every proposal exactly once: rank the same proposals that are planned", code="bad_rank"
        )
    for places in (capacity, people_free):
        if places is not None and places < 0:
            raise ToolRejected(f"capacity {places} is negative: give zero or more", code="bad_capacity")
    opinions: dict[str, list[Review]] = {}
    for review in reviews:
        opinions.setdefault(review.proposal_id, []).append(review)
    reducing = {item.symbol: item.id for item in proposals if item.risk_effect == "reduces"}

    asked: list[str] = []
    blocked: dict[str, BlockReason] = {}
    skipped: dict[str, SkipReason] = {}
    factors: dict[str, Decimal] = {}
    escalated: list[str] = []
    conflicts: list[Conflict] = []
    entered: dict[str, str] = {}
    for proposal in (by_id[item] for item in ranked_ids):
        settled = settle(proposal, opinions.get(proposal.id, []))
        conflicts += disagreements(proposal, opinions.get(proposal.id, []))
        if settled.blocked is not None:
            blocked[proposal.id] = settled.blocked
        elif proposal.risk_effect == "reduces":
            asked.append(proposal.id)
        elif proposal.symbol in reducing:
            skipped[proposal.id] = "opposite_reduction"
            conflicts.append(_conflict(proposal, "reduction_wins", reducing[proposal.symbol]))
        elif proposal.symbol in entered:
            skipped[proposal.id] = "same_symbol"
            conflicts.append(_conflict(proposal, "best_ranked_entry_wins", entered[proposal.symbol]))
        elif len(entered) >= capacity:
            skipped[proposal.id] = "capacity"
        elif people_free is not None and len(entered) >= people_free:
            skipped[proposal.id] = "people_busy"
        else:
            entered[proposal.symbol] = proposal.id
            asked.append(proposal.id)
            if settled.factor < FREE.factor:
                factors[proposal.id] = settled.factor
            if settled.escalated:
                escalated.append(proposal.id)
    return CoordinatorPlan(
        asked=tuple(asked),
        blocked=blocked,
        not_selected=skipped,
        factors=factors,
        escalated=tuple(escalated),
        conflicts=tuple(conflicts),
    )


def _conflict(dropped: Proposal, rule: str, kept: str) -> Conflict:
    return Conflict.model_validate({"symbol": dropped.symbol, "rule": rule, "kept": kept, "dropped": dropped.id})
