"""A backup of a live switch, the machine lost, and the switch again from its backup: what banks are told before and
after, what `verify` and an auditor say, and what reconciliation finds of the time that was lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from shebao_bureau import Bureau
from shebao_harness import ROOT, Line, Reply, Switch, bill_number, command, environment, moment

from shebao.codecs.settings import load_switch
from shebao.ledger.anchor import FOLDER, Anchors
from shebao.ledger.backup import write
from shebao.ledger.commands import RUNNING
from shebao.ledger.durable import unused
from shebao.ledger.restore import Goal, restore
from shebao.ledger.secrets import load_master
from shebao.ledger.store import open_store
from shebao.ledger.verify import verify

FEN = 48_000
BILLS = [bill_number(n) for n in range(1, 3001)]


class Told(NamedTuple):
    stan: str
    bill: str
    when: str
    reply: Reply

    @property
    def receipt(self) -> str:
        return str(self.reply.tags.get("RN"))


class Teller(threading.Thread):
    """Pays one bill after another until it is told to stop, and notes what it was told."""

    def __init__(self, line: Line, bills: Iterator[str]) -> None:
        super().__init__(daemon=True)
        self.line, self.bills = line, bills
        self.told: list[Told] = []
        self.some, self.enough = threading.Event(), threading.Event()

    def run(self) -> None:
        for n, bill in enumerate(self.bills, 1):
            when = moment()
            self.told.append(Told(f"{n:06d}", bill, when, self.line.pay(f"{n:06d}", bill, FEN, when=when)))
            if len(self.told) >= 30:
                self.some.set()
            if self.enough.is_set():
                return

    def stop(self) -> list[Told]:
        self.enough.set()
        self.join(60)
        return self.told


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The database, and the one that the switch goes on with."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db"
    first = str(request.getfixturevalue("empty_postgres_url"))
    server = request.getfixturevalue("postgres")
    server.execute("CREATE DATABASE after_restore")
    request.addfinalizer(lambda: server.execute("DROP DATABASE after_restore WITH (FORCE)"))
    return first, server.url("after_restore")


@pytest.mark.slow
def test_backed_up_under_load_lost_and_restored(
    urls: tuple[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    switch = Switch(tmp_path / "s", database=urls[0], banks=("rcb", "icbc"))
    file = tmp_path / "books.backup"
    switch.prepare(dict.fromkeys(BILLS, FEN))
    with switch:
        switch.start()
        bills = iter(BILLS)
        teller = Teller(switch.line().sign_on(), bills)
        teller.start()
        assert teller.some.wait(60)
        before = len(teller.told)
        switch.run("ledgerctl", "backup", str(file))
        after = len(teller.told)
        told = teller.stop()
        assert after > before and {one.reply.code for one in told} == {"00"}, "payments went on"
        refused = switch.run("ledgerctl", "restore", str(file), check=False)
        assert refused.returncode == 3 and "a switch runs" in refused.stderr
        # nor into another database: the logs beside it are the running switch's
        env = {**environment(), "SHEBAO_DATABASE": urls[1]}
        words = [*command("ledgerctl"), "--config", str(switch.config), "restore", str(file)]
        refused = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60)
        assert refused.returncode == 3 and "SHEBAO_STATE_DIR" in refused.stderr, refused.stderr
        tried = subprocess.run([*words, "--dry-run"], env=env, capture_output=True, text=True, timeout=60)
        assert tried.returncode == 0, "to look is no harm"
        env["SHEBAO_STATE_DIR"] = str(tmp_path / "apart")
        apart = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60)
        assert apart.returncode == 0, apart.stderr
        proved = subprocess.run([*words[:-2], "verify"], env=env, capture_output=True, text=True, timeout=60)
        assert proved.returncode == 0, proved.stdout
        assert switch.run("ledgerctl", "verify").returncode == 0
        empty_again(urls[1], request)
        switch.kill()

        switch.database = urls[1]
        switch.write_config()
        tried = switch.run("ledgerctl", "restore", str(file), "--dry-run")
        assert "nothing was written" in tried.stdout
        restored = switch.run("ledgerctl", "restore", str(file))
        assert "receipts go on after" in restored.stdout
        both_verify(switch)
        switch.start()
        again_after_the_restore(switch, told)
        assert switch.stop() == 0
        both_verify(switch)
        assert not [entry for entry in switch.log if entry.get("level") == "error"], switch.log[-20:]


def empty_again(url: str, request: pytest.FixtureRequest) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).unlink()
        return
    server = request.getfixturevalue("postgres")
    server.execute("DROP DATABASE after_restore WITH (FORCE)")
    server.execute("CREATE DATABASE after_restore")


def again_after_the_restore(switch: Switch, told: list[Told]) -> None:
    """What was before the backup is answered byte for byte, what was after it is decided anew."""
    line = switch.line().sign_on()
    known, lost = [], []
    for one in told[:20] + told[-20:-1]:
        reply = line.pay(one.stan, one.bill, FEN, mti="0201", when=one.when)
        assert reply.code == "00"
        (known if reply.body == one.reply.body else lost).append(Told(one.stan, one.bill, one.when, reply))
    assert len(known) >= 20 and lost, "the backup was made while the payments went on"
    receipts = [one.receipt for one in told]
    assert len(set(receipts)) == len(receipts)
    assert not {one.receipt for one in lost} & set(receipts), "never given out again"
    (first, *_) = (one for one in told if one.stan == lost[0].stan)
    asked = switch.run("ledgerctl", "payment", first.receipt, check=False)
    assert asked.returncode == 3 and "the books were restored from a backup at" in asked.stderr

    # the bank's own totals of the date, all that it was told: out of balance, and ours beside them
    fields = {number: "0" * 10 for number in (75, 76, 77)} | {number: "0" * 16 for number in (87, 88, 89)}
    sum_ = f"{len(told) * FEN:016d}"
    fields |= {7: moment(), 11: "900000", 15: told[0].reply.fields[15]}
    fields |= {74: f"{len(told):010d}", 86: sum_, 97: f"C{sum_}"}
    totals = line.ask("0500", fields)
    assert (totals.code, totals.fields[66]) == ("95", "2") and int(totals.fields[74]) < len(told)

    fresh = iter(set(BILLS) - {one.bill for one in told})
    new = line.pay("900001", next(fresh), FEN)
    assert new.code == "00" and str(new.tags.get("RN")) not in receipts
    # a reversal of what the books do not know is remembered: its payment, should it come, is not taken
    gone = next(fresh)
    when = moment()
    line.money("0400", "900002", "", FEN, original=("0200", when, "900003"))
    assert line.receive().code == "25"
    assert line.pay("900003", gone, FEN, when=when).code == "R1"
    # a bill that was paid in the lost time, and is not repeated, is unpaid again: another bank may take it
    assert switch.line("icbc").sign_on().pay("000001", told[-1].bill, FEN).code == "00"


def both_verify(switch: Switch) -> None:
    done = switch.run("ledgerctl", "verify", check=False)
    assert done.returncode == 0 and "was restored at" in done.stdout, done.stdout + done.stderr
    if switch.database.startswith("sqlite"):
        program = [sys.executable, "-I", str(ROOT / "docs" / "seal_verifier.py")]
        words = [switch.database.removeprefix("sqlite:///"), str(switch.folder / "var" / "seal")]
        audit = subprocess.run([*program, *words], capture_output=True, text=True, timeout=60)
        assert (audit.returncode, audit.stderr) == (0, ""), audit.stdout
        assert audit.stdout.endswith("events fit\n")


def test_a_daemon_does_not_start_on_what_was_never_restored(tmp_path: Path) -> None:
    switch = Switch(tmp_path / "s", banks=("rcb",))
    switch.run("keyctl", "init")
    (switch.folder / "shebao.db").write_bytes(b"")  # as far as a restore comes that is killed
    done = switch.run("switchd", "run", check=False)
    assert done.returncode == 4 and "no tables of this version" in done.stderr


def test_a_daemon_does_not_start_while_a_restore_is_under_way(tmp_path: Path) -> None:
    switch = Switch(tmp_path / "s", banks=("rcb",))
    switch.run("keyctl", "init")
    with unused(switch.folder / "var" / RUNNING):
        done = switch.run("switchd", "run", check=False)
    assert done.returncode == 1 and "a restore is under way" in done.stderr and len(done.stderr.splitlines()) == 1


# -- what comes back by reconciliation -------------------------------------------------------------------------------

class Lost(NamedTuple):
    bureau: Bureau
    before: int
    after: int


@pytest.fixture
def lost(bureau: Bureau, tmp_path: Path) -> Lost:
    """Three payments, a backup, two more and the cut-over, the bank's file; then the books come back from it."""
    bills = [bureau.bill(fen) for fen in (10_000, 10_000, 10_000, 7_000, 7_000)]
    for bill in bills[:3]:
        bureau.pay("rcb", 10_000, bill)
    file = tmp_path / "books.backup"
    write(bureau.store.reading, file, "33011000", lambda: bureau.now_us, lambda rows: None)
    for bill in bills[3:]:
        bureau.pay("rcb", 7_000, bill)
    bureau.close("rcb")
    bureau.deliver("rcb", bureau.date)
    bureau.store.close()
    url = f"sqlite:///{tmp_path}/restored.db"
    signer, seal = load_master(tmp_path / "key").signer(), bureau.state / FOLDER
    bureau.next_day()
    text = bureau.config.read_text(encoding="utf-8").replace(bureau.url, url)
    bureau.config.write_text(text, encoding="utf-8")
    goal = Goal(load_switch(text, "switch.toml"), seal, signer, "zhang")
    restore(file, goal, lambda: bureau.now_us, lambda rows: None)
    bureau.url, bureau.store = url, open_store(url)
    shutil.move(bureau.state / "outbox", bureau.state / "outbox of the lost time")
    return Lost(bureau, 3, 2)


