"""The vouchers: debits equal credits, their sum is the trial balance's movement, and no spreadsheet runs one."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import Any

import pytest
from shebao_made_day import everything, report

from shebao.reconcile.reports import vouchers


def lines(data: bytes) -> list[dict[str, str]]:
    assert data.startswith(b"\xef\xbb\xbf") and data.count(b"\n") == data.count(b"\r\n")
    return list(csv.DictReader(data.decode("utf-8-sig").splitlines()))


def test_their_sum_is_the_movement_of_each_account(any_bureau: Any) -> None:
    everything(any_bureau, spread=4)
    made = report(any_bureau)
    moved: dict[str, list[Decimal]] = {}
    for line in lines(vouchers.render(made)):
        for side, n in (("借方科目", 0), ("贷方科目", 1)):
            moved.setdefault(line[side], [Decimal(0), Decimal(0)])[n] += Decimal(line["金额"])
    assert {a.account: [Decimal(a.debit) / 100, Decimal(a.credit) / 100] for a in made.figures.accounts} == moved
    assert sum(debit for debit, _ in moved.values()) == sum(credit for _, credit in moved.values())


def test_each_tells_date_bank_and_cause(bureau: Any) -> None:
    everything(bureau)
    found = lines(vouchers.render(report(bureau)))
    (line,) = (one for one in found if one["业务"] == "挂账入账" and one["贷方科目"] == "fund:110")
    told = [line[name] for name in ("日期", "银行", "借方科目", "金额")]
    assert told == ["2026-11-23", "icbc", "suspense:icbc", "5.00"]
    assert line["摘要"].endswith("挂账入账 1 项") and line["贷方科目名称"] == "基金收入-110 企业职工养老"
    assert line["借方科目名称"] == "挂账-icbc"
    assert all(not one["业务"].isascii() for one in found)
    numbers = [one["凭证号"] for one in found]
    assert len(set(numbers)) == len(numbers)
    keys = [(one["日期"], one["银行"], one["业务"], one["借方科目"], one["贷方科目"]) for one in found]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("cell", "told"), [("=1+1", "'=1+1"), ("@x", "'@x"), ("-2", "'-2"), ("+8", "'+8"), ("缴费", "缴费")]
)
def test_no_cell_is_a_formula(cell: str, told: str) -> None:
    assert vouchers.safe(cell) == told
