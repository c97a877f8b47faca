"""Answers about one case: why, why not, what would have changed it, last time, how it ended."""

from __future__ import annotations

from decimal import Decimal

from agents.coordinator.output import REASON_WORDS
from agents.operator.facts import CaseFacts, OperatorTools
from agents.operator.output import Span
from agents.operator.say import Told, case_link, figure, words
from agents.operator.slots import Intent
from tools.canonical import round_float

LISTED = 8
link = case_link

_STATE_WORDS = {
    "not_selected": "was not selected", "blocked": "was blocked", "awaiting": "waits for a person",
    "approved": "was approved and is not sent yet", "rejected": "was rejected", "expired": "expired without an answer",
    "voided": "was voided", "superseded": "was superseded by a newer one", "submitted": "was approved and sent",
    "done": "was approved and carried out", "cancelled": "was cancelled", "unknown": "is in an unknown state",
    "settled": "was carried out and has settled", "drafted": "is being prepared",
}  # fmt: skip


async def answer(intent: Intent, tools: OperatorTools) -> Told:
    """Find the case that is meant, and tell of it what was asked."""
    found = await _find(intent, tools)
    if not found:
        return await _nothing(intent, tools)
    case = _meant(intent, found)
    told = Told(symbol=case.symbol, case_id=case.case_id, strategy=case.strategy)
    match intent.name:
        case "what_would_change":
            _headline(told, case)
            await _would_change(told, case, tools)
        case "compare":
            await _compare(told, case, tools)
        case "outcome":
            _life(told, case)
            _outcome(told, case)
        case "why":
            told.line("It was proposed because: ", words(case.thesis, case.record, "/proposal/thesis"))
            _life(told, case)
        case _:
            await _refused(told, case, tools)
    _others(told, intent, case, found)
    return told


async def _find(intent: Intent, tools: OperatorTools) -> tuple[CaseFacts, ...]:
    if intent.case_id:
        one = await tools.case(intent.case_id)
        return (one,) if one else ()
    return await tools.find_cases(intent.symbol, intent.strategy)


def _meant(intent: Intent, found: tuple[CaseFacts, ...]) -> CaseFacts:
    """The newest that fits what was asked: carried out for why and outcome, not carried out for why not."""
    if intent.name == "why_not":
        return next((item for item in found if not item.fills), found[0])
    if intent.name == "why":
        return next((item for item in found if item.fills), found[0])
    if intent.name == "outcome":
        return next((item for item in found if item.view_return is not None or item.fills), found[0])
    return found[0]


async def _nothing(intent: Intent, tools: OperatorTools) -> Told:
    told = Told(symbol=intent.symbol, strategy=intent.strategy)
    if intent.case_id:
        return told.missing("this desk has no order case of that id.")
    held = [item for item in await tools.positions() if item.symbol == intent.symbol]
    if held:
        item = held[0]
        return told.line(
            f"{item.symbol} is held by ", words(item.strategy, item.record, "/items/0/strategy"), ": ",
            figure(item.quantity, "shares", item.record, "/items/0/quantity"),
            " shares, but no case of this run tells why.",
        )  # fmt: skip
    universe = await tools.universe()
    if intent.symbol and universe.names and intent.symbol not in universe.names:
        return told.missing(f"{intent.symbol} is not among the names that are traded.")
    subject = intent.symbol or intent.strategy or "that"
    return told.missing(f"this run has no case in {subject}: no strategy proposed it.")


def _headline(told: Told, case: CaseFacts, *more: str | Span) -> None:
    at = case.record
    told.line(
        case_link(case.case_id), ", opened ", words(case.opened, at, "/opened"), f": {case.side} ",
        figure(case.quantity, "shares", at, "/proposal/quantity"), f" {case.symbol} by ",
        words(case.strategy, at, "/strategy"), " (notional ",
        figure(case.notional, "money", at, "/proposal/notional"), ").", *more,
    )  # fmt: skip


def _fate(case: CaseFacts) -> tuple[str | Span, ...]:
    fate = f" It {_STATE_WORDS.get(case.state, case.state.replace('_', ' '))}"
    if not case.reason:
        return (f"{fate}.",)
    return fate, ": ", words(REASON_WORDS.get(case.reason, case.reason.replace("_", " ")), case.record, "/reason"), "."


def _life(told: Told, case: CaseFacts) -> None:
    """What became of a case and on whose word."""
    _headline(told, case, *_fate(case))
    at = case.record
    missing = f" ({case.abstain_reason.replace('_', ' ')})" if case.abstain_reason else ""
    scaled: tuple[str | Span, ...] = ()
    if case.factor < 1 and case.verdict in ("scale", "escalate"):
        scaled = (" at ", figure(case.factor, "share", at, "/review/factor"))
    reasons: list[str | Span] = []
    for index, item in enumerate(case.reasons):
        reasons += [" ", words(item.text, at, f"/review/reasons/{index}/text")]
    told.line(f"Review: {case.verdict}", *scaled, f"{missing}.", *reasons)
    for index, check in enumerate(case.checks):
        if check.verdict == "block":
            told.line("Blocked by ", words(check.message, at, f"/checks/{index}/message"), ".")
    for index, said in enumerate(case.decisions):
        who = words(said.principal, at, f"/decisions/{index}/principal")
        told.line(who, f": {said.decision}, “", words(said.reason, at, f"/decisions/{index}/reason"), "”.")
    for index, fill in enumerate(case.fills[:LISTED]):
        told.line(
            "Filled on ", words(fill.session, at, f"/fills/{index}/session"), f": {fill.side} ",
            figure(fill.quantity, "shares", at, f"/fills/{index}/quantity"), " at ",
            figure(fill.price, "price", at, f"/fills/{index}/price"), ".",
        )  # fmt: skip
    _evidence(told, case)


