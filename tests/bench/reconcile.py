"""How fast a date is reconciled: `reconcile.run` beside a bare join of the same two sets, in each layout.

Prints seconds by phase, wall and (in brackets) of the processor, which other work on the machine does not lengthen; the
longest lock (a payment may wait so long); peak memory of the process; and the ratio to a bare polars full outer join of
both sides, already loaded, and to that join with the reading. The ledger is a real SQLite database; one line in `--odd`
differs, in turn: lost there, another beside it, told twice, another amount, another time.

    bin/bench reconcile [--lines 1000000] [--layout pipe|fixed|csv|camt] [--odd 2000]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from shebao.codecs.columns import StatementContext, StatementLine, StatementSpec, Totals
from shebao.codecs.dialect import load_dialect
from shebao.codecs.numbers import mod_11_10
from shebao.codecs.statement import file_names, sm3_hex, totals_of, write, write_control
from shebao.ledger import schema, sqlite
from shebao.ledger.day import CST, us_of
from shebao.ledger.journal import GENESIS
from shebao.ledger.store import migrate, open_store
from shebao.reconcile import run as running
from shebao.reconcile import shelf
from shebao.reconcile.commands import desk_of
from shebao.reconcile.inbox import folder_of

ROOT = Path(__file__).resolve().parents[2]
LAYOUTS = {"pipe": "rcb", "fixed": "icbc", "csv": "ccb", "camt": "boc"}
DATE, NEXT, BOOK = 20261123, 20261124, 100
NOW_US = us_of(NEXT * 1_000_000 + 90000)
FIRST = 3301102611010000000  # bill numbers without their check digit
REVERSED = 50  # one payment in so many is reversed
REPLY, SEAL = b"\x00" * 220, b"\x00" * 32


def spec_of(bank: str) -> StatementSpec:
    path = ROOT / "etc" / "dialects" / f"{bank}.toml"
    return load_dialect(path.read_text("utf-8"), path.name).statement


def lines_of_the_day(count: int) -> Iterator[StatementLine]:
    """In the order of commit; a reversal follows its payment at once."""
    told = 0
    while told < count:
        second = 6 * 3600 + told * 60_000 // count
        moment = f"{DATE}{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
        digits = str(FIRST + told)
        body = f"{DATE % 10**6:06d}0100{told + 1:09d}"
        paid = StatementLine(
            DATE, moment, f"{told % 1_000_000:06d}", f"{told:012d}", f"T{told % 5000:07d}", f"BR{told % 300:09d}", "P",
            digits + mod_11_10(digits), 1000 + told % 90_000 * 10, body + mod_11_10(body), f"0{told % 5 + 1}",
        )  # fmt: skip
        told += 1
        yield paid
        if told % REVERSED == 0 and told < count:
            stan = f"{told % 1_000_000:06d}"
            told += 1
            yield paid._replace(
                stan=stan, rrn=f"R{told:011d}", kind="R", original_moment=moment, original_stan=paid.stan
            )


def prepare(folder: Path, count: int) -> None:
    """The books after the cut-over, with a day of `count` lines."""
    url = f"sqlite:///{folder}/books.db"
    migrate(url)
    totals = totals_of(lines_of_the_day(count))
    store = open_store(url)
    with store.writing() as conn:
        conn.execute(insert(schema.book).values((BOOK, "rcb", NEXT, count + 2, 1, 1, GENESIS)))
        closed = us_of(DATE * 1_000_000 + 230000)
        sums = (totals.payments, totals.payments_fen, totals.reversals, totals.reversals_fen)
        conn.execute(insert(schema.day).values((BOOK, DATE, "CLOSED", 0, closed, *sums, count)))
        conn.execute(insert(schema.day).values((BOOK, NEXT, "OPEN", closed, None, 0, 0, 0, 0, 0)))
    store.close()
    raw = sqlite3.connect(folder / "books.db", isolation_level=None)
    raw.execute("PRAGMA synchronous = OFF")
    raw.execute("BEGIN")
    raw.executemany(_insert(schema.event), _events(count))
    raw.executemany(_insert(schema.payment), _payments(count))
    raw.execute("COMMIT")
    raw.close()


def _insert(table: Any) -> str:
    names = [column.name for column in table.c]
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _events(count: int) -> Iterator[tuple[object, ...]]:
    for seq, one in enumerate(lines_of_the_day(count), 1):
        back = one.kind == "R"
        yield (
            BOOK, seq, DATE, NOW_US, "reversal" if back else "payment", 4 if back else 1, _trace(one),
            "0420" if back else "0200", "500000", one.amount, one.bill, "", one.stan, one.rrn, "00",
            seq - 1 if back else None, "PAID>OUTSTANDING" if back else "OUTSTANDING>PAID", "", "", REPLY, SEAL,
        )  # fmt: skip


def _trace(one: StatementLine) -> int:
    return int(one.moment[2:] + one.stan)


def _payments(count: int) -> Iterator[tuple[object, ...]]:
    for seq, one in enumerate(lines_of_the_day(count), 1):
        if one.kind == "P":
            yield (
                BOOK, seq, DATE, "payment", one.receipt, _trace(one), int(one.moment), one.stan, one.rrn, one.terminal,
                one.branch, one.channel, one.bill, one.amount, 0, "LIVE", None, "",
            )  # fmt: skip


def told_by_the_bank(count: int, odd: int) -> Iterator[StatementLine]:
    acts: list[Callable[[StatementLine], list[StatementLine]]] = [
        lambda one: [],
        lambda one: [one, one._replace(stan="999999", rrn="", bill=one.bill[::-1], receipt="")],
        lambda one: [one, one],
        lambda one: [one._replace(amount=one.amount + 1)],
        lambda one: [one._replace(moment=f"{DATE}235959")],
    ]
    for n, one in enumerate(lines_of_the_day(count), 1):
        if odd and n % odd == 0 and one.kind == "P":
            yield from acts[n // odd % len(acts)](one)
        else:
            yield one


def deliver(folder: Path, spec: StatementSpec, count: int, odd: int) -> int:
    """The bank's file, in the place of the one bank that the books have; gives its size."""
    inbox = folder_of(folder, "inbox", "rcb", DATE)
    shutil.rmtree(inbox, ignore_errors=True)
    inbox.mkdir(parents=True)
    name, control = file_names(spec, "rcb", DATE)
    totals: Totals = totals_of(told_by_the_bank(count, odd))
    opened = datetime(2026, 11, 22, 23, tzinfo=CST)
    context = StatementContext("rcb", "33011000", DATE, opened, opened + timedelta(days=1))
    with (inbox / name).open("wb") as file:
        file.writelines(write(spec, context, totals, told_by_the_bank(count, odd)))
    if control:
        (inbox / control).write_bytes(write_control(spec, context, totals))
    with (inbox / name).open("rb") as file:
        (inbox / f"{name}.sm3").write_text(sm3_hex(iter(lambda: file.read(1 << 20), b"")))
    (inbox / f"{name}.ok").touch()
    return (inbox / name).stat().st_size


