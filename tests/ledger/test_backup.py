"""A backup is whole or none, of one moment, of either database; and whatever else it is, it is refused as it stands."""

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shebao_backup import edited, forge, lines_of, save
from shebao_sealed import Sealed
from sqlalchemy import select

from shebao.ledger.backup import PART, ROWS, TABLES, BackupError, Reader
from shebao.ledger.restore import check
from shebao.ledger.store import migrate, open_store


@pytest.fixture
def sealed(till: Any, tmp_path: Path) -> Sealed:
    return Sealed(till, tmp_path)


@pytest.fixture
def file(sealed: Sealed, tmp_path: Path) -> Path:
    save(sealed.till, tmp_path / "books.backup")
    return tmp_path / "books.backup"


def test_it_holds_every_row_of_every_table(sealed: Sealed, tmp_path: Path) -> None:
    path, told = tmp_path / "books.backup", []
    summary = save(sealed.till, path, told.append)
    rows: dict[str, list[tuple[Any, ...]]] = {}
    reader = Reader(path)
    for piece in reader.pieces():
        rows.setdefault(piece.table.name, []).extend(map(tuple, piece.rows))
    with sealed.till.store.reading() as connection:
        for table in TABLES:
            found = connection.execute(select(table).order_by(*table.primary_key.columns))
            right = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in found]
            assert rows.pop(table.name, []) == right
    assert not rows and reader.summary == summary and sum(told) == summary.rows
    assert summary.events == 25 and summary.made == "2026-11-24T00:00:00+08:00"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith("books.backup")] == [path.name]


def test_both_databases_write_the_same_bytes(tills: type[Any], postgres: Any, tmp_path: Path) -> None:
    files = []
    for name in ("sqlite", "postgres"):
        if name == "sqlite":
            url = f"sqlite:///{tmp_path}/one.db"
            migrate(url)
        else:
            postgres.execute("CREATE DATABASE the_same TEMPLATE empty_books")
            url = postgres.url("the_same")
        till = tills(url)
        Sealed(till, tmp_path / name)
        save(till, tmp_path / f"{name}.backup")
        till.store.close()
        header, *rest = lines_of(tmp_path / f"{name}.backup")
        assert header.pop("database") == ("postgresql" if name == "postgres" else name)
        files.append([header, *rest[:-1]])
    postgres.execute("DROP DATABASE the_same WITH (FORCE)")
    assert files[0] == files[1]


def test_it_is_of_one_moment_while_payments_go_on(till: Any, tmp_path: Path) -> None:
    """Payments come in between any two pieces; the file knows of none of them, and nobody waits."""
    bills = iter(till.add_bills(3 * ROWS))
    till.ask(*(till.request("payment", next(bills)) for _ in range(20)))
    other = open_store(till.url)

    def pay_meanwhile(rows: int) -> None:
        assert till.ask_of(other, till.request("payment", next(bills))) == "00"

    save(till, tmp_path / "b", pay_meanwhile)
    other.close()
    assert check(tmp_path / "b").events == 20
    counted = lines_of(tmp_path / "b")[-1]["rows"]
    assert (counted["payment"], counted["transfer"], counted["event"]) == (20, 40, 20)
    assert till.rows("SELECT count(*) FROM payment")[0][0] > 25


