"""Drawdown protection: a published curve that scales new entries down in a drawdown and lets them back slowly."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from tools.types import Frozen

FACTOR_STEP = Decimal("0.000001")
WHOLE = Decimal(1)


class CurvePoint(Frozen):
    """From this drawdown on (a fraction of the peak), this factor on the size of new entries."""

    drawdown: Decimal = Field(ge=0, le=1)
    factor: Decimal = Field(ge=0, le=1)


class DrawdownProtection(Frozen):
    """The section `protection` of the limits file: a curve that only falls, and how fast the factor may rise again."""

    curve: tuple[CurvePoint, ...] = Field(min_length=1)
    restore_per_session: Decimal = Field(gt=0, le=1)

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if self.curve[0].drawdown != 0:
            raise ValueError(f"the curve begins at a drawdown of {self.curve[0].drawdown}: its first point is at 0")
        for left, right in pairwise(self.curve):
            if right.drawdown <= left.drawdown:
                raise ValueError(f"drawdown {right.drawdown} follows {left.drawdown}: the points ascend")
            if right.factor > left.factor:
                raise ValueError(f"factor {right.factor} follows {left.factor}: a deeper drawdown never allows more")
        return self

    def factor_at(self, drawdown: Decimal) -> Decimal:
        """The curve at a drawdown: linear between points, flat beyond the last, rounded down to 1e-6."""
        for left, right in pairwise(self.curve):
            if drawdown < right.drawdown:
                along = max(Decimal(0), drawdown - left.drawdown) / (right.drawdown - left.drawdown)
                return (left.factor + along * (right.factor - left.factor)).quantize(FACTOR_STEP, rounding=ROUND_FLOOR)
        return self.curve[-1].factor


class ProtectionState(Frozen):
    """Where the protection stands after the last close. `target` is what the curve alone would say."""

    drawdown: Decimal = Decimal(0)
    target: Decimal = WHOLE
    factor: Decimal = WHOLE
    previous: Decimal = WHOLE

    @property
    def binds(self) -> bool:
        return self.factor < 1

    @property
    def begins(self) -> bool:
        """True on the session on which it starts to bind."""
        return self.factor < 1 and self.previous == 1

    @property
    def restoring(self) -> bool:
        return self.factor < self.target


def protect(drawdowns: Iterable[Decimal], policy: DrawdownProtection) -> ProtectionState:
    """Fold the drawdowns of all closes, oldest first; before the first the factor is 1.

    f[t] = min(curve(d[t]), f[t-1] + restore_per_session).

    It falls at once and rises slowly, and follows from the history alone.
    """
    state = ProtectionState()
    for drawdown in drawdowns:
        target = policy.factor_at(drawdown)
        state = ProtectionState(
            drawdown=drawdown, target=target, previous=state.factor,
            factor=min(target, state.factor + policy.restore_per_session, WHOLE),
        )  # fmt: skip
    return state
