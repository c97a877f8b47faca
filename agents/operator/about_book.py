"""Answers about the book and the desk: changes, exposure, risk, limits, the queue, health."""

from __future__ import annotations

from collections.abc import Iterable

from agents.operator.facts import DeskFacts, Figure, OperatorTools, PositionFacts
from agents.operator.output import Span
from agents.operator.say import Told, bound, case_link, figure, heading, measured, words
from agents.operator.slots import Intent

LISTED = 12
NO_RUN = "this home has no run yet."
_DIMENSIONS = {"symbol": "Symbol", "sector": "Sector", "strategy": "Strategy", "agent": "Agent"}
_MEASURES: dict[str, tuple[str, ...]] = {
    "var": ("value at risk", "expected shortfall"), "drawdown": ("drawdown",), "stress": ("loss in",),
    "volatility": ("volatility",), "beta": ("beta",), "concentration": ("names", "largest holding"),
    "protection": ("drawdown protection",),
}  # fmt: skip
_LIMIT_OF = {"sector": "max_sector_share", "symbol": "max_position_share"}


async def changed(intent: Intent, tools: OperatorTools) -> Told:
    """What happened after a day."""
    told = Told(symbol=intent.symbol)
    since = intent.since or (await tools.universe()).previous
    found = await tools.changes(since) if since else None
    if found is None:
        return told.missing("nothing has happened in this run yet.")
    items = [item for item in found.items if intent.symbol is None or item.symbol == intent.symbol]
    if len(found.equity) == 2:
        before, after = found.equity
        told.line("Equity ", measured(after), ", was ", measured(before), f"{after.note}.")
    if not items:
        return told.missing("nothing else happened since then.")
    for item in items[: 2 * LISTED]:
        case: tuple[str | Span, ...] = (" (", case_link(item.case_id), ")") if item.case_id else ()
        told.line(words(item.session, item.ref.record, item.ref.pointer), " ",
                  words(item.text, item.ref.record, item.ref.pointer), *case)  # fmt: skip
    if found.more or len(items) > 2 * LISTED:
        told.line("and more, on the History page.")
    return told


async def exposure(intent: Intent, tools: OperatorTools) -> Told:
    told = Told(symbol=intent.symbol, sector=intent.sector, strategy=intent.strategy)
    if intent.symbol:
        held = next((item for item in await tools.positions() if item.symbol == intent.symbol), None)
        if held is None:
            return told.line(words("No open position", f"/positions?symbol={intent.symbol}"), f" in {intent.symbol}.")
        _position(told, held)
        _groups(told, await tools.exposure("symbol"), only=intent.symbol)
        return told
    desk = await tools.desk()
    if desk is None:
        return told.missing(NO_RUN)
    named = intent.sector or intent.strategy
    dimension = intent.dimension or ("sector" if intent.sector else "strategy" if intent.strategy else None)
    positions = await tools.positions()
    if not positions:
        return told.line(words("No open positions", "/positions"), ".")
    if not named:
        told.line(figure(desk.positions, "count", "/desk", "/positions"), " open positions, gross ",
                  figure(desk.gross, "money", "/desk", "/gross"), ".")  # fmt: skip
    _groups(told, await tools.exposure(dimension or "sector"), only=named, heading=_DIMENSIONS[dimension or "sector"])
    if dimension in (None, "sector", "strategy"):
        mine = [p for p in positions if named is None or named in (p.sector, p.strategy)]
        largest = sorted(mine, key=lambda item: (-abs(item.market_value), item.symbol))
        for item in largest[:LISTED]:
            _position(told, item)
        if len(largest) > LISTED:
            told.line("and more, on the Overview page.")
    return told


def _groups(told: Told, found: Iterable[Figure], *, only: str | None = None, heading: str = "Share of equity") -> None:
    listed = [item for item in found if only is None or item.name == only]
    if not listed and only:
        told.line(words("Nothing is held", "/exposure"), f" in {only}.")
        return
    for item in listed[:LISTED]:
        limit = bound(item)
        of = (" of ", limit) if limit else ()
        told.line(f"{heading} ", words(item.name, item.ref.record, item.ref.pointer), ": ", measured(item), *of, ".")


def _position(told: Told, item: PositionFacts) -> None:
    at, row = item.record, "/items/0"
    stop: tuple[str | Span, ...] = (", no stop",)
    if item.stop_price is not None:
        stop = (", stop ", figure(item.stop_price, "price", at, f"{row}/stop_price"))
    case: tuple[str | Span, ...] = (" (", case_link(item.case_id), ")") if item.case_id else ()
    told.line(
        f"{item.symbol}: ", figure(item.quantity, "shares", at, f"{row}/quantity"), " shares by ",
        words(item.strategy, at, f"{row}/strategy"), ", average ",
        figure(item.average_price, "price", at, f"{row}/average_price"), ", mark ",
        figure(item.mark, "price", at, f"{row}/mark"), ", worth ",
        figure(item.market_value, "money", at, f"{row}/market_value"), ", unrealised ",
        figure(item.unrealised, "money", at, f"{row}/unrealised", signed=True), *stop, *case, ".",
    )  # fmt: skip


async def risk(intent: Intent, tools: OperatorTools) -> Told:
    told = Told(symbol=intent.symbol)
    desk = await tools.desk()
    if desk is None:
        return told.missing(NO_RUN)
    if intent.measure in (None, "equity", "drawdown"):
        _standing(told, desk)
    if intent.measure == "equity":
        return told
    wanted = _MEASURES.get(intent.measure or "", ())
    found = [f for f in await tools.risk() if not wanted or any(one in f.name for one in wanted)]
    if not found:
        return told.missing("that measure cannot be computed from the book and its history.")
    for item in found:
        limit = bound(item)
        of = (", limit ", limit) if limit else ()
        told.line(words(heading(item.name), item.ref.record, item.ref.pointer), " ", measured(item), item.note, *of,
                  ".")  # fmt: skip
    if intent.measure is None:
        _halts(told, desk)
    return told


