"""Books come back whole, proved, and never give a receipt number out again; or nothing came back at all."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from shebao_backup import forge, rows_of, save, settings_of, silent
from shebao_sealed import SIGNER, Sealed
from shebao_tampering import SEAL_OF
from sqlalchemy import select

from shebao.ledger import proof, relog, schema
from shebao.ledger.anchor import AnchorError, Anchors, first_line, old_logs, read
from shebao.ledger.backup import TABLES, BackupError
from shebao.ledger.books import ensure_books
from shebao.ledger.proof import Proof
from shebao.ledger.restore import Goal, Restored, foresee, restore
from shebao.ledger.store import Store, StoreError, migrate, open_store
from shebao.ledger.verify import verify

MINUTE_US = 60_000_000
DOCS = Path(__file__).resolve().parents[2] / "docs"


class Town:
    """The books of `Sealed`, a backup of them, and a second database to restore it into."""

    def __init__(self, sealed: Sealed, folder: Path, url: str) -> None:
        self.sealed, self.till, self.url = sealed, sealed.till, url
        self.file, self.folder = folder / "books.backup", sealed.folder
        self.now_us = self.till.now_us
        self.summary = save(self.till, self.file)

    def goal(self, **changed: Any) -> Goal:
        return Goal(settings_of(self.url), self.folder, SIGNER, "zhang")._replace(**changed)

    def restore(self, progress: Callable[[int], None] = silent, **changed: Any) -> Restored:
        self.now_us += 5 * MINUTE_US
        done = restore(self.file, self.goal(**changed), lambda: self.now_us, progress)
        self.begin()
        return done

    def begin(self, url: str = "") -> list[str]:
        """What comes after a restore, and first of all when anybody is to sign."""
        store = open_store(url or self.url)
        begun = relog.begin(store.reading, self.folder, SIGNER)
        Anchors(store.reading, self.folder, SIGNER, lambda: self.now_us).sign()
        store.close()
        return begun

    def verify(self) -> dict[str, Proof]:
        store = open_store(self.url)
        store.check()
        found = verify(store.reading, self.folder, self.now_us, SIGNER.public_key())
        store.close()
        return {one.name: one for one in found}

    def faults(self) -> dict[str, list[str]]:
        return {name: [str(one) for one in found.findings] for name, found in self.verify().items() if found.faults}

    def rows(self, table: Any) -> list[tuple[Any, ...]]:
        store = open_store(self.url)
        with store.reading() as connection:
            found = [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns))]
        store.close()
        return found

    def till_of(self, tills: type[Any]) -> Any:
        """Somebody who goes on with the restored books."""
        till = tills.__new__(tills)
        till.url, till.store, till.now_us, till.stan = self.url, open_store(self.url), self.now_us, self.till.stan
        return till


@pytest.fixture
def town(till: Any, database_url: str, tmp_path: Path) -> Town:
    url = database_url.replace("books.db", "second.db")
    return Town(Sealed(till, tmp_path), tmp_path, url)


only_sqlite = pytest.mark.parametrize(("store_url", "database_url"), [("sqlite", "sqlite")], indirect=True)
one_each = pytest.mark.parametrize(
    ("store_url", "database_url"),
    [("sqlite", "sqlite"), pytest.param("postgres", "postgres", marks=pytest.mark.postgres)],
    indirect=True,
)


# -- whole -----------------------------------------------------------------------------------------------------------

def test_from_either_database_into_either(town: Town, tills: type[Any]) -> None:
    """All rows as they were, one event more a book, proved; and the next receipt is beyond the gap."""
    before = {table: town.till.rows(f"SELECT count(*) FROM {table.name}")[0][0] for table in TABLES}
    assert town.restore().faults == []
    assert town.faults() == {}
    after = {table: len(town.rows(table)) for table in TABLES}
    assert after.pop(schema.event) == before.pop(schema.event) + 3 and after == before
    kinds = [(row[0], row[4], row[17], row[18]) for row in town.rows(schema.event) if row[4] == "restored"]
    reason = f"backup of {town.summary.made}, SHA-256 {town.summary.digest}"
    assert [(book, kind) for book, kind, *_ in kinds] == [(0, "restored"), (100, "restored"), (200, "restored")]
    assert {(operator, why) for *_, operator, why in kinds} == {("zhang", reason)}
    till = town.till_of(tills)
    (answer,) = till.ask(till.request("payment", town.sealed.bills[11]))
    assert answer.code == "00"
    (receipt,) = [row[4] for row in town.rows(schema.payment) if row[12] == town.sealed.bills[11]]
    assert receipt[:10] == "2611240100" and int(receipt[10:19]) > 100_000_000
    till.store.close()
    assert town.faults() == {}
    notes = town.verify()[proof.RECEIPTS].notes
    assert len(notes) == 3 and "book 100 was restored at 2026-11-24 00:05:00 by zhang: its receipts of" in notes[1]


@one_each
def test_a_fresh_database_is_filled_too(town: Town, tills: type[Any]) -> None:
    migrate(town.url)
    tills(town.url).store.close()  # what `ledgerctl init` leaves: books without events
    town.restore()
    assert town.faults() == {}


@one_each
def test_one_that_is_not_empty_is_refused_as_it_is(town: Town) -> None:
    with pytest.raises(BackupError, match=r"not empty: it has .*; name an empty one as \[switch\] database"):
        town.restore(settings=settings_of(town.till.url))
    with pytest.raises(BackupError, match="not empty"):
        foresee(town.file, town.goal(settings=settings_of(town.till.url)), town.now_us)
    assert town.sealed.faults() == {} and not list(town.folder.glob("*.next"))


@one_each
def test_a_database_that_somebody_uses_is_refused(town: Town) -> None:
    migrate(town.url)
    store = open_store(town.url)
    store.ping()
    with pytest.raises(BackupError, match="stop it"):
        town.restore()
    store.close()
    town.restore()
    assert town.faults() == {}


@only_sqlite
def test_trying_it_writes_nothing(town: Town, tmp_path: Path) -> None:
    town.till.store.close()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert foresee(town.file, town.goal(), town.now_us) == town.summary
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@only_sqlite
def test_another_bureau_s_another_key_s_and_a_clock_that_is_behind(town: Town) -> None:
    with pytest.raises(BackupError, match="is of institution 33011000, the configuration is of 33010000"):
        town.restore(settings=settings_of(town.url, "33010000"))
    with pytest.raises(AnchorError, match="other half"):
        town.restore(signer=Ed25519PrivateKey.from_private_bytes(bytes(32)))
    town.now_us -= 60 * MINUTE_US
    with pytest.raises(BackupError, match=r"the clock says 2026-11-23T23:15:00.* set the clock"):
        town.restore()
    town.now_us = town.till.now_us + 60 * MINUTE_US
    town.till.now_us += 80 * MINUTE_US
    town.sealed.anchors.sign()
    with pytest.raises(BackupError, match=r"rcb.log is of 2026-11-24T01:20:00"):
        town.restore()
    assert not Path(town.url.removeprefix("sqlite:///")).exists()


# -- killed ----------------------------------------------------------------------------------------------------------

def in_a_child(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@one_each
@pytest.mark.parametrize("fresh", [False, True])
def test_killed_in_the_middle_nothing_came_back_and_it_can_be_done_again(
    town: Town, tills: type[Any], fresh: bool
) -> None:
    if fresh:
        migrate(town.url)
        tills(town.url).store.close()
    rows = 0

    def die(count: int) -> None:
        nonlocal rows
        rows += count
        if rows == town.summary.rows:
            os.kill(os.getpid(), signal.SIGKILL)

    town.till.store.close()
    assert in_a_child(lambda: town.restore(die)) == -signal.SIGKILL
    store = open_store(town.url)
    if fresh:
        assert rows_in(store, "event") == 0
    else:
        with pytest.raises(StoreError, match=r"no tables of this version|unable to open"):
            store.check()
    store.close()
    town.restore()
    assert town.faults() == {}


def rows_in(store: Store, table: str) -> int:
    with store.reading() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


@only_sqlite
def test_killed_after_it_counts_the_logs_are_begun_by_whoever_signs_next(town: Town) -> None:
    town.now_us += MINUTE_US
    restore(town.file, town.goal(), lambda: town.now_us, silent)
    store = open_store(town.url)
    old = (town.folder / "rcb.log").read_bytes()
    os.link(town.folder / "rcb.log", town.folder / "rcb.log.1")  # killed between the two names
    assert relog.begin(store.reading, town.folder, SIGNER) == ["bureau", "icbc", "rcb"]
    assert relog.begin(store.reading, town.folder, SIGNER) == []
    store.close()
    assert (town.folder / "rcb.log.1").read_bytes() == old and len(old_logs(town.folder, "rcb")) == 1
    town.begin()
    assert town.faults() == {}


@only_sqlite
def test_killed_before_it_counts_the_old_logs_go_on(town: Town) -> None:
    """What was announced is of a restore that never came to be; nobody takes it for more."""
    town.now_us += MINUTE_US
    with pytest.raises(ZeroDivisionError):
        restore(town.file, town.goal(), lambda: town.now_us, lambda rows: 1 // 0)
    relog.announce(town.folder, SIGNER, {"rcb": {100: 22}, "icbc": {200: 2}}, town.now_us)
    assert town.begin(town.till.url) == []
    assert town.sealed.faults() == {} and not old_logs(town.folder)
    town.restore()
    assert town.faults() == {}


# -- the logs --------------------------------------------------------------------------------------------------------

def live_on(town: Town, tills: type[Any], bill: int) -> str:
    """Something happens in the books as they are now, and is signed; its receipt."""
    till = town.till_of(tills)
    (answer,) = till.ask(till.request("payment", town.sealed.bills[bill]))
    assert answer.code == "00"
    town.till.stan = till.stan
    Anchors(till.store.reading, town.folder, SIGNER, lambda: town.now_us).sign()
    till.store.close()
    return str([row[4] for row in town.rows(schema.payment) if row[0] == 100][-1])


def away(town: Town) -> None:
    for path in Path(town.url.removeprefix("sqlite:///")).parent.glob("second.db*"):
        path.unlink()


@only_sqlite
def test_restored_three_times_from_one_backup(town: Town, tills: type[Any]) -> None:
    """Each time the logs go on from those before, lost lines are no fault, and no receipt is given twice."""
    receipts = set()
    for turn in range(3):
        town.restore()
        receipts.add(live_on(town, tills, 11))
        assert town.faults() == {}, turn
        assert audit(town) == (0, ["29 events fit"]), turn
        if turn < 2:
            away(town)
    assert len(receipts) == 3
    assert [path.name for path in old_logs(town.folder, "rcb")] == ["rcb.log.1", "rcb.log.2", "rcb.log.3"]
    first = first_line(town.folder / "rcb.log")
    assert first is not None and first.old == "rcb.log.3" and dict(first.books) == {100: 22}
    (*_, (_, last)) = read(town.folder / "rcb.log.3", 10_000)
    assert last is not None and last.signature.hex() == first.last


@only_sqlite
def test_what_the_old_log_signed_still_proves_what_was_brought_back(town: Town) -> None:
    town.restore()
    store = open_store(town.url)
    with store.writing() as connection:
        for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql(f"UPDATE event SET seal = {SEAL_OF.format(1)} WHERE book_id = 100 AND seq = 17")
    store.close()
    (told,) = town.faults()[proof.ANCHORS]
    assert "rcb.log.1:2: event 100/17 has another seal than was signed" in told
    assert any("rcb.log.1:2: event 100/17 is not there, or not as signed" in one for one in audit(town)[1])


def audit(town: Town) -> tuple[int, list[str]]:
    """The auditor's own verifier."""
    words = [str(DOCS / "seal_verifier.py"), town.url.removeprefix("sqlite:///"), str(town.folder)]
    done = subprocess.run([sys.executable, "-I", *words], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


SPOILT_LOGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "the old one gone": (lambda seal: (seal / "rcb.log.1").unlink(), "goes on from rcb.log.1, which is not there"),
    "the old one cut": (
        lambda seal: (seal / "rcb.log.1").write_bytes((seal / "rcb.log.1").read_bytes().splitlines(True)[0]),
        "goes on from another last line than rcb.log.1 has",
    ),
    "the first line changed": (
        lambda seal: (seal / "rcb.log").write_bytes((seal / "rcb.log").read_bytes().replace(b"100:22", b"100:21")),
        "its signature is not that of the public key",
    ),
    "the first line of another bank": (
        lambda seal: shutil.copy(seal / "icbc.log", seal / "rcb.log"), "begins a log of icbc",
    ),
    "the first line in the middle": (
        lambda seal: (seal / "rcb.log").write_bytes((seal / "rcb.log").read_bytes() * 2), "is not the first line of one"
    ),
    "the new one gone": (lambda seal: (seal / "rcb.log").unlink(), "no head of book 100 is there"),
}  # fmt: skip


