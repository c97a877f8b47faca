"""Items and questions for tests of long-term memory."""

from __future__ import annotations

from typing import Any

from memory.recall import Recall
from memory.remembered import Item, Question, Recalled, Written

SECTORS = ("Energy", "Technology", "Health Care", "Utilities", "Financials", "Materials")
MOODS = (
    "close above its 50-session average with rising volume",
    "four closes down in a row below its 20-session band",
    "a gap up after earnings on heavy trade",
)
QUERY = "trend order.entry buy XOM Exxon Mobil, Energy. close above its 50-session average with rising volume"
LATE = 10_000


def situations(count: int) -> list[tuple[str, str]]:
    return [
        (
            f"case_{number:04d}",
            f"trend order.entry buy N{number}, {SECTORS[number % 6]}. {MOODS[number % 3]}, {number % 7} sessions",
        )
        for number in range(count)
    ]


def item(name: str, words: str = QUERY, **changes: Any) -> Item:
    """A settled case of run_1, known at session 60, under a symbol of its own."""
    given: dict[str, Any] = {
        "id": name, "run_id": "run_1", "kind": "case", "subject": name, "text": words, "known_index": 60,
        "symbol": name.upper()[-10:].replace("_", "."), "strategy": "trend", "outcome": "filled",
    }  # fmt: skip
    return Item(**{**given, **changes})


def remember(recall: Recall, items: list[tuple[str, str]], **changes: Any) -> tuple[Written, ...]:
    return recall.remember(
        *(item(name, words, **{"known_index": 60 + number, **changes}) for number, (name, words) in enumerate(items))
    )


def question(**changes: Any) -> Question:
    given: dict[str, Any] = {"run_id": "run_1", "as_of_index": LATE, "strategy": "trend"}
    return Question(**{**given, **changes})


def ask(recall: Recall, words: str = QUERY, **changes: Any) -> tuple[Recalled, ...]:
    return recall.recall(words, question(**changes))


def names(found: tuple[Recalled, ...]) -> list[str]:
    return [one.id for one in found]
