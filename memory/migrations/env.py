"""Alembic environment: runs on the connection that `upgrade` hands over."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import String, Text, TypeDecorator
from sqlmodel import SQLModel

import memory.tables  # noqa: F401  (registers the tables)


def render_item(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Write our column types as what the database sees, so that a migration outlives the classes."""
    if kind == "type" and isinstance(item, TypeDecorator):
        impl = item.impl_instance
        if isinstance(impl, Text):
            return "sa.Text()"
        if isinstance(impl, String):
            return f"sa.String(length={impl.length})"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
