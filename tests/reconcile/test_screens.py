"""What the desk's screens say: what waits and about what, what to type next, in Chinese and English."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest
from rich.cells import cell_len
from shebao_clerks import WHY, D, listed, propose

from shebao.reconcile import commands
from shebao.reconcile.funds_cli import COLUMNS as FUNDS
from shebao.reconcile.sheet import COLUMNS
from shebao.reconcile.table import print_table
from shebao.reconcile.terms import action_of, class_of

BY = ("--operator", "甲")
RECEIPT = ("receive", "--bank", "icbc", "--date", "2026-11-23", "--amount", "30000", "--reference", "R-1",
           "--received-on", "2026-11-24", *BY)  # fmt: skip


def test_funds_that_wait_are_shown_with_their_dates_and_approved_by_id(three: Any) -> None:
    told = three.told(*RECEIPT)["id"]
    wanted = f"{told} 到账 received 30,000.00 元 R-1, 收于 on 2026-11-24, 结算日 for 2026-11-23 · 甲"
    assert wanted in three.type("funds").stdout
    done = three.type("approve", "--bank", "icbc", *WHY, "--operator", "乙")
    assert done.exit_code == 0 and f"1 of icbc waits about funds or a file, each by its id: {told}" in done.stdout
    assert three.type("approve", told.upper(), *WHY, "--operator", "乙").exit_code == 0
    told = three.told("receive", "--bank", "icbc", "--cancel", "R-1", *BY)["id"]
    assert f"{told} 冲销 cancel 到账 received 30,000.00 元 R-1, 结算日 for 2026-11-23" in three.type("funds").stdout
    three.deliver("icbc", D, lambda lines: [lines[0]._replace(amount=1)])
    told = three.told("run", "--bank", "icbc", "--replace", *WHY, *BY)["id"]
    assert f"{told} 替换文件 replace file icbc 2026-11-23 · 甲" in three.type("funds").stdout


def test_chinese_names_are_taken(three: Any, tmp_path: Path) -> None:
    assert [class_of(one) for one in ("长款", "bank_only", "长款 BANK_ONLY", "x")] == ["BANK_ONLY"] * 3 + ["x"]
    assert [action_of(one) for one in ("入账", "PAY", "入账 pay", "同意", "pay accept")] == [
        "pay", "pay", "pay", "approve", "pay accept"
    ]  # fmt: skip
    done = three.type("propose", "--class", "短款", "--action", "认账", *WHY, *BY)
    assert done.exit_code == 0 and "1 proposed" in done.stdout
    told = next(one["id"] for one in listed(three) if one["class"] == "BANK_ONLY")
    assert f"→ reconcile approve {told} " in propose(three, told.upper(), "Pay").stdout
    path = tmp_path / "list.xlsx"
    assert three.type("worklist", "--xlsx", str(path)).exit_code == 0
    book, heads = openpyxl.load_workbook(path), list(COLUMNS)
    rows = [n for n in range(2, 6) if book.active.cell(n, heads.index("state") + 1).value == "OPEN"]
    assert book.active.cell(rows[0], heads.index("class") + 1).value == "长款 BANK_ONLY"
    for name, value in (("decision", "入账"), ("reason", "好")):
        book.active.cell(rows[0], heads.index(name) + 1).value = value
    book.active.cell(rows[1], heads.index("decision") + 1).value = "reverse it"
    book.save(path)
    done = three.type("worklist", "--import", str(path), *BY)
    assert "is none for OPEN BANK_ONLY; write pay, suspense, return, carry, accept\n" in done.output
    book.active.cell(rows[1], heads.index("decision") + 1).value = None
    book.save(path)
    assert three.type("worklist", "--import", str(path), *BY).exit_code == 0


@pytest.mark.parametrize("line", [("worklist", "--import", "x.xlsx"), ("receive", "--statement", "x.csv")])
def test_a_file_that_is_not_there(bureau: Any, line: tuple[str, ...]) -> None:
    done = bureau.type(*line, *BY)
    assert done.exit_code == 3 and f"文件不存在 there is no such file: {line[-1]}" in done.output


def test_a_run_after_decisions_tells_them_apart(three: Any) -> None:
    assert "4 笔待处理  4 to look at; type: " in three.type("run", "--bank", "icbc").stdout
    told = next(one["id"] for one in listed(three) if one["class"] == "BANK_ONLY")
    propose(three, told, "accept")
    assert three.type("approve", told, *WHY, "--operator", "乙").exit_code == 0
    done = three.type("run", "--bank", "icbc")
    assert "4 differences, 1 decided or explained, 3 open; type: " in done.stdout


def test_one_with_its_history_tells_what_to_ask_the_bank(three: Any) -> None:
    told = next(one for one in listed(three) if one["class"] == "BANK_ONLY")
    head, ledger, bank, found = three.type("show", told["id"].upper()).stdout.splitlines()
    assert head.startswith(f"{told['id']}  长款 BANK_ONLY  2026-11-23  OPEN  ")
    assert ledger.split() == ["账上", "ledger", "—"]
    assert "120.00 元 · 交易 at 2026-11-23 09:00:" in bank and f"STAN {told['stan']} · 终端 terminal T0000001" in bank
    assert found.endswith("BANK_ONLY, 2026-11-23  120.00 元")
    propose(three, told["id"], "pay")
    waits = next(one["waiting"]["id"] for one in listed(three) if one["id"] == told["id"])
    shown = three.type("show", waits).stdout.splitlines()
    assert shown[0] == f"{waits} 入账 pay about {told['id']} 长款 BANK_ONLY 2026-11-23 120.00 元"
    assert three.type("reject", told["id"], *WHY, "--operator", "乙").exit_code == 0
    three.deliver("icbc", D)  # the bank's own file without them
    asked = three.told("run", "--bank", "icbc", "--replace", *WHY, *BY)["id"]
    assert three.type("approve", asked, *WHY, "--operator", "乙").exit_code == 0
    three.told("run", "--bank", "icbc", code=None)
    assert "CLOSED" in (done := three.type("show", told["id"]).stdout) and "关闭 closed: " in done


@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_id_bill_or_amount_is_ever_cut(three: Any, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """However narrow the terminal is; and a name is no markup."""
    monkeypatch.setattr(commands, "PLAIN_WIDTH", width)
    told = next(one["id"] for one in listed(three) if one["class"] == "BANK_ONLY")
    propose(three, told, "pay", by="[甲]")
    done = three.type("exceptions").stdout
    assert "…" not in done and "PROPOSED by [甲]" in done
    for one in listed(three):
        assert one["id"] in done and one["bill"] in done and "120.00" in done and one["date"] in done
    if width == 80:
        assert max(cell_len(line) for line in done.splitlines()) <= 80, done


def test_large_money_fits_into_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "PLAIN_WIDTH", 80)
    print_table(FUNDS, [("icbc", "2026-11-23", "RECONCILED", *["12,345,678.90"] * 3, "12")])
    done = capsys.readouterr().out
    assert done.count("12,345,678.90") == 3 and max(map(cell_len, done.splitlines())) <= 80, done
