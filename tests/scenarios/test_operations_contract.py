"""What every command owes an operator, by the words of the operations contract: one line on standard error that says
what is wrong and what to type next, an exit status that tells the kind, never a traceback, whatever the streams are."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from shebao_harness import KEYS, Switch, bill_number, command, environment

from shebao.ledger.cli import ledgerctl
from shebao.reconcile.cli import reconcile
from shebao.simulators.cli import banksim
from shebao.switch.cli import switchd
from shebao.switch.keyctl import keyctl

COMMANDS = {"switchd": switchd, "ledgerctl": ledgerctl, "keyctl": keyctl, "reconcile": reconcile, "banksim": banksim}
Done = subprocess.CompletedProcess[str]


HEADER = (
    "bill_number,payer_id,payer_name,office,period_from,period_to,issued,due,last_day,insurance_type,amount_fen,"
    "owner_only"
)
BILLS = [bill_number(n) for n in range(1, 7)]
FEN = 48_000


def line_of(bill: str) -> str:
    return f"{bill},33011019900101008X,沈建国,良渚,202601,202612,2026-11-01,2026-12-01,2099-12-31,390,{FEN},0"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small switch that does not run: keys, books, some bills. Its commands run in this process, which is quick."""
    town = Switch(tmp_path_factory.mktemp("ready") / "s")
    bills = town.folder / "bills.csv"
    bills.write_text("\n".join([HEADER, *map(line_of, BILLS)]) + "\n", encoding="utf-8")
    for tool, *words in (
        ("keyctl", "init"),
        ("ledgerctl", "init"),
        *(("keyctl", "load", "--bank", bank, "--kind", "mac", "--hex", key) for bank, key in KEYS.items()),
        ("ledgerctl", "import-bills", str(bills)),
    ):
        done = here(town, tool, *words)
        assert done.exit_code == 0, done.output
    return town.folder


@pytest.fixture
def town(ready: Path, tmp_path: Path) -> Switch:
    shutil.copytree(ready, tmp_path / "s", ignore=shutil.ignore_patterns("switch.toml"))
    return Switch(tmp_path / "s")


def here(town: Switch, tool: str, *words: str, stdin: str = "") -> Result:
    """A command in this process."""
    return CliRunner().invoke(COMMANDS[tool], ["--config", str(town.config), *words], input=stdin)


def typed(town: Switch, text: str, **more: str) -> Done:
    """A line of shell, a process of its own; after the command's name comes `--config FILE`."""
    name, _, rest = text.partition(" ")
    line = f"{shlex.join(command(name))} --config {town.config} {rest}"
    env = {**environment(), **more}
    return subprocess.run(["sh", "-c", line], cwd=town.folder, env=env, capture_output=True, text=True, timeout=60)


def one_line(done: Done, status: int, *words: str) -> None:
    assert done.returncode == status, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1 and not done.stdout, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr


# -- streams ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", [f"ledgerctl bill {BILLS[0]}", "banksim population --bills 2 --out made"])
def test_an_output_that_is_closed_or_full_or_of_another_encoding(town: Switch, text: str) -> None:
    closed = typed(town, f"{text} >&-")
    assert (closed.returncode, closed.stderr) == (0, "")
    full = typed(town, f"{text} >/dev/full")
    one_line(full, 3, "No space left", "type it again")
    foreign = typed(town, text, PYTHONUTF8="0", PYTHONIOENCODING="latin-1")
    assert (foreign.returncode, foreign.stderr) == (0, "") and foreign.stdout.isascii()  # escapes


@pytest.mark.parametrize(
    "text",
    ["keyctl load --bank rcb --kind mac --hex - <&-", "banksim load --bank rcb --bills bills.csv --key - <&-"],
)
def test_a_closed_standard_input_is_an_empty_key(town: Switch, text: str) -> None:
    one_line(typed(town, text), 2, "key")


