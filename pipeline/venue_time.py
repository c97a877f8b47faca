"""Whose clock a session runs on: the desk's, at a venue that it plays, or the wall's, at a real one.

At a played venue every part of a session can be played at once. A real one opens and closes by itself: the open is
taken from the opening moment on for `OPEN_WINDOW`, after that it was missed; the close once its bar is known.
"""

from __future__ import annotations

from datetime import timedelta

from pipeline import store as wall
from tools.execution.types import Broker, PlayedVenue
from tools.types import Tick

OPEN_WINDOW = timedelta(minutes=10)
"""How long after the opening moment what was approved for it may still be sent."""


class VenueTime:
    """When a part of a session can be played. `venue` is None where the broker matches by itself."""

    def __init__(self, broker: Broker) -> None:
        self.venue: PlayedVenue | None = broker if isinstance(broker, PlayedVenue) else None

    def has_come(self, tick: Tick) -> bool:
        """True when this part of a session can be played."""
        return self.venue is not None or wall.now() >= tick.as_of

    def is_past(self, tick: Tick) -> bool:
        """True when an open went by without us."""
        return self.venue.is_past(tick) if self.venue else wall.now() > tick.as_of + OPEN_WINDOW

    def seen_at(self, tick: Tick) -> Tick:
        """The tick with the moment up to which the venue's fills are booked."""
        return tick if self.venue else tick.model_copy(update={"as_of": max(wall.now(), tick.as_of)})
