"""`ledgerctl` as an operator types it: what it prints, its exit status, and every failure one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine

from shebao.ledger import backup_cli, cli
from shebao.ledger.cli import ledgerctl
from shebao.ledger.secrets import create_master

CONFIG = """
[switch]
institution = "33011000"
database = "{url}"
state_dir = "{folder}"
master_key_file = "{folder}/master.key"

[admin]
listen = "127.0.0.1:8580"

[banks.rcb]
name = "余杭农村商业银行"
number = "01"
institution = "14293300"
dialect = "rcb"
listen = "127.0.0.1:8581"
allow = ["127.0.0.1/32"]
cutover = "23:00:00"

[banks.icbc]
name = "工商银行"
number = "02"
institution = "01020000"
dialect = "icbc"
listen = "127.0.0.1:8582"
allow = ["127.0.0.1/32"]
cutover = "23:00:00"
"""
BILLS = """bill_number,payer_id,payer_name,office,period_from,period_to,issued,due,last_day,insurance_type,amount_fen,owner_only
33011026112300000010,33011019900101008X,沈建国,余杭街道,202601,202612,2026-11-23,2026-12-20,2026-12-31,170,9000,0
33011026112300000010,33011019900101008X,沈建国,余杭街道,202601,202612,2026-11-23,2026-12-20,2026-12-31,390,3000,0
33011026112300000028,33011019900101008X,沈建国,余杭街道,202601,202612,2026-11-23,2026-12-20,2026-12-31,170,100,0
"""  # noqa: E501


class Desk:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.config = folder / "switch.toml"
        self.config.write_text(CONFIG.format(url=url, folder=folder), encoding="utf-8")

    def type(self, *words: str) -> Result:
        return CliRunner().invoke(ledgerctl, ["--config", str(self.config), *words])

    def fails(self, code: int, *words: str) -> str:
        done = self.type(*words)
        assert done.exit_code == code, done.output
        assert len(done.stderr.splitlines()) == 1 and not done.stdout, done.output
        return done.stderr

    def json(self, *words: str) -> Any:
        done = self.type(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def file(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return str(self.folder / name)


@pytest.fixture
def desk(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(cli, "wall_us", lambda: 1_795_406_400_000_000)  # 2026-11-23, noon
    for name in ("SHEBAO_DATABASE", "SHEBAO_STATE_DIR", "SHEBAO_MASTER_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path, database_url)


@pytest.fixture
def open_desk(desk: Desk) -> Desk:
    """Its database made, and two bills in it."""
    assert desk.type("init").exit_code == 0
    assert desk.type("import-bills", desk.file("bills.csv", BILLS)).exit_code == 0
    return desk


def test_init_makes_all_and_then_nothing(desk: Desk) -> None:
    first, second = desk.type("init"), desk.type("init")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == "database: migrated to 0001\nbooks: new for bureau, rcb, icbc\n"
    assert second.stdout == "database: is of this version already\nbooks: are all there\n"


def test_without_init_it_says_what_to_type(desk: Desk) -> None:
    assert "type: ledgerctl init" in desk.fails(4, "balance")


def test_a_number_is_never_another_banks(open_desk: Desk) -> None:
    text = open_desk.config.read_text()
    open_desk.config.write_text(text.replace("[banks.icbc]", "[banks.ccb]"))
    assert "never reused" in open_desk.fails(4, "init")


def test_import_bills_tells_what_it_took(open_desk: Desk) -> None:
    done = open_desk.type("import-bills", str(open_desk.folder / "bills.csv"))
    assert done.stdout.endswith("bills.csv: read as UTF-8; 0 new bills, 2 were there already\n")


def test_import_faults_are_a_line_each(open_desk: Desk) -> None:
    file = open_desk.file("bad.csv", BILLS.replace(",390,3000,", ",391,-1,"))
    done = open_desk.type("import-bills", file)
    assert done.exit_code == 3 and not done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == f'{file}:3: amount_fen "-1" is no amount; write fen in digits, from 1 to 999999999999'
    assert lines[1].startswith(f'{file}:3: insurance_type "391" is no insurance type; write one of')
    assert lines[2].endswith("is refused whole: 2 faults; correct it and type the same again") and len(lines) == 3


def test_import_people(open_desk: Desk) -> None:
    text = "id,name,phone,card,division,enrolled\n33011019900101008x,沈建国,,6217000000000001,330110,170 390\n"
    done = open_desk.type("import-people", open_desk.file("people.csv", text), "--dry-run")
    assert done.stdout.endswith("1 new people, 0 changed, 0 as they were; nothing was written\n")
    assert open_desk.type("import-people", str(open_desk.folder / "people.csv")).exit_code == 0


def test_a_bill_and_its_withdrawal(open_desk: Desk) -> None:
    number = "33011026112300000010"
    assert open_desk.json("bill", number)["parts"] == {"170": 9000, "390": 3000}
    words = ("withdraw", number, "--reason", "printed twice", "--operator", "zhang")
    assert open_desk.type(*words, "--dry-run").stdout == f"bill {number} would be withdrawn; nothing was written\n"
    assert open_desk.type(*words).stdout == f"bill {number} is withdrawn\n"
    story = open_desk.json("bill", number)
    assert story["status"] == "WITHDRAWN"
    (event,) = story["events"]
    assert (event["move"], event["operator"], event["reason"]) == ("OUTSTANDING>WITHDRAWN", "zhang", "printed twice")
    assert "is WITHDRAWN" in open_desk.fails(3, *words)
    assert "--reason" in open_desk.fails(2, "withdraw", number)
    assert "OUTSTANDING>WITHDRAWN" in open_desk.type("bill", number).stdout


def test_bills_that_are_not_there(open_desk: Desk) -> None:
    assert "no bill" in open_desk.fails(3, "bill", "33011026112300000036")
    assert "check digit" in open_desk.fails(3, "bill", "33011026112300000011")
    assert "20 digits" in open_desk.fails(2, "bill", "12")
    assert "no receipt" in open_desk.fails(3, "payment", "33011026112300000028")
    assert "check digit" in open_desk.fails(3, "payment", "33011026112300000029")
    assert "20 digits" in open_desk.fails(2, "payment", "12")


def test_balance_of_nothing(open_desk: Desk) -> None:
    assert open_desk.json("balance") == []
    assert "no bank" in open_desk.fails(2, "balance", "--bank", "nobody")
    assert "no date" in open_desk.fails(2, "balance", "--date", "2026-02-30")


def test_a_backup_and_what_is_said_of_it(open_desk: Desk, tmp_path: Path) -> None:
    file = str(tmp_path / "books.backup")
    assert "keyctl init" in open_desk.fails(2, "restore", file)  # restored books are signed, so the key comes first
    done = open_desk.type("backup", file)
    assert done.exit_code == 0, done.output
    first, then = done.stdout.splitlines()
    assert first.startswith(f"{file}: 0 events of 3 books, ") and "SHA-256" in first
    assert all(one in then for one in ("master.key", "seal", "switch.toml"))
    assert "never overwritten; give another name" in open_desk.fails(3, "backup", file)
    assert "No such file" in open_desk.fails(3, "backup", str(tmp_path / "nowhere" / "x"))
    assert "Not a directory" in open_desk.fails(3, "backup", f"{file}/x")


def test_a_restore_and_what_is_said_of_it(desk: Desk, tmp_path: Path) -> None:
    create_master(tmp_path / "master.key", bytes)
    assert desk.type("init").exit_code == 0
    file = str(tmp_path / "books.backup")
    assert desk.type("backup", file).exit_code == 0
    tried = desk.type("restore", file, "--dry-run")  # a fresh database takes a restore
    assert tried.exit_code == 0 and tried.stdout.startswith(f"{file} is whole: 0 events") and not tried.stderr
    assert "nothing was written" in tried.stdout and not (tmp_path / "seal").exists()
    assert "printable" in desk.fails(3, "restore", file, "--operator", " ")
    assert "No such file" in desk.fails(3, "restore", f"{file}.old")
    assert "is no backup" in desk.fails(3, "restore", desk.file("x", "hello"))
    assert "directory" in desk.fails(3, "restore", str(tmp_path))
    done = desk.type("restore", file, "--operator", "zhang")
    assert done.exit_code == 0, done.output
    assert "rcb" in done.stdout and "receipts go on after 000000000 with" in done.stdout and "verify" in done.stdout
    told = desk.type("verify")
    assert told.exit_code == 0 and "was restored at" in told.stdout and "by zhang" in told.stdout, told.output
    assert [one["notes"] for one in desk.json("verify") if one["notes"]]
    assert "not empty" in desk.fails(3, "restore", file)
    assert "not empty" in desk.fails(3, "restore", file, "--dry-run")


def test_a_restore_interrupted_before_its_logs_is_finished_by_whoever_signs_next(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_master(tmp_path / "master.key", bytes)
    assert desk.type("init").exit_code == 0 and desk.type("backup", str(tmp_path / "b")).exit_code == 0
    with monkeypatch.context() as patch:
        patch.setattr(backup_cli, "begin", lambda *_: 1 // 0)
        assert isinstance(desk.type("restore", str(tmp_path / "b")).exception, ZeroDivisionError)
    assert sorted(path.name for path in (tmp_path / "seal").glob("rcb*")) == ["rcb.log.next"]
    assert desk.type("import-bills", desk.file("bills.csv", BILLS)).exit_code == 0
    assert desk.type("withdraw", "33011026112300000028", "--reason", "printed twice").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "seal").glob("rcb*")) == ["rcb.log"]
    first, second = (tmp_path / "seal" / "rcb.log").read_text(encoding="ascii").splitlines()
    assert first.startswith("shebao-restore-1 ") and second.startswith("shebao-anchor-1 ")
    assert desk.type("verify").exit_code == 0


def test_usage(desk: Desk) -> None:
    assert "ledgerctl --help" in desk.fails(2, "nothing-of-the-kind")
    assert "Usage" in CliRunner().invoke(ledgerctl, ["--help"]).stdout
    alone = CliRunner().invoke(ledgerctl, [])
    assert alone.exit_code == 2 and alone.stdout == "" and "\n  balance  " in alone.stderr
    assert CliRunner().invoke(ledgerctl, ["--version"]).stdout.startswith("ledgerctl ")
    desk.config.unlink()
    assert "--config FILE" in desk.fails(2, "balance")


def test_a_payment_with_its_void_and_the_balance(till: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "wall_us", lambda: till.now_us)
    desk = Desk(tmp_path, till.url)
    one, two = till.add_bills(2)
    paid, other = till.request("payment", one), till.request("payment", two)
    till.ask(paid, other)
    assert desk.json("balance", "--bank", "rcb") == [
        {"account": "clearing:rcb", "balance": 24000},
        {"account": "fund:170", "balance": 18000},
        {"account": "fund:390", "balance": 6000},
    ]
    till.ask(till.undo("void", paid))
    ((receipt,),) = till.rows("SELECT receipt FROM payment WHERE seq = 1")
    story = desk.json("payment", str(receipt))
    assert (story["state"], [event["kind"] for event in story["events"]]) == ("VOIDED", ["payment", "void"])
    assert [(row["debit"], row["credit"], row["amount"]) for row in story["transfers"]] == [
        ("clearing:rcb", "fund:170", 9000), ("clearing:rcb", "fund:390", 3000),
        ("fund:170", "clearing:rcb", 9000), ("fund:390", "clearing:rcb", 3000),
    ]  # fmt: skip
    assert desk.json("balance", "--date", "2026-11-22") == []
    assert desk.type("balance").stdout.splitlines()[-2:] == [
        f"{'debit':24} {'120.00':>20}",
        f"{'credit':24} {'120.00':>20}",
    ]
    assert desk.type("payment", str(receipt)).exit_code == 0


def test_verify_proves_and_names_what_does_not_fit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.type("init")
    desk.type("import-bills", desk.file("bills.csv", BILLS))
    create_master(desk.folder / "master.key", lambda size: bytes(range(size)))
    number = "33011026112300000010"
    assert desk.type("withdraw", number, "--reason", "printed twice").exit_code == 0
    assert (desk.folder / "seal" / "bureau.log").read_text(encoding="ascii").startswith("shebao-anchor-1 ")
    monkeypatch.setattr(cli, "wall_us", lambda: 1_795_500_000_000_000)  # a day later: it was signed at once
    done = desk.type("verify")
    assert done.exit_code == 0 and "right  the seal  (1 looked at)" in done.stdout and "WRONG" not in done.stdout
    assert all(one["faults"] == 0 for one in desk.json("verify"))
    engine = create_engine(desk.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE bill SET status = 'OUTSTANDING' WHERE number = {number[:19]}")
    engine.dispose()
    done = desk.type("verify")
    told = f"bill 330110/{number[:19]}: status is OUTSTANDING, right is WITHDRAWN: by its last sealed move in event 0/1"
    assert done.exit_code == 1 and told in done.stdout
    assert told in done.stderr and len(done.stderr.splitlines()) == 1
    (wrong,) = [one for one in json.loads(desk.type("verify", "--json").stdout) if one["faults"]]
    assert wrong["findings"] == [{"table": "bill", "key": f"330110/{number[:19]}", "what": told.partition(": ")[2]}]
    (desk.folder / "master.key").unlink()  # as an auditor, without it
    (desk.folder / "seal" / "bureau.log").unlink()
    assert "2 faults; the first: anchor" in desk.type("verify").stderr


def test_verify_without_a_database(desk: Desk) -> None:
    assert "ledgerctl init" in desk.fails(4, "verify")
