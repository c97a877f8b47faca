"""What may become of one question, told by the rules of the desk alone: the oracle of the approval life.

Nothing here reads the store or calls the code under test. `Expected` says with which code each act must end, in
whatever order acts come, and what must be true afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

ROLES = ("viewer", "operator", "approver", "risk_officer", "admin")
PRICE, EQUITY, LARGE_SHARE = Decimal("120.5"), Decimal(1_000_000), Decimal("0.008")
QUANTITY, STOP, BAND_LOW = 100, Decimal(114), Decimal(118)
TTL_SESSIONS = 1
"""Sessions that a question stands."""


@dataclass(frozen=True)
class Cast:
    """One of the people: the role of their own, and what they may release in one order."""

    name: str
    role: str
    order_limit: Decimal | None = None
    is_person: bool = True


@dataclass
class Expected:
    """The question, the people and the two clocks as they must be."""

    required: int
    needed_role: str
    evidence_required: bool
    minutes: int | None
    separate_editor: bool
    asked: datetime
    digest: str = ""
    quantity: int = QUANTITY
    stop: Decimal = STOP
    status: str = "pending"
    spent: bool = False
    extensions: int = 0
    now: datetime = field(init=False)
    seen: datetime = field(init=False)
    index: int = 60
    expires: datetime | None = field(init=False)
    halted: bool = False
    answers: dict[tuple[str, str], str] = field(default_factory=dict)
    editors: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)
    disabled: set[str] = field(default_factory=set)
    loans: list[tuple[Cast, str, datetime, datetime]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = self.seen = self.asked
        self.expires = self.asked + timedelta(minutes=self.minutes) if self.minutes else None

    @property
    def wall(self) -> datetime:
        return max(self.now, self.seen)

    @property
    def signed(self) -> set[str]:
        return {name for (name, digest), said in self.answers.items() if (digest, said) == (self.digest, "approve")}

    @property
    def refused(self) -> bool:
        return "reject" in self.answers.values()

    @property
    def large(self) -> bool:
        return self.quantity * PRICE / EQUITY >= LARGE_SHARE

    @property
    def state(self) -> str:
        """State of the case."""
        return "submitted" if self.spent else {"pending": "awaiting"}.get(self.status, self.status)

    def over(self) -> bool:
        late = self.expires is not None and self.wall >= self.expires
        return self.index >= 60 + TTL_SESSIONS or late

    def rank(self, who: Cast) -> int:
        if who.name in self.disabled:
            return -1
        lent = [giver.role for giver, to, start, end in self.loans
                if to == who.name and start <= self.wall < end and giver.name not in self.disabled]  # fmt: skip
        return max(ROLES.index(role) for role in (who.role, *lent))

    def _closed(self, who: Cast | None, decision: str) -> str:
        """Why the question takes no such answer; empty when it does."""
        mine = who is not None and (who.name, self.digest) in self.answers
        late = self.status == "approved" and decision == "reject" and not mine and not self.spent
        if mine or (self.status in ("approved", "rejected") and not late):
            return "decided"
        if self.status in ("expired", "voided") or (self.over() and not late):
            return "expired"
        return ""

    def _barred(self, who: Cast, decision: str, quantity: int) -> str:
        """Why this one may not give the answer; empty when they may."""
        if who.is_person and who.name in self.disabled:
            return "unauthorized"
        if who.is_person and self.rank(who) < ROLES.index(self.needed_role):
            return "role"
        if decision == "reject":
            return ""
        if self.halted:
            return "forbidden"
        if not who.is_person:
            return ""
        if self.separate_editor and who.name in self.editors:
            return "separation"
        if self.evidence_required and who.name not in self.opened:
            return "evidence_unopened"
        over = who.order_limit is not None and quantity * PRICE > who.order_limit
        return "own_limit" if over else ""

    def answer(self, who: Cast, decision: str, digest: str) -> str:
        """Approve or reject; the code it must end with."""
        if digest == self.digest and self.answers.get((who.name, digest)) == decision:
            return ""
        if digest != self.digest:
            return "stale_digest"
        code = self._closed(who, decision) or self._barred(who, decision, self.quantity)
        if not code:
            self.answers[who.name, digest] = decision
            self._count()
        return code

    def _count(self) -> None:
        if self.refused:
            self.status = "rejected"
        elif len(self.signed) >= self.required:
            self.status = "approved"

    def edit(self, who: Cast, quantity: int, stop: Decimal, digest: str, edited: str) -> str:
        """Change the proposal into the one with digest `edited`."""
        if digest != self.digest:
            return "stale_digest"
        lowers = quantity <= self.quantity and self.stop <= stop < BAND_LOW
        nothing = (quantity, stop) == (self.quantity, self.stop)
        code = self._closed(who, "edit") or ("" if lowers and not nothing else "invalid")
        code = code or self._barred(who, "edit", quantity)
        if code:
            return code
        self.digest, self.quantity, self.stop = edited, quantity, stop
        self.editors.add(who.name)
        self.separate_editor = self.separate_editor or self.large
        if not self.separate_editor:
            self.answers[who.name, edited] = "approve"
            self._count()
        return ""

    def question(self, who: Cast) -> str:
        """Ask the agent."""
        return self._closed(None, "respond") or self._unable(who)

    def _unable(self, who: Cast) -> str:
        """Why somebody is no approver now; empty for one."""
        if who.is_person and who.name in self.disabled:
            return "unauthorized"
        return "role" if who.is_person and self.rank(who) < ROLES.index("approver") else ""

    def extend(self, who: Cast) -> str:
        if self._unable(who):
            return self._unable(who)
        if self.status != "pending" or self.over():
            return "expired"
        if self.expires is None or self.extensions:
            return "invalid"
        self.expires += self.expires - self.asked
        self.extensions += 1
        return ""

    def sweep(self) -> None:
        """What has run out of time is closed."""
        if self.status == "pending" and self.over():
            self.status = "expired"

    def submit(self) -> str:
        if self.status == "approved" and not self.spent:
            self.spent = not self.halted and self.index <= 60 + TTL_SESSIONS
            self.status = "approved" if self.spent else "voided"
        return ""

    def release(self) -> None:
        """The end of a halt voids what was waiting or unsent."""
        self.halted = False
        if self.status == "pending" or (self.status == "approved" and not self.spent):
            self.status = "voided"
