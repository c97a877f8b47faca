"""Whole shares over weights and caps, and the next child of a plan: what TWAP and VWAP share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_FLOOR, Decimal
from itertools import groupby
from typing import NamedTuple

from tools.errors import ExecutionError
from tools.execution.algorithms.types import Child, Context, Parent, Plan, SessionVolume, Slice, Window

WEEKDAY_SAMPLES = 3


def allocate(quantity: int, weights: Sequence[Decimal], caps: Sequence[int]) -> list[int]:
    """Split whole shares in proportion to `weights`, at most `caps` each, summing to `quantity` exactly.

    Largest remainder (Hamilton); what a cap turns away goes to the others in the same proportion, ties to the earlier.
    Raises ExecutionError `participation_cap` when the caps together hold less.
    """
    room = sum(cap for cap, weight in zip(caps, weights, strict=True) if weight > 0)
    if quantity > room:
        raise ExecutionError(
            f"{quantity} shares do not fit: the participation cap leaves {room} in these windows; "
            "take more windows, a smaller parent or a higher cap",
            code="participation_cap",
        )
    given = [0] * len(weights)
    while (left := quantity - sum(given)) > 0:
        free = [index for index, weight in enumerate(weights) if weight > 0 and given[index] < caps[index]]
        total = sum((weights[index] for index in free), Decimal(0))
        exact = {index: left * weights[index] / total for index in free}
        for index in free:
            given[index] += min(int(exact[index].to_integral_value(rounding=ROUND_FLOOR)), caps[index] - given[index])
        if sum(given) + len(free) > quantity:
            by_remainder = sorted(free, key=lambda index: (-(exact[index] % 1), index))
            for index in by_remainder:
                if sum(given) < quantity and given[index] < caps[index]:
                    given[index] += 1
    return given


def expected_volume(daily: Sequence[SessionVolume], session: date) -> Decimal:
    """Mean volume of the past sessions on the same weekday, or of all of them with fewer than three such.

    Raises ExecutionError `no_volume_history` without any session before `session`.
    """
    past = [item for item in daily if item.session < session]
    if not past:
        raise ExecutionError(
            f"no volume is known before {session}: a participation cap cannot be held without it",
            code="no_volume_history",
        )
    same = [item for item in past if item.session.weekday() == session.weekday()]
    used = same if len(same) >= WEEKDAY_SAMPLES else past
    return Decimal(sum(item.volume for item in used)) / len(used)


def profile(context: Context, buckets: int) -> list[Decimal] | None:
    """Mean share of a session's volume in each of its `buckets` parts, from intraday bars; None without any.

    Each past session counts the same, so that one heavy day does not set the shape. A whole session has all of it.
    """
    if buckets == 1:
        return [Decimal(1)]
    shares = [Decimal(0)] * buckets
    sessions = 0
    rows = sorted((row for row in context.intraday if row.buckets == buckets), key=lambda row: row.session)
    for _, group in groupby(rows, key=lambda row: row.session):
        parts = list(group)
        total = sum(row.volume for row in parts)
        if total == 0:
            continue
        sessions += 1
        for row in parts:
            shares[row.bucket] += Decimal(row.volume) / total
    return [share / sessions for share in shares] if sessions else None


class Caps(NamedTuple):
    """The most shares of a session together, and of each of its windows."""

    session: int
    windows: list[int]


def caps_of(context: Context, windows: Sequence[Window]) -> Caps:
    """What the participation cap allows in the windows of one session.

    With daily history alone a session cut into windows is capped as a whole, which needs all of it: ExecutionError
    `no_intraday_profile` for a part of a session whose share of the volume nobody measured.
    """
    first = windows[0]
    allowed = context.participation * expected_volume(context.daily, first.session)
    shape = profile(context, first.buckets)
    if shape is not None:
        each = [int(allowed * shape[window.bucket]) for window in windows]
        return Caps(sum(each), each)
    if {window.bucket for window in windows} != set(range(first.buckets)):
        raise no_intraday_profile(first.session, f"the cap of {len(windows)} of its {first.buckets} parts")
    return Caps(int(allowed), [int(allowed)] * len(windows))


def no_intraday_profile(session: date, what: str) -> ExecutionError:
    return ExecutionError(
        f"session {session}: {what} needs the volume by time of day, and there are daily volumes only; "
        "give intraday bars, or plan over whole sessions",
        code="no_intraday_profile",
    )


def spread(name: str, basis: str, parent: Parent, context: Context, weights: Sequence[Decimal]) -> Plan:
    """Plan by weight per window: first over sessions, then within each, both under the participation cap."""
    parts = [list(group) for _, group in groupby(range(len(weights)), lambda index: context.windows[index].session)]
    caps = [caps_of(context, [context.windows[index] for index in part]) for part in parts]
    totals = [sum((weights[index] for index in part), Decimal(0)) for part in parts]
    slices: list[Slice] = []
    for part, quantity, cap in zip(
        parts, allocate(parent.quantity, totals, [c.session for c in caps]), caps, strict=True
    ):
        counts = allocate(quantity, [weights[index] for index in part], cap.windows)
        slices += [
            Slice(
                number=index, quantity=count, window=context.windows[index], capacity=most,
                session_capacity=cap.session, limit_price=parent.limit_price,
            )
            for index, count, most in zip(part, counts, cap.windows, strict=True)
        ]  # fmt: skip
    return Plan(parent=parent, algorithm=name, basis=basis, slices=tuple(slices))


def next_slice(plan: Plan, children: Sequence[Child], now: datetime) -> Slice | None:
    """The open window's slice, if unsent, with what earlier children left added, within its capacity and budget."""
    committed: Counter[int] = Counter()
    for child in children:
        committed[child.number] += child.committed
    budget = plan.parent.quantity - committed.total()
    planned = 0
    for item in plan.slices:
        planned += item.quantity
        if item.number in committed or not item.window.start <= now < item.window.end:
            continue
        session = {other.number for other in plan.slices if other.window.session == item.window.session}
        traded = sum(count for number, count in committed.items() if number in session)
        behind = planned - committed.total()
        quantity = min(budget, behind, item.capacity, item.session_capacity - traded)
        if quantity > 0:
            return item.model_copy(update={"quantity": quantity})
    return None
