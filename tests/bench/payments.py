"""How fast the books take payments: `Store.transact` beside a raw loop that writes the same rows; what a codec costs.

Prints ratios, since machines differ. The raw loop is sqlite3 alone: same tables, same pragmas, same batches, every
commit on the disk, one prepared statement per table, nothing decided, nothing encoded, nothing sealed.
Codecs: one payment's body read and written, and its MAC, in each dialect.

    bin/bench payments [--payments 40000] [--bills 200000] [--batch 200]
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import insert

from shebao.codecs.compiled import Codec
from shebao.codecs.dialect import load_dialect
from shebao.codecs.mac import ALGORITHMS, wire_mac
from shebao.codecs.numbers import mod_11_10
from shebao.ledger import schema, sqlite
from shebao.ledger.day import moment_of
from shebao.ledger.facts import Decision, KeyClass, Request
from shebao.ledger.journal import GENESIS
from shebao.ledger.store import migrate, open_store
from shebao.switch.replies import decided

ROOT = Path(__file__).resolve().parents[2]
BOOKS = {100: "rcb", 200: "icbc", 300: "ccb", 400: "boc"}
TODAY = 20261123
PAYER = "33011019900101008X"
FIRST = 3301102611010000000  # bill numbers without their check digit


def prepare(folder: Path, bills: int, now_us: int) -> str:
    url = f"sqlite:///{folder}/books.db"
    migrate(url)
    store = open_store(url)
    with store.writing() as connection:
        for book_id, bank in BOOKS.items():
            connection.execute(insert(schema.book).values((book_id, bank, TODAY, 1, 1, 1, GENESIS)))
            connection.execute(insert(schema.day).values((book_id, TODAY, "OPEN", now_us, None, 0, 0, 0, 0, 0)))
        rest = (
            PAYER,
            "沈建国",
            "良渚街道",
            202601,
            202612,
            20261101,
            20261231,
            20991231,
            0,
            48000,
            "390:48000",
            "OUTSTANDING",
            None,
            None,
            0,
        )
        names = [column.name for column in schema.bill.c]
        for start in range(0, bills, 10_000):
            rows = [
                dict(zip(names, (330110, FIRST + n, *rest), strict=True))
                for n in range(start, min(bills, start + 10_000))
            ]
            connection.execute(insert(schema.bill), rows)
    store.close()
    return url


def requests(count: int, bills: int, now_us: int) -> Iterator[Request]:
    """Payments in random order over all bills, the four banks in turn."""
    order = random.Random(1).sample(range(bills), count)
    moment = moment_of(now_us)
    for n, serial in enumerate(order):
        digits = str(FIRST + serial)
        book_id = 100 * (n % 4 + 1)
        stan = f"{n // 4 % 1_000_000:06d}"
        echo = {
            3: "500000",
            4: "000000048000",
            7: f"{moment % 10**10:010d}",
            11: stan,
            12: "093015",
            13: "1123",
            32: "14293300",
            37: "326093000102",
            41: "TERM0001",
            42: "3301100000BR001",
            49: "156",
        }
        yield Request(
            "payment",
            book_id,
            BOOKS[book_id],
            "0200",
            KeyClass.PAYMENT,
            moment % 10**12 * 10**6 + int(stan),
            moment,
            now_us,
            echo,
            has_de48=True,
            proc="500000",
            amount=48000,
            bill=digits + mod_11_10(digits),
            stan=stan,
            rrn="326093000102",
            terminal="TERM0001",
            branch="3301100000BR001",
            channel="01",
            local_date=moment // 1_000_000,
        )


def ours(url: str, batches: list[list[Request]], now_us: int) -> float:
    codec = Codec(load_dialect((ROOT / "etc/dialects/rcb.toml").read_text("utf-8"), "rcb"))

    def encode(request: Request, decision: Decision) -> bytes:
        return decided(codec, request, decision)

    store = open_store(url)
    began = time.perf_counter()
    for batch in batches:
        for answer in store.transact(batch, lambda: now_us, encode):
            assert answer.code == "00", answer
    spent = time.perf_counter() - began
    store.close()
    return spent


def raw(folder: Path, url: str, batches: list[list[Request]]) -> float:
    """The rows that `ours` wrote, written again into a copy of the empty books."""
    source = sqlite3.connect(sqlite.database_file(url))
    target = sqlite.connect(folder / "raw.db")
    tables = {
        name: source.execute(f"SELECT * FROM {name} ORDER BY book_id, seq").fetchall()
        for name in ("event", "payment", "transfer")
    }
    by_key = {(row[0], row[1]): row for row in tables["event"]}
    paid = {row[12]: row for row in tables["payment"]}
    moved: dict[tuple[int, int], list[tuple[object, ...]]] = {}
    for row in tables["transfer"]:
        moved.setdefault((row[0], row[1]), []).append(row)
    plans = []
    for batch in batches:
        payments = [paid[r.bill] for r in batch]
        plans.append(
            (
                [("PAID", p[0], p[1], int(p[12][:6]), int(p[12][:19])) for p in sorted(payments, key=lambda p: p[12])],
                [by_key[p[0], p[1]] for p in payments],
                payments,
                [t for p in payments for t in moved[p[0], p[1]]],
            )
        )
    marks = {name: ",".join("?" * len(rows[0])) for name, rows in tables.items()}
    began = time.perf_counter()
    for bills, events, payments, transfers in plans:
        target.execute("BEGIN IMMEDIATE")
        target.executemany("UPDATE bill SET status=?, paid_book=?, paid_seq=? WHERE division=? AND number=?", bills)
        for name, rows in (("event", events), ("payment", payments), ("transfer", transfers)):
            target.executemany(f"INSERT INTO {name} VALUES ({marks[name]})", rows)
        target.execute("COMMIT")
    return time.perf_counter() - began


def codec_costs() -> Iterator[str]:
    """Microseconds of a payment's way through each dialect's codec."""
    for path in sorted((ROOT / "etc/dialects").glob("*.toml")):
        codec = Codec(dialect := load_dialect(path.read_text("utf-8"), path.name))
        key = ALGORITHMS[dialect.mac.algorithm].make(bytes(range(16)))
        fields = {**next(requests(1, 1, 0)).echo, 48: b"CH00201BN02033011026110100000017".hex().upper()}
        body = codec.encode("0200", fields)
        whole = body + wire_mac(key.compute(body), dialect.mac.hex)
        acts: dict[str, Callable[[], object]] = {
            "decode": partial(codec.decode, whole),
            "encode": partial(codec.encode, "0200", fields),
            "MAC": partial(key.compute, body),
        }
        costs = (f"{what} {min(timeit.repeat(act, number=2000)) / 2000 * 1e6:5.1f} us" for what, act in acts.items())
        yield f"{path.stem:16} {'   '.join(costs)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench payments", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--payments", type=int, default=40_000)
    parser.add_argument("--bills", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=200)
    chosen = parser.parse_args()
    now_us = int(time.time() * 1e6)
    (ROOT / "var").mkdir(exist_ok=True)  # not the system's folder for such things, which may be no disk
    with tempfile.TemporaryDirectory(dir=ROOT / "var", prefix="bench-") as name:
        folder = Path(name)
        url = prepare(folder, chosen.bills, now_us)
        (folder / "raw.db").write_bytes(sqlite.database_file(url).read_bytes())
        asked = list(requests(chosen.payments, chosen.bills, now_us))
        batches = [asked[start : start + chosen.batch] for start in range(0, len(asked), chosen.batch)]
        timed: dict[str, Callable[[], float]] = {
            "Store.transact": lambda: ours(url, batches, now_us),
            "raw loop": lambda: raw(folder, url, batches),
        }
        speed = {what: chosen.payments / run() for what, run in timed.items()}
    for what, rate in speed.items():
        print(f"{what:16} {rate:9,.0f} payments/s   {rate / speed['raw loop']:.2f} of the raw loop")
    for line in codec_costs():
        print(line)


if __name__ == "__main__":
    main()
