"""What the coordinator settles: who is asked, who is not, and why."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

from pydantic import Field

from tools.types import Frozen

BlockReason = Literal["no_opinion", "no_review", "vetoed"]
SkipReason = Literal["capacity", "people_busy", "opposite_reduction", "same_symbol", "advised_to_wait"]

REASON_WORDS: Final[Mapping[str, str]] = {
    "capacity": "people can answer only so many questions, and others ranked above it",
    "people_busy": "everybody who may answer had as many open questions as one person may hold",
    "no_opinion": "the reviewer had no opinion", "no_review": "nobody reviewed it", "vetoed": "the reviewer vetoed it",
    "halted": "a halt was in force", "same_symbol": "a better ranked entry in the same name was chosen",
    "opposite_reduction": "the same name was being reduced", "open_case": "an open case in it existed already",
    "advised_to_wait": "the coordinator's model advised to wait with it, and the tighter word stands",
    "safe_mode": "the desk may only reduce", "scaled_to_zero": "the reviewer's factor left nothing of it",
}  # fmt: skip
"""Why a case was not carried out, in words, wherever it is told: these reasons and those of opening a case."""


class Conflict(Frozen):
    """Two proposals or two reviews that could not both stand, and the published rule that settled it."""

    symbol: str
    rule: Literal[
        "tighter_review_wins", "reduction_wins", "best_ranked_entry_wins", "tighter_advice_wins", "advice_orders_ties"
    ]
    kept: str
    dropped: str


class CoordinatorPlan(Frozen):
    """The outcome of one cycle, by proposal id. Every proposal is in exactly one of asked, blocked, not_selected.

    `asked` is in rank order. `factors` holds only what is below one and only for asked proposals that increase
    risk. `escalated` are asked proposals a reviewer wants looked at twice.
    """

    asked: tuple[str, ...]
    blocked: Mapping[str, BlockReason] = {}
    not_selected: Mapping[str, SkipReason] = {}
    factors: Mapping[str, Decimal] = Field(default={}, description="0 < factor < 1")
    escalated: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
