"""What a new limits or policy file changes, field by field, and whether that tightens or loosens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel

from pipeline.policy import DeskMode, Maturity, Tier
from pipeline.roles import ROLES
from tools.canonical import plain
from tools.types import Difference

Effect = Literal["tighter", "looser", "unclear", "neutral"]
_LOWER = frozenset(
    {
        "risk_per_trade", "price_band_atr", "capacity", "second_signature_share", "ttl_sessions", "ttl_minutes",
        "cure_sessions", "group_correlation",
    }
)  # fmt: skip
"""Fields whose smaller value is the tighter one, beside everything that begins with `max_`."""
_HIGHER = frozenset({
    "approvers", "cooling_off_seconds", "review_sample", "settlement_days", "duplicate_window_seconds", "canary_rate",
})  # fmt: skip
"""Fields whose larger value is the tighter one, beside everything that begins with `min_`."""
_MORE = frozenset({"restricted", "separate"})
_FEWER = frozenset({"permitted"})
_ORDER: Mapping[str, tuple[str, ...]] = {
    "mode": tuple(reversed(get_args(DeskMode))), "profile": ("single_operator", "desk"), "roles": ROLES,
    "maturity": tuple(reversed(get_args(Maturity))), "tier": get_args(Tier), "evidence_required": ("false", "true"),
    "short_permitted": ("true", "false"),
}  # fmt: skip
"""Fields of words, from the loosest to the tightest."""
_NEUTRAL = ("version", "tests")


def compare(before: BaseModel | None, after: BaseModel) -> tuple[Difference, ...]:
    """Differences of two files in order of field. Rules are named; `rules` itself stands for their order."""
    old, new = _flat(plain(before)) if before else {}, _flat(plain(after))
    return tuple(
        Difference(
            field=name, before=_text(old.get(name)), after=_text(new.get(name)),
            effect=effect_of(name, old.get(name), new.get(name)),
        )
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )  # fmt: skip


def only_tightens(differences: tuple[Difference, ...]) -> bool:
    """True when something tightens and nothing does anything else that matters."""
    effects = {item.effect for item in differences}
    return "tighter" in effects and effects <= {"tighter", "neutral"}


def effect_of(name: str, before: Any, after: Any) -> Effect:
    """What moving one field does. A field nobody here knows, or one that comes or goes, is unclear."""
    parts = name.split(".")
    leaf = parts[-1]
    if parts[0] in _NEUTRAL:
        return "neutral"
    if before is None or after is None or "when" in parts[:-1]:
        return "unclear"
    if leaf in _MORE | _FEWER and isinstance(before, list) and isinstance(after, list):
        was, will = set(before), set(after)
        if was <= will or was >= will:
            return _side((was <= will) == (leaf in _MORE))
        return "unclear"
    known = _ORDER.get(leaf if leaf in _ORDER else parts[0])
    if known is not None:
        places = [_place(known, value) for value in (before, after)]
        if -1 in places or places[0] == places[1]:
            return "unclear"
        return _side(places[0] < places[1])
    try:
        smaller = float(str(after)) < float(str(before))
    except ValueError:
        return "unclear"
    if leaf.startswith("max_") or leaf in _LOWER:
        return _side(smaller)
    return _side(not smaller) if leaf.startswith("min_") or leaf in _HIGHER else "unclear"


def _side(tighter: bool) -> Effect:
    return "tighter" if tighter else "looser"


def _place(known: tuple[str, ...], value: Any) -> int:
    """Place of a word; of several the lowest, since any of them suffices."""
    words = [_text(item) for item in value] if isinstance(value, list) else [_text(value)]
    return min((known.index(word) if word in known else -1 for word in words), default=-1)


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(str(_text(item)) for item in value)
        case dict():
            return ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
        case _:
            return str(value)


def _flat(value: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Dotted names. A list of named things becomes its names in order and one entry each."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        name = f"{at}{key}"
        if isinstance(item, dict):
            found |= _flat(item, f"{name}.")
        elif isinstance(item, list) and item and all(isinstance(one, dict) and "name" in one for one in item):
            found[name] = [one["name"] for one in item]
            for one in item:
                found |= _flat({k: v for k, v in one.items() if k != "name"}, f"{name}.{one['name']}.")
        elif item is not None:
            found[name] = item
    return found
