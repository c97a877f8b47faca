"""What a trade costs: commission, half the spread, and the square-root law of market impact."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tools.canonical import sha256_hex
from tools.types import Side

CENT = Decimal("0.01")
BPS = Decimal("0.0001")
_HASH_SPAN = Decimal(2**32)


@dataclass(frozen=True)
class CostModel:
    """Costs in account currency and basis points.

    `impact_bps` is the impact of trading a whole session's volume; a part p of it costs `impact_bps * sqrt(p)`
    (the square-root law; 100 bps is about half of a large company's daily volatility).
    `noise` is the half width of the multiplier around one that slippage is drawn from.
    """

    commission_per_share: Decimal = Decimal("0.005")
    minimum_commission: Decimal = Decimal("1.00")
    half_spread_bps: Decimal = Decimal("2")
    impact_bps: Decimal = Decimal("100")
    noise: Decimal = Decimal("0.5")


DEFAULT = CostModel()


def commission(quantity: int, model: CostModel = DEFAULT) -> Decimal:
    """Commission of one execution, rounded to 0.01; ValueError for a quantity below one."""
    if quantity < 1:
        raise ValueError(f"quantity {quantity}: an execution has at least one share")
    return max(model.minimum_commission, (model.commission_per_share * quantity).quantize(CENT))


def noise_factor(seed: int, client_order_id: str, model: CostModel = DEFAULT) -> Decimal:
    """A multiplier in [1 - noise, 1 + noise) that the same seed and order always give."""
    draw = Decimal(int(sha256_hex(f"{seed}:{client_order_id}".encode())[:8], 16)) / _HASH_SPAN
    return 1 - model.noise + 2 * model.noise * draw


def slippage_bps(quantity: int, volume: int, factor: Decimal, model: CostModel = DEFAULT) -> Decimal:
    """Basis points paid beyond the reference price: (half spread + impact * sqrt(quantity / volume)) * factor."""
    if volume < 1:
        raise ValueError(f"volume {volume}: nothing trades in a session without volume")
    return (model.half_spread_bps + model.impact_bps * (Decimal(quantity) / volume).sqrt()) * factor


def slipped(side: Side, reference: Decimal, bps: Decimal) -> Decimal:
    """The reference price moved against the trader by `bps`, rounded to 0.01 and never below it."""
    sign = 1 if side == "buy" else -1
    return max(CENT, (reference * (1 + sign * bps * BPS)).quantize(CENT))
