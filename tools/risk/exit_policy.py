"""The exit policy: how stops move, when time is up, and what may be reduced with nobody there. Nothing here buys."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_UP, Decimal
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from tools.types import Frozen

Occasion = Literal["night", "nobody_answers", "desk_half_dead"]
"""`night`: asked after the close and still open at the next open. `nobody_answers`: unanswered for a number of
sessions. `desk_half_dead`: the model gave no opinion on anything, or sessions were missed while the engine was down."""

Reduction = Literal["protective_stop", "trailing_stop", "time_stop", "exit_signal", "reduce"]
"""Why a position is reduced: its planned or its tightened stop was passed, its time is up, its strategy's own exit
rule, or a part of it because of the occasion alone."""

StopReason = Literal["trailing", "breakeven"]

PRICE_STEP = Decimal("0.01")


class Unattended(Frozen):
    """What may be reduced without a person on one occasion. Shares are fractions of the position."""

    reductions: tuple[Reduction, ...] = ()
    cap_share: Decimal = Field(default=Decimal(1), gt=0, le=1, description="at most this share in one session")
    reduce_to_share: Decimal | None = Field(default=None, ge=0, lt=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if ("reduce" in self.reductions) != (self.reduce_to_share is not None):
            raise ValueError("`reduce` and reduce_to_share belong together: give both or neither")
        if len(set(self.reductions)) != len(self.reductions):
            raise ValueError("a reduction is named twice: keep one")
        return self

    def quantity(self, cause: Reduction, held: int) -> int:
        """Shares that may go for `cause` out of `held` now; never more than is held, 0 when the cause is not named."""
        if cause not in self.reductions or held <= 0:
            return 0
        cap = int((self.cap_share * held).to_integral_value(rounding=ROUND_CEILING))
        wanted = held
        if cause == "reduce" and self.reduce_to_share is not None:
            wanted = held - int((self.reduce_to_share * held).to_integral_value(rounding=ROUND_CEILING))
        return min(wanted, cap, held)


class ExitPolicy(Frozen):
    """The `exits` section of the limits file. Distances are multiples of the 14-session ATR, times are sessions."""

    trail_atr: Decimal | None = Field(gt=0, description="stop this far behind the close; None trails nothing")
    trail_step_atr: Decimal = Field(ge=0, description="a stop is not moved for less than this")
    breakeven_atr: Decimal | None = Field(gt=0, description="profit at which the stop goes to the entry price")
    time_stop_sessions: Mapping[str, int] = Field(description="by strategy: held this long, it is closed")
    unanswered_sessions: int = Field(ge=1, description="an exit unanswered this long is `nobody_answers`")
    silent_sessions: int | None = Field(ge=1, description="so is every position when nobody answered anything")
    model_silent_sessions: int = Field(ge=1, description="closes without one opinion that make `desk_half_dead`")
    missed_sessions: int = Field(ge=1, description="sessions missed by the engine that make `desk_half_dead`")
    night: Unattended
    nobody_answers: Unattended
    desk_half_dead: Unattended

    @model_validator(mode="after")
    def _possible(self) -> Self:
        wrong = {name: count for name, count in self.time_stop_sessions.items() if count < 1}
        if wrong:
            name, count = next(iter(wrong.items()))
            raise ValueError(f"time_stop_sessions.{name} = {count}: a position is held for at least one session")
        return self

    def on(self, occasion: Occasion) -> Unattended:
        """What this policy allows on an occasion."""
        return {"night": self.night, "nobody_answers": self.nobody_answers, "desk_half_dead": self.desk_half_dead}[
            occasion
        ]


class StopMove(NamedTuple):
    """A tighter stop and why."""

    price: Decimal
    reason: StopReason


def tightened_stop(
    policy: ExitPolicy,
    *,
    quantity: int,
    average_price: Decimal,
    stop: Decimal | None,
    close: Decimal,
    atr: Decimal,
) -> StopMove | None:
    """The stop that a close just known earns a position; None when the present one stays.

    Long: the larger of `close - trail_atr * ATR` and, once `close >= average + breakeven_atr * ATR`, the average
    price; a short mirrors it. The result is strictly on the far side of the close and strictly tighter than `stop`,
    by `trail_step_atr * ATR` or more. Prices are rounded away from the market, to 0.01.
    """
    if quantity == 0 or close <= 0 or atr <= 0:
        return None
    long = quantity > 0
    sign = 1 if long else -1
    earned: list[StopMove] = []
    if policy.breakeven_atr is not None and sign * (close - average_price) >= policy.breakeven_atr * atr:
        earned.append(StopMove(average_price, "breakeven"))
    if policy.trail_atr is not None:
        earned.append(StopMove(close - sign * policy.trail_atr * atr, "trailing"))
    if not earned:
        return None
    best = max(earned, key=lambda move: sign * move.price)
    price = best.price.quantize(PRICE_STEP, rounding=ROUND_DOWN if long else ROUND_UP)
    step = max(PRICE_STEP, policy.trail_step_atr * atr)
    if price <= 0 or sign * (close - price) <= 0 or (stop is not None and sign * (price - stop) < step):
        return None
    return StopMove(price, best.reason)
