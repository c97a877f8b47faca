"""Webhooks against a real receiver on loopback: signed, bounded in time, and no further than asked."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from pipeline.notify import webhook
from pipeline.notify.message import Message, Receipt
from pipeline.notify.targets import Webhook
from tests.peers.webhook_peer import WebhookPeer
from tests.pipeline.notify.outside import SECRET, hook
from tools.errors import ConfigError

AT = datetime(2026, 11, 21, 10, 0, 0, 500_000, tzinfo=UTC)
MESSAGE = Message("msg_1", "approval.asked", "appr_1", {"symbol": "IBM", "quantity": 100}, AT, "replay")


def target(url: str) -> Webhook:
    return Webhook.model_validate(hook(url))


def test_the_signature_is_that_of_the_published_example() -> None:
    """Secret, id, timestamp, body and signature as in the test vectors of the Standard Webhooks specification."""
    key = webhook.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = webhook.sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_receiver_can_verify_what_it_gets() -> None:
    with WebhookPeer(SECRET) as peer:
        assert await webhook.send(target(peer.url), MESSAGE, SECRET, AT) == Receipt()
    (got,) = peer.received
    assert got.genuine
    assert (got.id, got.timestamp) == ("msg_1", int(AT.timestamp()))
    assert got.body == {
        "type": "approval.asked", "timestamp": "2026-11-21T10:00:00.500000Z",
        "data": {"symbol": "IBM", "quantity": 100, "subject": "appr_1", "desk_mode": "replay"},
    }  # fmt: skip


async def test_a_receiver_with_another_secret_would_notice() -> None:
    with WebhookPeer("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") as peer:
        await webhook.send(target(peer.url), MESSAGE, SECRET, AT)
    assert not peer.received[0].genuine


@pytest.mark.parametrize("part", ["id", "timestamp", "body"])
async def test_every_signed_part_counts(part: str) -> None:
    with WebhookPeer(SECRET) as peer:
        await webhook.send(target(peer.url), MESSAGE, SECRET, AT)
        got = peer.received[0]
        headers, body = dict(got.headers), got.raw
        if part == "body":
            body = body.replace(b"IBM", b"GE ")
        else:
            headers[f"webhook-{part}"] += "1"
        assert not peer.genuine(headers, body)


@pytest.mark.parametrize(("mode", "error"), [("500", "answered 500"), ("redirect", "answered 302")])
async def test_anything_but_success_is_a_failure_worth_another_attempt(mode: str, error: str) -> None:
    with WebhookPeer(SECRET, mode) as peer:
        assert await webhook.send(target(peer.url), MESSAGE, SECRET, AT) == Receipt(error)
        assert peer.followed == 0


async def test_a_receiver_that_is_gone_for_good_ends_it() -> None:
    with WebhookPeer(SECRET, "410") as peer:
        assert await webhook.send(target(peer.url), MESSAGE, SECRET, AT) == Receipt("answered 410", final=True)


async def test_a_receiver_that_dies_is_a_failure() -> None:
    with WebhookPeer(SECRET, "die") as peer:
        receipt = await webhook.send(target(peer.url), MESSAGE, SECRET, AT)
    assert receipt.error is not None
    assert receipt.error.endswith("not delivered")


async def test_nobody_listening_is_a_failure() -> None:
    with WebhookPeer(SECRET) as peer:
        url = peer.url
    receipt = await webhook.send(target(url), MESSAGE, SECRET, AT)
    assert receipt == Receipt("ConnectError: not delivered")


@pytest.mark.parametrize("mode", ["hang", "drip"])
async def test_a_receiver_that_never_ends_is_left_within_the_deadline(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "DEADLINE_S", 0.5)
    with WebhookPeer(SECRET, mode) as peer:
        started = time.monotonic()
        receipt = await webhook.send(target(peer.url), MESSAGE, SECRET, AT)
        took = time.monotonic() - started
    assert receipt.error is not None
    assert 0.4 < took < 3


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_dG9vIHNob3J0", "not base64 at all!", "whsec_äöü"])
def test_a_weak_or_broken_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        webhook.key_of(secret)
    assert caught.value.code == "bad_secret"
    assert not secret.removeprefix("whsec_") or secret not in caught.value.message


async def test_a_broken_secret_fails_the_attempt_and_names_the_variable() -> None:
    receipt = await webhook.send(target("http://127.0.0.1:9/x"), MESSAGE, "hunter2", AT)
    assert receipt.error is not None
    assert receipt.error.startswith("QD_HOOK: ")
    assert "hunter2" not in receipt.error


async def test_an_authority_file_that_is_missing_fails_the_attempt() -> None:
    given = Webhook.model_validate(hook("https://127.0.0.1:9/x", ca_file="/nowhere/ca.pem"))
    receipt = await webhook.send(given, MESSAGE, SECRET, AT)
    assert receipt == Receipt("ca_file cannot be used: FileNotFoundError")
