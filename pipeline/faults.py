"""Named moments at which a crash test may end the process. Without a test they cost one dictionary look-up."""

from __future__ import annotations

import os
import signal
from typing import Literal, get_args

FaultPoint = Literal[
    "before_decision_commit", "after_decision_commit", "before_submit_commit", "after_submit_commit",
    "before_broker_submit", "after_broker_submit", "after_match", "before_fill_commit", "after_fill_commit",
    "after_open_cases", "after_request", "before_stage_commit", "after_stop_cancel",
]  # fmt: skip
FAULT_POINTS: tuple[str, ...] = get_args(FaultPoint)
VARIABLE = "QUARTERDECK_FAULT"
_hits = 0


def reach(point: FaultPoint) -> None:
    """Kill this process without warning when `QUARTERDECK_FAULT` is `point` or `point:N` (the N-th time)."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    name, _, nth = wanted.partition(":")
    if name == point:
        global _hits  # noqa: PLW0603
        _hits += 1
        if _hits >= int(nth or 1):
            os.kill(os.getpid(), signal.SIGKILL)
