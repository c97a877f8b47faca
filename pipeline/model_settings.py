"""What a line of settings about models means: a fallback, the prices, the name of a key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal, NamedTuple

from dotenv import dotenv_values

BesideRules = Literal["monitoring", "coordinator"]
"""The names of `agents.opinion.BesideRules`; settings are read without loading an agent."""
ENV_FILE = ".env"
PER = 1000
"""Prices are for so many tokens."""
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


class Fallback(NamedTuple):
    """Who is asked when those before cannot be: an endpoint, its model, and the variable that holds its key."""

    base_url: str
    model_id: str
    key_variable: str | None

    @classmethod
    def parse(cls, text: str) -> Fallback:
        """Read `URL MODEL [VARIABLE]`; ValueError says what is wrong and repeats nothing that may be a key."""
        parts = text.split()
        if len(parts) not in (2, 3):
            raise ValueError("a fallback is a base URL, a model and, where it needs one, the NAME of a key's variable")
        url, model_id, *variable = parts
        if not url.startswith(("http://", "https://")):
            raise ValueError("a fallback begins with its base URL, http://... or https://...")
        if variable and not _VARIABLE.fullmatch(variable[0]):
            raise ValueError("a fallback ends with the NAME of the variable that holds its key, never with the key")
        return cls(url, model_id, variable[0] if variable else None)


class Price(NamedTuple):
    """Money for a thousand tokens asked and a thousand answered."""

    asked: Decimal
    answered: Decimal

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """What a call costs."""
        return (self.asked * input_tokens + self.answered * output_tokens) / PER


def parse_prices(text: str) -> Mapping[str, Price]:
    """Read `MODEL=ASKED/ANSWERED, ...`; ValueError names the part that is wrong."""
    found: dict[str, Price] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, figures = part.rpartition("=")
        try:
            asked, answered = (Decimal(figure) for figure in figures.split("/"))
        except (InvalidOperation, ValueError):
            raise ValueError(f"{part!r} is no price: write MODEL=ASKED/ANSWERED, money for {PER} tokens") from None
        if not name or not all(figure.is_finite() and figure >= 0 for figure in (asked, answered)):
            raise ValueError(f"{part!r} is no price: a model's name and two amounts of zero or more are needed")
        found[name] = Price(asked, answered)
    return found


def secret(variable: str) -> str | None:
    """The value of a variable of the shell, else of the file `.env` here; None where neither has it."""
    return os.environ.get(variable) or (dotenv_values(ENV_FILE).get(variable) if Path(ENV_FILE).is_file() else None)
