"""Wishes of people to the engine, which may live in another process: a row asks, the engine answers in it."""

from __future__ import annotations

import secrets
import time

from sqlmodel import col, select

from memory.tables import CommandRow
from pipeline.store import Principal, Store, now

NEXT, RECONCILE, REBUILD_MEMORY = "next", "reconcile", "rebuild_memory"


def request_next(store: Store, principal: Principal) -> CommandRow:
    """Ask for the next session."""
    return _request(store, principal, NEXT)


def request_reconciliation(store: Store, principal: Principal) -> CommandRow:
    """Ask for a comparison of both books, all fills included."""
    return _request(store, principal, RECONCILE)


def request_rebuild(store: Store, principal: Principal) -> CommandRow:
    """Ask for the index of memory to be built anew from SQL."""
    return _request(store, principal, REBUILD_MEMORY)


def _request(store: Store, principal: Principal, kind: str) -> CommandRow:
    """Write a wish. Asking again while one is pending gives the pending one."""
    with store.db.write() as session:
        pending = session.exec(
            select(CommandRow).where(CommandRow.kind == kind, CommandRow.status == "pending")
        ).first()
        if pending is not None:
            return pending
        row = CommandRow(id=f"cmd_{secrets.token_hex(8)}", kind=kind, principal=principal.name, asked_wall=now())
        session.add(row)
    return row


def pending(store: Store) -> CommandRow | None:
    with store.db.read() as session:
        query = select(CommandRow).where(CommandRow.status == "pending").order_by(col(CommandRow.asked_wall))
        return session.exec(query).first()


def answer(store: Store, command_id: str, status: str, detail: str) -> None:
    """Close a command as `done` or `refused`."""
    with store.db.write() as session:
        row = session.get_one(CommandRow, command_id)
        row.status, row.detail = status, detail
        session.add(row)


def find(store: Store, command_id: str) -> CommandRow | None:
    with store.db.read() as session:
        return session.get(CommandRow, command_id)


def wait_for(store: Store, command_id: str, timeout_s: float) -> CommandRow:
    """Poll until the engine answered or the time is over; returns the row as it then is."""
    deadline = time.monotonic() + timeout_s
    while True:
        row = find(store, command_id)
        if row is not None and (row.status != "pending" or time.monotonic() >= deadline):
            return row
        time.sleep(0.1)
