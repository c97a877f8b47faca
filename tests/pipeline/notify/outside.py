"""What the notification tests share: targets in a home, a clock that is moved by hand, a look into the outbox."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from sqlmodel import col, select

from memory.tables import FindingRow, NotificationRow
from pipeline.notify import targets
from pipeline.notify.dispatcher import Dispatcher
from pipeline.notify.outbox import Retry, enqueue
from pipeline.notify.targets import Event
from pipeline.store import Store

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()
VARIABLES = {"QD_HOOK": SECRET, "QD_MAIL": "correct horse battery"}
RETRY = Retry(base_s=10, cap_s=100, attempts=3, lease_s=30)


class HandClock:
    """A wall clock that only moves when told, in either direction; it starts ahead of what a test enqueues."""

    def __init__(self, ahead_s: float = 60) -> None:
        self.at = datetime.now(UTC) + timedelta(seconds=ahead_s)

    def __call__(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def hook(url: str, name: str = "ops", **changes: Any) -> dict[str, Any]:
    return {"name": name, "url": url, "secret_env": "QD_HOOK", **changes}


def mailbox(port: int, name: str = "desk", **changes: Any) -> dict[str, Any]:
    return {
        "name": name, "host": "127.0.0.1", "port": port, "from": "desk@example.com",
        "to": ["ann@example.com", "bob@example.com"], **changes,
    }  # fmt: skip


def configure(store: Store, *, webhooks: Any = (), emails: Any = ()) -> None:
    """Write the targets file and put it in force."""
    text = yaml.safe_dump({"version": "1", "webhooks": list(webhooks), "emails": list(emails)})
    (store.home.config / "notifications.yaml").write_text(text)
    targets.sync(store)


def tell(store: Store, event: Event = "approval.asked", subject_id: str = "appr_1", **content: Any) -> int:
    with store.db.write() as session:
        return enqueue(session, event=event, subject_id=subject_id, content=content)


def dispatcher(store: Store, clock: HandClock, **changes: Any) -> Dispatcher:
    return Dispatcher(store, **{"retry": RETRY, "clock": clock, "environ": VARIABLES, **changes})


def rows(store: Store) -> list[NotificationRow]:
    with store.db.read() as session:
        return list(session.exec(select(NotificationRow).order_by(col(NotificationRow.id))).all())


def row(store: Store) -> NotificationRow:
    """The only message there is."""
    (only,) = rows(store)
    return only


def raised(store: Store) -> list[FindingRow]:
    with store.db.read() as session:
        return list(session.exec(select(FindingRow).where(FindingRow.component == "notify")).all())
