"""The database's history: what it makes is what `schema` describes, and what is written stays."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from shebao.ledger import migrations, schema_day
from shebao.ledger.migrations import is_current
from shebao.ledger.schema import metadata
from shebao.ledger.store import migrate, open_store


def test_migrations_make_what_the_schema_describes(database_url: str) -> None:
    assert schema_day.exception.metadata is metadata
    assert migrate(database_url) == ["0001"]
    assert migrate(database_url) == []
    store = open_store(database_url)
    with store.reading() as connection:
        assert is_current(connection)
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    store.close()


def test_the_version_that_is_looked_for_is_the_newest() -> None:
    assert ScriptDirectory(str(Path(migrations.__file__).parent)).get_heads() == [migrations.HEAD]


@pytest.mark.parametrize("revisions", [[], ["0000"], ["0001", "0002"]])
def test_another_version_is_not_current(database_url: str, revisions: list[str]) -> None:
    migrate(database_url)
    store = open_store(database_url)
    with store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
        for revision in revisions:
            connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{revision}')")
        assert not is_current(connection)
    store.close()


def test_on_sqlite_to_the_letter(tmp_path: Path) -> None:
    """Also what a comparison of the two does not see: WITHOUT ROWID, conditions of indexes, defaults."""
    migrate(f"sqlite:///{tmp_path}/migrated.db")
    engine = create_engine(f"sqlite:///{tmp_path}/described.db")
    metadata.create_all(engine)
    engine.dispose()
    found = []
    for name in ("migrated", "described"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index')").fetchall()
            found.append({name: sql for name, sql in rows if name != "alembic_version" and sql})
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET code = '25'",
        "DELETE FROM event",
        "UPDATE transfer SET amount = amount + 1",
        "DELETE FROM transfer",
        "UPDATE payment SET receipt = '1'",
        "UPDATE payment SET amount = 1",
        "DELETE FROM payment",
    ],
)
def test_the_journal_is_final(till: Any, statement: str) -> None:
    (bill,) = till.add_bills(1)
    till.ask(till.request("payment", bill))
    with pytest.raises(DBAPIError, match="is final"), till.store.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert till.rows("SELECT amount FROM payment") == [(12000,)]


def test_what_changes_of_a_payment_may_change(till: Any) -> None:
    (bill,) = till.add_bills(1)
    till.ask(till.request("payment", bill))
    with till.store.writing() as connection:
        connection.exec_driver_sql("UPDATE payment SET state = 'REVERSED', undone_seq = 2, suspense = 0")
