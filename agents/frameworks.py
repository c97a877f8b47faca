"""How often a question is put to a model, and what the answers come to.

A framework is handed one way to ask and decides the rest. `direct` asks once; `self_consistency` asks several times
and lets agreement decide. A debate is one more function of the same shape: it puts another prompt in the place of the
shipped one (`prompts.loader.using`) for each side, blind to the other, and once more for the judge.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Protocol

from agents.coordinator.rules import effective_factor
from agents.opinion import Context, FrameworkName
from tools.types import Review, ReviewReason, Verdict

MINIMUM_AGREEMENT: Final = 0.5
"""Share of the samples below which there is no opinion."""
_TIGHTER_FIRST: Final[tuple[Verdict, ...]] = ("veto", "abstain", "escalate", "scale", "keep")


@dataclass(frozen=True)
class Judged:
    """The model's word on one proposal. `agreement` is the share of samples that said it, None for one sample."""

    review: Review
    agreement: float | None = None


Ask = Callable[[Context], Awaitable[Mapping[str, Review]]]
"""Put the question once, in this context; gives one review for each proposal id."""


class Framework(Protocol):
    """Ask as often as it takes; one result for each proposal id that `ask` answers for."""

    async def __call__(self, ask: Ask, context: Context) -> dict[str, Judged]: ...


async def direct(ask: Ask, context: Context) -> dict[str, Judged]:
    """Ask once and take the answer."""
    return {key: Judged(review) for key, review in (await ask(context)).items()}


async def self_consistency(ask: Ask, context: Context) -> dict[str, Judged]:
    """Ask `context.samples` times at once, each a call with its own reservation and recording; agreement decides.

    Samples differ as far as the endpoint's own temperature lets them. One that failed counts as an abstention.
    """
    samples = await asyncio.gather(*(ask(replace(context, sample=number)) for number in range(context.samples)))
    return {key: agree([sample[key] for sample in samples]) for key in samples[0]}


def agree(reviews: Sequence[Review]) -> Judged:
    """What samples of one proposal come to: the most frequent verdict with its factor; of equals the tighter one.

    Below `MINIMUM_AGREEMENT` it is an abstention.
    """
    votes = Counter(_vote(review) for review in reviews)
    most = max(votes.values())
    agreement = most / len(reviews)
    chosen = min((vote for vote, count in votes.items() if count == most), key=_looseness)
    review = next(item for item in reviews if _vote(item) == chosen)
    if agreement < MINIMUM_AGREEMENT:
        reason = ReviewReason(code="samples", text="The samples of the model do not agree.")
        review = Review(
            proposal_id=review.proposal_id, verdict="abstain", abstain_reason="samples_disagree", reasons=(reason,),
            reasoner="model",
        )  # fmt: skip
    elif agreement < 1:
        text = "Not every sample of the model agreed; the most frequent answer stands."
        review = review.model_copy(update={"reasons": (*review.reasons, ReviewReason(code="samples", text=text))})
    return Judged(review, agreement)


def _vote(review: Review) -> tuple[Verdict, Decimal]:
    return review.verdict, effective_factor(review)


def _looseness(vote: tuple[Verdict, Decimal]) -> tuple[Decimal, int]:
    verdict, factor = vote
    return factor, _TIGHTER_FIRST.index(verdict)


FRAMEWORKS: Final[Mapping[FrameworkName, Framework]] = {"direct": direct, "self_consistency": self_consistency}
