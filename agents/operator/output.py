"""What the operator says: spans of text, the record that each figure stands in, and what the model may answer."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

from pydantic import ConfigDict, Field

from agents.operator.slots import INTENT_MEANINGS, Intent, Remembered
from agents.operator.words import LIMIT_STEMS
from agents.opinion import Closed
from tools.types import Frozen, Side

Unit = Literal["money", "price", "share", "ratio", "shares", "count", "sessions", "seconds", "text"]
"""How a figure is shown. `share` is a fraction, shown in percent."""


class Ref(Frozen):
    """Where something stands: the API record (a path below /api/v1) and the JSON pointer in its answer."""

    record: str
    pointer: str = ""


class Span(Frozen):
    """A piece of an answer. With `ref` it is a figure or the words of a record, else it is ours and holds no figure."""

    text: str
    ref: Ref | None = None
    value: Decimal | None = None
    unit: Unit = "text"


class Action(Frozen):
    """What the console may open for a person: a dialog that they still have to fill and confirm."""

    open_dialog: Literal["halt", "resume"]
    action: Literal["no_new", "cancel", "reduce_only", "flatten"] | None = None
    scope: Literal["firm", "symbol", "strategy", "agent", "order"] = "firm"
    target: str | None = None


class Looking(Frozen):
    """The operator is reading with this tool now."""

    tool: str


class Reply(Frozen):
    """The end of an answer: what was understood, what may be opened, and what the next question can point at.

    `dropped` counts lines that were left out because a figure in them stood in no record.
    """

    intent: Intent
    remembered: Remembered
    action: Action | None = None
    dropped: int = 0


Piece = Looking | Span | Reply
Chosen = Literal[
    "why", "why_not", "what_changed", "exposure", "risk", "limits_used", "waiting", "what_would_change", "compare",
    "what_if_limit", "what_if_order", "what_if_shock", "outcome", "halt", "resume", "health", "pace", "lessons", "help",
    "refused", "unknown",
]  # fmt: skip
LIMIT_NAMES: tuple[str, ...] = ("none", *LIMIT_STEMS)
assert {name for name, _ in INTENT_MEANINGS} == set(Chosen.__args__)  # type: ignore[attr-defined]


def _all_required(schema: dict[str, Any]) -> None:
    schema["required"] = list(schema["properties"])


class IntentChoice(Closed):
    """What a model may answer: an intent and its slots. The tools answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_all_required)

    intent: Chosen
    symbol: str = Field(max_length=10)
    limit: str = Field(default="none", json_schema_extra={"enum": list(LIMIT_NAMES)})
    side: Literal["none", "buy", "sell"] = "none"
    amount: str = Field(default="", max_length=12, pattern=r"^(?:\d{1,9}(?:\.\d{1,4})?)?$")


class Remark(Closed):
    """One sentence that a model may add to an answer."""

    remark: str = Field(max_length=240)


def text_of(spans: Sequence[Piece]) -> str:
    """The words of an answer."""
    return "".join(one.text for one in spans if isinstance(one, Span))


def side_of(text: str) -> Side | None:
    return "buy" if text == "buy" else "sell" if text == "sell" else None
