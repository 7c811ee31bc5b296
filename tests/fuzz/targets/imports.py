"""CSV imports into an empty book: taken whole or Refused with lines, and the same file again changes nothing.

Input: bills or people, and which encoding (1 byte), the file.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache

from sqlalchemy import delete, func, select

from shebao.ledger import schema
from shebao.ledger.csvtext import unprintable
from shebao.ledger.imports import FAULTS_MAX, Pace, Refused, Taken, import_bills, import_people
from shebao.ledger.records import BILL_COLUMNS, PEOPLE_COLUMNS
from shebao.ledger.store import Store, migrate, open_store

ENCODINGS = (None, "utf-8", "gb18030", None)
FAULT_CHARACTERS_MAX = 400


@cache
def store() -> Store:
    folder = tempfile.mkdtemp(prefix="shebao-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    url = f"sqlite:///{folder}/books.db"
    migrate(url)
    return open_store(url)


def one_input(data: bytes) -> None:
    if not data:
        return
    people, encoding, file = bool(data[0] & 1), ENCODINGS[data[0] >> 1 & 3], data[1:]
    try:
        tried = take(people, file, encoding, dry_run=True)
    except Refused as refused:
        check(refused, file.count(b"\n") + file.count(b"\r") + 1)
        return
    taken = take(people, file, encoding)
    assert tried == taken and not taken.changed and not taken.same
    assert count(people) == taken.new
    assert take(people, file, encoding) == Taken(taken.encoding, 0, 0, taken.new)
    table = schema.person if people else schema.bill
    with store().writing() as connection:
        for row in connection.execute(select(table)):
            texts = [value for value in row if isinstance(value, str)]
            assert not any(unprintable(text) for text in texts), "PostgreSQL takes no NUL, and a reply no control"
        connection.execute(delete(table))


def take(people: bool, file: bytes, encoding: str | None, dry_run: bool = False) -> Taken:
    pace = Pace(lambda: 0.0, lambda _: None)
    if people:
        return import_people(store(), file, encoding, dry_run, pace)
    return import_bills(store(), "fuzz.csv", file, lambda: 1, encoding, dry_run, pace)


def count(people: bool) -> int:
    with store().reading() as connection:
        table = schema.person if people else schema.bill
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def check(refused: Refused, lines: int) -> None:
    assert 0 < len(refused.faults) <= min(refused.count, FAULTS_MAX)
    for fault in refused.faults:
        assert 0 <= fault.line <= lines
        text = str(fault)
        assert fault.wrong and fault.right and text.isprintable() and len(text) <= FAULT_CHARACTERS_MAX, text


def seeds() -> Iterator[bytes]:
    bill = "33011026112300000010,33011019900101008X,沈建国,余杭街道,202601,202612,2026-11-23,2026-12-20,2026-12-31"
    other = bill.replace("0000010", "0000028").replace("沈建国", '"沈,\n建""国"').replace("X", "x", 1)
    head, lines = ",".join(BILL_COLUMNS), [f"{bill},170,9000,0", f"{bill},390,3000,0", f"{other},170,5,1"]
    for text in (head, "\n".join([head, *lines[:2]]), "\r\n".join([head, *lines, ""]), "\n".join([head, *lines * 2])):
        yield b"\x00" + text.encode("utf-8")
        yield b"\x04" + text.encode("gb18030")
    person = "33011019900101008X,沈建国,13800000000,6217000012345678,330110,170 390"
    employer = "91330110MA2HHHH117,余杭某某有限公司,,,,"
    head = ",".join(PEOPLE_COLUMNS)
    for text in ("\n".join([head, person, employer]), "\r".join([head, employer, employer]), f"{head}\n{person[:-1]}5"):
        yield b"\x01" + b"\xef\xbb\xbf" + text.encode("utf-8")
        yield b"\x05" + text.encode("gb18030")


_BILL = "33011026112300000010,33011019900101008X,沈建国,,202601,202612,2026-11-23,2026-12-20,2026-12-31,170,9000,0\n"
_BILLS, _PEOPLE = (f"{','.join(columns)}\n".encode() for columns in (BILL_COLUMNS, PEOPLE_COLUMNS))
LARGE = [
    *((b"\x00" + _BILLS, unit) for unit in (b"\n", b"\r", b'"', b'"\n', b'""', b",", b"\0", b'"a\n', _BILL.encode())),
    *((b"\x01" + _PEOPLE, unit) for unit in (b"33011019900101008X,a,,,,\n", b"\xff", b'","')),
    *((b"\x00", unit) for unit in (b"bill_number,", b"x,", b"\xc9", b"\xe6\xb2")),
    (b"\x01" + _PEOPLE + b"33011019900101008X,a,,,,", b"170 "),
]
