"""Answers rendered from tool results. What the tools do not say is said to be not in evidence."""

from __future__ import annotations

from agents.operator import about_book, about_case, supposing
from agents.operator.facts import OperatorTools
from agents.operator.output import Action, Span
from agents.operator.say import Told
from agents.operator.slots import Intent
from tools.errors import AccessError, ApprovalError, DataError, HomeError, ToolRejected

EXAMPLES = (
    "why did we buy IBM, why not XOM", "what changed since the last session", "what is our exposure by sector",
    "what is the value at risk", "how close are we to the sector cap", "what is waiting",
    "what would have changed that case", "compare it with last time", "what if the sector cap were five percent",
    "what if we bought a hundred IBM", "what if the market fell ten percent", "how did IBM end",
    "propose selling a hundred IBM", "are there findings",
    "what have we learnt about trend",
)  # fmt: skip
_DOORS = {
    "decide": "A case is decided on the Approvals page, or with `quarterdeck approvals approve ID --reason TEXT` (or "
    "`reject`), by somebody whose role allows it.",
    "limits": "Limits change by a case of their own: edit `config/limits.yaml` in the home and propose it on the "
    "Oversight page; people decide it. To see what another limit would mean, ask: what if it were so?",
    "trade": "Orders come from cases that people release. To open one, say: propose selling or buying, with shares and "
    "symbol. To see what an order would do to the book, ask: what if we bought or sold it?",
    "desk": "Settings, strategies and policy change on the Oversight page or on the command line, by people.",
}  # fmt: skip
_ASK = {
    "subject": "Which symbol or case? For example: why did we not buy IBM?",
    "company": "Which one do you mean?",
    "limit": "Which limit? For example: sector, position, trade, gross, net, leverage, open risk, daily loss.",
    "value": "To which value? For example in percent, in basis points, doubled or halved.",
    "quantity": "How many shares?",
    "side": "Buying or selling?",
    "intent": "What about it? I can say why, why not, what is held, what would change it, how it compares with last "
    "time, and how it ended.",
}  # fmt: skip


async def answer(intent: Intent, tools: OperatorTools, question: str = "") -> Told:
    """Answer one intent. It never decides; the one thing it may do is open a case that the question itself proposes."""
    try:
        return await _answer(intent, tools, question)
    except AccessError as error:
        return Told().line("You may not see that here: ", Span(text=_wordless(error)))
    except (ToolRejected, DataError, HomeError) as error:
        return Told().missing(_wordless(error) if error.code != "no_run" else about_book.NO_RUN)


def _wordless(error: AccessError | ToolRejected | DataError | HomeError | ApprovalError) -> str:
    """What an error says, where it holds no figure that a record would have to carry."""
    return error.message if not any(one.isdigit() for one in error.message) else f"{error.code.replace('_', ' ')}."


async def _answer(intent: Intent, tools: OperatorTools, question: str) -> Told:
    match intent.name:
        case "why" | "why_not" | "what_would_change" | "compare" | "outcome":
            return await about_case.answer(intent, tools)
        case "what_changed":
            return await about_book.changed(intent, tools)
        case "exposure":
            return await about_book.exposure(intent, tools)
        case "risk":
            return await about_book.risk(intent, tools)
        case "limits_used":
            return await about_book.limits(intent, tools)
        case "waiting":
            return await about_book.waiting(intent, tools)
        case "health":
            return await about_book.health(tools)
        case "pace":
            return await about_book.pace(tools)
        case "lessons":
            return await about_book.lessons(intent, tools)
        case "what_if_limit":
            return await supposing.limit(intent, tools)
        case "what_if_order":
            return await supposing.order(intent, tools)
        case "what_if_shock":
            return await supposing.shock(intent, tools)
        case "propose":
            return await _propose(intent, tools, question)
        case "halt" | "resume":
            return _dialog(intent)
        case "refused":
            return _refused(intent)
        case "unclear":
            return await _ask_back(intent, tools)
        case "help" | "unknown":
            return _help(intent)


def _dialog(intent: Intent) -> Told:
    opens = "halt" if intent.name == "halt" else "resume"
    told = Told(action=Action.model_validate({
        "open_dialog": opens, "action": intent.halt_action, "scope": intent.scope or "firm", "target": intent.target,
    }))  # fmt: skip
    if intent.name == "halt":
        told.line("Chat cannot halt. The halt dialog is ready for you to give a reason and confirm.")
        return told.line(
            "Without the console: `quarterdeck halt --action no-new --reason TEXT` (also `cancel`, `reduce-only`, "
            "`flatten`; with `--scope` and `--target` for a part)."
        )
    told.line("Chat cannot resume. The resume dialog is ready for a risk officer to give a reason and confirm.")
    return told.line("Without the console: `quarterdeck resume --reason TEXT`.")


def _refused(intent: Intent) -> Told:
    told = Told(symbol=intent.symbol).line("Chat cannot do that: it neither approves, rejects, trades nor changes.")
    return told.line(_DOORS[intent.wish or "decide"])


def _help(intent: Intent) -> Told:
    told = Told()
    if intent.name == "unknown":
        told.line("I cannot tell what is asked.")
    told.line("I answer from the desk's own records. You can ask:")
    for example in EXAMPLES:
        told.line(f"- {example}")
    return told.line("For a halt or a resume I open the dialog; I decide, trade and change nothing.")


async def _ask_back(intent: Intent, tools: OperatorTools) -> Told:
    told = Told(symbol=intent.symbol, case_id=intent.case_id, strategy=intent.strategy, sector=intent.sector)
    told.line(_ASK[intent.missing or "intent"])
    names = (await tools.universe()).names if intent.missing == "company" else {}
    for choice in intent.choices:
        told.line(f"- {choice}" + (f", {names[choice]}" if choice in names else ""))
    if intent.missing == "subject" and not intent.choices:
        waiting = await tools.waiting()
        if waiting:
            told.line("Waiting now: ", ", ".join(dict.fromkeys(item.symbol for item in waiting)), ".")
    return told


async def _propose(intent: Intent, tools: OperatorTools, question: str) -> Told:
    if intent.symbol is None or intent.side is None or intent.quantity is None:
        return Told().line("A proposal needs a side, a number of shares and a symbol.")
    try:
        opened = await tools.propose(intent.symbol, intent.side, intent.quantity, question)
    except ApprovalError as error:
        return Told(symbol=intent.symbol).line("No case was opened: ", _wordless(error))
    if opened is None:
        return Told(symbol=intent.symbol).line(
            "This desk opens no cases from chat. A ticket is written on the page of a case, and people decide it there."
        )
    told = Told(symbol=intent.symbol, case_id=opened.case_id)
    return told.line(
        "A case was opened in your name: ", about_case.link(opened.case_id), ". Nothing is ordered: it is checked, "
        "explained, and people decide it."
    )  # fmt: skip
