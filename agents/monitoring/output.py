"""What the monitoring agent may find."""

from __future__ import annotations

from typing import Literal

FindingCode = Literal[
    "data_old", "data_quality", "drawdown", "concentration", "concentration_creep", "near_limit", "budget",
    "abstentions", "dissent", "vetoes", "brief_length", "prompt_length", "component_silent", "degraded", "fatigue",
    "over_limit",
]  # fmt: skip
Rule = Literal["threshold", "repeated", "unusual", "shift"]
"""Which kind of rule fired: a limit, often in a row, against its own weekday, or a change-point."""