def _standing(told: Told, desk: DeskFacts) -> None:
    when: tuple[str | Span, ...] = (
        (words(desk.session, "/desk", "/session"), f" ({desk.phase}), ") if desk.session else ()
    )
    day: tuple[str | Span, ...] = ()
    if desk.day_change is not None:
        day = (", ", figure(desk.day_change, "share", "/desk", "/day_change", signed=True), " on the day")
    told.line(
        *when, desk.mode, ", ", words(desk.label, "/desk", "/label"), ": equity ",
        figure(desk.equity, "money", "/desk", "/equity"), *day, ", cash ",
        figure(desk.cash, "money", "/desk", "/cash"), ", gross ", figure(desk.gross, "money", "/desk", "/gross"),
        ", drawdown ", figure(desk.drawdown, "share", "/desk", "/drawdown"), ".",
    )  # fmt: skip


async def limits(intent: Intent, tools: OperatorTools) -> Told:
    told = Told(sector=intent.sector, symbol=intent.symbol)
    if intent.sector or intent.symbol:
        dimension = "sector" if intent.sector else "symbol"
        _groups(told, await tools.exposure(dimension), only=intent.sector or intent.symbol)
        return told
    if intent.dimension in ("sector", "symbol"):
        _groups(told, await tools.exposure(intent.dimension), heading=_DIMENSIONS[intent.dimension])
        return told
    used = [item for item in await tools.limits_used() if intent.limit in (None, item.name)]
    if not used:
        named = (intent.limit or "limits").replace("_", " ")
        return told.missing(f"the use of {named} is measured per order, in the checks of a case, not for the book.")
    for item in sorted(used, key=lambda one: (-(one.value / one.limit) if one.limit else 0, one.name)):
        limit = bound(item)
        of = (" of ", limit) if limit else ()
        name = item.name.removeprefix("max_").replace("_", " ").capitalize()
        told.line(words(name, item.ref.record, item.ref.pointer), " ", measured(item), *of, ".")
    return told


async def waiting(intent: Intent, tools: OperatorTools) -> Told:
    items = [one for one in await tools.waiting() if intent.symbol in (None, one.symbol)]
    told = Told(symbol=intent.symbol or (items[0].symbol if len(items) == 1 else None),
                case_id=items[0].case_id if len(items) == 1 else None)  # fmt: skip
    if not items:
        where = f" in {intent.symbol}" if intent.symbol else ""
        return told.line(words("Nothing waits for a person", "/approvals"), f"{where}.")
    for item in items[:LISTED]:
        at = item.record
        told.line(
            f"{item.side} ", figure(item.quantity, "shares", at, "/case/proposal/quantity"), f" {item.symbol} by ",
            words(item.strategy, at, "/case/strategy"), " (notional ",
            figure(item.notional, "money", at, "/case/proposal/notional"), "), ",
            figure(item.given, "count", at, "/given"), " of ", figure(item.required, "count", at, "/required"),
            " given, sessions left ", figure(item.sessions_left, "sessions", at, "/sessions_left"), ": ",
            words(item.approval_id, at, "/id"), ", ", case_link(item.case_id), ".",
        )  # fmt: skip
    if len(items) > LISTED:
        told.line("and more, on the Approvals page.")
    return told


async def health(tools: OperatorTools) -> Told:
    told = Told()
    desk = await tools.desk()
    if desk:
        _halts(told, desk)
    for item in (await tools.findings())[:LISTED]:
        told.line(f"{item.severity}: ", words(item.message, "/findings"), " ", words(item.recommendation, "/findings"),
                  " (", words(item.id, "/findings"), ")")  # fmt: skip
    return told if told.lines else told.line(words("No open findings", "/findings"), " and no halt in force.")


async def pace(tools: OperatorTools) -> Told:
    told = Told()
    found = await tools.pace()
    if not found:
        return told.missing("nobody has answered a question yet.")
    for item in found:
        told.line(words(heading(item.name), item.ref.record, item.ref.pointer), " ", measured(item), ".")
    return told


async def lessons(intent: Intent, tools: OperatorTools) -> Told:
    told = Told(strategy=intent.strategy)
    if intent.symbol:
        told.missing(f"no lesson is about {intent.symbol} alone; lessons are about what a strategy proposed.")
    found = await tools.lessons(intent.strategy)
    for item in found[:LISTED]:
        told.line(words(heading(item.state), item.record, "/state"), ": ", words(item.claim, item.record, "/claim"),
                  " (", words(item.lesson_id, item.record, "/id"), ")")  # fmt: skip
    if not found:
        return told.missing("no lesson was written yet; outcomes have to settle first.")
    return told.line("Only a promoted one enters a brief; the others wait on the History page for people to read.")


def _halts(told: Told, desk: DeskFacts) -> None:
    for index, item in enumerate(desk.halts):
        at = f"/halts/{index}"
        target = (" ", words(item.target, "/desk", f"{at}/target")) if item.target else ()
        told.line(
            f"Halt in force ({item.action}, {item.scope}", *target, ") by ",
            words(item.principal, "/desk", f"{at}/principal"), ": “",
            words(item.reason, "/desk", f"{at}/reason"), "” (", words(item.halt_id, "/desk", f"{at}/id"), ").",
        )  # fmt: skip
