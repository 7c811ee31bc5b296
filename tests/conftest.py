"""Fixtures for all rooms: a real PostgreSQL server for the session, and a fresh database on either engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from shebao.codecs.numbers import mod_11_10
from shebao.ledger import schema
from shebao.ledger.day import moment_of, us_of
from shebao.ledger.facts import Decision, KeyClass, Original, Request
from shebao.ledger.journal import GENESIS
from shebao.ledger.store import Answer, Store, migrate, open_store
from shebao.simulators.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's server. It has a database `empty_books` as template: the tables of this version."""
    server = PostgresServer()
    try:
        server.start(max_connections="60", shared_buffers="64MB")
        server.execute("CREATE DATABASE empty_books")
        migrate(server.url("empty_books"))
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_servers() -> Iterator[type[PostgresServer]]:
    """The class, for tests that need servers of their own (a primary and its standby); they remove them."""
    yield PostgresServer


ENGINES = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))
_databases = iter(range(1_000_000))


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of this test's own, without tables."""
    yield from _database(request, tmp_path, "template0")


@pytest.fixture(params=ENGINES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of this test's own, with the tables of this version and nothing in them but the pulse."""
    for url in _database(request, tmp_path, "empty_books"):
        if request.param == "sqlite":
            migrate(url)
        yield url


def _database(request: pytest.FixtureRequest, tmp_path: Path, template: str) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/books.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test_{next(_databases)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


BANKS = {"rcb": (100, "14293300"), "icbc": (200, "01020000")}
NOON_US = us_of(20261123120000)


def bill_number(serial: int, division: str = "330110") -> str:
    body = f"{division}261101{serial:07d}"
    return body + mod_11_10(body)


class Till:
    """A store with two banks and some bills, a clock that is turned by hand, and the shortest way to ask of it."""

    payer = "33011019900101008X"

    def __init__(self, url: str) -> None:
        self.url = url
        self.store = open_store(url)
        self.now_us = NOON_US
        self.stan = 0
        with self.store.writing() as connection:
            banks = [(number, key, 20261123) for key, (number, _) in BANKS.items()]
            for book_id, bank, date in [(0, "bureau", 0), *banks]:
                connection.execute(insert(schema.book).values((book_id, bank, date, 1, 1, 1, GENESIS)))
                if date:
                    day = (book_id, date, "OPEN", self.now_us, None, 0, 0, 0, 0, 0)
                    connection.execute(insert(schema.day).values(day))

    def add_bills(self, count: int, division: str = "330110", parts: str = "170:9000 390:3000") -> list[str]:
        numbers = [bill_number(serial, division) for serial in range(1, count + 1)]
        amount = sum(int(part[4:]) for part in parts.split())
        rest = (self.payer, "沈建国", "余杭街道", 202601, 202612, 20261101, 20261201, 20261231, 0, amount, parts)
        rows = [(int(n[:6]), int(n[:19]), *rest, "OUTSTANDING", None, None, 0) for n in numbers]
        names = [column.name for column in schema.bill.c]
        with self.store.writing() as connection:
            connection.execute(insert(schema.bill), [dict(zip(names, row, strict=True)) for row in rows])
        return numbers

    def request(self, service: str, bill: str = "", bank: str = "rcb", **changed: object) -> Request:
        """A request of its own key, an everyday one but for what `changed` says."""
        self.stan += 1
        book_id, institution = BANKS[bank]
        stan = str(changed.pop("stan", f"{self.stan:06d}"))
        moment = moment_of(self.now_us)
        key_class = {"payment": 1, "void": 1, "advice": 2, "reversal": 3}.get(service, 0)
        values: dict[str, object] = {
            "service": service, "book_id": book_id, "bank": bank, "mti": "0200", "key_class": KeyClass(key_class),
            "trace": int(f"{moment % 10**12:012d}{stan}"), "moment": moment, "received_us": self.now_us,
            "echo": {32: institution}, "proc": "200000" if service == "void" else "500000", "amount": 12000,
            "bill": bill, "stan": stan, "rrn": f"R{stan}", "terminal": "T1", "branch": "余杭01", "channel": "01",
        }  # fmt: skip
        return Request(**{**values, **changed})  # type: ignore[arg-type]

    def undo(self, service: str, request: Request, **changed: object) -> Request:
        """The void or reversal of an earlier request."""
        original = Original(request.key_class, request.trace, request.echo[32])
        fields: dict[str, object] = {"original": original, "original_text": f"0200{request.trace:018d}"}
        fields["bill"] = request.bill if service == "void" else ""
        fields["proc"] = "200000" if service == "void" else request.proc
        return self.request(service, **{"bank": request.bank, "amount": request.amount, **fields, **changed})  # type: ignore[arg-type]

    def act(self, service: str, **changed: object) -> Request:
        """What an operator or the clock asks: no key, no DE7 of its own."""
        values: dict[str, object] = {"key_class": KeyClass.NONE, "trace": 0, "amount": 0}
        values |= dict.fromkeys(("mti", "proc", "stan"), "")
        if service == "withdraw":
            values |= {"book_id": 0, "operator": "zhang", "reason": "printed twice"}
        return self.request(service, **{**values, **changed})  # type: ignore[arg-type]

    def ask(self, *requests: Request) -> list[Answer]:
        return self.store.transact(requests, lambda: self.now_us, encode)

    def ask_of(self, store: Store, request: Request) -> str:
        """The code that another store gives."""
        (answer,) = store.transact([request], lambda: self.now_us, encode)
        return answer.code

    def codes(self, *requests: Request) -> list[str]:
        return [answer.code for answer in self.ask(*requests)]

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.store.reading() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]

    def tamper(self, *statements: str) -> None:
        """What somebody with the database's password could do: the triggers dropped, then the statements."""
        with self.store.writing() as connection:
            if self.url.startswith("sqlite"):
                names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all()
                for (name,) in names:
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
            else:
                connection.exec_driver_sql("DROP FUNCTION IF EXISTS keep_final() CASCADE")
            for statement in statements:
                connection.exec_driver_sql(statement)


def encode(request: Request, decision: Decision) -> bytes:
    """Some reply body: all that a decision says, so that a difference shows."""
    return repr((decision.code, dict(decision.fields), decision.tags)).encode()


@pytest.fixture
def tills() -> type[Till]:
    """The class, for tests with a database of their own."""
    return Till


@pytest.fixture
def till(store_url: str) -> Iterator[Till]:
    till = Till(store_url)
    yield till
    till.store.close()
