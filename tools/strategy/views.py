"""What a view returned, whether anybody acted on it or not."""

from __future__ import annotations

from tools.data.types import Panel
from tools.types import Outcome


def view_returns(view: Outcome, index_entry: float, panel: Panel, index_now: float) -> tuple[float, float]:
    """Simple returns of a view and of the index, both signed by its side, from its opening to the end of a panel.

    The panel is adjusted as of the clock, so that a split is no return.
    """
    begin, column = panel.sessions.index(view.opened), panel.column(view.symbol)
    sign = 1.0 if view.side == "buy" else -1.0
    moved = sign * (panel.close[-1, column] / panel.close[begin, column] - 1.0)
    return float(moved), float(sign * (index_now / index_entry - 1.0))
