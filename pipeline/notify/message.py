"""What a sender is given, and what it answers."""

from __future__ import annotations

import ssl
from datetime import datetime
from typing import Any, NamedTuple

TITLES = {
    "approval.asked": "A case waits for you",
    "approval.warning": "A case still waits for you",
    "approval.escalated": "A case was escalated",
    "approval.decided": "A case was decided",
    "approval.expired": "A case expired without an answer",
    "case.voided": "A case was voided",
    "halt.engaged": "The desk was halted",
    "halt.released": "The halt was released",
    "finding.critical": "A critical finding",
    "canary.passed": "A planted case was approved",
    "notify.test": "A test of this channel",
}


class Message(NamedTuple):
    """One message as it leaves the house. `id` is the same at every attempt."""

    id: str
    event: str
    subject_id: str
    content: dict[str, Any]
    created: datetime
    mode: str


class Receipt(NamedTuple):
    """How an attempt ended: `error` is None when it was taken; `final` says that another attempt is of no use."""

    error: str | None = None
    final: bool = False


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Verify certificates, by the system's authorities or those of `ca_file`. OSError when it cannot be read."""
    return ssl.create_default_context(cafile=ca_file)
