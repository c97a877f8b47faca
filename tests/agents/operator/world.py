"""The names that the questions of these tests may use, and what was learnt there."""

from __future__ import annotations

from datetime import date

from agents.operator.facts import LessonFacts
from agents.operator.slots import Universe

WORLD = Universe(
    names={
        "IBM": "International Business Machines", "GE": "General Electric", "MSFT": "Microsoft Corp",
        "AAPL": "Apple Inc", "XOM": "Exxon Mobil Corp", "AXP": "American Express Co", "AEP": "American Electric Power",
        "AMT": "American Tower Corp A", "F": "Ford Motor", "A": "Agilent Technologies Inc", "ALL": "Allstate Corp",
        "BRK.B": "Berkshire Hathaway", "KO": "Coca-Cola",
    },
    forms={
        "IBM": "IBM", "International Business Machines": "IBM", "Microsoft": "MSFT", "Apple": "AAPL",
        "Exxon Mobil": "XOM", "Exxon": "XOM", "American Express": "AXP", "General Electric": "GE", "Ford": "F",
        "MSFT": "MSFT", "AAPL": "AAPL", "XOM": "XOM", "AXP": "AXP", "Coca-Cola": "KO", "Berkshire Hathaway": "BRK.B",
    },
    sectors=(
        "Energy", "Financials", "Health Care", "Information Technology", "Consumer Staples", "Consumer Discretionary",
        "Utilities",
    ),
    strategies=("reversion", "trend"), sessions=(date(2009, 11, 11), date(2009, 11, 12), date(2009, 11, 13)),
)  # fmt: skip


class Learnt:
    """One lesson in force, about trend."""

    async def lessons(self, strategy: str | None) -> tuple[LessonFacts, ...]:
        found = LessonFacts(
            lesson_id="les_1", state="promoted", scope="strategy:trend", claim="trend: 40 settled outcomes, worse."
        )
        return (found,) if strategy in (None, "trend") else ()
