"""What keeps a desk from its work, each in one sentence with what to do about it.

Pull the network, the engine or the broker at any moment: the desk ends in one or more of these states, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from sqlmodel import Session, col, select

from memory.tables import BreakRow, HeartbeatRow, OrderRow, RunRow
from pipeline.heartbeats import STALE_AFTER
from pipeline.processes import lives
from pipeline.store import now
from tools.types import Frozen

Code = Literal[
    "no_engine", "no_watchdog", "no_broker", "no_stream", "no_data", "unknown_orders", "open_breaks", "safe_mode"
]
SHOWN = 3
STORE_REMEDY = (
    "See the disk and the database, then restart `quarterdeck serve`; `quarterdeck halt` works meanwhile by its file."
)
REMEDIES: dict[str, str] = {
    "engine": "The supervisor starts it again by itself; if not, see logs/engine.log and run `quarterdeck serve`.",
    "watchdog": "See logs/watchdog.log; the supervisor starts it again. Halts work without it, also by the file.",
    "broker": "See the network and the broker's status page; the desk asks every few seconds and compares both books "
    "when it answers. To stop orders at the broker itself, use its own site.",
    "stream": "Nothing while it lasts seconds: fills are asked for instead. If it lasts, see the network and the key.",
    "data": "See the network and the feed's status page; the part of the session is played once its prices are there.",
    "recall": "Run `make setup`, then restart `quarterdeck serve`; the desk works without recall until then.",
    "clock": "Set the machine's clock right; until it is that late, questions on minutes stand still.",
}
"""What to do about a component that is not well, by its heartbeat."""
_BREAKS = "Decide each on the overview under Reconciliation, or with `quarterdeck breaks`: explain, adopt or leave it."


class Trouble(Frozen):
    """One state that a person should know of. `message` is one sentence, `remedy` what to do."""

    code: Code
    message: str
    remedy: str


def troubles(session: Session, run: RunRow | None) -> Iterator[Trouble]:
    """Everything that is wrong now, what stops most of the desk first."""
    beats = {row.component: row for row in session.exec(select(HeartbeatRow)).all()}
    for name, code, lost in (
        ("engine", "no_engine", "no session is played and nothing new is sent; stops stay at the broker"),
        ("watchdog", "no_watchdog", "nothing that adds risk is opened, and a halt is carried out by the engine alone"),
    ):
        row = beats.get(name)
        if row is not None and row.state != "off" and (since := _silent(row)) is not None:
            yield _trouble(code, f"The {name} has not been heard since {since:%H:%M:%S} UTC: {lost}.", REMEDIES[name])
    for name, code, begins in (
        ("broker", "no_broker", "The broker does not answer, so fills and the ends of orders are not known"),
        ("data", "no_data", "Prices are missing, so the session waits"),
        ("stream", "no_stream", "The broker's stream is broken, so fills are heard some seconds later"),
    ):
        row = beats.get(name)
        if row is not None and row.state == "down":
            yield _trouble(code, f"{begins}: {row.detail.rstrip('.')}.", REMEDIES[name])
    law = beats.get("law")
    if law is not None and law.state == "safe":
        told = f"The desk only watches, cancels and reduces: {law.detail.rstrip('.')}."
        yield Trouble(code="safe_mode", message=told, remedy=law_remedy(law.detail))
    if run is not None:
        yield from _of_the_books(session, run.id)


def law_remedy(detail: str) -> str:
    """What ends safe mode, by the reason for it."""
    if "break" in detail:
        return _BREAKS
    if "watchdog" in detail:
        return REMEDIES["watchdog"]
    return "Restore the file in config/ of the home, or activate the new one: `quarterdeck doctor` says what is wrong."


def _of_the_books(session: Session, run_id: str) -> Iterator[Trouble]:
    unknown = session.exec(
        select(OrderRow.symbol).where(OrderRow.run_id == run_id, OrderRow.state == "unknown").order_by(OrderRow.symbol)
    ).all()
    if unknown:
        yield Trouble(
            code="unknown_orders",
            message=f"Whether the broker has {_count(len(unknown), 'order')} in {_names(unknown)} is not known: "
            "nothing that adds risk is sent there.",
            remedy="Nothing while it lasts a minute: the desk asks until it knows and never sends an order again in "
            "doubt. If it lasts, look at the broker's site and reconcile.",
        )
    found = session.exec(
        select(BreakRow.symbol)
        .where(BreakRow.run_id == run_id, BreakRow.status == "open")
        .order_by(col(BreakRow.symbol))
    ).all()
    if found:
        where = "everywhere" if None in found else f"in {_names([name for name in found if name])}"
        yield Trouble(
            code="open_breaks",
            message=f"{_count(len(found), 'difference')} between our book and the broker's: nothing that adds risk is "
            f"sent {where}.",
            remedy=_BREAKS,
        )


def _trouble(code: str, message: str, remedy: str) -> Trouble:
    return Trouble.model_validate({"code": code, "message": message, "remedy": remedy})


def _silent(row: HeartbeatRow) -> datetime | None:
    """When a process was last heard, if it is dead or has not been heard for too long."""
    return row.at_wall if not lives(row.pid) or now() - row.at_wall > STALE_AFTER else None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _names(names: Iterable[str]) -> str:
    several = sorted(set(names))
    more = f" and {len(several) - SHOWN} more" if len(several) > SHOWN else ""
    return ", ".join(several[:SHOWN]) + more