async def _refused(told: Told, case: CaseFacts, tools: OperatorTools) -> None:
    """Why a case was not carried out, in the words that every other place gives for it."""
    sentences = await tools.why_not(case.case_id)
    if not sentences:
        _life(told, case)
        await _would_change(told, case, tools)
        return
    told.line(case_link(case.case_id), ":")
    for index, sentence in enumerate(sentences):
        told.line(words(sentence, f"{case.record}/why-not", f"/sentences/{index}"))
    _evidence(told, case)


def _evidence(told: Told, case: CaseFacts) -> None:
    if not case.evidence_ids:
        return
    cited: list[str | Span] = ["Evidence:"]
    for index, one in enumerate(case.evidence_ids[:6]):
        cited += [" " if index == 0 else ", ", words(one, f"/evidence/{one}", "/id")]
    told.line(*cited, ".")


def _outcome(told: Told, case: CaseFacts) -> None:
    at = case.record
    if case.excess_return is None or case.view_return is None:
        due = (" It settles on ", words(case.due, at, "/outcome/due"), ".") if case.due else ()
        told.missing("its outcome has not settled.", *due)
        return
    told.line(
        "Its view returned ", _return(case.view_return, at, "view_return"), ", ",
        _return(case.excess_return, at, "excess_return"), " against the index.",
    )  # fmt: skip


def _return(value: float, record: str, name: str) -> Span:
    return figure(Decimal(repr(round_float(value))), "share", record, f"/outcome/{name}", signed=True)


async def _would_change(told: Told, case: CaseFacts, tools: OperatorTools) -> None:
    explanation = await tools.explain(case.case_id)
    if explanation is None:
        told.missing("what would have changed it. It was never asked, so no checks were varied for it.")
        return
    at = f"/explanations/{case.case_id}"
    if explanation.binding_constraint is not None:
        told.line(
            "Nearest limit: ", words(explanation.binding_constraint.message, at, "/binding_constraint/message"), "."
        )
    for index, item in enumerate(explanation.counterfactuals):
        told.line(words(item.text, at, f"/counterfactuals/{index}/text"))
    if explanation.binding_constraint is None and not explanation.counterfactuals:
        told.missing("no change of size, price or limits within reach alters the verdict.")


async def _compare(told: Told, case: CaseFacts, tools: OperatorTools) -> None:
    """The case beside the one before it in the same symbol and strategy."""
    both = await tools.find_cases(case.symbol, case.strategy)
    earlier = next((o for o in both if o.case_id != case.case_id and (o.opened, o.case_id) < (case.opened, "~")), None)
    _life(told, case)
    if earlier is None:
        told.missing(f"there is no earlier case in {case.symbol} by the same strategy to compare with.")
        return
    told.line("Last time:")
    _life(told, earlier)
    _outcome(told, earlier)
    _beside(told, "Shares", case, earlier, "quantity")
    _beside(told, "Notional", case, earlier, "notional")
    _beside(told, "Price", case, earlier, "reference_price")
    _beside(told, "Confidence", case, earlier, "confidence")
    before = {check.control: (i, check) for i, check in enumerate(earlier.checks)}
    for index, check in enumerate(case.checks):
        if check.control not in before or check.verdict == before[check.control][1].verdict:
            continue
        place, was = before[check.control]
        told.line(
            f"{check.control.replace('_', ' ').capitalize()}: ",
            words(check.message, case.record, f"/checks/{index}/message"),
            "; last time ", words(was.message, earlier.record, f"/checks/{place}/message"), ".",
        )  # fmt: skip


def _beside(told: Told, name: str, case: CaseFacts, earlier: CaseFacts, field: str) -> None:
    now, then = (Decimal(str(getattr(one, field))) for one in (case, earlier))
    unit = {"quantity": "shares", "notional": "money", "reference_price": "price"}.get(field, "share")
    pointer = f"/proposal/{field}"
    same = " (unchanged)." if now == then else "."
    told.line(
        f"{name}: ", figure(now, unit, case.record, pointer), ", last time ",  # type: ignore[arg-type]
        figure(then, unit, earlier.record, pointer), same,  # type: ignore[arg-type]
    )  # fmt: skip


def _others(told: Told, intent: Intent, case: CaseFacts, found: tuple[CaseFacts, ...]) -> None:
    rest = [item for item in found if item is not case]
    if not rest or intent.case_id or intent.name == "compare":
        return
    parts: list[str | Span] = [f"Other cases in {case.symbol if intent.symbol else case.strategy}: "]
    for index, item in enumerate(rest[:LISTED]):
        parts += [", " if index else "", case_link(item.case_id)]
    told.line(*parts, ".")