@only_sqlite
@pytest.mark.parametrize("what", SPOILT_LOGS)
def test_logs_that_do_not_go_on_rightly(town: Town, what: str) -> None:
    spoil, says = SPOILT_LOGS[what]
    town.restore()
    spoil(town.folder)
    town.now_us += 11 * MINUTE_US
    assert any(says in told for told in town.faults()[proof.ANCHORS])
    status, told = audit(town)
    if what in ("the new one gone", "the first line of another bank"):  # it looks at what there is
        assert status == 0
    else:
        assert status == 1 and told[0].startswith(f"anchor {town.folder}/rcb.log:"), told


@only_sqlite
def test_on_a_machine_that_lost_its_logs_new_ones_begin(town: Town) -> None:
    shutil.rmtree(town.folder)
    town.restore()
    assert town.faults() == {}
    first = first_line(town.folder / "rcb.log")
    assert first is not None and (first.old, first.last) == ("-", "-")


@only_sqlite
@pytest.mark.parametrize("has_logs", [True, False])
def test_a_bank_that_joined_after_the_backup_gives_no_receipt_twice_either(
    town: Town, tills: type[Any], has_logs: bool
) -> None:
    settings = settings_of(town.till.url, banks=("rcb", "icbc", "ccb"))
    assert ensure_books(town.till.store, settings, town.now_us) == ["ccb"]

    def pay(till: Any, bill: str) -> str:
        (answer,) = till.ask(till.request("payment", bill)._replace(book_id=300, bank="ccb"))
        assert answer.code == "00"
        return str(till.rows("SELECT receipt FROM payment WHERE book_id = 300")[-1][0])

    receipt = pay(town.till, town.sealed.bills[11])
    town.sealed.anchors.sign()
    if not has_logs:
        shutil.rmtree(town.folder)
    town.restore(settings=replace(settings, database=town.url))
    assert town.faults() == {}
    till = town.till_of(tills)
    again = pay(till, town.sealed.bills[11])
    till.store.close()
    assert again[:10] == receipt[:10] and again > receipt and town.faults() == {}
    assert (town.folder / "ccb.log.1").exists() == has_logs


