"""A model's advice on a plan that the rules have made: an entry may wait, and ties may stand in another order.

It is asked only about entries that the rules would ask, sees neither sizes nor prices, and can add nothing: what waits
leaves its place empty, and the tighter word stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from agents.coordinator.advice import MOST_RATIONALE, Advice, AdviceLine, advice_schema
from agents.coordinator.node import plan
from agents.coordinator.output import Conflict, CoordinatorPlan
from agents.coordinator.rules import standing
from agents.opinion import Abstain, Context
from agents.reasoning import call_structured
from prompts.loader import load
from tools.types import Proposal, Review

CALL = "coordinator.advise"
TOKENS_PER_LINE = 120
TOKENS_SPARE = 200


async def coordinate(
    proposals: Sequence[Proposal],
    reviews: Sequence[Review],
    ranked_ids: Sequence[str],
    capacity: int,
    people_free: int | None,
    context: Context,
) -> CoordinatorPlan:
    """Settle one cycle by the published rules, and let a model advise on the entries that they would ask.

    What the advice comes to is settled by the rules again: nothing is asked that would not have been without it. No
    opinion of the model leaves the rules' plan as it is.
    """
    ruled = plan(proposals, reviews, ranked_ids, capacity, people_free)
    by_id = {item.id: item for item in proposals}
    entries = [by_id[key] for key in ruled.asked if by_id[key].risk_effect != "reduces"]
    if not entries or not context.asks("coordinator"):
        return ruled
    said = await advise(entries, reviews, context)
    if said is None:
        return ruled
    ordered = in_order([by_id[key] for key in ranked_ids], said)
    made = plan(proposals, reviews, ordered, capacity, people_free)
    moved = [(by_id[now], was) for was, now in zip(ruled.asked, made.asked, strict=True) if was != now]
    if moved:
        first, was = moved[0]
        order = Conflict(
            symbol=first.symbol,
            rule="advice_orders_ties",
            kept=f"model: {first.id} first",
            dropped=f"rules: {was} first",
        )
        made = made.model_copy(update={"conflicts": (*made.conflicts, order)})
    return held_back(made, said, {key: item.symbol for key, item in by_id.items()})


async def advise(
    entries: Sequence[Proposal], reviews: Sequence[Review], context: Context
) -> Mapping[str, AdviceLine] | None:
    """The model's line for each entry by proposal id, those it leaves out missing; None where it has no opinion."""
    handles = {f"p{number}": item for number, item in enumerate(entries, 1)}
    by_proposal: dict[str, list[str]] = {}
    for review in reviews:
        said = "; ".join(reason.text for reason in review.reasons)
        by_proposal.setdefault(review.proposal_id, []).append(f"{review.verdict}: {said}")
    prompt = load("coordinator/advise").render(
        longest=MOST_RATIONALE, entries="\n".join(_lines(handles)),
        reviews="\n".join(f"{handle} {' | '.join(by_proposal.get(i.id, ()))}" for handle, i in handles.items()),
    )  # fmt: skip
    answer = await call_structured(
        context, call=CALL, prompt=prompt, output=Advice, schema=advice_schema(list(handles)),
        max_output_tokens=TOKENS_SPARE + TOKENS_PER_LINE * len(handles),
    )  # fmt: skip
    if isinstance(answer, Abstain):
        return None
    found: dict[str, AdviceLine] = {}
    for line in answer.last.advice:
        if line.entry in handles:
            key = handles[line.entry].id
            found[key] = line if key not in found or line.say == "wait" else found[key]
    return found


def in_order(ranked: Sequence[Proposal], said: Mapping[str, AdviceLine]) -> list[str]:
    """The rank with ties put as advised: within a tie first what was asked about; nothing passes a better rank."""
    ordered: list[str] = []
    for _, tied in groupby(ranked, key=standing):
        group = list(tied)
        asked = sorted((item for item in group if item.id in said), key=lambda item: said[item.id].place)
        ordered += [item.id for item in (*asked, *(item for item in group if item.id not in said))]
    return ordered


def held_back(made: CoordinatorPlan, said: Mapping[str, AdviceLine], symbols: Mapping[str, str]) -> CoordinatorPlan:
    """The plan without the entries that should wait, with the dissent; their places stay empty."""
    waits = [key for key in made.asked if key in said and said[key].say == "wait"]
    if not waits:
        return made
    dissent = tuple(
        Conflict(
            symbol=symbols[key], rule="tighter_advice_wins", kept=f"model: wait, {said[key].reason}",
            dropped="rules: ask",
        )
        for key in waits
    )  # fmt: skip
    return made.model_copy(
        update={
            "asked": tuple(key for key in made.asked if key not in waits),
            "not_selected": {**made.not_selected, **dict.fromkeys(waits, "advised_to_wait")},
            "factors": {key: factor for key, factor in made.factors.items() if key not in waits},
            "escalated": tuple(key for key in made.escalated if key not in waits),
            "conflicts": (*made.conflicts, *dissent),
        }
    )


def _lines(handles: Mapping[str, Proposal]) -> list[str]:
    ranks: dict[tuple[int, float], int] = {}
    return [
        f"- {handle}: rank {ranks.setdefault(standing(item), len(ranks) + 1)}, {item.side} {item.symbol}, "
        f"{item.strategy}, strength {item.strength:.2f}, confidence {item.confidence:.2f}"
        for handle, item in handles.items()
    ]
