"""The terms of the simulated venue as a versioned file. What it leaves out is as without a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from tools.canonical import content_sha256, plain
from tools.closed_yaml import read_closed
from tools.errors import ConfigError
from tools.execution.venue_terms import VenueTerms

VENUE_FILE = Path(__file__).with_name("venue.yaml")


class VenueFile(VenueTerms):
    """Terms with the version that their author gave them."""

    version: int = Field(ge=1)

    @property
    def terms(self) -> VenueTerms:
        return VenueTerms.model_validate(self.model_dump(exclude={"version"}))


def default_venue_text() -> str:
    """The venue file that ships with the desk: the terms that stand without one."""
    return VENUE_FILE.read_text(encoding="utf-8")


def read_venue(path: Path) -> VenueFile:
    """Read a venue file. ConfigError `venue_unreadable`, `venue_duplicate` or `venue_invalid` with field and value."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"venue file {path} cannot be read: {error}", code="venue_unreadable") from None
    return load_venue(text)


def load_venue(text: str) -> VenueFile:
    """Parse YAML into terms; errors as `read_venue`."""
    return read_closed(text, VenueFile, "venue")


def kept(file: VenueFile) -> dict[str, Any]:
    """What a run's configuration keeps of other terms than the default ones: nothing, or the terms and their hash."""
    if file.terms == VenueTerms():
        return {}
    terms = plain(file.terms)
    return {"venue": {"version": file.version, "sha256": content_sha256(terms), "terms": terms}}


def terms_of(config: dict[str, Any]) -> VenueTerms:
    """The terms of a run, by its configuration."""
    found = config.get("venue")
    return VenueTerms() if found is None else VenueTerms.model_validate(found["terms"])


def in_words(config: dict[str, Any]) -> str:
    """The terms of a run at a glance: the default ones, or what differs from them."""
    found = config.get("venue")
    if found is None:
        return "default terms"
    differs = ", ".join(sorted(_differences(plain(VenueTerms()), found["terms"])))
    return f"version {found['version']} ({found['sha256'][:12]}): {differs}"


def _differences(usual: dict[str, Any], terms: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in terms.items():
        before = usual.get(name)
        if isinstance(value, dict) and isinstance(before, dict) and before:
            yield from _differences(before, value, f"{prefix}{name}.")
        elif value != before:
            yield f"{prefix}{name} {len(value) if isinstance(value, dict) else value}"
