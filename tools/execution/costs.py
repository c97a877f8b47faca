"""What a trade costs: commission, half the spread, and the square-root law of market impact."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from tools.canonical import sha256_hex
from tools.types import Frozen, Side

CENT = Decimal("0.01")
BPS = Decimal("0.0001")
SESSIONS_PER_YEAR = 252
_HASH_SPAN = Decimal(2**32)


class CostModel(Frozen):
    """Costs in account currency and basis points.

    Commission is `commission_per_share` and `commission_bps` of the value, at least `minimum_commission`, at most
    `maximum_commission_bps` of the value where that is given (the cap wins). A trade pays half of `spread_bps`, the
    quoted spread. `impact_bps` is the impact of trading a whole session's volume; a part p of it costs
    `impact_bps * sqrt(p)` (the square-root law; 100 bps is about half of a large company's daily volatility).
    `noise` is the half width of the multiplier around one that slippage is drawn from.
    """

    commission_per_share: Decimal = Field(default=Decimal("0.005"), ge=0)
    commission_bps: Decimal = Field(default=Decimal(0), ge=0)
    minimum_commission: Decimal = Field(default=Decimal("1.00"), ge=0)
    maximum_commission_bps: Decimal | None = Field(default=None, ge=0)
    spread_bps: Decimal = Field(default=Decimal(4), ge=0)
    impact_bps: Decimal = Field(default=Decimal(100), ge=0)
    noise: Decimal = Field(default=Decimal("0.5"), ge=0, le=1)


DEFAULT = CostModel()


def commission(quantity: int, price: Decimal, model: CostModel = DEFAULT) -> Decimal:
    """Commission of one execution, rounded to 0.01; ValueError for a quantity below one."""
    if quantity < 1:
        raise ValueError(f"quantity {quantity}: an execution has at least one share")
    value = price * quantity
    fee = (model.commission_per_share * quantity + model.commission_bps * BPS * value).quantize(CENT)
    fee = max(model.minimum_commission, fee)
    if model.maximum_commission_bps is None:
        return fee
    return min(fee, (model.maximum_commission_bps * BPS * value).quantize(CENT))


def draw(text: str) -> Decimal:
    """A number in [0, 1) that the same text always gives."""
    return Decimal(int(sha256_hex(text.encode())[:8], 16)) / _HASH_SPAN


def noise_factor(seed: int, client_order_id: str, model: CostModel = DEFAULT) -> Decimal:
    """A multiplier in [1 - noise, 1 + noise) that the same seed and order always give."""
    return 1 - model.noise + 2 * model.noise * draw(f"{seed}:{client_order_id}")


def slippage_bps(quantity: int, volume: int, factor: Decimal, model: CostModel = DEFAULT) -> Decimal:
    """Basis points paid beyond the reference price: (half spread + impact * sqrt(quantity / volume)) * factor."""
    if volume < 1:
        raise ValueError(f"volume {volume}: nothing trades in a session without volume")
    return (model.spread_bps / 2 + model.impact_bps * (Decimal(quantity) / volume).sqrt()) * factor


def slipped(side: Side, reference: Decimal, bps: Decimal) -> Decimal:
    """The reference price moved against the trader by `bps`, rounded to 0.01 and never below it."""
    sign = 1 if side == "buy" else -1
    return max(CENT, (reference * (1 + sign * bps * BPS)).quantize(CENT))


def session_fee(value: Decimal, annual_bps: Decimal) -> Decimal:
    """One session's part (1/252) of an annual fee on `value`, rounded to 0.01."""
    return (value * annual_bps * BPS / SESSIONS_PER_YEAR).quantize(CENT)
