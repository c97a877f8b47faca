"""Headlines from Alpaca's news, each article once, as the text read when it was first seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tools.canonical import instant_text
from tools.data.collectors.alpaca_client import AlpacaClient, garbled
from tools.data.collectors.alpaca_words import headline_of
from tools.data.types import Headline

PATH = "/news"
PAGE = "50"
NAMES = 50


class NewsDesk:
    """Headlines about our names fetched so far; what names none of them is not asked for.

    A later version of an article we have does not replace it, and a copy of one is not taken.
    """

    def __init__(self, client: AlpacaClient) -> None:
        self._client = client
        self._known: dict[str, Headline] = {}
        self._copies: set[tuple[str, tuple[str, ...]]] = set()
        self._from: datetime | None = None
        self._through: datetime | None = None

    def fetch(self, symbols: Sequence[str], since: datetime, until: datetime, now: datetime) -> None:
        """Ask for what lies between `since` and `until`, as far as it was not asked for and is past."""
        until = min(until, now)
        if self._from is None or self._through is None or since < self._from:
            start = since
        elif until > self._through:
            start = self._through
        else:
            return
        if start >= until:
            return
        for first in range(0, len(symbols), NAMES):
            self._ask(",".join(symbols[first : first + NAMES]), start, until)
        self._from = min(start, self._from or start)
        self._through = max(until, self._through or until)

    def between(self, since: datetime, as_of: datetime) -> tuple[Headline, ...]:
        """Headlines with `since < known_at <= as_of`, oldest first."""
        found = [item for item in self._known.values() if since < item.known_at <= as_of]
        return tuple(sorted(found, key=lambda item: (item.known_at, item.id)))

    def _ask(self, names: str, start: datetime, until: datetime) -> None:
        query = {
            "symbols": names, "start": instant_text(start), "end": instant_text(until), "sort": "asc", "limit": PAGE,
            "include_content": "false",
        }  # fmt: skip
        for page in self._client.pages("news", PATH, query):
            articles = page.get("news")
            if not isinstance(articles, list):
                raise garbled(PATH, "no news in it")
            for raw in articles:
                headline = headline_of(raw)
                if headline is None or headline.id in self._known:
                    continue
                copy = (headline.text.casefold(), headline.symbols)
                if copy not in self._copies:
                    self._copies.add(copy)
                    self._known[headline.id] = headline
