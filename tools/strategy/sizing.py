"""How many shares: named methods behind one Protocol, all under the same caps."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal

from tools.canonical import round_float
from tools.risk.sizing_policy import SizingMethodName
from tools.strategy.sizing_types import Sized, Sizing, SizingInputs, SizingMethod, Unsized


def fixed_risk(inputs: SizingInputs) -> Sized:
    """Lose `risk_per_trade` of equity at the stop: n = risk * E / (p - s)."""
    distance = inputs.price - inputs.stop_price
    quantity = whole(inputs.risk_per_trade * inputs.equity / distance)
    used = {"risk_per_trade": inputs.risk_per_trade, "distance_to_stop": distance}
    return Sized(method="fixed_risk", quantity=quantity, used=used)


def kelly(inputs: SizingInputs) -> Sized | Unsized:
    """A fraction of Kelly's stake, capped: n = min(c * m / v, cap) * E / p, and zero without an edge.

    m and v are mean and variance of one view's return over its horizon; m / v maximises the expected logarithm of
    wealth for small returns (Kelly 1956; Thorp 2006).
    """
    edge, policy = inputs.edge, inputs.policy
    if edge is None or edge.outcomes < policy.kelly_min_outcomes or edge.variance <= 0:
        known = edge.outcomes if edge else 0
        return Unsized(
            method="kelly", reason=f"{known} settled outcomes, Kelly needs {policy.kelly_min_outcomes} that vary"
        )
    full = _decimal(max(0.0, edge.mean / edge.variance))
    share = min(policy.kelly_fraction * full, policy.kelly_cap)
    return Sized(
        method="kelly", quantity=whole(share * inputs.equity / inputs.price),
        used={
            "outcomes": edge.outcomes, "edge_mean": edge.mean, "edge_variance": edge.variance, "stake": share,
            "kelly_fraction": policy.kelly_fraction, "kelly_cap": policy.kelly_cap,
        },
    )  # fmt: skip


def confidence_weighted(inputs: SizingInputs) -> Sized | Unsized:
    """Fixed risk times w = (q - 1/2) / (full - 1/2) in [0, 1], q the calibrated confidence where there is one."""
    calibrated = inputs.calibrated_confidence is not None
    confidence = _decimal(inputs.confidence if inputs.calibrated_confidence is None else inputs.calibrated_confidence)
    half = Decimal("0.5")
    weight = min(Decimal(1), max(Decimal(0), (confidence - half) / (inputs.policy.full_confidence - half)))
    quantity = whole(weight * inputs.risk_per_trade * inputs.equity / (inputs.price - inputs.stop_price))
    used: dict[str, Decimal | float | int | bool] = {
        "probability": confidence, "calibrated": calibrated, "weight": weight, "risk_per_trade": inputs.risk_per_trade,
    }  # fmt: skip
    return Sized(method="confidence_weighted", quantity=quantity, used=used)


def volatility_target(inputs: SizingInputs) -> Sized | Unsized:
    """Add `target_volatility` of equity a year: n = t * E / (s * p), s the name's annualised volatility."""
    return _by_volatility("volatility_target", inputs, Decimal(1))


def alpha_over_volatility(inputs: SizingInputs) -> Sized | Unsized:
    """The volatility target times the view's strength: n = t * strength * E / (s * p).

    With alpha = IC * s * score (Grinold 1994) the best weight, alpha over variance, is in proportion to score / s.
    """
    return _by_volatility("alpha_over_volatility", inputs, _decimal(inputs.strength))


def _by_volatility(method: SizingMethodName, inputs: SizingInputs, score: Decimal) -> Sized | Unsized:
    if inputs.volatility is None:
        return Unsized(method=method, reason="the name's volatility is not known")
    target, spread = inputs.policy.target_volatility, _decimal(inputs.volatility)
    quantity = whole(target * score * inputs.equity / (spread * inputs.price))
    used = {"target_volatility": target, "volatility": spread, "score": score}
    return Sized(method=method, quantity=quantity, used=used)


METHODS: Mapping[SizingMethodName, SizingMethod] = {
    "fixed_risk": fixed_risk, "kelly": kelly, "confidence_weighted": confidence_weighted,
    "volatility_target": volatility_target, "alpha_over_volatility": alpha_over_volatility,
}  # fmt: skip


def size(asked: SizingMethodName, inputs: SizingInputs, caps: Mapping[str, int], factor: Decimal) -> Sizing:
    """The smallest of the method's size and every cap, times the protection's `factor`, in whole shares.

    A method that cannot size falls back to `fixed_risk` and the answer says why. `binding` is `method` or the cap
    that held it down; ties go to the method.
    """
    found = METHODS[asked](inputs)
    fell_back = found.reason if isinstance(found, Unsized) else None
    sized = fixed_risk(inputs) if isinstance(found, Unsized) else found
    binding = min(caps, key=lambda name: caps[name])
    held = min(sized.quantity, caps[binding])
    return Sizing(
        asked=asked, method=sized.method, fell_back=fell_back, used=sized.used, by_method=sized.quantity,
        caps=dict(caps), binding="method" if sized.quantity <= caps[binding] else binding, protection_factor=factor,
        quantity=whole(held * factor),
    )  # fmt: skip


def whole(value: Decimal) -> int:
    """Whole shares, rounded down."""
    return int(value.to_integral_value(rounding=ROUND_FLOOR))


def _decimal(value: float) -> Decimal:
    return Decimal(repr(round_float(value)))
