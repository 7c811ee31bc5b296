"""A week of four banks, a weekend and a public holiday in it, from cut-over to SETTLED by commands alone.

Planted faults are the bank simulator's, and every class is planted. The clerks do what docs/evening.md
and docs/morning.md tell; after each morning all sums are worked out anew.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from shebao_bureau import ROOT, Bureau
from shebao_sums import check

from shebao.ledger.day import add_days, us_of
from shebao.simulators.planting import plant

pytestmark = pytest.mark.slow
FIRST, DATES = 20260929, 8  # Tuesday to Tuesday: National Day from the 1st to the 7th, a weekend within
BANKS = ("rcb", "icbc", "ccb", "boc")
PLANTED = {"missing": 1, "added": 1, "amount": 1, "twice": 1, "state": 1}
ACTIONS = {  # what the morning's table says of each class
    "BANK_ONLY": "pay", "LEDGER_ONLY": "carry", "AMOUNT_DIFFERS": "suspense", "DUPLICATE": "return",
    "STATE_DIFFERS": "reverse",
}  # fmt: skip
MAKER, CHECKER = ("--operator", "沈芳", "--reason", "已与银行核对"), ("--operator", "俞立", "--reason", "复核无误")


class Week:
    """The bureau, and what was planted in whose file of which date."""

    def __init__(self, bureau: Bureau) -> None:
        self.bureau, self.dice = bureau, random.Random(20260929)
        self.unpaid: list[tuple[str, int]] = []

    def done(self, *words: str, code: int = 0) -> Any:
        said = self.bureau.type(*words)
        assert said.exit_code == code, (words, said.output)
        return said

    def trade(self) -> None:
        """A day at the counters: payments, voids, reversals, late advices, some of no bill."""
        for bank in BANKS:
            paid = [self.bureau.pay(bank, 12000 + 100 * n, parts=f"170:{9000 + 100 * n} 390:3000") for n in range(9)]
            self.bureau.undo(paid[0])
            self.bureau.undo(self.bureau.undo(paid[1], "void"))
            self.bureau.undo(paid[2], "void")
            self.bureau.pay(bank, mti="0220")
        self.bureau.pay("boc", mti="0220", bill="33011026110199999996", fen=777)

    def deliver(self, bank: str, date: int) -> Counter[str]:
        fen = 15000
        bill = self.bureau.bill(fen)
        lines, planted = plant(self.bureau.our_lines(bank, date), PLANTED, self.dice, [(bill, fen)])
        self.dice.shuffle(lines)
        self.bureau.deliver(bank, date, lines=lines)
        return Counter(one.item_class for one in planted)

    def evening(self, date: int) -> None:
        """Every bank is closed, its file comes, and is compared: all that was planted is found, and nothing else."""
        for bank in BANKS:
            self.bureau.close(bank, date)
            self.done("run", "--bank", bank, "--date", str(date), code=5)
            planted = self.deliver(bank, date)
            told = self.bureau.told("run", "--bank", bank, "--date", str(date), code=1)
            found = {name: n for name, n in told["classes"].items() if n and name != "MATCHED"}
            assert found == dict(planted), (bank, date)
            assert told["exceptions_open"] == sum(planted.values())
        assert self.bureau.type("status").exit_code == 1

    def morning(self, date: int) -> None:
        """Two clerks decide in bulk; what was carried yesterday is reversed; suspense goes back."""
        self.bureau.next_day()
        for item_class, action in ACTIONS.items():
            self.done("propose", "--class", item_class, "--date", str(date), "--action", action, *MAKER)
        self.done("propose", "--class", "LEDGER_ONLY", "--date", str(add_days(date, -1)), "--action", "reverse", *MAKER)
        self.done("propose", "--class", "SUSPENSE", "--date", str(date), "--action", "return", *MAKER)
        for bank in BANKS:
            self.done("approve", "--bank", bank, *CHECKER)
        for bank in BANKS:
            assert self.bureau.told("run", "--bank", bank, "--date", str(date))["state"] == "RECONCILED"
        check(self.bureau)

    def money(self, today: int) -> None:
        """Each bank moves what it owes for the dates that are reconciled, in one transfer."""
        self.bureau.now_us = us_of(today * 1_000_000 + 140000)
        for bank in BANKS:
            owed = [one for one in self.bureau.told("funds", "--bank", bank) if one["missing"]]
            if not owed:
                continue
            fen = sum(one["missing"] for one in owed)
            told = self.bureau.told(
                "receive", "--bank", bank, "--date", ",".join(one["date"] for one in owed), "--amount",
                f"{fen // 100}.{fen % 100:02d}", "--reference", f"{bank}-{today}", "--received-on", str(today),
                "--operator", "沈芳",
            )["id"]  # fmt: skip
            self.done("approve", told, *CHECKER)
        check(self.bureau)


@pytest.fixture
def week(bureau: Bureau) -> Week:
    shutil.copy(ROOT / "etc" / "holidays.toml", bureau.config.parent / "holidays.toml")
    return Week(bureau)


@pytest.fixture
def bureau(tmp_path: Path) -> Any:
    from shebao.ledger.store import migrate

    url = f"sqlite:///{tmp_path / 'shebao.db'}"
    migrate(url)
    one = Bureau(tmp_path, url, today=FIRST)
    yield one
    one.store.close()


@pytest.mark.timeout(900)
def test_from_cut_over_to_settled(week: Week) -> None:
    bureau = week.bureau
    for n in range(DATES):
        date = add_days(FIRST, n)
        week.trade()
        week.evening(date)
        week.morning(date)
        # no bank moves money in the holidays: the 30th's and all later dates' comes on the 8th
        if date == FIRST:
            week.money(add_days(date, 1))
        page = bureau.told("report", "--date", str(date))
        assert page["verdict"]["level"] != "bad", page["verdict"]
    last = add_days(FIRST, DATES - 1)
    late = {(one["bank"], one["date"]): one["days_late"] for one in bureau.told("funds")}
    assert set(late.values()) == {0}  # the next working day after each date is the 8th: not late yet
    week.bureau.now_us = us_of(20261009 * 1_000_000 + 90000)
    assert {one["days_late"] for one in bureau.told("funds") if one["missing"] > 0} == {1}
    # the last date's carried ones are reversed too, what was put into suspense goes back, then the money comes
    week.done("propose", "--class", "LEDGER_ONLY", "--date", str(last), "--action", "reverse", *MAKER)
    week.done("propose", "--class", "SUSPENSE", "--action", "return", *MAKER)
    for bank in BANKS:
        week.done("approve", "--bank", bank, *CHECKER)
    check(bureau)
    week.money(20261009)
    assert {one["state"] for one in bureau.told("funds")} == {"SETTLED"}
    assert not bureau.told("exceptions")
    assert bureau.told("status")
    _reports_agree(bureau)


def _reports_agree(bureau: Bureau) -> None:
    """Days and month tell the same money, in the workbook as in the books."""
    days = [bureau.told("report", "--date", str(add_days(FIRST, n))) for n in range(DATES)]
    months = [bureau.told("report", "--month", month) for month in ("2026-09", "2026-10")]
    assert {one["verdict"]["level"] for one in days} == {"good"}
    assert [one["verdict"]["level"] for one in months] == ["good", "wait"]  # October goes on
    for name in ("payments", "payments_fen", "reversals_fen"):
        assert sum(one["total"][name] for one in days) == sum(one["total"][name] for one in months)
    for label in ("2026-09-30", "2026-10"):
        folder = bureau.state / "reports" / label
        assert {"settlement.html", "settlement.xlsx", "settlement.pdf"} <= {path.name for path in folder.iterdir()}
        book = openpyxl.load_workbook(folder / "settlement.xlsx", data_only=True)
        assert all(cell is not None for cell in (book.worksheets[0].cell(1, 1).value,))