def test_what_nobody_repeats_is_bank_only(lost: Lost) -> None:
    bureau, date = lost.bureau, lost.bureau.date - 1
    bureau.close("rcb", date)
    assert [line.amount for line in bureau.our_lines("rcb", date)] == [10_000] * 3
    told = bureau.told("run", "--bank", "rcb", "--date", str(date), code=1)
    assert told["classes"]["MATCHED"] == lost.before and told["classes"]["BANK_ONLY"] == lost.after
    assert told["state"] == "CLOSED" and told["exceptions_open"] == lost.after
    shown = bureau.told("exceptions")
    assert [one["proposal"] for one in shown] == ["pay", "pay"], "their bills are unpaid again"
    assert bureau.type("report", "--date", str(date)).exit_code in (0, 1)
    (page,) = (bureau.state / "reports").glob("*/settlement.html")
    assert "账簿于 2026-11-24 09:00:00 由备份恢复" in page.read_text(encoding="utf-8")


def test_what_a_bank_repeats_after_all_stands_in_the_new_date(lost: Lost) -> None:
    """An advice of the lost time, told again the next day: its money is booked, and found as of another date."""
    bureau, date = lost.bureau, lost.bureau.date - 1
    bureau.close("rcb", date)
    bureau.next_day()
    stan = bureau.stan  # the last payment of the lost time
    bill, at = bill_number(stan), f"{date}{9:02d}00{stan:02d}"
    bureau.stan -= 1
    advice = bureau.request("rcb", "advice", "0220", bill, 7_000, at=at)
    assert bureau.ask(advice) == ["00"]
    told = bureau.told("run", "--bank", "rcb", "--date", str(date), code=1)
    assert told["classes"]["BANK_ONLY"] == lost.after - 1 and told["classes"]["OTHER_DATE"] == 1


def test_the_books_and_the_files_are_whole(lost: Lost, tmp_path: Path) -> None:
    bureau = lost.bureau
    bureau.close("rcb", bureau.date - 1)
    signer = load_master(tmp_path / "key").signer()
    Anchors(bureau.store.reading, bureau.state / FOLDER, signer, lambda: bureau.now_us).sign()
    proofs = verify(bureau.store.reading, bureau.state / FOLDER, bureau.now_us, signer.public_key())
    assert not [one for one in proofs if one.faults]