def test_with_all_streams_closed_the_daemon_serves_and_ends_with_0(town: Switch, tmp_path: Path) -> None:
    with town, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "n"))
        systemd.settimeout(60)
        line = f"exec {shlex.join(command('switchd'))} --config {town.config} run <&- >&- 2>&-"
        env = {**environment(), "NOTIFY_SOCKET": str(tmp_path / "n")}
        daemon = subprocess.Popen(["sh", "-c", line], cwd=town.folder, env=env)
        try:
            assert systemd.recv(100) == b"READY=1"
            assert town.get("/readyz")[0] == 200
            assert town.line("rcb").sign_on().pay("000001", BILLS[0], FEN).code == "00"
            shutil.move(town.config, town.folder / "away.toml")
            daemon.send_signal(signal.SIGHUP)
            assert town.get("/healthz")[0] == 200  # a file that is not there leaves the old configuration running
            assert town.line("boc").sign_on().pay("000002", BILLS[1], FEN).code == "00"
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(60) == 0
        finally:
            daemon.kill()
            daemon.wait()


# -- what is typed wrong ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("tool", COMMANDS)
def test_each_command_tells_its_version_alike_and_each_sub_command_its_help(tool: str) -> None:
    assert CliRunner().invoke(COMMANDS[tool], ["--version"]).stdout == f"{tool} 0.1.0\n"
    for sub in COMMANDS[tool].commands:
        done = CliRunner().invoke(COMMANDS[tool], [sub, "--help"])
        assert (done.exit_code, done.stderr) == (0, "") and sub in done.stdout.splitlines()[0]


WRONG = [  # sub-command's line, exit status, and what the one line says
    ("banksim population --out switch.toml/x", 3, "switch.toml/x"),
    ("banksim population --date 9999-12-31", 2, "YYYY-MM-DD"),
    ("banksim population --date ２０２６-11-23", 2, "YYYY-MM-DD"),
    ("banksim population --date 2026--11-23", 2, "YYYY-MM-DD"),
    ("banksim load --bank rcb --bills bills.csv --key 00 --rate nan", 2, "--rate"),
    ("banksim run --bank rcb --bills bills.csv --key 00 --speed nan", 2, "--speed"),
    ("reconcile close --bank rcb --date 2031-01-01", 3, "type: reconcile status"),
    ("reconcile run --bank rcb --date 2031-01-01", 3, "type: reconcile status"),
    ("reconcile run --bank rcb --replace", 2, "--reason"),
    ("reconcile run --bank rcb --reason x", 2, "--replace"),
    ("reconcile propose rcb-1 --action pay", 2, "--reason"),
    ("reconcile propose rcb-1 --action give --reason x", 2, "--action"),
    ("reconcile propose --action pay --reason x", 2, "give an id"),
    ("reconcile propose rcb-1 --bank rcb --action pay --reason x", 2, "not both"),
    ("reconcile propose rcb-9 --action pay --reason x --operator z", 3, "no such exception"),
    ("reconcile approve rcb-9 --reason x", 2, "--operator NAME"),
    ("reconcile approve nonsense --reason x", 2, "no id"),
    ("reconcile approve rcb-9 --reason x --operator z", 3, "there is no rcb-9"),
    ("reconcile reject rcb-9 --reason x --operator z", 3, "there is no rcb-9"),
    ("reconcile show rcb-9", 3, "there is no rcb-9"),
    ("reconcile receive --bank rcb --date 2026-11-23 --amount 1,000 --reference r", 2, "1234.50"),
    ("reconcile receive --bank rcb", 2, "--amount"),
    ("reconcile payback --bank rcb", 2, "--amount"),
    ("reconcile sweep --bank rcb --reference r --type 170", 2, "--amount"),
    ("reconcile refund 123", 2, "20 digits"),
    ("reconcile worklist", 2, "--xlsx"),
    ("reconcile funds --bank xyz", 2, "banks are"),
    (f"ledgerctl withdraw {BILLS[0]} --reason x --operator ' '", 3, "operator"),
    (f"ledgerctl withdraw {BILLS[0]} --reason ' ' --operator z", 3, "reason"),
    ("ledgerctl import-bills .", 2, "can't be read"),
]


