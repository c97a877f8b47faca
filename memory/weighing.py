"""How much a remembered item weighs: its similarity, times what it can tell, how old it is, and in which market.

    score = similarity x outcome x recency x regime

Every factor lies in (0, 1] and is 1 for what is most worth telling, so that a score never exceeds the similarity. None
of them looks at the sign or the size of a return: a memory that prefers what went well, or what was extreme, would
make the mean of what is recalled a caricature.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Kind = Literal["case", "lesson", "runbook", "explanation"]
KINDS: Final[tuple[Kind, ...]] = ("case", "lesson", "runbook", "explanation")

LIVED: Final = 1.0
"""A case that was filled: its return was had, costs and slippage and all."""
WATCHED: Final = 0.9
"""A case that was refused, blocked or not filled: the view's return is known, but nobody ever held it."""
NOT_SETTLED: Final = 0.75
"""A case of which nothing is known yet: it says that there was such a situation, not how it ended."""

HALF_LIFE: Final = 126
"""Sessions, half a year, after which the part of the weight that fades has halved: the window of the desk's risk
measures, so that what is old to one is old to the other."""
OLD: Final = 0.5
"""Floor of recency: a close likeness from years ago still comes before a loose one of today."""
SUPERSEDED: Final = 0.5
"""Times recency for what something newer stands in for."""

OTHER_REGIME: Final = 0.8
UNKNOWN_REGIME: Final = 0.9
"""Between a match and none: not to know is not to differ."""


class Weights(NamedTuple):
    """The factors of one item and their product with its similarity, rounded to four digits."""

    outcome: float
    recency: float
    regime: float
    score: float


def weigh(
    similarity: float,
    *,
    kind: Kind,
    outcome: str | None = None,
    age: int = 0,
    superseded: bool = False,
    regime_then: str = "",
    regime_now: str = "",
) -> Weights:
    """Weigh one item. `age` in sessions, negative counts as none; regimes are labels, "" is not known.

    Only cases have outcomes and regimes, and runbooks do not age.
    """
    told = 1.0
    if kind == "case":
        told = NOT_SETTLED if outcome is None else LIVED if outcome == "filled" else WATCHED
    recency = 1.0 if kind == "runbook" else OLD + (1 - OLD) * 0.5 ** (max(0, age) / HALF_LIFE)
    if superseded:
        recency *= SUPERSEDED
    return Weights(
        outcome=told,
        recency=round(recency, 4),
        regime=(match := _match(kind, regime_then, regime_now)),
        score=round(similarity * told * recency * match, 4),
    )


def _match(kind: Kind, then: str, now: str) -> float:
    if kind not in ("case", "explanation"):
        return 1.0
    if not then or not now:
        return UNKNOWN_REGIME
    return 1.0 if then == now else OTHER_REGIME
