"""Webhooks signed by the Standard Webhooks convention (standardwebhooks.com, v1).

`webhook-signature` is `v1,` and the base64 HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`; the secret is
`whsec_` and base64. The id is that of the delivery and never changes, the timestamp is that of the attempt.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from datetime import datetime

import httpx

from pipeline.notify.message import Message, Receipt, tls_context
from pipeline.notify.targets import Webhook
from tools.canonical import canonical_bytes
from tools.errors import ConfigError

CONNECT_S = 5.0
DEADLINE_S = 10.0
"""How long one attempt may last from beginning to end, however slowly the other side drips."""
PREFIX = "whsec_"
MIN_KEY_BYTES = 16
GONE = 410


def key_of(secret: str) -> bytes:
    """Decode a secret; ConfigError(bad_secret), which does not repeat it, when it is no base64 of 16 bytes or more."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < MIN_KEY_BYTES:
        raise ConfigError(
            f"a webhook secret is {PREFIX} and the base64 of at least {MIN_KEY_BYTES} random bytes", code="bad_secret"
        )
    return key


def sign(key: bytes, delivery_id: str, timestamp: int, body: bytes) -> str:
    """The signature header of one attempt."""
    mac = hmac.new(key, f"{delivery_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def body_of(message: Message) -> bytes:
    """The JSON body; the same bytes at every attempt."""
    return canonical_bytes(
        {
            "type": message.event, "timestamp": message.created,
            "data": {**message.content, "subject": message.subject_id, "desk_mode": message.mode},
        }
    )  # fmt: skip


async def send(target: Webhook, message: Message, secret: str, at: datetime) -> Receipt:
    """Post one message. Only 2xx counts; a redirect is not followed, the answer's body is not read."""
    try:
        key = key_of(secret)
        context = tls_context(target.ca_file) if target.url.startswith("https:") else False
    except ConfigError as error:
        return Receipt(f"{target.secret_env}: {error.message}")
    except OSError as error:
        return Receipt(f"ca_file cannot be used: {type(error).__name__}")
    body, timestamp = body_of(message), int(at.timestamp())
    headers = {
        "content-type": "application/json", "user-agent": "quarterdeck", "webhook-id": message.id,
        "webhook-timestamp": str(timestamp), "webhook-signature": sign(key, message.id, timestamp, body),
    }  # fmt: skip
    try:
        async with (
            asyncio.timeout(DEADLINE_S),
            httpx.AsyncClient(
                timeout=httpx.Timeout(DEADLINE_S, connect=CONNECT_S), follow_redirects=False, trust_env=False,
                verify=context,
            ) as client,
            client.stream("POST", target.url, content=body, headers=headers) as response,
        ):  # fmt: skip
            if response.is_success:
                return Receipt()
            return Receipt(f"answered {response.status_code}", final=response.status_code == GONE)
    except TimeoutError:
        return Receipt(f"no answer in {DEADLINE_S:.0f} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Receipt(f"{type(error).__name__}: not delivered")
