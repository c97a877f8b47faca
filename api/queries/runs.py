"""Which run a list speaks of."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import ColumnElement
from sqlmodel import Session, col

from api.paging import PageQuery
from pipeline.store import active_run


class RunQuery(PageQuery):
    """A paged list of one run; the active one unless `run` names another. `all` means every run of the home."""

    run: Annotated[str | None, Query(max_length=80, description="a run id, or `all`; default: the active run")] = None


def run_filter(session: Session, query: RunQuery, column: Any, *, or_none: bool = False) -> list[ColumnElement[bool]]:
    """The conditions that keep a list to its run; `or_none` also keeps rows that belong to no run."""
    if query.run == "all":
        return []
    run_id = query.run
    if run_id is None:
        row = active_run(session)
        run_id = row.id if row else ""
    matches: ColumnElement[bool] = col(column) == run_id
    return [matches | col(column).is_(None)] if or_none else [matches]
