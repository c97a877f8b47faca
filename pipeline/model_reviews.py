"""Beside every review by a model, what the rules alone would have said: kept when it is made, for the scorecard."""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session

from agents.coordinator.rules import effective_factor
from agents.decision.output import Compared
from agents.opinion import DecisionBrief, FrameworkName
from memory.database import insert_if_absent
from memory.tables import ModelReviewRow
from pipeline.opening import case_id_of


def keep_model_reviews(
    session: Session, brief: DecisionBrief, made: Iterable[Compared], framework: FrameworkName
) -> None:
    """Keep one row for each candidate that a model was asked about; a recomputed cycle adds nothing."""
    proposals = {item.id: item for item in brief.candidates}
    for item in made:
        if item.said is None:
            continue
        review = item.review
        insert_if_absent(
            session, ModelReviewRow,
            {
                "case_id": case_id_of(proposals[review.proposal_id]), "run_id": brief.run_id,
                "cycle_id": brief.cycle_id, "framework": framework, "agreement": item.agreement,
                "said": item.said.verdict, "said_factor": effective_factor(item.said),
                "ruled": item.ruled.verdict, "ruled_factor": effective_factor(item.ruled),
                "verdict": review.verdict, "factor": effective_factor(review),
                "abstain_reason": review.abstain_reason,
            },
        )  # fmt: skip
