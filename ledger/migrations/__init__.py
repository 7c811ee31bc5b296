"""The database's own history: Alembic migrations, kept in the package so that any installation can migrate.

`upgrade` brings a database to this version; `is_current` says whether it is there. Nothing is ever downgraded.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection) -> list[str]:
    """Run what is missing, in the connection's transaction; the revisions that ran, oldest first."""
    config = _config()
    before = _revision(connection)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    script = ScriptDirectory.from_config(config)
    ran = script.iterate_revisions("head", before or "base")
    return [revision.revision for revision in ran][::-1]


def is_current(connection: Connection) -> bool:
    """Whether the database has exactly the tables that this version needs."""
    return _revision(connection) == ScriptDirectory.from_config(_config()).get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "shebao.ledger:migrations")
    return config
