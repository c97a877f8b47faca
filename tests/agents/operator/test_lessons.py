"""What was learnt, asked in chat."""

from __future__ import annotations

from tests.agents.operator.test_node import Desk, said


async def test_what_was_learnt_is_said_in_the_words_of_the_lessons_and_never_of_one_name() -> None:
    text = await said("what have we learnt about trend?", Desk())
    assert "Promoted: trend: 40 settled outcomes, worse. (les_1)" in text
    assert "Only a promoted one enters a brief" in text
    assert "no lesson is about IBM alone" in await said("what did we learn about IBM?", Desk())
    assert "no lesson was written yet" in await said("which lessons are there about reversion", Desk())
