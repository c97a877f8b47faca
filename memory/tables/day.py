"""The day: what the engine last saw of the venue, and who signed a start or an end of day."""

# SQLModel declares __tablename__ as a declared_attr.
# pyright: reportAssignmentType=false

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import Field, SQLModel

from memory.tables.fields import body, instant, json_field
from tools.execution.types import VenueFacts


class VenueFactsRow(SQLModel, table=True):
    """The newest look at the venue of a run; the API reads it, because no web route reaches a broker."""

    __tablename__ = "venue_facts"
    run_id: str = Field(primary_key=True)
    body: VenueFacts = body(VenueFacts)
    seen_wall: datetime = instant()


class SignOffRow(SQLModel, table=True):
    """One signed start or end of day. The key makes a second one impossible."""

    __tablename__ = "sign_offs"
    run_id: str = Field(primary_key=True)
    session: date = Field(primary_key=True)
    moment: str = Field(primary_key=True)
    principal: str
    role: str
    checks_sha256: str
    failed: list[str] = json_field()
    reason_code: str | None = None
    note: str
    ledger_seq: int
    session_id: str | None = None
    address: str | None = None
    signed_wall: datetime = instant()
