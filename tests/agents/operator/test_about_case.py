"""Answers about one case: why not is told in the desk's own sentences, each with its place."""

from __future__ import annotations

from agents.operator.output import Span, text_of
from tests.agents.operator.test_node import CASE, REFUSAL, REFUSED, Desk, case, pieces, said
from tools.types import ReviewReason


async def test_why_not_tells_the_fate_of_the_case_and_on_whose_word() -> None:
    refused = case(
        REFUSED, state="blocked", reason="vetoed", verdict="veto", fills=(), decisions=(), excess_return=None,
        reasons=(ReviewReason(code="illiquid", text="Only 1,250,000 is traded in it a day."),),
    )  # fmt: skip
    found = await pieces("Why did we not buy IBM?", Desk(cases=(refused, case())))
    text = text_of(found)
    assert REFUSED in text
    assert "\n".join(REFUSAL) in text
    told = [piece for piece in found if isinstance(piece, Span) and piece.text in REFUSAL]
    assert [(span.ref.record, span.ref.pointer) for span in told if span.ref] == [
        (f"/cases/{REFUSED}/why-not", "/sentences/0"), (f"/cases/{REFUSED}/why-not", "/sentences/1"),
    ]  # fmt: skip
    assert f"Other cases in IBM: {CASE}" in text


async def test_why_not_of_a_case_that_still_waits_says_where_it_stands() -> None:
    waits = case(state="awaiting", fills=(), decisions=())
    text = await said("Why did we not buy IBM?", Desk(cases=(waits,)))
    assert "It waits for a person" in text
