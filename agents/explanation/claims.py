"""Build claims: a sentence from evidence, its numbers resolved on the spot.

Sentences of ours are rendered from payload values. Sentences of others (a thesis, a check's message, a reviewer's
reason) are taken as they are when every number in them resolves, and otherwise left out for a plain one; that is
counted in `dropped`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from agents.explanation.grounding import check
from agents.explanation.output import Claim, ClaimKind
from tools.canonical import round_float
from tools.types import Evidence


class ClaimBuilder:
    """Collects the claims of one explanation in order and counts what did not resolve."""

    def __init__(self, evidence: Iterable[Evidence]) -> None:
        self._evidence = {item.id: item for item in evidence}
        self.claims: list[Claim] = []
        self.unresolved = 0
        self.dropped = 0

    @property
    def numbers(self) -> int:
        return sum(len(claim.numbers) for claim in self.claims)

    def find(self, kind: str, symbol: str | None = None) -> tuple[Evidence, ...]:
        """Evidence of a kind, of one symbol where it is given, in brief order."""
        return tuple(
            item for item in self._evidence.values() if item.kind == kind and (symbol is None or item.symbol == symbol)
        )

    def cited(self, evidence_ids: Iterable[str]) -> tuple[Evidence, ...]:
        """The named evidence that is at hand."""
        return tuple(self._evidence[one] for one in evidence_ids if one in self._evidence)

    def say(self, kind: ClaimKind, text: str, evidence: Sequence[Evidence]) -> None:
        """Add a sentence of ours; a number that does not resolve is a bug and is counted as one."""
        report = check(text, evidence, known_ids=frozenset(self._evidence))
        self.unresolved += len(report.unresolved)
        self._add(kind, text, evidence, report.resolved)

    def quote(self, kind: ClaimKind, text: str, evidence: Sequence[Evidence], otherwise: str | None) -> bool:
        """Add a sentence of somebody else if it is grounded, else `otherwise`; True when it was taken.

        What the desk says of its own parts may name what is no evidence.
        """
        report = check(text, evidence, known_ids=frozenset(self._evidence), words=kind not in ("finding", "unknown"))
        if report.ok:
            self._add(kind, text, evidence, report.resolved)
            return True
        self.dropped += 1
        if otherwise is not None:
            self.say(kind, otherwise, evidence)
        return False

    def _add(self, kind: ClaimKind, text: str, evidence: Sequence[Evidence], numbers: tuple[object, ...]) -> None:
        self.claims.append(
            Claim.model_validate(
                {
                    "id": f"k{len(self.claims) + 1}",
                    "kind": kind,
                    "text": text,
                    "evidence_ids": tuple(item.id for item in evidence),
                    "numbers": numbers,
                    "taint": any(item.taint for item in evidence),
                }
            )
        )


def exact(value: float) -> Decimal:
    """A statistic as its evidence holds it: ten digits, in decimal, so that rounding for display agrees."""
    return Decimal(repr(round_float(value)))


def money(value: Decimal) -> str:
    """Two digits and thousands separators, e.g. 19,800.00."""
    return f"{value:,.2f}"


def percent(value: Decimal, digits: int = 2) -> str:
    """A fraction as percent, e.g. 0.0123 -> '1.23 %'."""
    return f"{value * 100:.{digits}f} %"
