"""PostgreSQL's own ways to fail: a wait for a standby cut short, a server that hangs, a primary that dies."""

import queue
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from shebao.ledger.postgres import address
from shebao.ledger.store import CommitInDoubt, Store, StoreError, migrate, open_store

pytestmark = pytest.mark.postgres


class Waiting:
    """A call in a thread of its own, and what became of it."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._outcome: queue.Queue[object] = queue.Queue()
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[], object]) -> None:
        try:
            self._outcome.put(call())
        except Exception as error:
            self._outcome.put(error)

    def outcome(self) -> object:
        outcome = self._outcome.get(timeout=60)
        self._thread.join()
        return outcome

    @property
    def waits(self) -> bool:
        return self._outcome.empty()


class Server:
    """A server of the test's own, and a connection to watch it with."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.admin = psycopg.connect(f"host=127.0.0.1 port={server.port} user=shebao dbname=postgres", autocommit=True)

    def set(self, name: str, value: str) -> None:
        self.admin.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.admin.execute("SELECT pg_reload_conf()")
        self.until(f"SELECT 1 WHERE current_setting('{name}') = '{value}'")

    def until(self, sql: str) -> int:
        """Ask until there is a row; its first value."""
        for _ in range(2000):
            row = self.admin.execute(sql).fetchone()
            if row is not None:
                return int(row[0])
            self.admin.execute("SELECT pg_sleep(0.01)")
        raise AssertionError(f"never: {sql}")


@pytest.fixture
def own(postgres_servers: Any) -> Iterator[Server]:
    server = postgres_servers()
    try:
        server.start()
        watched = Server(server)
        yield watched
        watched.admin.close()
    finally:
        server.remove()


@pytest.fixture
def till(own: Server, tills: Any) -> Iterator[Any]:
    own.admin.execute("CREATE DATABASE books")
    migrate(own.server.url("books"))
    till = tills(own.server.url("books"))
    yield till
    till.store.close()


WAITS_FOR_STANDBY = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
WAITS_FOR_LOCK = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'books'"


@pytest.mark.slow
def test_a_wait_for_the_standby_cut_short_is_in_doubt(own: Server, till: Any) -> None:
    (bill,) = till.add_bills(1)
    request = till.request("payment", bill)
    own.set("synchronous_standby_names", "nobody")
    paying = Waiting(lambda: till.ask(request))
    pid = own.until(WAITS_FOR_STANDBY)
    assert paying.waits
    own.admin.execute("SELECT pg_cancel_backend(%s)", (pid,))
    assert isinstance(paying.outcome(), CommitInDoubt)
    # the payment is there, but no standby has it: whoever asks waits for one, and so does an answer to a repeat
    till.store.reconnect()
    asking = Waiting(lambda: till.codes(request))
    own.until(WAITS_FOR_STANDBY)
    assert asking.waits
    own.set("synchronous_standby_names", "")
    assert asking.outcome() == ["00"]
    assert till.rows("SELECT count(*) FROM event") == [(1,)]


@pytest.mark.slow
def test_a_server_that_hangs_in_commit_is_abandoned(own: Server, till: Any) -> None:
    (bill,) = till.add_bills(1)
    own.set("synchronous_standby_names", "nobody")
    request = till.request("payment", bill)
    paying = Waiting(lambda: till.ask(request))
    own.until(WAITS_FOR_STANDBY)
    till.store.abandon()
    assert isinstance(paying.outcome(), CommitInDoubt)
    own.set("synchronous_standby_names", "")
    till.store.reconnect()
    assert till.codes(request) == ["00"]


@pytest.mark.slow
def test_a_lock_is_waited_for_and_not_abandoned(own: Server, till: Any) -> None:
    (bill,) = till.add_bills(1)
    other = psycopg.connect(f"host=127.0.0.1 port={own.server.port} user=shebao dbname=books")
    other.execute("SELECT * FROM book WHERE book_id = 100 FOR UPDATE")
    paying = Waiting(lambda: till.codes(till.request("payment", bill)))
    own.until(WAITS_FOR_LOCK)
    till.store._backend._abandon(till.store._backend._connection)
    assert paying.waits
    other.rollback()
    other.close()
    assert paying.outcome() == ["00"]


@pytest.mark.slow
def test_two_daemons_one_bill_one_winner(own: Server, till: Any) -> None:
    bills = till.add_bills(20)
    stores = [open_store(till.url), open_store(till.url)]
    asked = [[till.request("payment", bill, bank=bank) for bill in bills] for bank in ("rcb", "icbc")]
    asked[1].reverse()

    def pay(store: Store, requests: Any) -> list[str]:
        return [till.ask_of(store, request) for request in requests]

    running = [Waiting(lambda n=n: pay(stores[n], asked[n])) for n in (0, 1)]  # type: ignore[misc]
    codes = [code for one in running for code in one.outcome()]  # type: ignore[attr-defined]
    assert sorted(codes) == ["00"] * 20 + ["B1"] * 20
    assert till.rows("SELECT count(*) FROM payment") == [(20,)]
    for store in stores:
        store.close()


@pytest.mark.slow
def test_the_standby_takes_over_when_the_primary_dies(own: Server, till: Any, postgres_servers: Any) -> None:
    """One URL with both hosts: the store finds the server that can be written, and nothing answered is lost."""
    bills = till.add_bills(4)
    standby = postgres_servers(initdb=False)
    try:
        primary = f"host=127.0.0.1 port={own.server.port} user=shebao application_name=standby"
        standby.run("pg_basebackup", "-d", primary, "-D", str(standby.data), "-R", "-X", "stream", "--checkpoint=fast")
        standby.start(hot_standby="on")
        own.until("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")
        own.set("synchronous_standby_names", "standby")
        hosts = "&".join(f"host=127.0.0.1:{port}" for port in (own.server.port, standby.port))
        store = open_store(f"postgresql+psycopg://shebao@/books?{hosts}")
        first = till.request("payment", bills[0])
        assert till.ask_of(store, first) == "00"
        own.admin.close()
        own.server.stop(signal.SIGQUIT)
        second = till.request("payment", bills[1])
        with pytest.raises((StoreError, CommitInDoubt)):
            till.ask_of(store, second)
        standby.run("pg_ctl", "promote", "-D", str(standby.data), "-w")
        assert till.ask_of(store, first) == "00"
        assert till.ask_of(store, second) == "00"
        with store.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM event").scalar_one() == 2
        store.close()
    finally:
        standby.remove()
        shutil.rmtree(standby.folder, ignore_errors=True)


def test_a_host_that_is_gone_is_noticed_by_readers_too() -> None:
    """The writer has its commit deadline; a reader would wait two hours by the system's own."""
    query = address("postgresql+psycopg://u@h1,h2/db?keepalives_idle=99").query
    assert query["keepalives_idle"] == "99", "what the operator says stands"
    assert int(str(query["keepalives_interval"])) * int(str(query["keepalives_count"])) <= 30
    assert int(str(query["tcp_user_timeout"])) <= 30_000, "keepalives rest while something sent is not acknowledged"