def test_it_is_never_overwritten_and_what_was_left_half_is(sealed: Sealed, file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(BackupError, match="never overwritten"):
        save(sealed.till, file)
    assert file.read_bytes() == before
    half = file.with_name("second" + PART)
    half.write_bytes(before + before)
    save(sealed.till, file.with_name("second"))
    assert file.with_name("second").read_bytes() == before and not half.exists()


def test_a_file_that_came_meanwhile_stays(sealed: Sealed, file: Path) -> None:
    second = file.with_name("second")
    with pytest.raises(BackupError, match="exists already"):
        save(sealed.till, second, lambda rows: second.write_text("mine") and None)
    assert second.read_text() == "mine" and not second.with_name("second" + PART).exists()


def test_two_at_once_of_one_name(sealed: Sealed, tmp_path: Path) -> None:
    def again(rows: int) -> None:
        with pytest.raises(BackupError, match="being written by another"):
            save(sealed.till, tmp_path / "b")

    save(sealed.till, tmp_path / "b", again)
    assert check(tmp_path / "b").events == 25


def test_killed_in_the_middle_it_leaves_no_file_of_that_name(sealed: Sealed, tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        try:
            till = type(sealed.till).__new__(type(sealed.till))
            till.store, till.now_us = open_store(sealed.till.url), sealed.till.now_us
            save(till, tmp_path / "b", lambda rows: os.kill(os.getpid(), signal.SIGKILL))
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (tmp_path / "b").exists() and (tmp_path / f"b{PART}").exists()
    save(sealed.till, tmp_path / "b")
    assert check(tmp_path / "b").events == 25


def test_a_full_disk_leaves_nothing_and_is_one_line(sealed: Sealed, tmp_path: Path) -> None:
    """The limit of a file's size stands in for the disk's."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "from shebao.ledger.store import open_store; from shebao.ledger.backup import write; from pathlib import Path\n"
        "try: write(open_store(sys.argv[1]).reading, Path(sys.argv[2]), '33011000', lambda: 0, lambda rows: None)\n"
        "except OSError as error: sys.exit(error.strerror)"
    )
    words = [sys.executable, "-P", "-W", "ignore", "-c", program, sealed.till.url, str(tmp_path / "b")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "File too large\n")
    assert not (tmp_path / "b").exists() and not (tmp_path / f"b{PART}").exists()


# -- what is refused -------------------------------------------------------------------------------------------------

def rows(lines: list[Any]) -> list[Any]:
    """The first line of rows."""
    return next(line for line in lines if isinstance(line, list))


def flipped(path: Path) -> bytes:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    return bytes(data)


SPOILT: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "nothing": (lambda path: b"", "is empty"),
    "no backup": (lambda path: b"PK\x03\x04 a zip, say", "is no backup"),
    "another gzip": (lambda path: gzip.compress(b"hello\n"), "is no backup"),
    "other JSON": (lambda path: gzip.compress(b"[1]\n"), "is no backup"),
    "half of it": (lambda path: path.read_bytes()[: path.stat().st_size // 2], "is cut off|is damaged"),
    "its last byte gone": (lambda path: path.read_bytes()[:-1], "is cut off"),
    "a bit": (flipped, "is damaged|is cut off|is not as it was written|none of a backup"),
    "its last line gone": (lambda path: edited(path, lambda lines: lines.pop()), "is cut off"),
    "a line gone": (lambda path: edited(path, lambda lines: lines.remove(rows(lines))), "is not as it was written"),
    "a table gone": (lambda path: edited(path, lambda lines: lines.pop(1)), "is not as it was written"),
    "a value": (lambda path: edited(path, lambda lines: rows(lines)[0].__setitem__(2, "x")), "is not as it was"),
    "a row of other length": (lambda path: edited(path, lambda lines: rows(lines)[0].pop()), "none of a backup"),
    "a strange line": (lambda path: edited(path, lambda lines: lines.insert(3, 7)), "none of a backup"),
    "more behind it": (lambda path: edited(path, lambda lines: lines.append([])), "is not as it was written"),
    "another file behind it": (lambda path: path.read_bytes() * 2, "is not as it was written"),
    "a later format": (
        lambda path: edited(path, lambda lines: lines[0].update(format="shebao-backup-2")), "another version",
    ),
    "other tables": (lambda path: edited(path, lambda lines: lines[0].update(schema="0999")), "another version"),
    "a line that is nested without end": (
        lambda path: gzip.compress(gzip.decompress(path.read_bytes()) + b"[" * 100_000 + b"\n"), "is not as it was",
    ),
    "a header nested without end": (lambda path: gzip.compress(b"[" * 100_000 + b"\n"), "is no backup"),
    "a row that is none": (lambda path: edited(path, lambda lines: rows(lines).append(7)), "none of a backup"),
    "no columns": (lambda path: edited(path, lambda lines: lines[1].update(columns=None)), "other columns"),
    "other columns": (lambda path: edited(path, lambda lines: lines[1]["columns"].pop()), "other columns"),
}  # fmt: skip


def without(*names: str) -> Callable[[list[Any]], object]:
    return lambda lines: [lines[0].pop(name) for name in names]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("edit", [without("books"), without("made"), without("format")])
def test_a_header_that_was_made_by_hand(file: Path, edit: Callable[[list[Any]], object]) -> None:
    forge(file, edit)
    with pytest.raises(BackupError, match=r"is no backup|is damaged"):
        check(file)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("what", SPOILT)
def test_what_is_not_as_it_was_written_is_refused(file: Path, what: str) -> None:
    spoil, says = SPOILT[what]
    file.write_bytes(spoil(file))
    with pytest.raises(BackupError, match=says) as refused:
        check(file)
    assert str(file) in str(refused.value) and "\n" not in str(refused.value)