# -- the child: one run, watched -------------------------------------------------------------------------------------


Spent = tuple[float, float]  # seconds by the clock, and of the processor


def now() -> Spent:
    return time.perf_counter(), time.process_time()


def since(began: Spent) -> Spent:
    return time.perf_counter() - began[0], time.process_time() - began[1]


def watched(spent: dict[str, Spent], name: str, act: Callable[..., Any], kept: list[Any] | None = None) -> Any:
    def timed(*args: Any, **named: Any) -> Any:
        began = now()
        result = act(*args, **named)
        before, more = spent.get(name, (0.0, 0.0)), since(began)
        spent[name] = before[0] + more[0], before[1] + more[1]
        if kept is not None:
            kept.append(result)
        return result

    return timed


def child(folder: Path, layout: str) -> dict[str, Any]:
    spent: dict[str, Spent] = {}
    loaded: list[Any] = []
    running.read_bank_file = watched(spent, "read file", running.read_bank_file, loaded)
    shelf.ledger_lines = watched(spent, "read ledger", shelf.ledger_lines, loaded)
    running.match = watched(spent, "match", running.match)
    running._stage = watched(spent, "stage", running._stage)
    running._write = watched(spent, "write", running._write)
    store = open_store(f"sqlite:///{folder}/books.db")
    desk = desk_of(store, folder, lambda: NOW_US)
    locks: list[Spent] = []

    @contextmanager
    def lock(book_id: int) -> Iterator[Any]:
        with desk.lock(book_id) as conn:
            began = now()
            yield conn
        locks.append(since(began))

    began = now()
    result = running.run(desk._replace(lock=lock), "rcb", BOOK, spec_of(LAYOUTS[layout]), DATE)
    whole = since(began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bank, ledger = loaded[0].lines, loaded[1]
    began = now()
    joined = ledger.join(bank, on=["moment", "stan", "bill", "amount", "kind"], how="full")
    bare = since(began)
    store.close()
    return {
        "spent": spent, "whole": whole, "bare": bare, "peak_kib": peak, "locks": len(locks),
        "longest": [max(one) for one in zip(*locks, strict=True)], "classes": result.classes, "joined": joined.height,
    }  # fmt: skip


def watch(command: list[str], books: Path) -> dict[str, Any]:
    """What the child tells, and how long somebody who wants the write lock, as a payment does, waited at most."""
    probe, waited = sqlite.connect(books), 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            began = time.perf_counter()
            sqlite.begin_immediate(probe)
            waited = max(waited, time.perf_counter() - began)
            probe.execute("ROLLBACK")
            time.sleep(0.01)
        out = process.stdout.read() if process.stdout else ""
    probe.close()
    if process.returncode:
        raise SystemExit(process.returncode)
    return {**json.loads(out), "waited": waited}


def told(layout: str, size: int, count: int, one: dict[str, Any]) -> Iterator[str]:
    spent, whole, bare = one["spent"], one["whole"], one["bare"]
    rest = [whole[n] - sum(phase[n] for phase in spent.values()) for n in (0, 1)]
    yield f"{layout:6} {_both(whole)} for {count:,} lines, {size / 1e6:,.0f} MB"
    yield "       " + "   ".join(f"{name} {_both(phase)}" for name, phase in {**spent, "rest": rest}.items())
    with_reading = [bare[n] + spent["read file"][n] + spent["read ledger"][n] for n in (0, 1)]
    ratios = [", ".join(f"{whole[n] / below[n]:.2f}" for n in (0, 1)) for below in (bare, with_reading)]
    yield f"       to a bare join, {_both(bare)}: {ratios[0]}; to that with the reading: {ratios[1]} (clock, processor)"
    peak, locks, longest = one["peak_kib"] / 2**20, one["locks"], [f"{1000 * held:.0f} ms" for held in one["longest"]]
    yield f"       peak {peak:.2f} GiB; longest of {locks} locks {longest[0]} ({longest[1]}), its checkpoint with it"
    yield f"       another who wants the lock waited at most {1000 * one['waited']:.0f} ms"
    yield f"       {json.dumps({name: n for name, n in one['classes'].items() if n})}"


def _both(spent: Sequence[float]) -> str:
    return f"{spent[0]:.2f} s ({spent[1]:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench reconcile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--layout", choices=list(LAYOUTS), action="append")
    parser.add_argument("--odd", type=int, default=2000)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(child(Path(chosen.child[0]), chosen.child[1])))
        return
    (ROOT / "var").mkdir(exist_ok=True)  # not the system's folder for such things, which may be no disk
    with tempfile.TemporaryDirectory(dir=ROOT / "var", prefix="bench-") as name:
        books, work = Path(name) / "books", Path(name) / "work"
        books.mkdir()
        prepare(books, chosen.lines)
        for layout in chosen.layout or LAYOUTS:
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(books, work)
            size = deliver(work, spec_of(LAYOUTS[layout]), chosen.lines, chosen.odd)
            os.sync()  # what was copied just now would go to the disk in the run's own commits
            one = watch([sys.executable, "-P", __file__, "--child", str(work), layout], work / "books.db")
            print(*told(layout, size, chosen.lines, one), sep="\n", flush=True)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
