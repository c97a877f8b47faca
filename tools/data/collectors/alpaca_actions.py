"""Corporate actions from Alpaca, with the moment from which the desk may know each of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from tools.data.collectors.alpaca_bars import daily_open
from tools.data.collectors.alpaca_cache import AlpacaCache, SeenAction
from tools.data.collectors.alpaca_client import AlpacaClient, Refused
from tools.data.collectors.alpaca_notes import Notes
from tools.data.collectors.alpaca_words import Told, actions_of
from tools.data.sessions import Schedule
from tools.data.types import CorporateAction

PATH = "/corporate-actions"
NAMES = 100
PAGE = "1000"
AHEAD = timedelta(days=30)
BACK = timedelta(days=7)
EVERY = timedelta(hours=1)


class ActionBook:
    """Splits, dividends and spin-offs of the window.

    Alpaca does not tell when an action was announced. One that goes ex before the anchor counts as known by the open
    of its ex-date, since an exchange publishes that date beforehand; a later one is known from when we first saw it.
    One first seen after its open is noted: what the account did with it then has to be looked at.
    A spin-off is worth the opening price of the share it hands out, known at that open.
    """

    def __init__(
        self, client: AlpacaClient, cache: AlpacaCache, schedule: Schedule, notes: Notes, *, anchor: date
    ) -> None:
        self._client, self._cache, self._schedule, self._notes, self._anchor = client, cache, schedule, notes, anchor
        self._seen, self._damage = cache.load_actions()
        self._asked: datetime | None = None
        self._names: frozenset[str] = frozenset()
        self.known: tuple[CorporateAction, ...] = ()

    def learn(self, names: Sequence[str], now: datetime) -> bool:
        """Ask for actions up to a month ahead, at most once an hour; True when what is known may have changed."""
        if self._asked is not None and timedelta(0) <= now - self._asked < EVERY:
            return False
        if self._damage is not None:
            self._notes.damaged(*self._damage, now)
            self._damage = None
        self._names = frozenset(names)
        start = self._schedule.days[0] if self._asked is None else max(self._schedule.days[0], now.date() - BACK)
        before = dict(self._seen)
        for first in range(0, len(names), NAMES):
            self._ask(",".join(names[first : first + NAMES]), start, now)
        self._asked = now
        if self._seen != before:
            self._cache.save_actions(self._seen, now)
        self._rebuild(now)
        return True

    def value(self, ex_date: date, now: datetime, feed: str) -> bool:
        """Put a worth on the spin-offs up to an ex-date that has opened; True when one was valued."""
        before = dict(self._seen)
        for name, item in before.items():
            told, opened = item.told, self._open_of(item.told.ex_date)
            if told.spun is None or item.worth is not None or told.ex_date > ex_date or opened > now:
                continue
            closes = self._schedule.session(opened.date()).closes
            try:
                price = daily_open(self._client, told.spun, opened, min(now, closes), feed)
            except Refused:
                price = None
            if price is None:
                self._notes.unbooked(told.symbol, f"spin-off of {told.spun} on {told.ex_date} without a price", now)
                continue
            worth = (price * told.per_old).quantize(price)
            self._seen[name] = item.model_copy(update={"worth": worth})
        if self._seen == before:
            return False
        self._cache.save_actions(self._seen, now)
        self._rebuild(now)
        return True

    def _ask(self, names: str, start: date, now: datetime) -> None:
        query = {
            "symbols": names, "start": start.isoformat(), "end": (now.date() + AHEAD).isoformat(), "limit": PAGE,
            "sort": "asc",
        }  # fmt: skip
        for page in self._client.pages("actions", PATH, query):
            told, troubles = actions_of(page, PATH)
            for item in told:
                known = self._seen.get(item.id)
                if known is None or known.told != item:
                    self._seen[item.id] = SeenAction(told=item, first_seen=now)
            for trouble in troubles:
                if trouble.symbol in self._names and (trouble.day is None or trouble.day >= self._anchor):
                    self._notes.unbooked(trouble.symbol, f"{trouble.why}, {trouble.day or 'no date'}", now)

    def _rebuild(self, now: datetime) -> None:
        found = []
        for item in self._seen.values():
            told = item.told
            cash = told.cash + (item.worth or 0)
            if told.symbol not in self._names or (told.ratio == 1 and not cash):
                continue
            opened = self._open_of(told.ex_date)
            known_at = min(item.first_seen, opened) if told.ex_date < self._anchor else item.first_seen
            if told.spun is not None:
                known_at = max(known_at, opened)
            if known_at > opened and item.first_seen == now:
                self._notes.late(told.symbol, f"{_words(told)} on {told.ex_date}", now)
            found.append(CorporateAction(
                symbol=told.symbol, kind="distribution" if told.ratio == 1 else "split", ex_date=told.ex_date,
                ratio=told.ratio, cash=cash, known_at=known_at, note=_words(told),
            ))  # fmt: skip
        self.known = tuple(sorted(found, key=lambda item: (item.ex_date, item.symbol, item.note)))

    def _open_of(self, day: date) -> datetime:
        """The open of the session on or after a day; midnight UTC beyond the window."""
        row = bisect_left(self._schedule.days, day)
        beyond = row == len(self._schedule.days)
        return datetime.combine(day, time(), UTC) if beyond else self._schedule.sessions[row].opens


def _words(told: Told) -> str:
    words = told.kind.removesuffix("s").replace("_", " ")
    return words if told.spun is None else f"{words} of {told.spun}"
