"""One deterministic order for a person's scarce attention."""

from __future__ import annotations

from collections.abc import Iterable

from tools.canonical import round_float
from tools.types import Proposal


def rank(proposals: Iterable[Proposal]) -> tuple[Proposal, ...]:
    """Sort: what reduces risk first, then strength times confidence from high to low, ties by id."""
    return tuple(sorted(proposals, key=_key))


def _key(proposal: Proposal) -> tuple[int, float, str]:
    return (
        0 if proposal.risk_effect == "reduces" else 1,
        -round_float(proposal.strength * proposal.confidence),
        proposal.id,
    )
