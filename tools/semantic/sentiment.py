"""Score the tone of a financial headline, offline and deterministically.

VADER (Hutto and Gilbert 2014, package vaderSentiment, MIT) with a small lexicon of our own merged over its words:
general lexicons take "share" or "fine" for feelings and do not know "downgrade". Tone is not a forecast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from tools.canonical import content_sha256
from tools.errors import ConfigError
from tools.types import Frozen

LEXICON_FILE = Path(__file__).resolve().parent / "lexicon.yaml"
MAX_CHARACTERS = 1000
METHOD = "VADER 3.3.2 with the project's financial lexicon"


class Lexicon(Frozen):
    """Valences between -4 and 4 of single words and of phrases."""

    words: Mapping[str, float]
    phrases: Mapping[str, float] = Field(default_factory=dict)

    @property
    def sha256(self) -> str:
        return content_sha256(self)


def read_lexicon(path: Path = LEXICON_FILE) -> Lexicon:
    """Read and check a lexicon; ConfigError with code `lexicon_unusable` names the word and the value."""
    try:
        lexicon = Lexicon.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path.name} is not a lexicon: {error}", code="lexicon_unusable") from error
    for term, valence in (*lexicon.words.items(), *lexicon.phrases.items()):
        if not -4 <= valence <= 4 or term != term.lower():
            raise ConfigError(
                f"{path.name} gives {term!r} the valence {valence:g}; use lower case and values from -4 to 4",
                code="lexicon_unusable",
            )
    return lexicon


def score_headline(text: str) -> float:
    """Tone of `text` in [-1, 1]: VADER's normalised compound; 0 for a text without a known word.

    Only the first 1000 characters count. The text is data: no content of it changes anything but the number.
    """
    scorer = _scorer()
    text = text[:MAX_CHARACTERS]
    prepared = scorer.phrase.sub(lambda match: _token(match.group(0).lower()), text) if scorer.phrase else text
    return float(scorer.analyzer.polarity_scores(prepared)["compound"])


class _Scorer:
    def __init__(self, lexicon: Lexicon) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self.analyzer: Any = SentimentIntensityAnalyzer()
        self.analyzer.lexicon.update(lexicon.words)
        self.analyzer.lexicon.update({_token(term): valence for term, valence in lexicon.phrases.items()})
        longest_first = sorted(lexicon.phrases, key=lambda term: (-len(term), term))
        pattern = "|".join(re.escape(term) for term in longest_first)
        self.phrase = re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE) if pattern else None


@lru_cache(maxsize=1)
def _scorer() -> _Scorer:
    return _Scorer(read_lexicon())


def _token(phrase: str) -> str:
    return re.sub(r"[\s\-]+", "_", phrase)
