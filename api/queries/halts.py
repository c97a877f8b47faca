"""The halts as the API shows them. Few imports: the command line says a halt in these words when all else is down."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel
from sqlmodel import col, select

from api.paging import Page
from api.schemas import HaltBody
from memory.tables import HaltRow
from pipeline.halt import FILE_SOURCE, file_halt
from pipeline.store import Store


class HaltQuery(BaseModel):
    """Filters of /halts."""

    all: Annotated[bool, Query(description="also those that were released")] = False


def halt_body(row: HaltRow) -> HaltBody:
    """A halt as the API shows it."""
    return HaltBody(
        **row.model_dump(include=set(HaltBody.model_fields) - {"engaged", "released", "asked_release"}),
        engaged=row.engaged_wall, released=row.released_wall, asked_release=row.asked_release or [],
    )  # fmt: skip


def list_halts(store: Store, query: HaltQuery) -> Page[HaltBody]:
    """Halts, newest first; there are never many."""
    with store.db.read() as session:
        statement = select(HaltRow).order_by(col(HaltRow.engaged_wall).desc(), col(HaltRow.id))
        if not query.all:
            statement = statement.where(col(HaltRow.released_wall).is_(None))
        items = [halt_body(row) for row in session.exec(statement)]
    if store.home.halt_file.exists() and not any(i.source == FILE_SOURCE and i.released is None for i in items):
        items = [halt_body(file_halt(store)), *items]
    return Page[HaltBody](items=items, next=None, total=len(items))
