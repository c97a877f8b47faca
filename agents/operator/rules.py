"""Answers rendered from tool results. What the tools do not say is said to be not in evidence."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from agents.operator.output import CaseFacts, DeskFacts, Intent, LimitUse, OperatorTools, PositionFacts
from tools.canonical import round_float

NOT_IN_EVIDENCE = "Not in evidence"
RECENT = 10
LISTED = 12

_STATE_WORDS = {
    "not_selected": "was not selected", "blocked": "was blocked", "awaiting": "waits for a person",
    "approved": "was approved and is not sent yet", "rejected": "was rejected", "expired": "expired without an answer",
    "voided": "was voided", "superseded": "was superseded by a newer one", "submitted": "was approved and sent",
    "done": "was approved and carried out", "cancelled": "was cancelled", "unknown": "is in an unknown state",
    "settled": "was carried out and has settled", "drafted": "is being prepared",
}  # fmt: skip
_REASON_WORDS = {
    "capacity": "people can answer only so many, and others ranked above it",
    "people_busy": "everybody who may answer had as many open questions as one person may hold",
    "no_opinion": "the reviewer had no opinion",
    "no_review": "nobody reviewed it", "vetoed": "the reviewer vetoed it", "halted": "a halt was in force",
    "same_symbol": "a better ranked entry in the same name was chosen",
    "opposite_reduction": "the same name was being reduced", "open_case": "an open case in it existed already",
    "safe_mode": "the desk may only reduce", "scaled_to_zero": "the reviewer's factor left nothing of it",
}  # fmt: skip


async def answer(intent: Intent, tools: OperatorTools) -> str:
    """Answer one intent. Never acts and never takes a decision."""
    match intent.name:
        case "control":
            return control()
        case "why" | "why_not" | "would_change":
            return await _about_case(intent, tools)
        case "changed":
            return await _changed(tools)
        case "exposure":
            return await _exposure(intent, tools)
        case "risk":
            return await _risk(tools)
        case "limits":
            return _limits(await tools.limits_used())
        case "waiting":
            return await _waiting(tools)
        case "health":
            return await _health(tools)
        case "unknown":
            return unknown()


def control() -> str:
    """Chat opens no doors; say which door does."""
    return (
        "Chat cannot do that: it neither approves, rejects, trades, halts nor resumes.\n"
        "To decide a case: the Approvals page, or `quarterdeck approvals approve ID --reason TEXT` (or `reject`).\n"
        "To stop: the Halt button, or `quarterdeck halt --action no-new --reason TEXT` (also `cancel`, `flatten`).\n"
        "To go on after a halt: `quarterdeck resume --reason TEXT`."
    )


def unknown() -> str:
    """Name what can be asked."""
    return (
        "I cannot tell what is asked. I can say why or why not for a symbol, what would have changed a decision, what "
        "changed, what is held, what is at risk, how far limits are used, what waits for a person, and what was found."
    )


async def _about_case(intent: Intent, tools: OperatorTools) -> str:
    found: tuple[CaseFacts, ...] = ()
    if intent.case_id:
        one = await tools.case(intent.case_id)
        found = (one,) if one else ()
        subject = intent.case_id
    elif intent.symbol:
        found = await tools.find_case(intent.symbol)
        subject = intent.symbol
    else:
        return "Which symbol or case? For example: why did we not buy IBM?"
    if not found:
        held = [p for p in await tools.positions() if p.symbol == intent.symbol]
        if held:
            return _position(held[0])
        return (
            f"{NOT_IN_EVIDENCE}: this run has no case in {subject}. No strategy proposed it, or it is not among the "
            "names that are traded."
        )
    case = found[0]
    if intent.name == "why_not":
        case = next((item for item in found if not item.fills), case)
    elif intent.name == "why":
        case = next((item for item in found if item.fills), case)
    parts = [_life(case)]
    if intent.name == "would_change":
        parts = [_headline(case), await _would_change(case, tools)]
    elif intent.name == "why":
        parts.insert(0, case.thesis)
    else:
        parts.append(await _would_change(case, tools))
    more = len(found) - 1
    if more and not intent.case_id:
        parts.append(
            f"Other cases in {subject}: {', '.join(item.case_id for item in found if item is not case)[:400]}."
        )
    return "\n".join(part for part in parts if part)


def _headline(case: CaseFacts) -> str:
    return (
        f"{case.case_id}, opened {case.opened}: {case.side} {case.quantity:,} {case.symbol} by {case.strategy} "
        f"(notional {_money(case.notional)})."
    )


def _life(case: CaseFacts) -> str:
    """What became of a case and on whose word."""
    because = f": {_REASON_WORDS.get(case.reason, case.reason.replace('_', ' '))}" if case.reason else ""
    lines = [f"{_headline(case)} It {_STATE_WORDS.get(case.state, case.state)}{because}."]
    missing = f" ({case.abstain_reason.replace('_', ' ')})" if case.abstain_reason else ""
    scaled = f" at {_percent(case.factor)}" if case.factor < 1 and case.verdict in ("scale", "escalate") else ""
    reasons = " ".join(item.text for item in case.reasons)
    lines.append(f"Review: {case.verdict}{scaled}{missing}. {reasons}".rstrip())
    lines += [f"{item.principal}: {item.decision}, “{item.reason}”." for item in case.decisions]
    lines += [
        f"Filled on {item.session}: {item.side} {item.quantity:,} at {item.price:,.2f}." for item in case.fills[:LISTED]
    ]
    if case.excess_return is not None:
        lines.append(
            f"Its view returned {Decimal(repr(round_float(case.excess_return))) * 100:+.2f} % against the index."
        )
    if case.evidence_ids:
        lines.append(f"Evidence: {', '.join(case.evidence_ids[:6])}.")
    return "\n".join(lines)


async def _would_change(case: CaseFacts, tools: OperatorTools) -> str:
    explanation = await tools.explain(case.case_id)
    if explanation is None:
        return f"{NOT_IN_EVIDENCE}: what would have changed it. It was never asked, so no checks were varied for it."
    lines = [item.text for item in explanation.counterfactuals]
    if explanation.binding_constraint is not None:
        lines.insert(0, f"Nearest limit: {explanation.binding_constraint.message}.")
    return "\n".join(lines) or f"{NOT_IN_EVIDENCE}: no change of size, price or limits within reach alters the verdict."


async def _changed(tools: OperatorTools) -> str:
    changes = await tools.changes(RECENT)
    if not changes:
        return f"{NOT_IN_EVIDENCE}: nothing has happened in this run yet."
    return "\n".join(
        f"{item.at:%Y-%m-%d %H:%M} {item.text}" + (f" ({item.case_id})" if item.case_id else "") for item in changes
    )


async def _exposure(intent: Intent, tools: OperatorTools) -> str:
    positions = await tools.positions()
    if intent.symbol:
        held = next((item for item in positions if item.symbol == intent.symbol), None)
        return _position(held) if held else f"No open position in {intent.symbol}."
    desk = await tools.desk()
    if not positions:
        return "No open positions." if desk else _no_run()
    lines = []
    if desk:
        share = f", {_percent(desk.gross / desk.equity)} of equity" if desk.equity > 0 else ""
        lines.append(f"{desk.positions} open positions, gross {_money(desk.gross)}{share}.")
    by_sector: dict[str, Decimal] = {}
    for item in positions:
        by_sector[item.sector] = by_sector.get(item.sector, Decimal(0)) + item.market_value
    sectors = sorted(by_sector.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    lines.append("By sector: " + ", ".join(f"{name} {_money(value)}" for name, value in sectors) + ".")
    largest = sorted(positions, key=lambda item: (-abs(item.market_value), item.symbol))
    lines += [_position(item) for item in largest[:LISTED]]
    if len(largest) > LISTED:
        lines.append(f"and {len(largest) - LISTED} more, on the Positions page.")
    return "\n".join(lines)


def _position(item: PositionFacts) -> str:
    stop = f", stop {item.stop_price:,.2f}" if item.stop_price is not None else ", no stop"
    case = f" ({item.case_id})" if item.case_id else ""
    return (
        f"{item.symbol}: {item.quantity:,} shares by {item.strategy}, average {item.average_price:,.2f}, mark "
        f"{item.mark:,.2f}, worth {_money(item.market_value)}, unrealised {item.unrealised:+,.2f}{stop}{case}."
    )


async def _risk(tools: OperatorTools) -> str:
    desk = await tools.desk()
    if desk is None:
        return _no_run()
    return "\n".join([_standing(desk), _limits(await tools.limits_used()), *_halts(desk)])


def _standing(desk: DeskFacts) -> str:
    day = f", {desk.day_change * 100:+.2f} % on the day" if desk.day_change is not None else ""
    when = f"{desk.session} ({desk.phase})" if desk.session else "before the first session"
    cited = f" Evidence: {', '.join(desk.evidence_ids)}." if desk.evidence_ids else ""
    return (
        f"{when}, {desk.mode}, {desk.label}: equity {_money(desk.equity)}{day}, cash {_money(desk.cash)}, "
        f"gross {_money(desk.gross)}, drawdown {_percent(desk.drawdown, 2)}, {desk.positions} positions.{cited}"
    )


def _limits(used: Iterable[LimitUse]) -> str:
    items = sorted(used, key=lambda item: (-(item.used / item.limit if item.limit > 0 else Decimal(0)), item.name))
    if not items:
        return f"{NOT_IN_EVIDENCE}: no limits have been measured yet."
    return (
        "Limits used: "
        + "; ".join(
            f"{item.name.replace('_', ' ')} {_amount(item.used, item.unit)} of {_amount(item.limit, item.unit)}"
            for item in items
        )
        + "."
    )


async def _waiting(tools: OperatorTools) -> str:
    items = await tools.waiting()
    if not items:
        return "Nothing waits for a person."
    lines = [f"{len(items)} waiting for a person:"]
    for item in items[:LISTED]:
        left = "1 session" if item.sessions_left == 1 else f"{item.sessions_left} sessions"
        lines.append(
            f"{item.side} {item.quantity:,} {item.symbol} by {item.strategy} (notional {_money(item.notional)}), "
            f"{item.given} of {item.required} given, {left} left: {item.approval_id}, {item.case_id}."
        )
    return "\n".join(lines)


async def _health(tools: OperatorTools) -> str:
    desk = await tools.desk()
    found = await tools.findings()
    lines = _halts(desk) if desk else []
    lines += [f"{item.severity}: {item.message} {item.recommendation} ({item.id})" for item in found[:LISTED]]
    return "\n".join(lines) or "No open findings and no halt in force."


def _halts(desk: DeskFacts) -> list[str]:
    return [
        f"Halt in force ({item.action}, {item.scope}{f' {item.target}' if item.target else ''}) by {item.principal}: "
        f"“{item.reason}” ({item.halt_id})."
        for item in desk.halts
    ]


def _no_run() -> str:
    return f"{NOT_IN_EVIDENCE}: this home has no run yet."


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"


def _percent(value: Decimal, digits: int = 0) -> str:
    return f"{value * 100:.{digits}f} %"


def _amount(value: Decimal, unit: str) -> str:
    return _percent(value, 2) if unit == "share" else _money(value) if unit == "money" else f"{value:,.0f}"
