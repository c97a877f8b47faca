"""What the coordinator settles: who is asked, who is not, and why."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import Field

from tools.types import Frozen

BlockReason = Literal["no_opinion", "no_review", "vetoed"]
SkipReason = Literal["capacity", "people_busy", "opposite_reduction", "same_symbol"]


class Conflict(Frozen):
    """Two proposals or two reviews that could not both stand, and the published rule that settled it."""

    symbol: str
    rule: Literal["tighter_review_wins", "reduction_wins", "best_ranked_entry_wins"]
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
