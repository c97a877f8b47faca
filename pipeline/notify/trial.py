"""A test message to every target, through the same outbox and senders as any other."""

from __future__ import annotations

import asyncio
import secrets

from sqlmodel import col, select

from memory.tables import NotificationRow
from pipeline.notify import outbox, targets
from pipeline.notify.dispatcher import Dispatcher
from pipeline.notify.targets import Webhook
from pipeline.store import Store
from tools.canonical import stable_id
from tools.types import Frozen

PATIENCE_S = 45.0
PAUSE_S = 0.1


class Trial(Frozen):
    """How the test of one target ended; `error` says why it was not taken."""

    target: str
    channel: str
    ok: bool
    error: str | None


async def send_trial(store: Store, dispatcher: Dispatcher | None = None) -> tuple[Trial, ...]:
    """Send a test to every target of the file, once each, and say how it went. ConfigError for an unusable file."""
    await asyncio.to_thread(targets.sync, store)
    ids, channels = await asyncio.to_thread(_write, store)
    await (dispatcher or Dispatcher(store)).dispatch_once(ids)
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    rows = await asyncio.to_thread(_read, store, ids)
    while any(row.status == "pending" for row in rows) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(PAUSE_S)
        rows = await asyncio.to_thread(_read, store, ids)
    return tuple(
        Trial(
            target=row.target, channel=channels[row.target], ok=row.status == "sent",
            error="no result yet: see `quarterdeck notify list`" if row.status == "pending" else row.last_error,
        )
        for row in rows
    )  # fmt: skip


def _write(store: Store) -> tuple[list[str], dict[str, str]]:
    name = f"test_{secrets.token_hex(6)}"
    with store.db.write() as session:
        known = targets.in_force(session)
        for target in known:
            outbox.put(session, target.name, outbox.TEST_EVENT, name, {})
    channels = {target.name: "webhook" if isinstance(target, Webhook) else "email" for target in known}
    return [stable_id("msg", target.name, outbox.TEST_EVENT, name, {}) for target in known], channels


def _read(store: Store, ids: list[str]) -> list[NotificationRow]:
    with store.db.read() as session:
        query = select(NotificationRow).where(col(NotificationRow.id).in_(ids)).order_by(col(NotificationRow.target))
        return list(session.exec(query).all())
