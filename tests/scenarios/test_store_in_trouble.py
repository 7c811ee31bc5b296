"""An SQLite book in trouble under a live daemon: locked by another, read for long while a large import runs, on a full
disk. What was read too long ago is 68, a full disk is 91, and nothing needs a restart."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from shebao_desk import FEN, PLAIN, Desk, citizen, today
from shebao_harness import Line, Reply, Switch, bill_number, command, environment, moment

ROUNDS_MAX = 20_000  # of a loop that waits for something to be seen


def echo(line: Line, n: int = 0) -> None:
    assert line.ask("0800", {7: moment(), 11: f"{n % 1_000_000:06d}", 70: "301"}).code == "00"


def locked(switch: Switch) -> sqlite3.Connection:
    other = sqlite3.connect(switch.folder / "shebao.db", isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    return other


# -- locked --------------------------------------------------------------------------------------------------

WRITTEN = 500
IN_FLIGHT = 40


@pytest.mark.slow
def test_of_what_a_bank_wrote_while_the_store_was_locked_only_what_was_read_is_too_late(
    prepared: Path, tmp_path: Path
) -> None:
    """The bank has written 500 payments; the switch has read as many as it may, the rest is in the sockets' buffers.
    The deadline is a second and the lock lasts longer: what was read is 68, all else is read afterwards and done."""
    limits = f"in_flight_per_line = {IN_FLIGHT}\nreply_deadline_s = 1\nheartbeat_s = 3600\nsilence_s = 7200"
    with Desk(prepared, tmp_path / "s", limits=limits) as desk:
        switch, when = desk.switch, moment()
        line, watch = switch.line("rcb").sign_on(), switch.line("boc").sign_on()
        bills = {f"{n:06d}": desk.bill() for n in range(1, WRITTEN + 1)}
        with closing(locked(switch)) as other:
            frames = b"".join(line.frame(payment(line, stan, bill, when)) for stan, bill in bills.items())
            writing = threading.Thread(target=line.socket.sendall, args=(frames,), daemon=True)
            writing.start()
            for n in range(ROUNDS_MAX):
                echo(watch, n)
                if desk.metrics()['shebao_in_flight{bank="rcb"}'] >= IN_FLIGHT:
                    break
            until = time.monotonic() + 1.3
            while time.monotonic() < until:
                echo(watch)
            assert desk.metrics()['shebao_in_flight{bank="rcb"}'] == IN_FLIGHT
            other.execute("ROLLBACK")
        answers = {reply.fields[11]: reply for reply in (line.receive() for _ in bills)}
        writing.join()
        codes = [answers[stan].code for stan in bills]
        late = codes.count("68")
        assert IN_FLIGHT <= late < WRITTEN and codes == ["68"] * late + ["00"] * (WRITTEN - late)
        for stan, bill in bills.items():  # a bank asks again for what was not done, and for what it can't believe
            line.money("0201", stan, bill, FEN, when=when)
        again = {reply.fields[11]: reply for reply in (line.receive() for _ in bills)}
        assert {reply.code for reply in again.values()} == {"00"}
        assert all(again[stan].body == reply.body for stan, reply in answers.items() if reply.code == "00")
        assert sorted(serial(reply) for reply in again.values()) == list(range(1, WRITTEN + 1))
        assert switch.stop() == 0
        assert switch.run("ledgerctl", "verify").returncode == 0


def payment(line: Line, stan: str, bill: str, when: str) -> bytes:
    fields = {3: "500000", 4: f"{FEN:012d}", 7: when, 11: stan, 12: when[4:], 13: when[:4]}
    fields |= {37: f"R{when[4:]}{stan[1:]}", 41: "TERM0001", 42: "3301100000BR001", 49: "156"}
    return line.body("0200", fields, [("CH", "01"), ("BN", bill)])


def serial(reply: Reply) -> int:
    return int(str(reply.tags.get("RN"))[10:19])


# -- a large import beside a long reader ------------------------------------------------------------------------

IMPORTED = int(os.environ.get("SHEBAO_TEST_IMPORT_BILLS", "40000"))
WAL_MAX = 256 * 1024**2


def large_file(folder: Path) -> list[str]:
    """Bills in random order: each chunk touches many pages. The first and the last of the file."""
    numbers = [bill_number(n) for n in range(100_001, 100_001 + IMPORTED)]
    random.Random(5).shuffle(numbers)
    head = (
        "bill_number,payer_id,payer_name,office,period_from,period_to,issued,due,last_day,insurance_type,amount_fen,"
        "owner_only"
    )
    payer = citizen(9)
    rest = f"{payer},沈建国,良渚街道,202601,202612,2026-11-01,2026-12-31,2099-12-31,390,{FEN},0"
    rows = [head, *(f"{number},{rest}" for number in numbers)]
    (folder / "large.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return numbers


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_payments_go_on_beside_a_large_import_and_a_long_reader(prepared: Path, tmp_path: Path) -> None:
    """No payment is refused meanwhile; of the file nothing can be paid, then everything; and the log that the reader
    kept from being cut is small again soon after the reader has ended."""
    with Desk(prepared, tmp_path / "s") as desk:
        switch = desk.switch
        numbers, line = large_file(switch.folder), switch.line("rcb").sign_on()
        log = switch.folder / "shebao.db-wal"
        other = sqlite3.connect(switch.folder / "shebao.db", isolation_level=None)
        with desk.wire("icbc") as wire, closing(other) as reader:
            reader.execute("BEGIN")
            before = reader.execute("SELECT count(*) FROM event").fetchone()
            call = [*command("ledgerctl"), "--config", str(switch.config), "import-bills", "large.csv"]
            importing = subprocess.Popen(call, cwd=switch.folder, env=environment(), stdout=subprocess.DEVNULL)
            codes: Counter[str] = Counter()
            seen = [("25", "25")]
            for n in range(0, 900_000, 2):
                bill, when = PLAIN[n % 1000], moment()
                codes[line.pay(f"{n:06d}", bill, FEN, when=when).code] += 1
                back = ("0200", when, f"{n:06d}")
                codes[line.pay(f"{n + 1:06d}", "", FEN, "0400", original=back).code] += 1
                first, last = (wire.ask("0100", wire.inquiry(("BN", numbers[k]))).code for k in (0, -1))
                seen.append((first, last))
                if importing.poll() is not None:
                    break
            assert importing.wait(240) == 0
            assert set(codes) == {"00"}, codes
            flip = seen.index(("00", "00")) if ("00", "00") in seen else len(seen)
            half = [pair for pair in seen[:flip] if pair != ("25", "25")]
            assert half in ([], [("25", "00")]), "the file was there between the two questions, or half of it ever"
            assert set(seen[flip:]) <= {("00", "00")}
            assert reader.execute("SELECT count(*) FROM event").fetchone() == before
            grown = log.stat().st_size
            reader.execute("COMMIT")
        assert [line.pay(f"90000{n}", numbers[k], FEN).code for n, k in enumerate((0, -1, IMPORTED // 2))] == ["00"] * 3
        for n in range(ROUNDS_MAX):
            echo(line, n)
            if log.stat().st_size <= WAL_MAX // 2:
                break
        print(f"{sum(codes.values())} payments and reversals beside; the log grew to {grown / 2**20:.0f} MiB, then was "
              f"{log.stat().st_size / 2**20:.0f} MiB")  # fmt: skip
        assert log.stat().st_size <= WAL_MAX // 2
        assert switch.stop() == 0
        assert switch.run("ledgerctl", "verify").returncode == 0


# -- a full disk -------------------------------------------------------------------------------------------------

DISK_MIB = 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MiB. Only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    call = [mount or "mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(call, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Take every byte that is left."""
    with path.open("ab", buffering=0) as filler:
        for piece in (1024**2, 4096, 1):
            try:
                while True:
                    filler.write(b"x" * piece)
            except OSError:
                pass


