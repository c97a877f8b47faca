"""What a drill found, and its record in the ledger of a home. Nothing here reaches a broker or a scratch desk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlmodel import Session, col, select

from memory.ledger import Entry, Stage, append
from memory.tables import LedgerRow
from pipeline.store import Principal, Store, now
from tools.canonical import instant_text
from tools.errors import LedgerError
from tools.types import Frozen, Sha256

KIND = "drill.run"
MAX_LINES = 200
MAX_DETAIL = 300
MAX_NAME = 80
Text = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


class Line(Frozen):
    """One thing that was provoked: whether it fired, and what was seen of it."""

    name: Text
    fired: bool
    detail: Annotated[str, Field(max_length=MAX_DETAIL)]

    @classmethod
    def of(cls, name: str, failures: Sequence[str], seen: str) -> Line:
        """A line that fired when nothing failed; the detail is one line, cut to what a record holds."""
        told = " ".join(("; ".join(failures) or seen).split())
        return cls(
            name=name, fired=not failures, detail=told if len(told) <= MAX_DETAIL else told[: MAX_DETAIL - 3] + "..."
        )


class DrillReport(Frozen):
    """The lines of one drill, the limits that its controls were held against, and which part was asked for."""

    lines: Annotated[tuple[Line, ...], Field(min_length=1, max_length=MAX_LINES)]
    limits_sha256: Sha256
    version: Text
    only: Annotated[str | None, Field(max_length=MAX_NAME)] = None

    @property
    def silent(self) -> tuple[str, ...]:
        """What did not fire."""
        return tuple(line.name for line in self.lines if not line.fired)


class DrillRecord(Frozen):
    """A drill as the ledger keeps it."""

    seq: int
    at: datetime
    principal: str
    report: DrillReport


def record(store: Store, report: DrillReport, principal: Principal) -> DrillRecord:
    """Append the report, outside of any run's content, and sign the head."""
    at = now()
    content = {
        "principal": principal.name, "lines": len(report.lines), "fired": len(report.lines) - len(report.silent),
        "not_fired": report.silent, "report": report,
    }  # fmt: skip
    envelope = {"address": principal.address, "session": principal.session_id}
    with store.db.write() as session:
        row = append(
            session,
            Entry(
                kind=KIND, step=f"drill:{instant_text(at)}", content=content, desk_time=at, stage=Stage.SYSTEM,
                envelope=envelope,
            ),
        )  # fmt: skip
        seq = row.seq
    store.publish_head()
    return DrillRecord(seq=seq, at=at, principal=principal.name, report=report)


def last(session: Session) -> DrillRecord | None:
    """The latest drill that this home knows of; None when there was none. LedgerError for a record nobody can read."""
    query = select(LedgerRow).where(LedgerRow.kind == KIND).order_by(col(LedgerRow.seq).desc())
    row = session.exec(query.limit(1)).first()
    if row is None:
        return None
    try:
        said: dict[str, Any] = json.loads(row.content)["body"]
        return DrillRecord(
            seq=row.seq,
            at=row.desk_time,
            principal=said["principal"],
            report=DrillReport.model_validate(said["report"]),
        )
    except (ValueError, LookupError, TypeError):
        raise LedgerError(
            f"record {row.seq} of the ledger holds no drill that can be read: verify the ledger", code="ledger_damaged"
        ) from None
