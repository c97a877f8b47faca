"""How a command answers: one JSON object for programs, tables for people. Nothing else goes to stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def clean(value: Any) -> str:
    """Text that is safe on a terminal: escape sequences in a headline must not reach it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    return "".join(c for c in str(value) if c.isprintable() or c == "\n")


def print_json(data: Any) -> None:
    """One JSON object on stdout, without colour or wrapping."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def console(*, stderr: bool = False) -> Console:
    """A console that follows the terminal's width; when piped, wide enough not to cut ids."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 180, highlight=False)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table for people. Numbers sit on the right when the column name ends in `#`."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold")
    for name in columns:
        number = name.endswith("#")
        table.add_column(name.removesuffix("#"), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console().print(table)


def print_fields(title: str, fields: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    width = max(len(name) for name in fields)
    lines = (f"  {name:<{width}}  {clean(value)}" for name, value in fields.items())
    print_text("\n".join([title, *lines]))


def print_text(text: str) -> None:
    """Prose, wrapped to the terminal."""
    from rich.text import Text

    console().print(Text(clean(text)))


def print_note(text: str) -> None:
    """A remark for people on stderr, so that stdout stays an answer."""
    sys.stderr.write(clean(text) + "\n")


def print_more(page: Mapping[str, Any]) -> None:
    """Say how to see the next page, if there is one."""
    if page["next"] is not None:
        print_note(f"{len(page['items'])} of {page['total']}; the next page: --after {page['next']}")
