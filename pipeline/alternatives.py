"""What else could have become of a proposal: the coordinator's plan made again with another vote or another rank."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from sqlmodel import Session, col, select

from agents.coordinator.node import plan
from agents.coordinator.output import CoordinatorPlan
from agents.coordinator.rules import effective_factor
from memory.recordings import load_blob
from memory.tables import CaseRow, RecordingRow
from pipeline import canaries
from tools.risk.control import label
from tools.risk.controls import binding, check_order, verdict
from tools.risk.counterfactuals import first_true
from tools.risk.types import Counterfactual, Limits, MarketView, PortfolioView
from tools.strategy.confidence import GRAIN
from tools.strategy.ranking import rank
from tools.types import Proposal, Review, Verdict

NOUNS: dict[Verdict, str] = {
    "keep": "a keep", "veto": "a veto", "scale": "a scaling", "escalate": "an escalation", "abstain": "no opinion",
}  # fmt: skip
VOTES: tuple[Verdict, ...] = ("keep", "veto", "abstain")
"""Other votes that are tried. A scaling that leaves something of an order flips no plan."""
FOR_WANT_OF_PEOPLE = frozenset({"capacity", "people_busy"})
"""Reasons for which a proposal is left out although nothing speaks against it."""


@dataclass(frozen=True)
class Planned:
    """What one cycle's plan was made of: proposals as drafted, in rank order, their reviews, and the places."""

    proposals: tuple[Proposal, ...]
    reviews: tuple[Review, ...]
    capacity: int
    people_free: int | None

    def again(self, proposal: Proposal | None = None, review: Review | None = None) -> CoordinatorPlan:
        """The plan with one proposal or one review exchanged; the rank is computed again."""
        proposals = [proposal if proposal and item.id == proposal.id else item for item in self.proposals]
        reviews = [review if review and item.proposal_id == review.proposal_id else item for item in self.reviews]
        ranked = rank(proposals) if proposal else proposals
        return plan(proposals, reviews, [item.id for item in ranked], self.capacity, self.people_free)

    def drafted(self, proposal_id: str) -> Proposal | None:
        return next((item for item in self.proposals if item.id == proposal_id), None)

    def review_of(self, proposal_id: str) -> Review | None:
        return next((item for item in self.reviews if item.proposal_id == proposal_id), None)


def planned_of(session: Session, cycle_id: str) -> Planned | None:
    """Read from the recordings of a cycle; None for one without a plan, e.g. of exits with nobody there."""
    calls = ("coordinator.plan", "decision.review_candidates")
    found = session.exec(
        select(RecordingRow)
        .where(RecordingRow.cycle_id == cycle_id, col(RecordingRow.call).in_(calls))
        .order_by(col(RecordingRow.id))
    )
    rows = {row.call: row for row in found}
    if len(rows) < len(calls):
        return None
    asked = load_blob(session, rows["coordinator.plan"].input_sha256)
    said = load_blob(session, rows["decision.review_candidates"].output_sha256)
    return Planned(
        proposals=tuple(Proposal.model_validate(item) for item in asked["proposals"]),
        reviews=tuple(Review.model_validate(item) for item in said), capacity=asked["capacity"],
        people_free=asked["people_free"],
    )  # fmt: skip


def with_case(session: Session, planned: Planned, case: CaseRow) -> Planned:
    """The same for a case that came in beside the plan, with the place that it took."""
    if planned.drafted(case.order.id) is not None or not canaries.is_canary(session, case.id):
        return planned
    free = planned.people_free
    return replace(
        planned, proposals=rank((*planned.proposals, case.order)),
        reviews=(*planned.reviews, Review.model_validate(case.review)), capacity=planned.capacity + 1,
        people_free=None if free is None else free + 1,
    )  # fmt: skip


def votes(planned: Planned, proposal: Proposal) -> list[Counterfactual]:
    """The votes with which the coordinator's rule would have come to something else, in one sentence."""
    review = planned.review_of(proposal.id)
    if review is None or proposal.risk_effect == "reduces":
        return []
    inside = _standing(planned.again(), proposal) == "asked"
    flips: list[Verdict] = [
        other
        for other in VOTES
        if other != review.verdict
        and (_standing(planned.again(review=_said(review, other)), proposal) == "asked") != inside
    ]
    if not flips:
        return []
    with_what, did = " or ".join(NOUNS[other] for other in flips), "blocked" if inside else "asked"
    return [
        Counterfactual(
            field="vote", name=flips[0], unit="share", original=effective_factor(review),
            changed=effective_factor(_said(review, flips[0])), verdict="block" if inside else "pass",
            binding_control=None,
            text=f"With {with_what} of the reviewer instead of {NOUNS[review.verdict]} the coordinator would have "
            f"{did} it.",
        )
    ]  # fmt: skip


