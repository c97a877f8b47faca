"""The dispatcher end to end on loopback: retries, crashes, several at once, giving up, and what it never says."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter

import pytest
from sqlmodel import select

from memory.tables import ActivationRow, LedgerRow
from pipeline.notify import webhook
from pipeline.notify.dispatcher import Dispatcher, Report
from pipeline.notify.targets import EVENTS
from pipeline.notify.trial import send_trial
from pipeline.store import Store
from tests.peers.smtp_peer import SmtpPeer
from tests.peers.webhook_peer import WebhookPeer, wait_until
from tests.pipeline.notify.outside import (
    RETRY,
    SECRET,
    VARIABLES,
    HandClock,
    configure,
    dispatcher,
    hook,
    mailbox,
    raised,
    row,
    rows,
    tell,
)
from tools.errors import ConfigError

NOTHING = Report(0, 0, 0)


async def test_what_was_enqueued_reaches_every_target_once(any_store: Store) -> None:
    clock = HandClock()
    with WebhookPeer(SECRET) as hooked, SmtpPeer() as mailed:
        configure(any_store, webhooks=[hook(hooked.url)], emails=[mailbox(mailed.port)])
        for event in EVENTS:
            tell(any_store, event, symbol="IBM")
        sending = dispatcher(any_store, clock)
        reports = [await sending.dispatch_once() for _ in range(3)]
        assert sum(report.sent for report in reports) == 2 * len(EVENTS)
        assert reports[-1] == NOTHING
    assert Counter(one.body["type"] for one in hooked.received) == Counter(EVENTS)
    assert all(one.genuine for one in hooked.received)
    assert len({mail.message["Message-ID"] for mail in mailed.received}) == len(EVENTS)
    assert {one.status for one in rows(any_store)} == {"sent"}


async def test_a_failing_receiver_is_tried_again_with_the_same_id_and_body_until_it_takes_it(store: Store) -> None:
    clock = HandClock()
    with WebhookPeer(SECRET, "500") as peer:
        configure(store, webhooks=[hook(peer.url)])
        tell(store)
        sending = dispatcher(store, clock)
        assert await sending.dispatch_once() == Report(0, 1, 0)
        assert await sending.dispatch_once() == NOTHING
        assert row(store).last_error == "answered 500"
        clock.move(RETRY.base_s * 1.2)
        peer.mode = "ok"
        assert await sending.dispatch_once() == Report(1, 0, 0)
    assert (len(peer.received), len(peer.distinct)) == (2, 1)
    assert peer.received[0].raw == peer.received[1].raw
    assert peer.received[0].timestamp < peer.received[1].timestamp
    assert all(one.genuine for one in peer.received)
    assert row(store).last_error is None


async def test_after_the_last_attempt_it_is_given_up_with_one_finding_per_target_and_day(store: Store) -> None:
    clock = HandClock()
    with WebhookPeer(SECRET, "500") as peer:
        configure(store, webhooks=[hook(peer.url)])
        tell(store, subject_id="appr_1")
        tell(store, subject_id="appr_2")
        sending, ends = dispatcher(store, clock), []
        for _ in range(RETRY.attempts + 2):
            ends.append(await sending.dispatch_once())
            clock.move(RETRY.cap_s * 1.2)
        assert ends == [Report(0, 2, 0), Report(0, 2, 0), Report(0, 0, 2), NOTHING, NOTHING]
    assert len(peer.received) == 2 * RETRY.attempts
    assert {one.status for one in rows(store)} == {"given_up"}
    (finding,) = raised(store)
    assert finding.code == "notification_undelivered"
    assert "ops did not take approval.asked in 3 attempts: answered 500" in finding.body.message


async def test_a_receiver_that_is_gone_is_given_up_at_once(store: Store) -> None:
    with WebhookPeer(SECRET, "410") as peer:
        configure(store, webhooks=[hook(peer.url)])
        tell(store)
        assert await dispatcher(store, HandClock()).dispatch_once() == Report(0, 0, 1)
    assert len(raised(store)) == 1


async def test_a_target_taken_out_of_the_file_is_not_sent_to(store: Store) -> None:
    with WebhookPeer(SECRET) as peer:
        configure(store, webhooks=[hook(peer.url)])
        tell(store)
        configure(store)
        assert await dispatcher(store, HandClock()).dispatch_once() == Report(0, 0, 1)
    assert peer.received == []
    assert raised(store) == []


async def test_a_hanging_receiver_delays_no_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "DEADLINE_S", 3.0)
    with WebhookPeer(SECRET, "hang") as slow, WebhookPeer(SECRET) as quick:
        configure(store, webhooks=[hook(slow.url, "slow"), hook(quick.url, "quick")])
        tell(store)
        passing = asyncio.create_task(dispatcher(store, HandClock()).dispatch_once())
        started = time.monotonic()
        while not any(one.status == "sent" for one in await asyncio.to_thread(rows, store)):
            assert time.monotonic() - started < 2.5
            await asyncio.sleep(0.02)
        assert not passing.done()
        assert await passing == Report(1, 1, 0)


def test_killed_in_the_middle_nothing_is_lost_and_the_repeat_can_be_told(store: Store) -> None:
    """The receiver has it, the sender dies before it can say so: it is sent again under the same id."""
    with WebhookPeer(SECRET, "hang") as peer:
        configure(store, webhooks=[hook(peer.url)])
        tell(store)
        command = [sys.executable, "-m", "tests.pipeline.notify.dying", str(store.home.path)]
        with subprocess.Popen(command) as process:
            wait_until(peer.arrived.is_set, 60)
            process.kill()
        assert (row(store).status, row(store).attempts) == ("pending", 1)
        peer.mode = "ok"
        clock = HandClock(ahead_s=0)
        assert asyncio.run(dispatcher(store, clock).dispatch_once()) == NOTHING
        clock.move(RETRY.lease_s)
        assert asyncio.run(dispatcher(store, clock).dispatch_once()) == Report(1, 0, 0)
    assert (len(peer.received), len(peer.distinct)) == (2, 1)


async def test_a_message_that_kills_every_sender_is_given_up(store: Store) -> None:
    with WebhookPeer(SECRET) as peer:
        configure(store, webhooks=[hook(peer.url)])
        tell(store)
        clock = HandClock()
        sending = dispatcher(store, clock)
        for _ in range(RETRY.attempts):
            assert sending._take(None)[0]
            clock.move(RETRY.lease_s)
        assert await sending.dispatch_once() == Report(0, 0, 1)
    assert peer.received == []
    assert "ended without a word" in raised(store)[0].body.message


async def test_two_dispatchers_at_once_send_everything_and_nothing_twice(any_store: Store) -> None:
    clock = HandClock()
    with WebhookPeer(SECRET) as peer:
        configure(any_store, webhooks=[hook(peer.url)])
        for number in range(40):
            tell(any_store, subject_id=f"appr_{number}")
        pair = [dispatcher(any_store, clock) for _ in range(2)]

        async def drain(one: Dispatcher) -> int:
            sent = 0
            while (report := await one.dispatch_once()) != NOTHING:
                sent += report.sent
            return sent

        assert sum(await asyncio.gather(*(drain(one) for one in pair))) == 40
    assert (len(peer.received), len(peer.distinct)) == (40, 40)


async def test_a_secret_that_is_not_set_is_named_and_tried_again(store: Store) -> None:
    clock = HandClock()
    with WebhookPeer(SECRET) as peer:
        configure(store, webhooks=[hook(peer.url)])
        tell(store)
        assert await dispatcher(store, clock, environ={}).dispatch_once() == Report(0, 1, 0)
        assert row(store).last_error == "the environment variable QD_HOOK is not set"
        clock.move(RETRY.cap_s)
        assert await dispatcher(store, clock).dispatch_once() == Report(1, 0, 0)


async def test_no_secret_is_ever_written_down_or_said(store: Store) -> None:
    """Not in the store, not in the ledger, not in a message; with a receiver that fails in every way."""
    clock = HandClock()
    login = {"username": "desk", "password_env": "QD_MAIL"}
    with WebhookPeer(SECRET, "500") as hooked, SmtpPeer("no_login") as refused, SmtpPeer() as mailed:
        configure(
            store, webhooks=[hook(hooked.url)],
            emails=[mailbox(refused.port, "refused", **login), mailbox(mailed.port, "mailed", **login)],
        )  # fmt: skip
        tell(store, symbol="IBM")
        sending = dispatcher(store, clock)
        for _ in range(RETRY.attempts):
            await sending.dispatch_once()
            clock.move(RETRY.cap_s * 1.2)
        said = [str(hooked.received), *(mail.message.as_string() for mail in mailed.received)]
    with store.db.read() as session:
        said += [str(one.model_dump()) for one in (*session.exec(select(ActivationRow)), *rows(store), *raised(store))]
        said += [one.content + json.dumps(one.envelope) for one in session.exec(select(LedgerRow))]
    assert len(said) > 8
    for secret in (*VARIABLES.values(), SECRET.removeprefix("whsec_")):
        assert not [text for text in said if secret in text]


async def test_a_file_that_became_unusable_is_one_finding_and_the_old_targets_stay(store: Store) -> None:
    with WebhookPeer(SECRET) as peer:
        configure(store, webhooks=[hook(peer.url)])
        (store.home.config / "notifications.yaml").write_text("version: '2'\nwebhooks: [{name: ops}]\n")
        sending = dispatcher(store, HandClock())
        sending.refresh()
        sending.refresh()
        tell(store)
        assert await sending.dispatch_once() == Report(1, 0, 0)
    (finding,) = raised(store)
    assert (finding.code, finding.severity) == ("bad_notifications", "warning")
    assert "webhooks.0.url" in finding.body.message


async def test_running_it_picks_up_a_new_file_and_new_messages_and_stops_when_told(store: Store) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(Dispatcher(store, environ=VARIABLES).run(stopping))
    with WebhookPeer(SECRET) as peer:
        await asyncio.to_thread(configure, store, webhooks=[hook(peer.url)])
        await asyncio.to_thread(tell, store)
        await asyncio.to_thread(wait_until, lambda: len(peer.received) == 1)
        stopping.set()
        await asyncio.wait_for(running, 10)


async def test_a_trial_reaches_every_target_whatever_its_events_and_is_not_repeated(store: Store) -> None:
    clock = HandClock()
    with WebhookPeer(SECRET) as good, WebhookPeer(SECRET, "500") as bad, SmtpPeer() as mailed:
        configure(
            store, webhooks=[hook(good.url, "good", events=["halt.engaged"]), hook(bad.url, "bad")],
            emails=[mailbox(mailed.port)],
        )  # fmt: skip
        found = await send_trial(store, dispatcher(store, clock))
        clock.move(RETRY.cap_s * 2)
        assert await dispatcher(store, clock).dispatch_once() == NOTHING
    assert [(one.target, one.channel, one.ok, one.error) for one in found] == [
        ("bad", "webhook", False, "answered 500"), ("desk", "email", True, None), ("good", "webhook", True, None),
    ]  # fmt: skip
    assert len(bad.received) == 1
    assert raised(store) == []


async def test_a_trial_of_a_bad_file_says_what_is_wrong(store: Store) -> None:
    (store.home.config / "notifications.yaml").write_text("webhooks: []\n")
    with pytest.raises(ConfigError, match="version"):
        await send_trial(store)