@pytest.mark.parametrize(("text", "status", "says"), WRONG, ids=[text for text, _, _ in WRONG])
def test_what_is_typed_wrong_is_one_line(
    town: Switch, monkeypatch: pytest.MonkeyPatch, text: str, status: int, says: str
) -> None:
    monkeypatch.chdir(town.folder)
    done = here(town, *shlex.split(text))
    assert (done.exit_code, done.stdout) == (status, ""), done.output
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr, done.stderr


# -- no way back: --dry-run ------------------------------------------------------------------------------------------

def test_what_can_not_be_undone_can_be_tried(town: Switch) -> None:
    date = _open_date(town)
    tried = here(town, "reconcile", "close", "--bank", "icbc", "--date", date, "--dry-run")
    assert "would be closed" in tried.stdout and "nothing was written" in tried.stdout
    told = json.loads(here(town, "reconcile", "close", "--bank", "icbc", "--date", date, "--dry-run", "--json").stdout)
    assert told == {"bank": "icbc", "date": date, "cut_over": True, "files": [], "dry_run": True}
    assert _open_date(town) == date and not (town.folder / "var" / "outbox").exists()
    keys = here(town, "keyctl", "list", "--json").stdout
    tried = here(town, "keyctl", "load", "--bank", "icbc", "--kind", "mac", "--hex", "-", "--dry-run", stdin="A1" * 16)
    assert "check value" in tried.stdout and "nothing was stored" in tried.stdout
    assert here(town, "keyctl", "list", "--json").stdout == keys
    here(town, "reconcile", "close", "--bank", "icbc", "--date", date)
    assert "written again" in here(town, "reconcile", "close", "--bank", "icbc", "--date", date, "--dry-run").stdout


def _open_date(town: Switch) -> str:
    done = here(town, "reconcile", "status", "--json")
    (icbc,) = [one for one in json.loads(done.stdout) if one["bank"] == "icbc"]
    return str(icbc["open_date"])


# -- files that come in ----------------------------------------------------------------------------------------------

def test_of_many_faults_a_hundred_and_their_number(town: Switch) -> None:
    file = town.folder / "many.csv"
    bad = line_of(BILLS[0]).replace(f",{FEN},", ",１,")
    file.write_text("\n".join([HEADER, *[bad] * 101]), encoding="utf-8")
    done = here(town, "ledgerctl", "import-bills", str(file))
    lines = done.stderr.splitlines()
    assert (done.exit_code, done.stdout, len(lines)) == (3, "", 101) and "101 faults" in lines[-1]
    assert [line.removeprefix(f"{file}:").split(":")[0] for line in lines[:-1]] == [str(n) for n in range(2, 102)]


# -- tampering, with the database's own tool -------------------------------------------------------------------------

def test_one_fault_is_told_as_one_and_events_are_final(town: Switch) -> None:
    done = here(town, "ledgerctl", "withdraw", BILLS[0], "--reason", "printed twice")
    assert done.exit_code == 0, done.output
    with sqlite3.connect(town.folder / "shebao.db") as books:
        with pytest.raises(sqlite3.IntegrityError, match="final"):
            books.execute("UPDATE event SET reason = 'x'")
        books.execute("UPDATE bill SET status = 'EXPIRED' WHERE number = ?", (int(BILLS[5][:19]),))
    books.close()
    done = here(town, "ledgerctl", "verify")
    assert done.exit_code == 1 and len(done.stderr.splitlines()) == 1
    assert f"1 fault; the first: bill 330110/{BILLS[5][:19]}: status is EXPIRED" in done.stderr
    log = town.folder / "var" / "seal" / "bureau.log"
    log.unlink()
    log.mkdir()
    assert "Is a directory" in here(town, "ledgerctl", "verify").stderr
