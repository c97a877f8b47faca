"""The dispatcher: takes what is due from the outbox, sends it, says what became of it. Runs beside the engine.

Any number may run at once and any may die at any moment. A target that hangs delays no other: what was taken
together is sent side by side, each within its own deadline, and each result is written by itself.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from memory.tables import NotificationRow
from pipeline.findings import keep_finding
from pipeline.notify import email, outbox, targets, webhook
from pipeline.notify.message import Message, Receipt
from pipeline.notify.outbox import TEST_EVENT, Retry, Status
from pipeline.notify.targets import Target, Webhook
from pipeline.store import Store, now
from tools.canonical import stable_id
from tools.errors import ConfigError
from tools.types import Finding

POLL_S = 1.0
BATCH = 16
COMPONENT = "notify"


class Report(NamedTuple):
    """How many messages of one pass were sent, will be tried again, and were given up."""

    sent: int
    pending: int
    given_up: int


class Dispatcher:
    """Sends what the outbox of one store holds."""

    def __init__(
        self,
        store: Store,
        *,
        retry: Retry | None = None,
        clock: Callable[[], datetime] = now,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.store = store
        self.retry = retry or Retry()
        self.clock = clock
        self.environ = environ

    async def run(self, stopping: asyncio.Event) -> None:
        """Go on until stopped. A file that became unusable is a finding; the targets in force stay."""
        while not stopping.is_set():
            await asyncio.to_thread(self.refresh)
            report = await self.dispatch_once()
            if report == Report(0, 0, 0):
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), POLL_S)

    def refresh(self) -> None:
        """Put a changed targets file in force, or raise a finding about it."""
        try:
            targets.sync(self.store)
        except ConfigError as error:
            at = self.clock()
            with self.store.db.write() as session:
                keep_finding(
                    session, None,
                    Finding(
                        id=stable_id("find", error.code, error.message), code=error.code, severity="warning",
                        component=COMPONENT, message=error.message, as_of=at,
                        recommendation="Correct the file; until then notifications go where they went before.",
                    ),
                )  # fmt: skip

    async def dispatch_once(self, only: Collection[str] | None = None) -> Report:
        """Send what is due now, at most one batch; with `only`, of these messages."""
        taken, known = await asyncio.to_thread(self._take, only)
        ends = Counter(await asyncio.gather(*(self._deliver(row, known.get(row.target)) for row in taken)))
        return Report(ends["sent"], ends["pending"], ends["given_up"])

    def _take(self, only: Collection[str] | None) -> tuple[list[NotificationRow], dict[str, Target]]:
        at = self.clock()
        with self.store.db.read() as session:
            if not outbox.anything_due(session, at, self.retry):
                return [], {}
        with self.store.db.write() as session:
            rows = outbox.take(session, at, self.retry, limit=max(BATCH, len(only or ())), only=only)
            return rows, {target.name: target for target in targets.in_force(session)}

    async def _deliver(self, row: NotificationRow, target: Target | None) -> Status:
        if target is None:
            receipt = Receipt("this target is no longer in notifications.yaml", final=True)
        elif row.attempts > self.retry.attempts:
            receipt = Receipt("the attempts before it ended without a word", final=True)
        else:
            receipt = await self._send(row, target)
        return await asyncio.to_thread(self._close, row, target, receipt)

    async def _send(self, row: NotificationRow, target: Target) -> Receipt:
        variable = target.secret_env if isinstance(target, Webhook) else target.password_env
        secret = self.environ.get(variable) if variable else None
        if variable and not secret:
            return Receipt(f"the environment variable {variable} is not set")
        mode = self.store.settings.mode
        message = Message(row.id, row.event, row.subject_id, row.content, row.created_wall, mode)
        if isinstance(target, Webhook):
            return await webhook.send(target, message, secret or "", self.clock())
        return await email.send(target, message, secret, self.clock())

    def _close(self, row: NotificationRow, target: Target | None, receipt: Receipt) -> Status:
        last = row.attempts >= (1 if row.event == TEST_EVENT else self.retry.attempts)
        status: Status = "sent"
        if receipt.error is not None:
            status = "given_up" if receipt.final or last else "pending"
        at = self.clock()
        with self.store.db.write() as session:
            closed = outbox.close(session, row, status, at, error=receipt.error, retry=self.retry)
            if closed and status == "given_up" and target is not None and row.event != TEST_EVENT:
                keep_finding(session, None, self._undelivered(row, receipt, at))
        return status

    def _undelivered(self, row: NotificationRow, receipt: Receipt, at: datetime) -> Finding:
        """One finding per target and day: a dead receiver is one thing, however much it missed."""
        return Finding(
            id=stable_id("find", "notification_undelivered", row.target, at.date()), code="notification_undelivered",
            severity="warning", component=COMPONENT, as_of=at,
            message=f"{row.target} did not take {row.event} in {row.attempts} attempts: {receipt.error}",
            recommendation="See `quarterdeck notify list`, mend the receiver, then try `quarterdeck notify test`.",
        )  # fmt: skip
