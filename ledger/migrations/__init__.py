"""The database's own history: Alembic migrations, kept in the package so that any installation can migrate.

`upgrade` brings a database to this version; `is_current` says whether it is there. Nothing is ever downgraded.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, column, inspect, select, table

HEAD: Final = "0001"  # the newest of versions/: a constant, so that looking needs no Alembic
_VERSIONS: Final = table("alembic_version", column("version_num"))


def upgrade(connection: Connection) -> list[str]:
    """Run what is missing, in the connection's transaction; the revisions that ran, oldest first."""
    from alembic import command  # not above: loading it is a tenth of a command's start, and this is its only use
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "shebao.ledger:migrations")
    config.attributes["connection"] = connection
    before = "".join(_revisions(connection)) or "base"
    command.upgrade(config, "head")
    ran = ScriptDirectory.from_config(config).iterate_revisions("head", before)
    return [revision.revision for revision in ran][::-1]


def is_current(connection: Connection) -> bool:
    """Whether the database has exactly the tables that this version needs."""
    return _revisions(connection) == [HEAD]


def _revisions(connection: Connection) -> list[str]:
    if not inspect(connection).has_table(_VERSIONS.name):
        return []
    return list(connection.scalars(select(_VERSIONS.c.version_num)))
