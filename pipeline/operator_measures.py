"""Measures of the book as figures, each with the place in the API's answer where it stands."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from agents.operator.facts import Figure
from agents.operator.output import Ref, Unit
from pipeline.risk_view import exposure_report, last_close, risk_report, stress_report, what_if_report
from pipeline.sla import read_questions, service_levels
from pipeline.store import Store
from pipeline.supposing import keep
from tools.canonical import plain
from tools.errors import ToolRejected
from tools.risk.measures.types import NotEnough, Shock
from tools.types import Evidence, Side

RISK, EXPOSURE, SLA = "/risk", "/exposure", "/sla"


def exposure(store: Store, dimension: str) -> tuple[Figure, ...]:
    """Share of equity by group, pending orders counted as filled, the largest first."""
    found = getattr(exposure_report(store), dimension)
    return tuple(
        Figure(
            name=item.name, value=item.share, unit="share", ref=Ref(record=EXPOSURE, pointer=f"/{dimension}/{i}/share"),
            limit=item.limit,
            limit_ref=Ref(record=EXPOSURE, pointer=f"/{dimension}/{i}/limit") if item.limit is not None else None,
        )
        for i, item in enumerate(found)
    )  # fmt: skip


def limits_used(store: Store) -> tuple[Figure, ...]:
    """Use of the book's limits."""
    return tuple(
        Figure(
            name=item.limit, value=item.value, unit="share", ref=Ref(record=RISK, pointer=f"/limits/{i}/value"),
            limit=item.maximum, limit_ref=Ref(record=RISK, pointer=f"/limits/{i}/maximum"),
        )
        for i, item in enumerate(risk_report(store).limits)
    )  # fmt: skip


def risk(store: Store) -> tuple[Figure, ...]:
    """Tails, volatility, drawdown, beta, concentration, stress and protection; what has not enough data is left out."""
    report = risk_report(store)
    found: list[Figure] = []

    def add(name: str, part: Any, field: str, pointer: str, unit: Unit = "share", note: str = "") -> None:
        value = None if isinstance(part, NotEnough) else getattr(part, field)
        if value is not None:
            at = Ref(record=RISK, pointer=f"{pointer}/{field}")
            found.append(Figure(name=name, value=Decimal(str(value)), unit=unit, ref=at, note=note))

    tail = ", historical, over one session"
    add("value at risk", report.tail.historical, "var", "/tail/historical", note=tail)
    add("expected shortfall", report.tail.historical, "cvar", "/tail/historical", note=tail)
    add("volatility", report.volatility.ewma, "value", "/volatility/ewma", note=", annualised")
    add("beta", report.index, "beta", "/index", "ratio", ", to the index")
    add("largest drawdown", report.drawdown, "maximum", "/drawdown")
    add("drawdown now", report.drawdown, "current", "/drawdown")
    add("effective number of names", report.concentration, "effective_names", "/concentration", "ratio")
    add("largest holding, of the gross value,", report.concentration, "largest_share", "/concentration")
    for index, item in enumerate(report.stress):
        crossed = any(one.crossed for one in item.crossings)
        hindsight = ", known only after the desk's clock" if item.scenario.hindsight else ""
        note = f"{', which crosses a limit' if crossed else ''}{hindsight}"
        add(f"loss in {item.scenario.name}", item, "loss_share", f"/stress/{index}", note=note)
    add("drawdown protection scales entries to", report.protection.state, "factor", "/protection/state")
    return tuple(found)


def pace(store: Store) -> tuple[Figure, ...]:
    """How fast people answer; nothing before the first question."""
    with store.db.read() as session:
        total = service_levels(read_questions(session)).total
    shown: tuple[tuple[str, str, Unit], ...] = (
        ("questions", "questions", "count"), ("decided by people", "decided", "count"),
        ("expired share", "expired_share", "share"),
        ("median time to look", "median_seconds_to_acknowledge", "seconds"),
        ("median time to decide", "median_seconds_to_decide", "seconds"),
        ("longest time to decide", "longest_seconds_to_decide", "seconds"),
    )  # fmt: skip
    return tuple(
        Figure(name=name, value=Decimal(str(value)), unit=unit, ref=Ref(record=SLA, pointer=f"/total/{field}"))
        for name, field, unit in shown
        if total.questions and (value := getattr(total, field)) is not None
    )


def suppose_order(store: Store, symbol: str, side: Side, quantity: int) -> tuple[Figure, ...]:
    """The order, then every measure after it with the one before as `limit`."""
    found = what_if_report(store, symbol=symbol, side=side, quantity=quantity)
    at = _kept(store, found, "pipeline.risk_view.what_if", symbol)
    figures = [
        Figure(name="quantity", value=Decimal(quantity), unit="shares",
               ref=Ref(record=at, pointer="/payload/quantity")),
        Figure(name="at the last close of", value=found.price, unit="price",
               ref=Ref(record=at, pointer="/payload/price")),
    ]  # fmt: skip
    for index, item in enumerate(found.changes):
        if item.before is None or item.after is None:
            continue
        row = f"/payload/changes/{index}"
        beyond = item.limit is not None and item.after > item.limit
        figures.append(
            Figure(
                name=item.label, value=item.after, unit="share" if item.unit == "share" else "ratio",
                ref=Ref(record=at, pointer=f"{row}/after"), limit=item.before,
                limit_ref=Ref(record=at, pointer=f"{row}/before"), note=", above its limit" if beyond else "",
            )
        )  # fmt: skip
    return tuple(figures)


def suppose_shock(store: Store, scope: str, target: str | None, move: Decimal) -> tuple[Figure, ...]:
    """The move, then what the book would lose and which limits that would cross."""
    if not -1 <= move <= 10:
        raise ToolRejected("a fall is at most the whole value: name a smaller move", code="bad_shock")
    found = stress_report(store, [Shock.model_validate({"scope": scope, "target": target, "move": move})])
    at = _kept(
        store, {**plain(found), "move": move}, "pipeline.risk_view.stress", target if scope == "symbol" else None
    )

    def ref(pointer: str) -> Ref:
        return Ref(record=at, pointer=f"/payload{pointer}")

    figures = [
        Figure(name="move", value=move, unit="share", ref=ref("/move")),
        Figure(name="the book changes by", value=found.change, unit="money", ref=ref("/change")),
        Figure(name="loss of equity", value=found.loss_share, unit="share", ref=ref("/loss_share")),
    ]
    for index, item in enumerate(found.crossings):
        figures.append(
            Figure(
                name=item.limit.removeprefix("max_").replace("_", " "), value=item.value, unit="share",
                ref=ref(f"/crossings/{index}/value"), limit=item.maximum, limit_ref=ref(f"/crossings/{index}/maximum"),
                note=", crossed" if item.crossed else "",
            )
        )  # fmt: skip
    return tuple(figures)


def _kept(store: Store, found: Any, source: str, symbol: str | None) -> str:
    """Keep a computed result as evidence; returns its record."""
    as_of = last_close(store)
    made = Evidence.of("what_if", source, plain(found), event_time=as_of, known_at=as_of, symbol=symbol)
    keep(store, made)
    return f"/evidence/{made.id}"
