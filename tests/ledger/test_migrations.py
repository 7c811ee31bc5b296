"""The database's history: what it makes is what `schema` describes, and what is written stays."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError

from shebao.ledger import schema_day
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
