"""`banksim` as a command: against a fake switch on a real port, and with everything that can be typed wrong."""

from __future__ import annotations

import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shebao.codecs.statement import LineFault, file_names, read
from shebao.simulators import population, script

ROOT = Path(__file__).resolve().parents[2]
KEY = "0123456789ABCDEFFEDCBA9876543210"


def banksim(*arguments: str, cwd: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", "from shebao.simulators.cli import banksim; banksim()"]
    return subprocess.run([*command, *arguments], cwd=cwd, input=given, text=True, capture_output=True, timeout=100)


@pytest.fixture
def bills(tmp_path: Path) -> Path:
    made = population.populate(3, 150, script.today())
    path = tmp_path / "bills.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        population.write_bills(made.bills, file)
    return path


@pytest.fixture
def served(wired: Any, bills: Path, tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    """A fake switch on a port of its own, and a configuration that names it."""
    switch = wired.switch
    switch.date = script.today()
    with bills.open(encoding="utf-8", newline="") as file:
        switch.bills = {bill.number: bill.amount for bill in population.read_bills(file, "bills")}
    lock = threading.Lock()

    class Line(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(65536):
                with lock:
                    answer = switch.feed(id(self), data)
                self.request.sendall(answer)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Line) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = (ROOT / "etc" / "switch.toml").read_text(encoding="utf-8")
        port = {"rcb": 8581, "icbc": 8582, "ccb": 8583, "boc": 8584}[switch.who.bank]
        config = tmp_path / "switch.toml"
        text = text.replace(f':{port}"', f':{server.server_address[1]}"').replace('"var"', f'"{tmp_path}"')
        config.write_text(text, encoding="utf-8")
        yield switch, config
        server.shutdown()


def test_a_day_of_one_bank(served: tuple[Any, Path], bills: Path, tmp_path: Path) -> None:
    switch, config = served
    bank = switch.who.bank
    ran = banksim(
        "--config", str(config), "run", "--bank", bank, "--bills", str(bills), "--key", "-", "--speed", "500",
        "--statement", "--plant", "missing=1", "--plant", "amount=2", "--cut-over", cwd=tmp_path, given=KEY + "\n",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "0 problems" in ran.stdout and "totals of" in ran.stdout and ran.stdout.count("planted") == 3
    assert len(switch.paid) == 150
    today = script.today()
    folder = tmp_path / "inbox" / bank / str(today)
    spec = switch.dialect.statement
    detail, control = file_names(spec, bank, today)
    assert (folder / f"{detail}.ok").read_bytes() == b"" and len((folder / f"{detail}.sm3").read_text()) == 64
    with (folder / detail).open("rb") as file:
        lines = list(read(spec, bank, today, file, (folder / control).read_bytes() if control else None))
    assert not [line for line in lines if isinstance(line, LineFault)]
    assert len({line.bill for line in lines}) == 149
    assert not list(folder.glob("*.part"))


def test_load_checks_every_reply(served: tuple[Any, Path], bills: Path, tmp_path: Path) -> None:
    switch, config = served
    keys = tmp_path / "keys"
    keys.write_text(f"# ours\n{switch.who.bank}={KEY}\n")
    arguments = ("--config", str(config), "load", "--bank", switch.who.bank, "--bills", str(bills), "--keys", str(keys))
    ran = banksim(*arguments, "--payments", "100", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("100 payments in ") and "p99" in ran.stdout
    switch.spoil = lambda reply: reply.update({37: "0" * 12}) if 37 in reply else None
    ran = banksim(*arguments, "--payments", "50", cwd=tmp_path)
    assert ran.returncode == 1 and "field 37 is not given back" in ran.stdout


def test_population_is_written(tmp_path: Path) -> None:
    ran = banksim("population", "--bills", "50", "--seed", "4", "--date", "2026-11-25", "--out", "new", cwd=tmp_path)
    assert ran.returncode == 0 and "50 bills" in ran.stdout
    with (tmp_path / "new" / "bills.csv").open(encoding="utf-8", newline="") as file:
        assert tuple(population.read_bills(file, "b")) == population.populate(4, 50, 20261125).bills
    people = (tmp_path / "new" / "people.csv").read_text(encoding="utf-8")
    assert people.startswith("id,name,phone,card,division,enrolled\n")


CONFIG = ("--config", str(ROOT / "etc" / "switch.toml"))


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("--config", "none.toml", "run", "--bank", "rcb", "--bills", "b", "--key", KEY), 2, "none.toml"),
        ((*CONFIG, "run", "--bank", "xyz", "--bills", "b", "--key", KEY), 2, "right are rcb"),
        ((*CONFIG, "run", "--bank", "rcb", "--bills", "b"), 2, "--key HEX"),
        ((*CONFIG, "run", "--bank", "rcb", "--bills", "b", "--key", "zz"), 2, "no hex"),
        ((*CONFIG, "run", "--bank", "rcb", "--bills", "b", "--key", "00"), 2, "16"),
        ((*CONFIG, "run", "--bank", "rcb", "--bills", "nofile.csv", "--key", KEY), 2, "nofile.csv"),
        ((*CONFIG, "run", "--bank", "rcb", "--bills", "bills.csv", "--key", KEY, "--plant", "x=1"), 2, "--plant"),
        ((*CONFIG, "load", "--bank", "rcb", "--bills", "bills.csv", "--keys", "nokeys"), 2, "nokeys"),
        ((*CONFIG, "load", "--bank", "rcb", "--bank", "boc", "--bills", "bills.csv", "--key", KEY), 2, "--keys"),
        (("population", "--date", "2026-02-30"), 2, "--date"),
        (("run",), 2, "--bank"),
        (("dance",), 2, "dance"),
    ],
)
def test_what_is_typed_wrong_is_said_in_one_line(
    arguments: tuple[str, ...], status: int, word: str, bills: Path, tmp_path: Path
) -> None:
    ran = banksim(*arguments, cwd=tmp_path)
    assert ran.returncode == status and ran.stdout == ""
    assert word in ran.stderr and "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1, ran.stderr


def test_nobody_listens(bills: Path, tmp_path: Path) -> None:
    config = tmp_path / "switch.toml"
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        port = server.server_address[1]
    text = (ROOT / "etc" / "switch.toml").read_text(encoding="utf-8")
    config.write_text(text.replace(":8581", f":{port}"), encoding="utf-8")
    ran = banksim("--config", str(config), "run", "--bank", "rcb", "--bills", str(bills), "--key", KEY, cwd=tmp_path)
    assert ran.returncode == 3 and "switchd run" in ran.stderr and len(ran.stderr.splitlines()) == 1


def test_added_lines_are_of_bills_beyond_those_paid(served: tuple[Any, Path], bills: Path, tmp_path: Path) -> None:
    switch, config = served
    common = ("--config", str(config), "run", "--bank", switch.who.bank, "--bills", str(bills), "--key", KEY,
              "--speed", "500", "--statement", "--plant", "added=2")  # fmt: skip
    ran = banksim(*common, "--payments", "100", cwd=tmp_path)
    assert ran.returncode == 0 and ran.stdout.count("planted added: BANK_ONLY") == 2, ran.stdout + ran.stderr
    added = {line.split()[-1] for line in ran.stdout.splitlines() if line.startswith("planted")}
    assert not added & set(switch.paid)


def test_a_day_that_has_nothing_to_plant_in_is_told_all_the_same(
    served: tuple[Any, Path], bills: Path, tmp_path: Path
) -> None:
    switch, config = served
    ran = banksim("--config", str(config), "run", "--bank", switch.who.bank, "--bills", str(bills), "--key", KEY,
                  "--speed", "500", "--statement", "--plant", "added=1", cwd=tmp_path)  # fmt: skip
    assert ran.returncode == 1 and "0 problems" in ran.stdout and "no statement file: 1 times 'added'" in ran.stdout
    assert not (tmp_path / "inbox").exists()


def test_a_command_alone_shows_its_help(tmp_path: Path) -> None:
    ran = banksim(cwd=tmp_path)
    assert ran.returncode == 2 and ran.stdout == "" and "\n  population  " in ran.stderr
