"""Schema migrations (Alembic), from the first table on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from memory.database import Database
from tools.errors import HomeError

if TYPE_CHECKING:
    from alembic.config import Config


def _config() -> Config:
    from alembic.config import Config  # a seventh of what the halt program loads, for a home that is up to date

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def newest() -> str:
    """Revision id that this version of the code expects: that of the last file, as they are numbered."""
    numbered = sorted(path.stem.partition("_")[0] for path in (Path(__file__).parent / "versions").glob("[0-9]*_*.py"))
    if not numbered:
        raise HomeError("this installation carries no migrations: reinstall it", code="no_migrations")
    return numbered[-1]


def current(database: Database) -> str | None:
    """Revision of a database; None for an empty one."""
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        return found


def upgrade(database: Database) -> None:
    """Bring the database to the newest revision; refuses one from a newer version of the code.

    It runs in one write transaction: of two processes that create a home at once, the second finds it done.
    """
    found = current(database)
    if found == newest():
        return
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise HomeError(
            f"the home was written by a newer version (schema {found}): upgrade quarterdeck", code="home_too_new"
        )
    config = _config()
    with database.write() as session:
        connection = session.connection()
        if MigrationContext.configure(connection).get_current_revision() == newest():
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
