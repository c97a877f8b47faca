"""drill in a terminal: one list on stdout, a report in the ledger, and nothing else of the home is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

from tests.api.cli.conftest import Quarterdeck
from tests.api.conftest import Seeded
from tools.risk.controls import CONTROLS


def rows(seeded: Seeded) -> dict[str, list[tuple[object, ...]]]:
    """Everything that the database of the home holds."""
    with seeded.store.db.read() as session:
        connection = session.connection()
        return {
            name: [tuple(row) for row in connection.execute(text(f'SELECT * FROM "{name}"'))]
            for name in SQLModel.metadata.tables
        }


def files(home: Path) -> set[str]:
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if not path.name.endswith(("-wal", "-shm"))}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the scratch homes go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_every_line_is_printed_and_recorded_and_the_home_is_as_it_was(
    quarterdeck: Quarterdeck, seeded: Seeded, scratch: Path
) -> None:
    quarterdeck("drill", "--last")
    before, known = rows(seeded), files(seeded.store.home.path)
    done = quarterdeck("drill", "--only", "control:max", "--json")
    assert done.status == 0, done.err
    assert [line["name"] for line in done.json] == [f"control:{name}" for name in CONTROLS if name.startswith("max")]
    assert all(set(line) == {"name", "fired", "detail"} and line["fired"] for line in done.json)
    assert list(scratch.iterdir()) == []
    after = rows(seeded)
    assert {name for name in after if after[name] != before[name]} == {"ledger"}
    assert len(after["ledger"]) == len(before["ledger"]) + 1
    assert files(seeded.store.home.path) - known <= {"heads/heads.jsonl", "keys", "keys/ledger.pem"}
    shown = quarterdeck("drill", "--last", "--json")
    assert shown.status == 0
    assert shown.json["report"]["lines"] == done.json
    assert (shown.json["principal"], shown.json["report"]["only"]) == ("local operator", "control:max")
    assert "3 of 3 fired" in quarterdeck("drill", "--last").out


def test_a_control_that_is_broken_ends_the_command_with_1_and_is_named_in_the_report(
    quarterdeck: Quarterdeck, seeded: Seeded, desk: str, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a desk that serves the home; the scratch home is kept because that was asked."""
    assert desk
    real = CONTROLS["max_quantity"]
    broken = replace(real, evaluate=lambda now: real.evaluate(now).model_copy(update={"verdict": "pass"}))
    monkeypatch.setitem(CONTROLS, "max_quantity", broken)
    done = quarterdeck("drill", "--only", "max_quantity", "--keep")
    assert done.status == 1
    assert "0 of 1 fired" in done.out
    (kept,) = scratch.iterdir()
    assert str(kept) in done.err
    assert (kept / "controls" / "quarterdeck.sqlite").exists()
    last = quarterdeck("drill", "--last", "--json")
    assert last.status == 1
    assert [(line["name"], line["fired"]) for line in last.json["report"]["lines"]] == [("control:max_quantity", False)]


def test_without_a_home_it_runs_on_the_shipped_limits_and_makes_none(
    quarterdeck: Quarterdeck, home: Path, scratch: Path
) -> None:
    done = quarterdeck("drill", "--only", "stale_data", "--json")
    assert (done.status, len(done.json)) == (0, 1)
    assert "nothing is recorded" in done.err
    assert not home.exists()
    assert list(scratch.iterdir()) == []


def test_a_part_that_no_drill_has_is_refused_before_anything_runs(quarterdeck: Quarterdeck, scratch: Path) -> None:
    done = quarterdeck("drill", "--only", "moon")
    assert done.status == 2
    assert "[invalid]" in done.err
    assert list(scratch.iterdir()) == []
