"""Numbers that stand in evidence: every numeric leaf of a payload, its JSON pointer and what it measures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from agents.explanation.output import Unit
from tools.errors import ToolRejected
from tools.types import Evidence

_UNITS: dict[Unit, frozenset[str]] = {
    "fraction": frozenset({
        "momentum_60", "volatility_20", "drawdown", "factor", "strength", "confidence", "calibrated_confidence",
        "similarity", "excess_return", "mean_excess_return", "view_return", "index_return", "interval_low",
        "interval_high", "incremental_var", "marginal_var", "participation",
    }),
    "money": frozenset({
        "close", "sma_20", "sma_50", "high_55", "atr_14", "adv_20", "reference_price", "notional", "stop_price", "atr",
        "low", "high", "open", "average_price", "mark", "equity", "cash", "gross", "price", "market_value",
        "entry_price", "exit_price", "realised", "unrealised",
    }),
    "quantity": frozenset({"quantity", "volume"}),
    "sessions": frozenset({"horizon_sessions", "held_sessions", "sessions"}),
    "count": frozenset({"n", "positions"}),
}  # fmt: skip
_BY_KEY: dict[str, Unit] = {key: unit for unit, keys in _UNITS.items() for key in keys}

_BY_CONTROL: dict[str, Unit] = {
    "total_open_risk": "fraction", "daily_loss": "fraction", "drawdown": "fraction", "stale_data": "hours",
    "price_collar": "money", "max_notional": "money", "min_notional": "money", "buying_power": "money",
    "max_quantity": "quantity", "reduce_only": "quantity", "max_open_positions": "count",
}  # fmt: skip

_BY_FIELD: dict[str, Unit] = {"quantity": "quantity", "price": "money", "equity": "money", "sector_cap": "fraction"}
_BY_DECLARED: dict[str, Unit] = {
    "percent": "percent", "usd": "money", "share": "fraction", "hours": "hours", "money": "money", "price": "money",
    "quantity": "quantity", "count": "count",
}  # fmt: skip

_NUMERIC = re.compile(r"-?\d+(?:\.\d+)?")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Leaf:
    """One numeric value of one payload. `symbols` are those it may be said of, none where it is nobody's."""

    evidence_id: str
    pointer: str
    value: Decimal
    unit: Unit
    symbols: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """The last part of its pointer: the name of the field."""
        return self.pointer.rpartition("/")[2]


def leaves(evidence: Iterable[Evidence]) -> Iterator[Leaf]:
    """Every number of every payload, in the order given and by field name; decimal strings count, booleans and other
    text do not, nor do the weights of what was recalled: they say how it was found, and measure nothing."""
    for item in evidence:
        for path, value in _walk(item.payload, ()):
            number = as_number(value)
            if number is not None and "weights" not in path:
                yield Leaf(item.id, pointer_of(path), number, _unit(item, path), _symbols(item, path))


def strings(evidence: Iterable[Evidence]) -> Iterator[tuple[str, str, str]]:
    """Every text of every payload as (evidence id, pointer, text)."""
    for item in evidence:
        for path, value in _walk(item.payload, ()):
            if isinstance(value, str):
                yield item.id, pointer_of(path), value


def dates(evidence: Iterable[Evidence]) -> frozenset[date]:
    """Every date of the evidence: when it happened, when it was known, and those in the payload."""
    found: set[date] = set()
    for item in evidence:
        found |= {item.event_time.date(), item.known_at.date()}
    for _, _, text in strings(evidence):
        for part in _ISO_DATE.findall(text):
            try:
                found.add(date.fromisoformat(part))
            except ValueError:
                continue
    return frozenset(found)


def times(evidence: Iterable[Evidence]) -> frozenset[tuple[int, int]]:
    """Hour and minute (UTC) of every moment of the evidence."""
    moments: list[datetime] = [moment for item in evidence for moment in (item.event_time, item.known_at)]
    return frozenset((moment.hour, moment.minute) for moment in moments)


def as_number(value: Any) -> Decimal | None:
    """A JSON number or a decimal string as Decimal; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return Decimal(repr(value))
    if isinstance(value, str) and _NUMERIC.fullmatch(value):
        return Decimal(value)
    return None


def pointer_of(path: Sequence[str]) -> str:
    """RFC 6901 pointer of a path."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def resolve(payload: Mapping[str, Any], pointer: str) -> Any:
    """The value a pointer names; ToolRejected when nothing stands there."""
    node: Any = payload
    for part in [p.replace("~1", "/").replace("~0", "~") for p in pointer.split("/")[1:]]:
        try:
            node = node[int(part)] if isinstance(node, list) else node[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ToolRejected(f"nothing stands at {pointer}: name an existing field", code="bad_pointer") from None
    return node


def _walk(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict):
        for key, value in sorted(node.items()):
            yield from _walk(value, (*path, str(key)))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _walk(value, (*path, str(index)))
    else:
        yield path, node


def superseded(evidence: Iterable[Evidence]) -> dict[str, frozenset[date]]:
    """Evidence that newer one of the same kind, source and subject replaced, with the dates it may be shown by."""
    held = [item for item in evidence if item.kind not in ("headline", "sentiment", "finding", "proposal")]
    newest: dict[tuple[str, ...], datetime] = {}
    for item in held:
        newest[_subject(item)] = max(item.event_time, newest.get(_subject(item), item.event_time))
    return {
        item.id: frozenset({item.event_time.date(), item.known_at.date()})
        for item in held
        if item.event_time < newest[_subject(item)]
    }


def _subject(item: Evidence) -> tuple[str, ...]:
    return (item.kind, item.source, str(item.symbol), str(item.payload.get("series")), str(item.payload.get("name")))


def _symbols(item: Evidence, path: tuple[str, ...]) -> frozenset[str]:
    """Whose value it is: the evidence's symbol; of a recalled case its own as well, or anybody's where it has none."""
    if item.kind == "recall" and path[0] == "items":
        beside = _beside(item, path).get("symbol")
        return frozenset({str(beside), str(item.symbol)}) if beside else frozenset()
    return frozenset() if item.symbol is None else frozenset({item.symbol})


def _beside(item: Evidence, path: tuple[str, ...]) -> dict[str, Any]:
    """The object that a leaf stands in."""
    parent: Any = item.payload
    for part in path[:-1]:
        parent = parent[int(part)] if isinstance(parent, list) else parent[part]
    return parent if isinstance(parent, dict) else {}


def _unit(item: Evidence, path: tuple[str, ...]) -> Unit:
    """What a leaf measures: by its control, by a declared unit beside it, or by its name."""
    key = path[-1]
    if item.kind == "checks" and len(path) >= 3 and path[0] == "checks":
        control = path[1]
        return "fraction" if control.endswith("_share") else _BY_CONTROL.get(control, "plain")
    beside = _beside(item, path)
    if key in ("original", "changed") and not beside.get("unit"):
        return _BY_FIELD.get(str(beside.get("field")), "plain")
    if key in ("value", "limit", "before", "after", "original", "changed") and "unit" in beside:
        return _BY_DECLARED.get(str(beside["unit"]), "plain")
    return _BY_KEY.get(key, "plain")
