"""The shape of a write under faults: before COMMIT nothing happened; during it nobody knows, and the keys tell."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from shebao.ledger import sqlite
from shebao.ledger.facts import Facts
from shebao.ledger.load import load
from shebao.ledger.store import CommitInDoubt, StoreError


class Failing:
    """A connection on which one statement fails, before or after the engine has done it."""

    def __init__(self, connection: Any, word: str, error: Exception, done: bool) -> None:
        self._connection, self._word, self._error, self._done = connection, word, error, done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *arguments: Any, **named: Any) -> Any:
        if not sql.startswith(self._word):
            return self._connection.execute(sql, *arguments, **named)
        if self._done:
            self._connection.execute(sql, *arguments, **named)
        raise self._error


def fail(till: Any, word: str, done: bool) -> None:
    """The next statement beginning with `word` breaks the connection."""
    backend = till.store._backend
    till.ask(till.request("inquiry", till.add_bills(1, "330199")[0]))  # it has a connection now
    if till.url.startswith("sqlite"):
        error: Exception = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR  # type: ignore[attr-defined]
    else:
        import psycopg

        error = psycopg.OperationalError("server closed the connection unexpectedly")
    backend._connection = Failing(backend._connection, word, error, done)


@pytest.mark.parametrize("done", [True, False], ids=["committed", "not committed"])
def test_a_commit_in_doubt_is_told_by_asking_again(till: Any, done: bool) -> None:
    (bill,) = till.add_bills(1)
    request = till.request("payment", bill)
    fail(till, "COMMIT", done)
    with pytest.raises(CommitInDoubt):
        till.ask(request)
    till.store.reconnect()
    (answer,) = till.ask(request)
    assert answer.code == "00"
    assert till.rows("SELECT seq FROM event") == [(1,)]
    assert till.rows("SELECT credits FROM day WHERE book_id = 100") == [(1,)]


def test_a_fault_before_the_commit_leaves_nothing_and_needs_no_restart(till: Any) -> None:
    (bill,) = till.add_bills(1)
    request = till.request("payment", bill)
    fail(till, "BEGIN" if till.url.startswith("postgres") else "UPDATE", done=False)
    with pytest.raises(StoreError):
        till.ask(request)
    assert till.rows("SELECT count(*) FROM event") == [(0,)]
    assert till.codes(request) == ["00"]


def test_everything_that_a_rule_may_look_up_is_loaded(till: Any) -> None:
    """`facts.Facts` says what: here for a void whose payment was in suspense, and a bill another bank paid."""
    one, two = till.add_bills(2)
    advice = till.request("advice", one, mti="0220", amount=1)
    till.ask(advice, till.request("payment", two, bank="icbc"))
    void = till.undo("void", advice)
    backend = till.store._backend
    backend.begin(writing=True)
    facts: Facts = load(backend, [void, till.request("payment", two)], 1)
    backend.rollback()
    assert {event.seq for event in facts.events[100, advice.trace]} == {1}
    assert facts.early[100, void.trace, "200000"] is None
    assert facts.payments[100, 1].suspense and facts.payments[200, 1].bill == two
    assert facts.suspense[100, 1].state == "OPEN" and facts.exceptions[100, 1].item_class == "SUSPENSE"
    assert facts.bills[one] is not None and facts.bills[two] is not None
    assert facts.days[200, 20261123] is not None and facts.banks == {0: "bureau", 100: "rcb", 200: "icbc"}


def test_a_full_disk_is_a_store_error_and_then_over(till: Any) -> None:
    if not till.url.startswith("sqlite"):
        pytest.skip("a file's affair")
    bills = till.add_bills(300)
    till.store.ping()
    connection = till.store._backend._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"):
        till.ask(*(till.request("payment", bill) for bill in bills))
    assert till.rows("SELECT count(*) FROM event") == [(0,)]
    till.store.ping()
    assert till.codes(till.request("payment", bills[0])) == ["00"]


def test_the_log_is_cut_once_a_long_reader_has_ended(
    till: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C57, with a small limit: while the reader reads the log grows; afterwards one round cuts it."""
    if not till.url.startswith("sqlite"):
        pytest.skip("SQLite's affair")
    monkeypatch.setattr(sqlite, "WAL_LIMIT_BYTES", 100_000)
    monkeypatch.setattr(till.store._backend, "_checkpoints", False)  # its rounds would get in the way of this one
    file, log = tmp_path / "books.db", tmp_path / "books.db-wal"
    bills = till.add_bills(600)
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM bill").fetchone()
    for start in range(0, 600, 100):
        till.ask(*(till.request("payment", bill) for bill in bills[start : start + 100]))
    rounds = sqlite.Checkpointer.__new__(sqlite.Checkpointer)
    rounds._path, rounds._log = file, log
    connection = sqlite.connect(file)
    rounds.checkpoint(connection)
    assert log.stat().st_size > 4 * sqlite.WAL_LIMIT_BYTES, "the reader still needs it"
    reader.execute("COMMIT")
    reader.close()
    rounds.checkpoint(connection)
    assert log.stat().st_size <= sqlite.WAL_LIMIT_BYTES
    connection.close()


def test_two_threads_share_one_store(till: Any) -> None:
    """The writer and the ready-probe: each has its turn."""
    bills = till.add_bills(40)
    probing = threading.Thread(target=lambda: [till.store.ping() for _ in range(20)])
    probing.start()
    assert {code for bill in bills for code in till.codes(till.request("payment", bill))} == {"00"}
    probing.join()
    assert till.rows("SELECT beats FROM pulse") == [(20,)]
