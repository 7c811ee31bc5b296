"""How fast the store takes payments, beside a raw loop that writes the same rows: `bin/bench store`.

Batches of 200 over bills in random order, every commit on the disk. The raw loop does what no ledger could do without
(find the bill, write event, payment, transfers, bill, book), but decides and seals nothing. Read the ratio, not the
figures: the machine is shared. `--database URL` measures PostgreSQL, without a raw loop.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import insert

from shebao.codecs.numbers import mod_11_10
from shebao.ledger import schema, sqlite
from shebao.ledger.facts import Decision, KeyClass, Request
from shebao.ledger.journal import GENESIS
from shebao.ledger.store import Store, migrate, open_store

BATCH = 200
NOW_US = 1_795_406_400_000_000  # 2026-11-23, noon
DATE = 20261123
REPLY = bytes(180)
BANKS = {100: "rcb", 200: "icbc", 300: "ccb", 400: "boc"}


def fill(store: Store, bills: int) -> list[str]:
    """Four books and that many bills; their numbers."""
    bodies = [f"330110261101{serial:07d}" for serial in range(bills)]
    numbers = [body + mod_11_10(body) for body in bodies]
    rest = ("33011019900101008X", "沈建国", "余杭街道", 202601, 202612, 20261101, 20261201, 20261231, 0, 12000)
    with store.writing() as connection:
        for book_id, bank in BANKS.items():
            connection.execute(insert(schema.book).values((book_id, bank, DATE, 1, 1, 1, GENESIS)))
            connection.execute(insert(schema.day).values((book_id, DATE, "OPEN", NOW_US, None, 0, 0, 0, 0, 0)))
        rows = [
            (int(n[:6]), int(n[:19]), *rest, "170:9000 390:3000", "OUTSTANDING", None, None, 0) for n in numbers
        ]
        connection.exec_driver_sql(store.statements.insert(schema.bill), rows)
    return numbers


def payments(numbers: Sequence[str]) -> list[Request]:
    books = list(BANKS.items())
    return [
        Request(
            service="payment", book_id=books[n % 4][0], bank=books[n % 4][1], mti="0200", key_class=KeyClass.PAYMENT,
            trace=261123120000_000000 + n, moment=20261123120000, received_us=NOW_US, echo={}, has_de48=True,
            proc="500000", amount=12000, bill=number, stan=f"{n % 10**6:06d}", rrn=f"{n:012d}", terminal="T0000001",
            branch="330110000000001", channel="01",
        )
        for n, number in enumerate(numbers)
    ]  # fmt: skip


def by_the_store(url: str, bills: int, count: int) -> float:
    migrate(url)
    store = open_store(url)
    numbers = fill(store, bills)
    random.Random(1).shuffle(numbers)
    requests = payments(numbers[:count])

    def encode(request: Request, decision: Decision) -> bytes:
        return REPLY

    began = time.perf_counter()
    for start in range(0, count, BATCH):
        answers = store.transact(requests[start : start + BATCH], lambda: NOW_US, encode)
        assert all(answer.code == "00" for answer in answers)
    rate = count / (time.perf_counter() - began)
    store.close()
    return rate


def by_the_raw_loop(url: str, bills: int, count: int) -> float:
    migrate(url)
    store = open_store(url)
    numbers = fill(store, bills)
    random.Random(1).shuffle(numbers)
    texts = store.statements
    event, payment, transfer = (texts.insert(table) for table in (schema.event, schema.payment, schema.transfer))
    requests = payments(numbers[:count])
    connection = sqlite.connect(sqlite.database_file(url))
    connection.execute(f"PRAGMA cache_size = -{sqlite.CACHE_KIB}")
    checkpointer = sqlite.Checkpointer(sqlite.database_file(url))
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        connection.execute("BEGIN IMMEDIATE")
        for seq, request in enumerate(requests[start : start + BATCH], start):
            _write_one(connection, (event, payment, transfer), seq, request)
        connection.executemany("UPDATE book SET next_seq = ? WHERE book_id = ?", [(start, book) for book in BANKS])
        connection.execute("COMMIT")
    rate = count / (time.perf_counter() - began)
    checkpointer.stop()
    connection.close()
    store.close()
    return rate


def _write_one(connection: sqlite3.Connection, texts: Sequence[str], seq: int, request: Request) -> None:
    number, r = int(request.bill[:19]), request
    connection.execute("SELECT status, amount FROM bill WHERE division = 330110 AND number = ?", (number,)).fetchone()
    connection.execute(
        texts[0],
        (r.book_id, seq, DATE, NOW_US, "payment", 1, r.trace, r.mti, r.proc, r.amount, r.bill, "", r.stan, r.rrn, "00",
         None, "OUTSTANDING>PAID", "", "", REPLY, GENESIS),
    )  # fmt: skip
    connection.execute(
        texts[1],
        (r.book_id, seq, DATE, "payment", f"{seq:020d}", r.trace, r.moment, r.stan, r.rrn, r.terminal, r.branch,
         r.channel, r.bill, r.amount, 0, "LIVE", None),
    )  # fmt: skip
    lines = ((1, "fund:170", 9000), (2, "fund:390", 3000))
    rows = [(r.book_id, seq, line, DATE, f"clearing:{r.bank}", fund, fen) for line, fund, fen in lines]
    connection.executemany(texts[2], rows)
    connection.execute(
        "UPDATE bill SET status = 'PAID', paid_book = ?, paid_seq = ?"
        " WHERE division = 330110 AND number = ? AND status = 'OUTSTANDING'",
        (r.book_id, seq, number),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench store", description=__doc__)
    parser.add_argument("--bills", type=int, default=100_000)
    parser.add_argument("--payments", type=int, default=20_000)
    parser.add_argument("--database", help="an empty database, by its URL")
    options = parser.parse_args()
    if options.database:
        print(f"store     {by_the_store(options.database, options.bills, options.payments):8.0f} payments/s")
        return
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        ours = by_the_store(f"sqlite:///{folder}/store.db", options.bills, options.payments)
        raw = by_the_raw_loop(f"sqlite:///{folder}/raw.db", options.bills, options.payments)
    print(f"store     {ours:8.0f} payments/s\nraw loop  {raw:8.0f} payments/s\nratio     {ours / raw:8.2f}")


if __name__ == "__main__":
    main()
