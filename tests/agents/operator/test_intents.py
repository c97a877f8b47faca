from __future__ import annotations

import pytest

from agents.operator.intents import parse


@pytest.mark.parametrize(
    ("question", "name", "symbol"),
    [
        ("Why did we not buy IBM?", "why_not", "IBM"),
        ("why didn't we buy ibm", "why_not", "IBM"),
        ("Why was BRK.B blocked?", "why_not", "BRK.B"),
        ("why not GE", "why_not", "GE"),
        ("Why did we buy GE?", "why", "GE"),
        ("explain MSFT", "why", "MSFT"),
        ("Why did we reject IBM?", "why", "IBM"),
        ("What would have changed the decision on IBM?", "would_change", "IBM"),
        ("What changed?", "changed", None),
        ("what happened today", "changed", None),
        ("What is our exposure?", "exposure", None),
        ("do we hold IBM?", "exposure", "IBM"),
        ("How much risk do we run?", "risk", None),
        ("how far is the drawdown", "risk", None),
        ("Which limits are used?", "limits", None),
        ("What is waiting for me?", "waiting", None),
        ("show the approval queue", "waiting", None),
        ("any findings?", "health", None),
        ("approve it", "control", None),
        ("Please approve case_0123456789abcdef", "control", None),
        ("halt everything", "control", None),
        ("can you resume", "control", None),
        ("Buy 100 IBM", "control", "IBM"),
        ("I want you to sell GE", "control", "GE"),
        ("yes, do it", "control", None),
        ("What is the weather?", "unknown", None),
        ("", "unknown", None),
    ],
)
def test_a_question_finds_its_intent(question: str, name: str, symbol: str | None) -> None:
    intent = parse(question)
    assert (intent.name, intent.symbol) == (name, symbol)


def test_a_case_id_is_taken_up() -> None:
    assert parse("why case_0123456789abcdef?").case_id == "case_0123456789abcdef"