# -- a backup that somebody changed ----------------------------------------------------------------------------------

@only_sqlite
@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda lines: rows_of(lines, "payment")[0].__setitem__(13, 1), "its seal is not that of its rows"),
        (lambda lines: rows_of(lines, "bill")[0].__setitem__(13, "OUTSTANDING"), "status is OUTSTANDING, right is"),
        (lambda lines: rows_of(lines, "event").pop(), "belongs to no event"),
    ],
)
def test_books_that_do_not_prove_right_do_not_come_back(
    town: Town, edit: Callable[[list[Any]], object], says: str
) -> None:
    forge(town.file, edit)
    with pytest.raises(BackupError, match=says) as refused:
        town.restore()
    assert "--accept-faults" in str(refused.value)
    assert not list(town.folder.glob("*.next")) and not old_logs(town.folder)
    done = town.restore(accept_faults=True)
    assert done.faults and town.faults()


@one_each
@pytest.mark.parametrize("value", [10**30, {"a": 1}, [1], "text in a number's place", "\x00"])
def test_values_that_the_tables_do_not_take(town: Town, value: object) -> None:
    forge(town.file, lambda lines: rows_of(lines, "payment")[0].__setitem__(13, value))
    with pytest.raises((BackupError, StoreError)):
        town.restore()
    forge(town.file, lambda lines: rows_of(lines, "payment")[0].__setitem__(13, 12000))
    town.restore()
    assert town.faults() == {}


# -- in SQLite's file ------------------------------------------------------------------------------------------------

@only_sqlite
def test_the_file_is_as_init_makes_it(town: Town) -> None:
    town.restore()
    with sqlite3.connect(town.url.removeprefix("sqlite:///")) as books:
        pragmas = [books.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "integrity_check")]
    books.close()
    assert pragmas == [2048, "ok"]
    store = open_store(town.url)
    store.ping()
    store.close()
    with sqlite3.connect(town.url.removeprefix("sqlite:///")) as books:
        assert books.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    books.close()


