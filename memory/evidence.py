"""Evidence at rest: kept once under the id that its content gives it, never changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from memory.tables import EvidenceRow
from tools.errors import FutureDataError
from tools.types import Evidence


def keep(session: Session, items: Iterable[Evidence]) -> int:
    """Store what is not there yet, in the caller's transaction; returns how many were given."""
    unique = {item.id: item for item in items}
    if not unique:
        return 0
    values = [
        {"id": item.id, "kind": item.kind, "symbol": item.symbol, "known_at": item.known_at, "body": item}
        for item in unique.values()
    ]
    table = getattr(EvidenceRow, "__table__")  # noqa: B009
    build = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.connection().execute(build(table).on_conflict_do_nothing(), values)
    return len(unique)


def read(session: Session, ids: Iterable[str], as_of: datetime) -> tuple[Evidence, ...]:
    """Evidence by id, in the order asked; FutureDataError if any of it was not known at `as_of`."""
    wanted = list(dict.fromkeys(ids))
    rows = session.exec(select(EvidenceRow).where(col(EvidenceRow.id).in_(wanted))).all()
    found = {row.id: row.body for row in rows}
    for item in found.values():
        if item.known_at > as_of:
            raise FutureDataError(
                f"evidence {item.id} was known at {item.known_at.isoformat()}, after {as_of.isoformat()}",
                code="future_evidence",
            )
    return tuple(found[item] for item in wanted if item in found)
