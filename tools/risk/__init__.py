"""Limits and controls: what a book may become, and what would have changed the answer."""

from tools.risk.controls import CONTROLS, binding, check_order, verdict
from tools.risk.counterfactuals import counterfactuals
from tools.risk.limits import default_limits_text, load_limits

__all__ = ["CONTROLS", "binding", "check_order", "counterfactuals", "default_limits_text", "load_limits", "verdict"]
