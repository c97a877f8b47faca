"""What-if answers: another limit, an order, a fall. Computed by the risk tools; nothing is sent."""

from __future__ import annotations

from agents.operator.facts import Figure, OperatorTools
from agents.operator.output import Span
from agents.operator.say import Told, bound, case_link, figure, heading, measured, words
from agents.operator.slots import Intent

LISTED = 12
NO_EFFECT = "This is only computed: nothing was changed, proposed or sent."


async def limit(intent: Intent, tools: OperatorTools) -> Told:
    """The checks of the waiting and the last session's cases, and the book, under another limit."""
    assert intent.limit is not None
    told = Told()
    name = intent.limit.removeprefix("max_").removeprefix("min_").replace("_", " ")
    found = await tools.suppose_limit(intent.limit, intent.value, intent.factor)
    if found is None:
        return told.missing("there is no run whose cases could be checked again.")
    at = found.record
    told.line(
        f"With a limit of {name} of ", figure(found.after, found.unit, at, "/payload/after"), " instead of ",
        figure(found.before, found.unit, at, "/payload/before"), f" ({found.effect}), ",
        figure(found.checked, "count", at, "/payload/checked"),
        " cases, waiting or of the last session, were checked again:",
    )  # fmt: skip
    if found.problem:
        told.line("Such a limits file would be refused: ", words(found.problem, at, "/payload/problem"))
    for case in found.cases[:LISTED]:
        row = f"/payload/cases/{case.index}"
        told.line(
            case_link(case.case_id), f", {case.side} ", figure(case.quantity, "shares", at, f"{row}/quantity"),
            f" {case.symbol}: {case.before} before, {case.after} then: ",
            words(case.because, at, f"{row}/because"), ".",
        )  # fmt: skip
    if not found.cases:
        told.line(words("No verdict would differ", at, "/payload/cases"), ".")
    for index, text in enumerate(found.breaches[:LISTED]):
        told.line("The book itself: ", words(text, at, f"/payload/breaches/{index}"), ".")
    if not found.breaches:
        told.line(words("The book itself would breach nothing", at, "/payload/breaches"), ".")
    return told.line(NO_EFFECT)


async def order(intent: Intent, tools: OperatorTools) -> Told:
    """The book before and after an order at the last close."""
    assert intent.symbol is not None
    assert intent.side is not None
    assert intent.quantity is not None
    told = Told(symbol=intent.symbol)
    found = await tools.suppose_order(intent.symbol, intent.side, intent.quantity)
    if not found:
        return told.missing("the book cannot be measured with that order.")
    head, *rest = found
    told.line(f"{intent.side.capitalize()} ", measured(head), f" {intent.symbol}{head.note}:")
    _moves(told, rest)
    return told.line(NO_EFFECT)


def _moves(told: Told, found: list[Figure]) -> None:
    for item in found:
        was = bound(item)
        before: tuple[str | Span, ...] = (" after, ", was, " before") if was else ()
        told.line(words(heading(item.name), item.ref.record, item.ref.pointer), " ", measured(item), *before,
                  item.note, ".")  # fmt: skip


async def shock(intent: Intent, tools: OperatorTools) -> Told:
    """What a move of the market, a sector or a symbol would do to the book."""
    assert intent.value is not None
    told = Told(symbol=intent.symbol, sector=intent.sector)
    target = intent.symbol or intent.sector
    scope = "symbol" if intent.symbol else "sector" if intent.sector else "market"
    found = await tools.suppose_shock(scope, target, intent.value)
    if not found:
        return told.missing("the book cannot be put through that move.")
    head, *rest = found
    told.line(f"If {target or 'the market'} moves by ", measured(head, signed=True), ":")
    for item in rest:
        limit_of = bound(item)
        of: tuple[str | Span, ...] = (", limit ", limit_of) if limit_of else ()
        told.line(words(heading(item.name), item.ref.record, item.ref.pointer), " ", measured(item), *of, item.note,
                  ".")  # fmt: skip
    return told.line(NO_EFFECT)
