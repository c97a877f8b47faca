"""What a view returned, whether anybody acted on it or not."""

from __future__ import annotations

from math import isfinite

from tools.data.types import Panel
from tools.types import Outcome


def last_close(view: Outcome, panel: Panel) -> int | None:
    """The newest session of a panel in which a view's name has a close, as an index into it.

    None where it has none since the view's opening, or none at it: then there is no return to speak of.
    """
    begin, column = panel.sessions.index(view.opened), panel.column(view.symbol)
    known = [at for at in range(begin, len(panel.sessions)) if isfinite(panel.close[at, column])]
    return known[-1] if known and known[0] == begin else None


def view_returns(view: Outcome, index_entry: float, panel: Panel, index_now: float, end: int) -> tuple[float, float]:
    """Simple returns of a view and of the index, both signed by its side, from its opening on.

    The view's ends at index `end` of the panel (see `last_close`), the index's at `index_now`. The panel is adjusted as
    of the clock, so that a split is no return.
    """
    begin, column = panel.sessions.index(view.opened), panel.column(view.symbol)
    sign = 1.0 if view.side == "buy" else -1.0
    moved = sign * (panel.close[end, column] / panel.close[begin, column] - 1.0)
    return float(moved), float(sign * (index_now / index_entry - 1.0))
