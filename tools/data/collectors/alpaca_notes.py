"""What a feed noticed while it fetched, kept for the inspection of the session in which it was noticed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from tools.data.sessions import Schedule
from tools.data.types import QualityIssue

Unit = Literal["sessions", "rows", "seconds"]


class Notes:
    """Data issues by the session that was under way, or next, when they were noticed; each once."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._kept: dict[date, dict[tuple[str, str | None, str], QualityIssue]] = {}

    def of(self, session: date) -> tuple[QualityIssue, ...]:
        return tuple(self._kept.get(session, {}).values())

    def left_out(self, symbol: str, why: str, now: datetime) -> None:
        self._note("left_out", symbol, 0, 1, "sessions", f"{symbol} is left out: {why}", now)

    def dropped(self, symbol: str, why: str, now: datetime) -> None:
        self._note("dropped_bar", symbol, 1, 0, "rows", f"not taken: {why}", now)

    def damaged(self, file: str, aside: str, now: datetime) -> None:
        self._note(
            "damaged_cache",
            None,
            1,
            0,
            "rows",
            f"{file} could not be read; it is kept as {aside} and fetched anew",
            now,
        )

    def late(self, symbol: str, what: str, now: datetime) -> None:
        self._note(
            "late_action", symbol, 1, 0, "sessions", f"{what}, told only after its open: check the position", now
        )

    def unbooked(self, symbol: str, what: str, now: datetime) -> None:
        self._note("unbooked_action", symbol, 1, 0, "rows", f"{what}: check the position by hand", now)

    def clock_back(self, seconds: float, now: datetime) -> None:
        self._note("clock_back", None, round(seconds, 3), 1, "seconds", "this machine's clock went back", now)

    def _note(
        self, code: str, symbol: str | None, value: float, limit: float, unit: Unit, message: str, now: datetime
    ) -> None:
        closed = self._schedule.closed(now)
        session = self._schedule.days[min(closed, len(self._schedule.days) - 1)]
        issue = QualityIssue.model_validate({
            "code": code, "severity": "warning", "symbol": symbol, "session": session, "value": value, "limit": limit,
            "unit": unit, "message": message,
        })  # fmt: skip
        self._kept.setdefault(session, {}).setdefault((code, symbol, message), issue)