class Customer:
    """Pays bill after bill; asks again, as a bank does, for what was not done."""

    def __init__(self, line: Line, bills: Iterator[str]) -> None:
        self.line, self.bills, self.when = line, bills, moment()
        self.done: list[tuple[str, str, Reply]] = []
        self._next()

    def _next(self) -> None:
        self.stan, self.bill, self.mti = f"{len(self.done) + 1:06d}", next(self.bills), "0200"

    def pay(self) -> str:
        reply = self.line.pay(self.stan, self.bill, FEN, self.mti, when=self.when)
        self.mti = "0201"
        if reply.code == "00":
            self.done.append((self.stan, self.bill, reply))
            self._next()
        return reply.code

    def until(self, code: str) -> None:
        for n in range(ROUNDS_MAX):
            if self.pay() == code:
                return
            echo(self.line, n)
        raise AssertionError(f"never {code}")


def test_a_full_disk_is_91_and_over_as_soon_as_there_is_room(prepared: Path, small_disk: Path) -> None:
    with Desk(prepared, small_disk / "s") as desk:
        switch, filler = desk.switch, small_disk / "filler"
        customer = Customer(switch.line("rcb").sign_on(), desk.plain)
        with desk.wire("icbc") as wire:
            over = wire.network("201", de15=today(1))
            for _ in range(3):
                customer.until("00")
                fill(filler)
                customer.until("91")  # what room there was inside of the book is used up
                assert wire.ask("0800", over).code == "91", "no date is closed on a full disk"
                echo(customer.line)
                with desk.wire("boc") as late:  # a line can sign on
                    assert late.ask("0200", late.payment(customer.bill, FEN)).code == "91"
                filler.unlink()
            customer.until("00")
            assert wire.ask("0801", over).code == "00"
        for stan, bill, reply in customer.done:
            assert customer.line.pay(stan, bill, FEN, "0201", when=customer.when).body == reply.body
        outbox = switch.folder / "var" / "outbox" / "icbc"
        for n in range(ROUNDS_MAX):
            if list(outbox.glob("*/*.ok")):
                break
            echo(customer.line, n)
        assert list(outbox.glob("*/*.ok"))
        assert switch.stop() == 0
        assert not [entry for entry in switch.log if entry.get("level") == "error"], switch.log[-20:]
        assert switch.run("ledgerctl", "verify").returncode == 0
        receipts = sorted(serial(reply) for _, _, reply in customer.done)
        assert receipts == list(range(1, len(receipts) + 1))
