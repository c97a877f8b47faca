"""Options that every command has, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.settings import Settings

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="DIR", help="Folder with the desk's state; or QUARTERDECK_HOME.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@dataclass(frozen=True)
class Call:
    """One invocation: where the home is and how to answer."""

    home: Path | None = None
    as_json: bool = False

    @classmethod
    def of(cls, ctx: typer.Context, home: Path | None, as_json: bool) -> Call:
        """Join options given before the command's name with those given behind it; the latter win."""
        outer = ctx.find_object(cls) or cls()
        return cls(home=home or outer.home, as_json=as_json or outer.as_json)

    def settings(self, **overrides: Any) -> Settings:
        """Settings of this invocation; ConfigError names a bad one."""
        from pipeline.settings import load_settings

        return load_settings(home=self.home, **overrides)
