"""Looking at the venue and the data for the day's checks, and leaving what was seen where the API can read it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlmodel import Session

from memory.tables import RunRow, VenueFactsRow
from pipeline.desk import Desk
from pipeline.store import Store, now
from tools.data import quality
from tools.errors import ExecutionError, RetryableToolError
from tools.execution.types import Broker, VenueFacts


def look(desk: Desk) -> VenueFacts:
    """Look at the market of the newest session and at the broker, and keep what was seen."""
    run = desk.run()
    sessions = desk.market.sessions
    closed = run.session_index if run.stage == "closed" else run.session_index - 1
    tick = desk.tick(max(closed, 0), "close")
    coming = run.session_index + 1 if run.stage == "closed" else run.session_index
    bars = desk.market.bars(tick.session, tick.as_of).values()
    facts = VenueFacts(
        broker=desk.broker.name, session=tick.session, session_index=max(closed, 0),
        next_session=sessions[coming] if coming < len(sessions) else None, as_of=tick.as_of,
        data_known_at=max((bar.known_at for bar in bars), default=None),
        issues=dict(Counter(item.severity for item in quality.inspect(desk.market, tick))),
    )  # fmt: skip
    return _keep(desk.store, run, desk.broker, facts)


def look_again(store: Store, broker: Broker, run: RunRow) -> VenueFacts | None:
    """Look at the broker once more; what was seen of the data stays. None before the first look."""
    with store.db.read() as session:
        row = session.get(VenueFactsRow, run.id)
    return None if row is None else _keep(store, run, broker, row.body)


def _keep(store: Store, run: RunRow, broker: Broker, facts: VenueFacts) -> VenueFacts:
    seen: dict[str, Any] = {"cash": None, "positions": {}, "orders": (), "unbooked": 0}
    try:
        seen |= {
            "error": None, "cash": broker.cash(), "positions": broker.positions(), "orders": broker.open_orders(),
            "unbooked": len(broker.fills(run.broker_sequence)),
        }  # fmt: skip
    except (RetryableToolError, ExecutionError) as error:
        seen["error"] = error.message
    whole = VenueFacts.model_validate({**facts.model_dump(), **seen})
    with store.db.write() as session:
        _save(session, run.id, whole)
    return whole


def _save(session: Session, run_id: str, facts: VenueFacts) -> None:
    row = session.get(VenueFactsRow, run_id) or VenueFactsRow(run_id=run_id, body=facts, seen_wall=now())
    row.body, row.seen_wall = facts, now()
    session.add(row)
