"""VWAP: shares in proportion to the volume that history leads one to expect. No profile is ever assumed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tools.execution.algorithms.spread import expected_volume, next_slice, no_intraday_profile, profile, spread
from tools.execution.algorithms.types import Child, Context, Parent, Plan, Slice


class Vwap:
    """Slices in proportion to expected volume, under the participation cap.

    Over sessions the weight is the mean volume of past sessions (by weekday where there are three); within a session
    it is the mean share of each part, from intraday bars. Parts of a session without intraday bars are refused.
    """

    @property
    def name(self) -> str:
        return "vwap"

    def plan(self, parent: Parent, context: Context) -> Plan:
        """Spread over expected volume. Raises ExecutionError `participation_cap`, `no_volume_history`,
        `no_intraday_profile`."""
        weights = []
        for window in context.windows:
            shape = profile(context, window.buckets)
            if shape is None:
                raise no_intraday_profile(window.session, "a VWAP within the session")
            weights.append(expected_volume(context.daily, window.session) * shape[window.bucket])
        intraday = len({row.session for row in context.intraday})
        basis = f"volume of {len(context.daily)} past sessions" + (f", shape of {intraday}" if intraday else "")
        return spread(self.name, basis, parent, context, weights)

    def next(self, plan: Plan, children: Sequence[Child], now: datetime) -> Slice | None:
        return next_slice(plan, children, now)
