"""What the monitoring agent may find."""

from __future__ import annotations

from typing import Literal

FindingCode = Literal[
    "data_old", "data_quality", "drawdown", "concentration", "abstentions", "engine_lag", "degraded", "over_limit",
]  # fmt: skip
