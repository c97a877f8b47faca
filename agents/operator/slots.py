"""What a question asks for: an intent with slots, what a thread remembers, and the names that a question may use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal

from tools.types import Frozen, Side

IntentName = Literal[
    "why", "why_not", "what_changed", "exposure", "risk", "limits_used", "waiting", "what_would_change", "compare",
    "what_if_limit", "what_if_order", "what_if_shock", "outcome", "halt", "resume", "propose", "health", "pace",
    "lessons", "help", "refused", "unclear", "unknown",
]  # fmt: skip
Dimension = Literal["symbol", "sector", "strategy", "agent"]
Measure = Literal["var", "drawdown", "stress", "volatility", "beta", "concentration", "equity", "protection"]
Missing = Literal["subject", "company", "limit", "value", "quantity", "side", "intent"]
Wish = Literal["decide", "limits", "trade", "desk"]

INTENT_MEANINGS: tuple[tuple[IntentName, str], ...] = (
    ("why", "why the desk did, holds or proposes something"),
    ("why_not", "why the desk did not do something, or why a case was blocked or refused"),
    ("what_changed", "what happened or changed lately or since a day"),
    ("exposure", "what the desk holds, by symbol, sector, strategy or agent"),
    ("risk", "value at risk, drawdown, stress, equity: how risky the book is"),
    ("limits_used", "how much of the limits is used"),
    ("waiting", "what waits for a person, the approval queue"),
    ("what_would_change", "what would have changed the decision on a case"),
    ("compare", "a case beside the last one in the same symbol and strategy"),
    ("what_if_limit", "what another limit would mean"),
    ("what_if_order", "what an order would do to the book"),
    ("what_if_shock", "what a fall or rise of the market, a sector or a symbol would do"),
    ("outcome", "how a case or a view ended"),
    ("halt", "a wish to stop the desk or a part of it"),
    ("resume", "a wish to go on after a halt"),
    ("health", "findings, whether the desk and its data are in order"),
    ("pace", "how fast people answer the queue"),
    ("lessons", "what was learnt from outcomes, lessons"),
    ("help", "what can be asked"),
    ("refused", "a wish to approve, reject, trade, or change a limit or setting"),
    ("unknown", "none of these"),
)
"""What a model may choose from. `propose` is not among them: only a person's own words open a case."""


class Intent(Frozen):
    """One question, understood. A slot that was not said is None; `value` is in the unit of its limit.

    `missing` and `choices` belong to `unclear`; `wish` to `refused`; `halt_action`, `scope` and `target` to a halt.
    """

    name: IntentName
    symbol: str | None = None
    case_id: str | None = None
    strategy: str | None = None
    sector: str | None = None
    dimension: Dimension | None = None
    measure: Measure | None = None
    limit: str | None = None
    value: Decimal | None = None
    factor: Decimal | None = None
    since: date | None = None
    side: Side | None = None
    quantity: int | None = None
    halt_action: Literal["no_new", "cancel", "reduce_only", "flatten"] | None = None
    scope: Literal["firm", "symbol", "strategy", "agent", "order"] | None = None
    target: str | None = None
    wish: Wish | None = None
    missing: Missing | None = None
    wanted: IntentName | None = None
    choices: tuple[str, ...] = ()

    @property
    def said(self) -> dict[str, str]:
        """The slots that are filled, as text."""
        found = self.model_dump(exclude={"name"}, exclude_none=True, exclude_defaults=True, mode="json")
        return {name: ", ".join(value) if isinstance(value, list) else str(value) for name, value in found.items()}


class Remembered(Frozen):
    """What the last answer of a thread was about: follow-ups and "it" are resolved from here."""

    intent: Intent | None = None
    symbol: str | None = None
    case_id: str | None = None
    strategy: str | None = None
    sector: str | None = None


class Universe(Frozen):
    """The names that a question may use, and where the desk's clock stands.

    `names` maps a symbol to its company, `forms` maps what a text may call a company to its symbol, `sessions` are the
    sessions up to the last closed one, oldest first.
    """

    names: Mapping[str, str] = {}
    forms: Mapping[str, str] = {}
    sectors: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    sessions: tuple[date, ...] = ()

    @property
    def session(self) -> date | None:
        return self.sessions[-1] if self.sessions else None

    @property
    def previous(self) -> date | None:
        return self.sessions[-2] if len(self.sessions) > 1 else None