def more_places(planned: Planned, proposal: Proposal, taken: int) -> list[Counterfactual]:
    """How many more places people would need to have for this proposal to be asked; `taken` are those they had."""
    if _standing(planned.again(), proposal) not in FOR_WANT_OF_PEOPLE:
        return []

    def asked(more: int) -> bool:
        free = planned.people_free
        wider = replace(planned, capacity=planned.capacity + more, people_free=None if free is None else free + more)
        return _standing(wider.again(), proposal) == "asked"

    more = first_true(asked, 0, len(planned.proposals))
    if more is None:
        return []
    text = f"With {taken + more} places instead of {taken} it would have been asked."
    return [
        Counterfactual(
            field="places", unit="count", original=Decimal(taken), changed=Decimal(taken + more), verdict="pass",
            binding_control=None, text=text,
        )
    ]  # fmt: skip


def _said(review: Review, other: Verdict) -> Review:
    reason = "evidence_missing" if other == "abstain" else None
    factor = Decimal(1) if other == "keep" else Decimal(0)
    return review.model_copy(update={"verdict": other, "factor": factor, "abstain_reason": reason})


def kept_whole(
    planned: Planned, proposal: Proposal, view: PortfolioView, market: MarketView, limits: Limits
) -> list[Counterfactual]:
    """What the controls say of the size that a reviewer scaled down, where they would block it."""
    drafted = planned.drafted(proposal.id)
    if drafted is None or drafted.quantity == proposal.quantity or proposal.factor == 1:
        return []
    checks = check_order(drafted, view, market, limits)
    if verdict(checks) != "block":
        return []
    blocking = binding(checks)
    by = label(blocking.control) if blocking else "a control"
    return [
        Counterfactual(
            field="vote", name="keep", unit="share", original=proposal.factor, changed=Decimal(1), verdict="block",
            binding_control=blocking.control if blocking else None,
            text=f"With a keep of the reviewer instead of less of it, its whole size would be blocked by {by}.",
        )
    ]  # fmt: skip


def confidence_for_place(planned: Planned, proposal: Proposal) -> list[Counterfactual]:
    """The nearest confidence at which the rank falls out of the places that people have, or comes into them."""
    subject = planned.drafted(proposal.id)
    now = planned.again()
    if subject is None or subject.risk_effect == "reduces":
        return []
    standing = _standing(now, subject)
    if not FOR_WANT_OF_PEOPLE & (set(now.not_selected.values()) if standing == "asked" else {standing}):
        return []

    def asked(step: int) -> bool:
        moved = subject.model_copy(update={"confidence": step / GRAIN})
        return _standing(planned.again(proposal=moved), moved) == "asked"

    inside = standing == "asked"
    present = int(subject.confidence * GRAIN)
    least = first_true(asked, -1 if inside else present, present if inside else GRAIN)
    if least is None or (inside and least == 0):
        return []
    changed = Decimal(least - 1 if inside else least) / GRAIN
    original = Decimal(repr(subject.confidence))
    what = "its rank would fall out of the places that people have" if inside else "it would have been asked"
    return [
        Counterfactual(
            field="confidence", name="rank", unit="share", original=original, changed=changed,
            verdict="not_selected" if inside else "pass", binding_control=None,
            text=f"At a confidence of {changed:.4f} instead of {original:.4f} {what}.",
        )
    ]  # fmt: skip


def is_of_plan(item: Counterfactual) -> bool:
    """True where the plan was made again: what an edit of the order does not touch."""
    return item.field in ("vote", "confidence") and item.binding_control is None


def _standing(made: CoordinatorPlan, proposal: Proposal) -> str:
    """`asked`, or the reason why not."""
    if proposal.id in made.asked:
        return "asked"
    return made.blocked.get(proposal.id) or made.not_selected[proposal.id]
