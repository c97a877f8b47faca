"""Ledger records about people: what happened goes into the content, where from and by which session beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from memory.ledger import Entry, Stage, append
from pipeline.store import Principal, now


def record(session: Session, kind: str, key: str, content: Mapping[str, Any], by: Principal) -> None:
    """Append to the ledger inside the caller's write transaction. Times of people are wall clock; no run is meant."""
    append(
        session,
        Entry(
            kind=kind, step=f"{kind}:{key}", desk_time=now(), stage=Stage.SYSTEM,
            content={**content, "principal": by.name}, envelope={"address": by.address, "session": by.session_id},
        ),
    )  # fmt: skip
