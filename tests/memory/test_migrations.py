"""The migrations lead to the tables of the models, from nothing, once, and never backwards."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel, select

import memory.tables  # noqa: F401  (registers the tables)
from memory.database import Database
from memory.embedding import SentenceEncoder
from memory.migrations import _config, current, newest, upgrade
from memory.tables import FindingRow, MemoryRow, SpendRow
from tools.errors import HomeError

AS_OF = "2009-11-13T21:00:00.000000Z"


def test_the_migrated_schema_is_that_of_the_models(any_db: Database) -> None:
    with any_db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_a_change_of_a_model_without_a_migration_would_be_seen(any_db: Database) -> None:
    with any_db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE halts DROP COLUMN release_reason"))
    with any_db.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    assert any("release_reason" in str(item) for item in found)


def test_the_newest_revision_is_the_head_of_the_one_chain() -> None:
    assert [newest()] == ScriptDirectory.from_config(_config()).get_heads()


def test_an_up_to_date_database_is_opened_without_loading_the_migration_library(any_db: Database) -> None:
    script = (
        "import sys; from memory.database import Database; from memory.migrations import upgrade; "
        "upgrade(Database(sys.argv[1])); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, any_db.engine.url.render_as_string(hide_password=False)], capture_output=True,
        text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout == "False\n"


def test_an_upgrade_of_an_up_to_date_database_changes_nothing(any_db: Database) -> None:
    assert current(any_db) == newest()
    upgrade(any_db)
    assert current(any_db) == newest()


def test_an_empty_database_has_no_revision(any_url: str) -> None:
    database = Database(any_url)
    assert current(database) is None
    database.dispose()


def test_calls_recorded_before_there_were_budgets_are_spent(any_url: str) -> None:
    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    before = next(str(script.down_revision) for script in scripts if "model_spend" in script.path)
    database = Database(any_url)
    meta = '{"gen_ai.request.model":"tiny","gen_ai.usage.input_tokens":30,"gen_ai.usage.output_tokens":12}'
    with database.engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, before)
        connection.execute(
            text(
                "INSERT INTO recordings (run_id, cycle_id, kind, call, attempt, input_sha256, output_sha256, meta, "
                "at_wall) VALUES ('run_1', 'cyc_1', :kind, 'decision.review', 0, :sha, :sha, :meta, :at)"
            ),
            [
                {"kind": kind, "sha": kind, "meta": meta, "at": "2026-03-02T10:00:00.000000Z"}
                for kind in ("model", "tool")
            ],
        )  # fmt: skip
    upgrade(database)
    with database.read() as session:
        (row,) = session.exec(select(SpendRow)).all()
    database.dispose()
    assert (row.run_id, row.model_id, row.tokens, row.settled, row.day) == ("run_1", "tiny", 42, True, date(2026, 3, 2))


def test_findings_of_an_older_home_stay_readable_and_what_is_looked_for_again_ends(any_url: str) -> None:
    """An event of before stays open; a condition of before is over, for the next look finds it again."""
    database = Database(any_url)
    scripts = ScriptDirectory.from_config(_config())
    before = next(s.down_revision for s in scripts.walk_revisions() if s.path.endswith("_findings.py"))
    body = {"severity": "warning", "component": "book", "message": "m", "recommendation": "r", "as_of": AS_OF}
    with database.write() as session:
        config = _config()
        config.attributes["connection"] = session.connection()
        command.upgrade(config, str(before))
        for code in ("drawdown", "tampered"):
            session.connection().execute(
                text(
                    "INSERT INTO findings (id, code, severity, component, as_of, body) "
                    "VALUES (:code, :code, 'warning', 'book', :at, :body)"
                ),
                {"code": code, "at": AS_OF, "body": json.dumps({**body, "id": code, "code": code})},
            )
    upgrade(database)
    with database.read() as session:
        rows = session.exec(select(FindingRow).order_by(FindingRow.code)).all()
    database.dispose()
    assert [(row.code, row.cleared_as_of == row.as_of, row.times_seen) for row in rows] == [
        ("drawdown", True, 1), ("tampered", False, 1),
    ]  # fmt: skip
    assert all(row.first_as_of == row.as_of and row.worst == row.body.severity for row in rows)


def test_cases_of_an_older_home_are_remembered_with_their_outcome(any_url: str) -> None:
    database = Database(any_url)
    scripts = ScriptDirectory.from_config(_config())
    before = next(s.down_revision for s in scripts.walk_revisions() if s.path.endswith("_memory.py"))
    with database.write() as session:
        config = _config()
        config.attributes["connection"] = session.connection()
        command.upgrade(config, str(before))
        session.connection().execute(
            text(
                "INSERT INTO memories (id, run_id, kind, symbol, strategy, known_index, text, vector) "
                "VALUES (:id, 'run_1', 'case', 'IBM', 'trend', 70, 'bought', :vector)"
            ),
            [{"id": name, "vector": b"0" * 1536} for name in ("case_1", "case_2")],
        )
        session.connection().execute(
            text(
                "INSERT INTO outcomes (id, run_id, case_id, strategy, symbol, disposition, settled, opened_index, "
                "due_index, index_entry, body) "
                "VALUES ('out_1', 'run_1', 'case_1', 'trend', 'IBM', 'refused', true, 60, 70, 1000, '{}')"
            )
        )
    upgrade(database)
    with database.read() as session:
        rows = session.exec(select(MemoryRow).order_by(MemoryRow.id)).all()
    database.dispose()
    assert [(row.subject, row.cluster, row.outcome) for row in rows] == [
        ("case_1", "case_1", "refused"), ("case_2", "case_2", None),
    ]  # fmt: skip
    assert all(row.encoder == SentenceEncoder().fingerprint and not row.taint for row in rows)


def test_a_database_of_a_newer_version_is_refused_and_left_alone(any_db: Database) -> None:
    with any_db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_from_the_future'"))
    with pytest.raises(HomeError, match="9999_from_the_future") as caught:
        upgrade(any_db)
    assert caught.value.code == "home_too_new"
    assert current(any_db) == "9999_from_the_future"


def test_two_processes_may_create_the_same_database_at_once(any_url: str) -> None:
    script = (
        "import sys; from memory.database import Database; from memory.migrations import upgrade; "
        "database = Database(sys.argv[1]); print('ready', flush=True); sys.stdin.readline(); upgrade(database)"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, any_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        _, complaint = worker.communicate(timeout=60)
        assert worker.returncode == 0, complaint
    database = Database(any_url)
    assert current(database) == newest()
    database.dispose()
