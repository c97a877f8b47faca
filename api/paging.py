"""Lists in pages: a keyset cursor names the last row seen, so that rows arriving meanwhile shift nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from fastapi import Query
from pydantic import BaseModel, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import Session, SQLModel, select

from api.errors import RequestError
from tools.canonical import plain

DEFAULT_LIMIT = 50
MAX_LIMIT = 500

T = TypeVar("T")
R = TypeVar("R", bound=SQLModel)


class Page(BaseModel, Generic[T]):
    """One page of a list. `next` goes into `?after=` of the next request; null on the last page."""

    items: list[T]
    next: str | None
    total: int


class PageQuery(BaseModel):
    """How much of a list, from where."""

    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    after: Annotated[str | None, Query(max_length=500, description="`next` of the page before")] = None


class Order(NamedTuple):
    """One sort key: a column name and its direction."""

    column: str
    descending: bool = False


class Rows(NamedTuple, Generic[R]):
    """The rows of one page, as the database holds them."""

    rows: list[R]
    next: str | None
    total: int


def encode_cursor(name: str, values: Sequence[Any]) -> str:
    """An opaque cursor: the list's name and the sort values of the last row."""
    text = json.dumps([name, *plain(list(values))], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(name: str, cursor: str, table: type[SQLModel], order: Sequence[Order]) -> list[Any]:
    """Read the sort values back; RequestError code "bad_cursor" for anything this list did not hand out."""
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(found, list) or found[0] != name or len(found) != len(order) + 1:
            raise ValueError(f"not a cursor of {name}")
        return [_adapter(table, key.column).validate_python(value) for key, value in zip(order, found[1:], strict=True)]
    except (binascii.Error, UnicodeDecodeError, ValueError, ValidationError, IndexError, RecursionError):
        raise RequestError(
            f"after={cursor[:40]!r} is not a cursor of {name}: leave it out to start from the first page",
            code="bad_cursor",
        ) from None


def _adapter(table: type[SQLModel], column: str) -> TypeAdapter[Any]:
    annotation: Any = table.model_fields[column].annotation
    return TypeAdapter(annotation)


def select_page(
    session: Session,
    table: type[R],
    query: PageQuery,
    *,
    order: Sequence[Order],
    where: Sequence[ColumnElement[bool]] = (),
) -> Rows[R]:
    """One page of `table` in `order`, whose last key must be unique. `total` counts the whole list."""
    name = str(table.__tablename__)
    columns = [getattr(table, key.column) for key in order]
    statement = select(table).where(*where)
    if query.after is not None:
        statement = statement.where(_beyond(columns, order, decode_cursor(name, query.after, table, order)))
    sorting = [c.desc() if key.descending else c.asc() for c, key in zip(columns, order, strict=True)]
    rows = list(session.exec(statement.order_by(*sorting).limit(query.limit + 1)))
    total = session.exec(select(func.count()).select_from(table).where(*where)).one()
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    cursor = encode_cursor(name, [getattr(rows[-1], key.column) for key in order]) if more else None
    return Rows(rows, cursor, total)


def _beyond(columns: Sequence[Any], order: Sequence[Order], values: Sequence[Any]) -> ColumnElement[bool]:
    """Rows after `values`: for keys a, b, c the OR of a>x; a=x, b>y; a=x, b=y, c>z (with < where descending)."""
    steps: list[ColumnElement[bool]] = []
    for depth, (column, key, value) in enumerate(zip(columns, order, values, strict=True)):
        equal = [columns[i] == values[i] for i in range(depth)]
        steps.append(and_(*equal, column < value if key.descending else column > value))
    return or_(*steps)
