"""TWAP and VWAP: exact sums, caps held, no invented profile, never over budget, stoppable at any child."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tools.errors import ExecutionError
from tools.execution.algorithms.spread import allocate, expected_volume
from tools.execution.algorithms.twap import Twap
from tools.execution.algorithms.types import (
    Algorithm,
    BucketVolume,
    Child,
    Context,
    Parent,
    Plan,
    SessionVolume,
    Slice,
    Window,
)
from tools.execution.algorithms.vwap import Vwap

D = Decimal
MONDAY = date(2010, 3, 1)
OPEN = datetime(2010, 3, 1, 14, 30, tzinfo=UTC)


def parent(quantity: int = 1_000, **changes: Any) -> Parent:
    return Parent.model_validate({"parent_id": "p1", "symbol": "IBM", "side": "buy", "quantity": quantity, **changes})


def parts(day: int = 0, buckets: int = 1, only: Sequence[int] | None = None) -> tuple[Window, ...]:
    """The windows of one session: 390 minutes in equal parts."""
    length = timedelta(minutes=390) / buckets
    opened = OPEN + timedelta(days=day)
    return tuple(
        Window(
            session=MONDAY + timedelta(days=day), start=opened + number * length, end=opened + (number + 1) * length,
            bucket=number, buckets=buckets,
        )
        for number in (only if only is not None else range(buckets))
    )  # fmt: skip


def history(volumes: Sequence[int]) -> tuple[SessionVolume, ...]:
    """Past sessions, newest last, on the weekdays before the Monday."""
    days = [MONDAY - timedelta(days=back) for back in range(1, 60) if (MONDAY - timedelta(days=back)).weekday() < 5]
    return tuple(
        SessionVolume(session=day, volume=volume) for day, volume in zip(days, reversed(volumes), strict=False)
    )[::-1]


def shape(volumes: Sequence[int], back: int = 3) -> tuple[BucketVolume, ...]:
    return tuple(
        BucketVolume(session=MONDAY - timedelta(days=back), bucket=number, buckets=len(volumes), volume=volume)
        for number, volume in enumerate(volumes)
    )


def context(windows: tuple[Window, ...], **changes: Any) -> Context:
    base = {"windows": windows, "daily": history([100_000] * 5), "participation": D("0.10")}
    return Context.model_validate({**base, **changes})


def quantities(plan: Plan) -> list[int]:
    return [item.quantity for item in plan.slices]


WEEK = tuple(window for day in range(5) for window in parts(day))


def test_twap_gives_every_equal_window_the_same_and_the_rest_to_the_first() -> None:
    plan = Twap().plan(parent(1_002), context(WEEK))
    assert quantities(plan) == [201, 201, 200, 200, 200]
    half = Window(session=MONDAY, start=OPEN, end=OPEN + timedelta(minutes=195))
    assert quantities(Twap().plan(parent(300), context((half, *parts(1))))) == [100, 200]


def test_vwap_over_sessions_follows_the_volume_of_the_weekday() -> None:
    volumes = [100_000, 200_000, 300_000, 200_000, 200_000] * 3
    plan = Vwap().plan(parent(1_000), context(WEEK, daily=history(volumes)))
    assert quantities(plan) == [100, 200, 300, 200, 200]
    assert "15 past sessions" in plan.basis


def test_with_few_sessions_every_weekday_counts_the_same() -> None:
    daily = history([100_000, 300_000, 200_000])
    assert expected_volume(daily, MONDAY) == D(200_000)
    assert quantities(Vwap().plan(parent(1_000), context(WEEK, daily=daily))) == [200] * 5


def test_volume_of_the_planned_session_itself_is_never_used() -> None:
    daily = (*history([100_000] * 5), SessionVolume(session=MONDAY, volume=9_000_000))
    assert expected_volume(daily, MONDAY) == D(100_000)


def test_vwap_within_a_session_follows_the_measured_shape_and_refuses_to_invent_one() -> None:
    cut = parts(0, 4)
    plan = Vwap().plan(parent(1_000), context(cut, intraday=shape([40, 10, 10, 40])))
    assert quantities(plan) == [400, 100, 100, 400]
    assert "shape of 1" in plan.basis
    with pytest.raises(ExecutionError, match="daily volumes only") as error:
        Vwap().plan(parent(), context(cut))
    assert error.value.code == "no_intraday_profile"
    with pytest.raises(ExecutionError, match="daily volumes only"):
        Vwap().plan(parent(), context(cut, intraday=shape([40, 60])))


def test_every_session_counts_the_same_in_the_shape() -> None:
    intraday = (*shape([1_000_000, 1_000_000], back=3), *shape([0, 10], back=4), *shape([0, 0], back=5))
    plan = Vwap().plan(parent(1_000), context(parts(0, 2), intraday=intraday))
    assert quantities(plan) == [250, 750]


def test_twap_over_a_whole_session_is_capped_as_a_whole_and_over_a_part_only_with_a_shape() -> None:
    plan = Twap().plan(parent(10_000), context(parts(0, 4)))
    assert quantities(plan) == [2_500] * 4
    with pytest.raises(ExecutionError) as error:
        Twap().plan(parent(10_001), context(parts(0, 4)))
    assert error.value.code == "participation_cap"
    with pytest.raises(ExecutionError) as part:
        Twap().plan(parent(100), context(parts(0, 4, only=[2, 3])))
    assert part.value.code == "no_intraday_profile"
    shaped = context(parts(0, 4, only=[2, 3]), intraday=shape([40, 10, 10, 40]))
    assert quantities(Twap().plan(parent(2_000), shaped)) == [1_000, 1_000]
    assert quantities(Twap().plan(parent(3_000), shaped)) == [1_000, 2_000]


def test_a_parent_beyond_the_cap_is_refused_with_what_would_fit() -> None:
    with pytest.raises(ExecutionError, match="50001 shares do not fit: the participation cap leaves 50000"):
        Twap().plan(parent(50_001), context(WEEK))
    assert sum(quantities(Vwap().plan(parent(50_000), context(WEEK)))) == 50_000


def test_without_history_the_cap_cannot_be_held() -> None:
    for algorithm in (Twap(), Vwap()):
        with pytest.raises(ExecutionError) as error:
            algorithm.plan(parent(), context(WEEK, daily=()))
        assert error.value.code == "no_volume_history"


@pytest.mark.parametrize(
    ("windows", "says"),
    [
        ((*parts(1), *parts(0)), "starts before the one before it ends"),
        ((*parts(0, 2)[:1], *parts(0, 4)[2:]), "is cut into 2 and into 4"),
        ((), "at least 1"),
    ],
)
def test_windows_that_make_no_sense_are_refused(windows: tuple[Window, ...], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        context(windows)


def test_a_plan_that_does_not_add_up_cannot_be_made() -> None:
    plan = Twap().plan(parent(), context(WEEK))
    with pytest.raises(ValidationError, match="sum to 800, not 1000"):
        Plan.model_validate({**plan.model_dump(), "slices": [item.model_dump() for item in plan.slices[:4]]})


@settings(max_examples=300, deadline=None)
@given(data=st.data(), quantity=st.integers(0, 5_000), size=st.integers(1, 12))
def test_allocation_is_exact_whole_capped_and_near_its_weight(data: st.DataObject, quantity: int, size: int) -> None:
    weights = [D(data.draw(st.integers(0, 1_000))) for _ in range(size)]
    caps = [data.draw(st.integers(0, 2_000)) for _ in range(size)]
    room = sum(cap for cap, weight in zip(caps, weights, strict=True) if weight)
    if quantity > room:
        with pytest.raises(ExecutionError):
            allocate(quantity, weights, caps)
        return
    given_ = allocate(quantity, weights, caps)
    assert sum(given_) == quantity
    assert all(0 <= count <= cap for count, cap in zip(given_, caps, strict=True))
    assert all(count == 0 for count, weight in zip(given_, weights, strict=True) if weight == 0)
    total = sum(weights)
    if quantity and all(count < cap for count, cap in zip(given_, caps, strict=True)):
        assert all(abs(count - quantity * weight / total) < 1 for count, weight in zip(given_, weights, strict=True))


def test_what_a_child_left_is_caught_up_within_the_capacity() -> None:
    plan = Twap().plan(parent(10_000), context(WEEK, daily=history([25_000] * 5)))
    assert quantities(plan) == [2_000] * 5
    half = Child(number=0, sent=2_000, filled=500, ended=True)
    caught = Twap().next(plan, [half], WEEK[1].start)
    assert caught is not None
    assert (caught.number, caught.quantity, caught.capacity) == (1, 2_500, 2_500)
    open_ = Child(number=0, sent=2_000, filled=500, ended=False)
    ahead = Twap().next(plan, [open_], WEEK[1].start)
    assert ahead is not None
    assert ahead.quantity == 2_000


def test_nothing_is_sent_before_its_window_after_it_or_twice() -> None:
    plan = Twap().plan(parent(), context(WEEK[1:]))
    ask = Twap().next
    assert ask(plan, [], WEEK[0].start) is None
    first = ask(plan, [], WEEK[1].start)
    assert first is not None
    assert ask(plan, [Child(number=0, sent=first.quantity, filled=0, ended=False)], WEEK[1].start) is None
    assert ask(plan, [], WEEK[4].end) is None
    late = ask(plan, [], WEEK[2].start)
    assert late is not None
    assert (late.number, late.quantity) == (1, 500)


def test_an_overfilled_child_stops_the_parent() -> None:
    plan = Twap().plan(parent(), context(WEEK))
    assert Twap().next(plan, [Child(number=0, sent=200, filled=1_200, ended=True)], WEEK[1].start) is None


def test_a_limit_price_goes_with_every_child() -> None:
    plan = Vwap().plan(parent(limit_price=D(130)), context(WEEK))
    assert {item.limit_price for item in plan.slices} == {D(130)}


@settings(max_examples=200, deadline=None)
@given(
    data=st.data(), quantity=st.integers(1, 30_000), days=st.integers(1, 4), buckets=st.sampled_from([1, 3]),
    algorithm=st.sampled_from([Twap(), Vwap()]), volumes=st.lists(st.integers(0, 200_000), min_size=1, max_size=20),
    cap=st.integers(1, 30),
)  # fmt: skip
def test_under_any_fills_and_any_stop_the_budget_and_the_cap_hold(
    data: st.DataObject, quantity: int, days: int, buckets: int, algorithm: Algorithm, volumes: list[int], cap: int
) -> None:
    windows = tuple(window for day in range(days) for window in parts(day, buckets))
    known = context(
        windows, daily=history(volumes), participation=D(cap) / 100, intraday=shape([50, 20, 30]) if buckets > 1 else ()
    )
    try:
        plan = algorithm.plan(parent(quantity), known)
    except ExecutionError as refusal:
        assume(refusal.code != "participation_cap")
        raise
    assert sum(quantities(plan)) == quantity
    children: list[Child] = []
    stop = data.draw(st.integers(0, len(windows)))
    for window in windows[:stop]:
        item = algorithm.next(plan, children, window.start)
        if item is None:
            continue
        assert 0 < item.quantity <= item.capacity
        filled = data.draw(st.integers(0, item.quantity))
        children.append(Child(number=item.number, sent=item.quantity, filled=filled, ended=data.draw(st.booleans())))
        assert sum(child.committed for child in children) <= quantity
    for day in {window.session for window in windows}:
        sent = sum(child.committed for child in children if plan.slices[child.number].window.session == day)
        assert sent <= known.participation * expected_volume(known.daily, day)


@given(quantity=st.integers(1, 30_000))
def test_full_fills_end_exactly_at_the_parent(quantity: int) -> None:
    plan = Vwap().plan(parent(quantity), context(WEEK, daily=history([10_000 * (n + 6) for n in range(15)])))
    children: list[Child] = []
    for window in WEEK:
        item = Vwap().next(plan, children, window.start)
        if item is not None:
            children.append(Child(number=item.number, sent=item.quantity, filled=item.quantity, ended=True))
    assert sum(child.filled for child in children) == quantity


class Iceberg:
    """A later algorithm on the same Protocol: clips of `show` shares in one window, the next when the last ended."""

    name = "iceberg"

    def __init__(self, show: int) -> None:
        self.show = show

    def plan(self, parent: Parent, context: Context) -> Plan:
        clips = [min(self.show, parent.quantity - at) for at in range(0, parent.quantity, self.show)]
        most = int(context.participation * expected_volume(context.daily, context.windows[0].session))
        return Plan(
            parent=parent, algorithm=self.name, basis=f"clips of {self.show}",
            slices=tuple(
                Slice(number=n, quantity=clip, window=context.windows[0], capacity=clip, session_capacity=most)
                for n, clip in enumerate(clips)
            ),
        )  # fmt: skip

    def next(self, plan: Plan, children: Sequence[Child], now: datetime) -> Slice | None:
        if any(not child.ended for child in children):
            return None
        left = plan.parent.quantity - sum(child.filled for child in children)
        return (
            plan.slices[0].model_copy(update={"number": len(children), "quantity": min(self.show, left)})
            if left
            else None
        )


def test_an_iceberg_fits_the_same_protocol() -> None:
    iceberg: Algorithm = Iceberg(300)
    plan = iceberg.plan(parent(1_000), context(WEEK))
    assert quantities(plan) == [300, 300, 300, 100]
    children: list[Child] = []
    while (item := iceberg.next(plan, children, OPEN)) is not None:
        children.append(Child(number=item.number, sent=item.quantity, filled=item.quantity, ended=True))
    assert [child.sent for child in children] == [300, 300, 300, 100]
