"""The ledger as the API shows it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import ColumnElement
from sqlmodel import col, func, select

from api.paging import MAX_LIMIT, Page
from api.queries.cases import ledger_content
from api.schemas import LedgerBody, VerificationBody
from memory.ledger import content_sha256
from memory.tables import LedgerRow
from pipeline.store import Store, active_run


class LedgerQuery(BaseModel):
    """Filters of /ledger, which is in the order of `seq`; `after` is the last seq seen."""

    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50
    after: Annotated[int, Query(ge=0, le=2**62)] = 0
    kind: Annotated[str | None, Query(max_length=80)] = None
    case_id: Annotated[str | None, Query(max_length=80)] = None
    run: Annotated[str | None, Query(max_length=80, description="a run id; default: every run")] = None


def ledger_body(row: LedgerRow) -> LedgerBody:
    """A record with its content opened up."""
    return LedgerBody(
        **row.model_dump(include=set(LedgerBody.model_fields) - {"content", "at"}),
        content=ledger_content(row), at=row.envelope.get("at"),
    )  # fmt: skip


def list_ledger(store: Store, query: LedgerQuery) -> Page[LedgerBody]:
    """Records with a higher seq than `after`, ascending; `next` is the seq to go on from."""
    where: list[ColumnElement[bool]] = [
        col(getattr(LedgerRow, name)) == value
        for name, value in (("kind", query.kind), ("case_id", query.case_id), ("run_id", query.run))
        if value is not None
    ]
    with store.db.read() as session:
        statement = select(LedgerRow).where(*where, col(LedgerRow.seq) > query.after)
        rows = list(session.exec(statement.order_by(col(LedgerRow.seq)).limit(query.limit + 1)))
        total = session.exec(select(func.count()).select_from(LedgerRow).where(*where)).one()
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    return Page[LedgerBody](
        items=[ledger_body(row) for row in rows], next=str(rows[-1].seq) if more else None, total=total
    )


def verify_ledger(store: Store) -> VerificationBody:
    """Walk the whole chain and hold it against every place that keeps signed heads."""
    found = store.verify_ledger()
    with store.db.read() as session:
        run = active_run(session)
        digest = content_sha256(session, run.id if run else "")
    return VerificationBody(
        verified=found.verified, entries=found.entries, head=found.head, content_sha256=digest,
        problems=[problem._asdict() for problem in found.problems],
    )  # fmt: skip
