"""Schema migrations (Alembic), from the first table on."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from memory.database import Database
from tools.errors import HomeError


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def newest() -> str:
    """Revision id that this version of the code expects."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise HomeError("this installation carries no migrations: reinstall it", code="no_migrations")
    return revision


def current(database: Database) -> str | None:
    """Revision of a database; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database) -> None:
    """Bring the database to the newest revision; refuses one from a newer version of the code.

    It runs in one write transaction: of two processes that create a home at once, the second finds it done.
    """
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    found = current(database)
    if found is not None and found not in known:
        raise HomeError(
            f"the home was written by a newer version (schema {found}): upgrade quarterdeck", code="home_too_new"
        )
    if found == newest():
        return
    config = _config()
    with database.write() as session:
        connection = session.connection()
        if MigrationContext.configure(connection).get_current_revision() == newest():
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
