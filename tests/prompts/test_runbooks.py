"""The runbooks that ship: whole, found by their finding, naming only commands that exist, and no prompts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from api.cli.main import app
from prompts.loader import prompt_ids
from prompts.runbooks import Runbook, _parse, runbook_for, runbooks
from tools.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
COMMAND = re.compile(r"quarterdeck ([a-z-]+)(?: ([a-z-]+))?")


def test_every_runbook_has_steps_and_is_no_prompt() -> None:
    assert len(runbooks()) >= 8
    assert all("1. " in book.text or "- " in book.text for book in runbooks())
    assert not [name for name in prompt_ids() if name.startswith("runbooks/")]


@pytest.mark.parametrize("book", runbooks(), ids=lambda book: book.id)
def test_a_runbook_names_only_commands_and_findings_that_exist(book: Runbook) -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, second in COMMAND.findall(book.text):
        assert name in known
        if second and hasattr(known[name], "commands"):
            assert second in known[name].commands
    source = "".join(path.read_text() for folder in ("pipeline", "agents") for path in (ROOT / folder).rglob("*.py"))
    for code in book.codes:
        assert f'"{code}"' in source, f"no finding has the code {code}"


def test_a_finding_is_answered_by_at_most_one_runbook() -> None:
    found = runbook_for("break")
    assert found is not None
    assert found.id == "break_found"
    assert runbook_for("nothing_of_the_kind") is None


@pytest.mark.parametrize(
    "text",
    ["no front matter", "---\ntitle: x\n---\nbody", "---\n- a\n---\nbody", "---\ntitle: [\n---\nbody"],
)
def test_a_runbook_that_breaks_its_shape_stops_the_start(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _parse("broken", text)
    assert caught.value.code == "bad_runbook"
