"""Answer a person's question about the desk. A decision is never taken from chat text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

from agents.operator import model, rules
from agents.operator.facts import OperatorTools
from agents.operator.intents import complete, parse
from agents.operator.output import Looking, Piece, Reply, Span, text_of
from agents.operator.say import Told, sealed
from agents.operator.slots import Intent, Remembered
from agents.opinion import Abstain, Context

MAX_QUESTION = 4000
REMARKED = frozenset({
    "why", "why_not", "what_changed", "exposure", "risk", "limits_used", "compare", "what_if_limit", "what_if_order",
    "what_if_shock", "outcome",
})  # fmt: skip
"""Intents to whose answer a model may add a sentence."""


async def answer(
    question: str, tools: OperatorTools, context: Context, earlier: Remembered | None = None
) -> AsyncIterator[Piece]:
    """Stream the answer: `Looking` for each tool as it is read, spans of text, and one `Reply` at the end.

    The grammar answers what it knows. With the model reasoner a model is asked what the grammar cannot place; it picks
    an intent with slots, and every figure still comes from the tools. It may add one sentence that stands in it.
    """
    asked = question.strip()[:MAX_QUESTION]
    memory = earlier or Remembered()
    seen: asyncio.Queue[Piece | None] = asyncio.Queue()
    work = asyncio.create_task(_worked(asked, tools, context, memory, seen))
    try:
        while (piece := await seen.get()) is not None:
            yield piece
        await work
    finally:
        work.cancel()


async def answer_text(question: str, tools: OperatorTools, context: Context) -> str:
    """The whole answer as text."""
    return text_of([piece async for piece in answer(question, tools, context)])


async def _worked(
    asked: str, tools: OperatorTools, context: Context, memory: Remembered, seen: asyncio.Queue[Piece | None]
) -> None:
    try:
        await _work(asked, tools, context, memory, seen)
    finally:
        seen.put_nowait(None)


async def _work(
    asked: str, tools: OperatorTools, context: Context, memory: Remembered, seen: asyncio.Queue[Piece | None]
) -> None:
    watched = cast(OperatorTools, _Watched(tools, lambda name: seen.put_nowait(Looking(tool=name))))
    universe = await tools.universe()
    intent = parse(asked, universe, memory)
    note = ""
    if intent.name == "unknown" and context.reasoner == "model" and asked:
        picked = await model.pick(asked, context)
        if isinstance(picked, Abstain):
            note = f"The model gave no usable answer ({picked.reason.replace('_', ' ')})."
        else:
            intent = complete(picked, intent, universe, memory)
    told = await rules.answer(intent, watched, asked)
    lines, dropped = sealed(told.lines)
    if note:
        lines.insert(0, (Span(text=note),))
    if context.reasoner == "model" and not note and intent.name in REMARKED:
        added = await model.remark(asked, [span for line in lines for span in line], context)
        if added:
            lines.append((Span(text=f"The model adds: {added}"),))
    for index, line in enumerate(lines):
        if index:
            seen.put_nowait(Span(text="\n"))
        for span in line:
            seen.put_nowait(span)
    seen.put_nowait(Reply(intent=intent, action=told.action, dropped=dropped, remembered=_kept(intent, told, memory)))


def _kept(intent: Intent, told: Told, memory: Remembered) -> Remembered:
    """What the next question may point at: what this answer was about, else what was there before."""
    if not (told.symbol or told.case_id or told.strategy or told.sector):
        about = memory.model_dump(include={"symbol", "case_id", "strategy", "sector"})
    else:
        about = {
            "symbol": told.symbol, "case_id": told.case_id, "strategy": told.strategy, "sector": told.sector
        }  # fmt: skip
    keep = intent if intent.name not in ("unknown", "help", "refused") else memory.intent
    return Remembered(intent=keep, **about)


class _Watched:
    """The tools, telling what is read. Only what the Protocol names can be reached."""

    def __init__(self, tools: OperatorTools, tell: Callable[[str], None]) -> None:
        self._tools, self._tell = tools, tell

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("_") or name not in vars(OperatorTools):
            raise AttributeError(f"the operator has no tool {name!r}")
        self._tell(name)
        found: Callable[..., Awaitable[Any]] = getattr(self._tools, name)
        return found
