"""The outbox: written with what happened, taken by one at a time, never lost, whatever the clock does."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.tables import NotificationRow
from pipeline.notify import outbox
from pipeline.notify.outbox import ALLOWED, Retry, enqueue
from pipeline.store import Store
from tests.pipeline.notify.outside import RETRY, HandClock, configure, hook, mailbox, row, rows, tell

HOOK = "https://hooks.example.com/x"


def take(store: Store, clock: HandClock, limit: int = 16) -> list[NotificationRow]:
    with store.db.write() as session:
        return outbox.take(session, clock.at, RETRY, limit=limit)


def close(store: Store, taken: NotificationRow, status: outbox.Status, clock: HandClock) -> bool:
    with store.db.write() as session:
        return outbox.close(session, taken, status, clock.at, error=None, retry=RETRY)


def test_without_targets_nothing_is_written(any_store: Store) -> None:
    assert tell(any_store) == 0
    assert rows(any_store) == []


def test_one_message_per_target_that_wants_the_event(any_store: Store) -> None:
    configure(
        any_store, webhooks=[hook(HOOK, "all"), hook(HOOK, "halts", events=["halt.engaged"])], emails=[mailbox(25)]
    )
    assert tell(any_store, "approval.asked") == 2
    assert {one.target for one in rows(any_store)} == {"all", "desk"}


def test_the_same_again_changes_nothing_and_another_content_is_another_message(any_store: Store) -> None:
    configure(any_store, webhooks=[hook(HOOK)])
    assert [tell(any_store, at=50), tell(any_store, at=50), tell(any_store, at=80)] == [1, 0, 1]


def test_a_transaction_that_fails_tells_nobody(any_store: Store) -> None:
    configure(any_store, webhooks=[hook(HOOK)])

    def fail() -> None:
        with any_store.db.write() as session:
            enqueue(session, event="approval.decided", subject_id="appr_1", content={})
            raise RuntimeError("the decision failed")

    with pytest.raises(RuntimeError, match="the decision failed"):
        fail()
    assert rows(any_store) == []


def test_only_known_fields_and_harmless_values_are_kept(store: Store) -> None:
    configure(store, webhooks=[hook(HOOK)])
    tell(
        store, symbol="IBM", quantity=100, required=Decimal("1.0"), roles=["approver", "admin"],
        headline="Bank collapses", reason="because of the headline", api_key="qdk_secret", token="t",
        strategy="trend <script>", code="x" * 200, tier=None, status={"deep": "text"},
    )  # fmt: skip
    withheld = "(withheld)"
    assert row(store).content == {
        "symbol": "IBM", "quantity": 100, "required": "1", "roles": ["approver", "admin"], "strategy": withheld,
        "code": withheld, "status": withheld,
    }  # fmt: skip


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(sorted(ALLOWED)), st.text(max_size=12)),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=6,
    )
)
def test_no_content_can_carry_markup_line_breaks_or_unknown_fields(content: dict[str, object]) -> None:
    told = {name: outbox._harmless(value) for name, value in content.items() if name in ALLOWED}
    text = repr(told).replace("\\\\", "")
    assert not any(mark in text for mark in ("<", ">", "\\n", "\\r", "&", ";", "$"))
    assert set(told) <= ALLOWED


def test_what_is_taken_is_not_taken_again_until_the_lease_is_over(any_store: Store) -> None:
    configure(any_store, webhooks=[hook(HOOK)])
    tell(any_store)
    clock = HandClock()
    assert [one.attempts for one in take(any_store, clock)] == [1]
    clock.move(RETRY.lease_s - 1)
    assert take(any_store, clock) == []
    clock.move(1)
    assert [one.attempts for one in take(any_store, clock)] == [2]


def test_the_word_of_a_taker_whose_lease_was_over_does_not_count(any_store: Store) -> None:
    configure(any_store, webhooks=[hook(HOOK)])
    tell(any_store)
    clock = HandClock()
    (slow,) = take(any_store, clock)
    clock.move(RETRY.lease_s)
    (second,) = take(any_store, clock)
    assert not close(any_store, slow, "given_up", clock)
    assert close(any_store, second, "sent", clock)
    assert not close(any_store, second, "pending", clock)
    assert row(any_store).status == "sent"


def test_two_takers_at_once_never_hold_the_same_message(any_store: Store) -> None:
    configure(any_store, webhooks=[hook(HOOK)])
    for number in range(60):
        tell(any_store, subject_id=f"appr_{number}")
    clock, held, barrier = HandClock(), [list[str](), list[str]()], threading.Barrier(2)

    def work(mine: list[str]) -> None:
        barrier.wait()
        while batch := take(any_store, clock, limit=3):
            mine.extend(one.id for one in batch)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(held[0] + held[1]) == len({*held[0], *held[1]}) == 60
    assert {one.attempts for one in rows(any_store)} == {1}


@pytest.mark.parametrize("back_s", [60, 3_600, 86_400 * 30])
def test_a_clock_that_is_set_back_delays_a_message_by_no_more_than_the_longest_pause(
    any_store: Store, back_s: int
) -> None:
    configure(any_store, webhooks=[hook(HOOK)])
    tell(any_store)
    clock = HandClock()
    (taken,) = take(any_store, clock)
    assert close(any_store, taken, "pending", clock)
    clock.move(-back_s)
    waited = 0.0
    while not take(any_store, clock):
        clock.move(5)
        waited += 5
    assert waited <= RETRY.farthest.total_seconds() + 5


@given(st.integers(min_value=1, max_value=60), st.text(alphabet="0123456789abcdef", min_size=16, max_size=16))
def test_pauses_grow_up_to_a_ceiling_and_never_beyond_the_farthest(attempts: int, digits: str) -> None:
    retry = Retry()
    pause = retry.delay(attempts, f"msg_{digits}")
    assert pause == retry.delay(attempts, f"msg_{digits}")
    plain = min(retry.cap_s, retry.base_s * 2 ** (attempts - 1))
    assert timedelta(seconds=plain * 0.8) <= pause <= timedelta(seconds=plain * 1.2 + 0.001)
    assert pause <= retry.farthest + timedelta(milliseconds=1)
