"""How many calls may be under way at one endpoint."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary


class Gate:
    """At most so many at a time; the rest wait in line. Counted per event loop, since a semaphore belongs to one."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    def place(self) -> asyncio.Semaphore:
        """What to enter with `async with`."""
        loop = asyncio.get_running_loop()
        if loop not in self._by_loop:
            self._by_loop[loop] = asyncio.Semaphore(self._places)
        return self._by_loop[loop]
