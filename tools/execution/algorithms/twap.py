"""TWAP: the same number of shares per unit of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from tools.execution.algorithms.spread import next_slice, spread
from tools.execution.algorithms.types import Child, Context, Parent, Plan, Slice


class Twap:
    """Slices in proportion to the length of their windows, under the participation cap."""

    @property
    def name(self) -> str:
        return "twap"

    def plan(self, parent: Parent, context: Context) -> Plan:
        """Spread evenly over time. Raises ExecutionError `participation_cap`, `no_volume_history`,
        `no_intraday_profile`."""
        lengths = [Decimal(int((window.end - window.start).total_seconds() * 1000)) for window in context.windows]
        return spread(self.name, f"time over {len(lengths)} windows", parent, context, lengths)

    def next(self, plan: Plan, children: Sequence[Child], now: datetime) -> Slice | None:
        return next_slice(plan, children, now)
