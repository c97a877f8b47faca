"""The token budget of a run: reserved before a call, settled after it, kept in SQL across restarts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import select

from memory.database import Database
from memory.tables import RecordingRow


class RunBudget:
    """Tokens that model calls of one run may use. What was spent is read from the recordings."""

    def __init__(self, database: Database, run_id: str, tokens: int) -> None:
        self._limit = tokens
        with database.read() as session:
            metas = session.exec(
                select(RecordingRow.meta).where(RecordingRow.run_id == run_id, RecordingRow.kind == "model")
            ).all()
        self._spent = sum(_tokens(meta) for meta in metas)
        self._reserved = 0

    def reserve(self, tokens: int) -> bool:
        """Set `tokens` aside; False when they are not there."""
        if self._spent + self._reserved + tokens > self._limit:
            return False
        self._reserved += tokens
        return True

    def settle(self, reserved: int, used: int) -> None:
        """Give back a reservation and book what was used."""
        self._reserved -= reserved
        self._spent += used


def _tokens(meta: Mapping[str, Any]) -> int:
    counts = (meta.get(name) for name in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"))
    return sum(int(count) for count in counts if isinstance(count, int | float))
