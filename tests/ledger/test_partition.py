"""Keys that spread: the same tables, partitioned by their leading key, take the same batches.

What a distributed engine asks for, in the shape that stock PostgreSQL has: every primary and unique key led by
`book_id` (or `division`), and each hot statement of one book or division touching one partition only.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Table, create_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from shebao.ledger import schema, schema_day
from shebao.ledger.statements import padded

pytestmark = pytest.mark.postgres

BY_BOOK = ("book", "day", "event", "payment", "transfer", "early", "suspense", "exception")
PARTITIONS = 4


def partitioned(table: Table, key: str, engine: Any) -> Iterator[str]:
    """The table's own DDL with PARTITION BY HASH behind it, its partitions, its indexes."""
    create = str(CreateTable(table).compile(engine)).rstrip()
    yield f"{create} PARTITION BY HASH ({key})"
    for number in range(PARTITIONS):
        yield (
            f"CREATE TABLE {table.name}_{number} PARTITION OF {table.name}"
            f" FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
        )
    for index in table.indexes:
        yield str(CreateIndex(index).compile(engine))


@pytest.fixture
def till(postgres: Any, tills: Any) -> Iterator[Any]:
    postgres.execute("CREATE DATABASE spread")
    engine = create_engine(postgres.url("spread"))
    with engine.begin() as connection:
        for table in schema.metadata.sorted_tables:
            key = "book_id" if table.name in BY_BOOK else "division" if table.name == "bill" else None
            if key is None:
                table.create(connection)
                continue
            for statement in partitioned(table, key, engine):
                connection.exec_driver_sql(statement)
        connection.exec_driver_sql("INSERT INTO pulse VALUES (1, 0, 0)")
    engine.dispose()
    till = tills(postgres.url("spread"))
    yield till
    till.store.close()
    postgres.execute("DROP DATABASE spread WITH (FORCE)")


def test_the_books_work_the_same_when_spread(till: Any) -> None:
    bills = till.add_bills(20) + till.add_bills(20, "330111")
    requests = [
        till.request("payment", bill, bank=bank) for bill, bank in zip(bills, ["rcb", "icbc"] * 20, strict=True)
    ]
    assert set(till.codes(*requests)) == {"00"}
    assert set(till.codes(*(till.undo("reversal", request) for request in requests[:10]))) == {"00"}
    advice = till.request("advice", bills[0], mti="0220", amount=3)
    assert till.codes(advice, till.undo("reversal", advice)) == ["00", "00"]
    spread = {row[0] for row in till.rows("SELECT tableoid::regclass::text FROM bill")}
    assert len(spread) == 2, "two divisions lie in two partitions"


def hot_statements(texts: Any) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Each hot statement, with parameters of one book or division."""
    for name in ("days", "events", "early", "payments", "suspense", "exceptions"):
        keys = padded([1, 2, 3])
        yield name, texts.by_keys(name, len(keys)), (100, *keys)
    for name in ("bills", "bills locked"):
        yield name, texts.by_keys(name, 2), (330110, 1, 2)
    yield "move_bill", texts.move_bill, ("PAID", 100, 1, 330110, 1, "OUTSTANDING")
    yield "update_payment", texts.update_payment, (0, "LIVE", None, "", 100, 1)
    yield "update_book", texts.update_book, ("rcb", 20261123, 1, 1, 1, b"", 100)


def walk(plan: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value of a plan, at any depth."""
    if isinstance(plan, list):
        for part in plan:
            yield from walk(part)
    elif isinstance(plan, dict):
        for key, value in plan.items():
            yield key, value
            yield from walk(value)


def test_each_hot_statement_touches_one_partition(till: Any, postgres: Any) -> None:
    texts = till.store.statements
    address = f"host=127.0.0.1 port={postgres.port} user=shebao dbname=spread"
    with psycopg.connect(address) as connection:
        for name, sql, parameters in hot_statements(texts):
            ((plan,),) = connection.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
            named = {value for key, value in walk(plan) if key == "Relation Name"}
            touched = named - {"bill", *BY_BOOK}  # the partitioned table itself heads an UPDATE
            assert len(touched) == 1, f"{name} touches {sorted(touched)}"


def test_every_unique_key_is_led_by_what_the_table_is_spread_by() -> None:
    for table in schema.metadata.sorted_tables:
        if table.name in BY_BOOK or table in (schema_day.bank_file, schema_day.bank_block):
            assert next(iter(table.primary_key.columns)).name == "book_id", table.name
        for index in table.indexes:
            if index.unique:
                assert next(iter(index.columns)).name == "book_id", index.name
    assert [column.name for column in schema.bill.primary_key.columns] == ["division", "number"]
