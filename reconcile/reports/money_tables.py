"""The tables of a report about money between bank and bureau: due and received, the reconciliation statement. Pure."""

from __future__ import annotations

from typing import Any, Final

from ..words import money as yuan
from ..worklist import CHINESE
from . import words
from .figures import BankPart, Figures
from .periods import DAY
from .sheet import CODE, COUNT, DATE, MONEY, Column, Table, Text

SHOWN: Final = 40  # rows of a list on page and paper


def bank_text(one: BankPart) -> Text:
    return Text(one.name, one.bank)


def owed(f: Figures) -> Table:
    """Of a month or year, by bank."""
    columns = (
        Column("bank", "银行", "bank"), Column("due", "应划", "due", MONEY),
        Column("received", "已划", "received", MONEY),
        Column("missing", "未划", "missing", MONEY, sums=((1, 1), (-1, 2))),
        Column("dates", "未划清日数", "dates not settled", COUNT),
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for one in f.banks:
        dues = [due for due in f.dues if due.bank == one.bank and due.date >= f.period.since]
        due, received = sum(d.due for d in dues), sum(d.received for d in dues)
        rows.append((bank_text(one), due, received, due - received, sum(d.missing != 0 for d in dues)))
    return Table("owed", "资金划拨合计", "Money due and received of the period, yuan", columns, rows, total=True)


def money(f: Figures) -> Table:
    """The period's dates, and whatever is still missing of earlier ones."""
    columns = (
        Column("bank", "银行", "bank"), Column("date", "结算日", "date", DATE, names=True),
        Column("state", "状态", "state"), Column("file_net", "明细文件净额", "our file's net", MONEY),
        Column("moved", "跨日", "moved", MONEY), Column("corrections", "更正", "corrections", MONEY),
        Column("due", "应划", "due", MONEY, sums=((1, 3), (1, 4), (1, 5))),
        Column("received", "已划", "received", MONEY),
        Column("missing", "未划", "missing", MONEY, sums=((1, 6), (-1, 7))),
        Column("days_late", "逾期天数", "days late", COUNT, adds_up=False, aside=True),
    )  # fmt: skip
    names = {one.bank: bank_text(one) for one in f.banks}
    wanted = [
        due for due in f.dues
        if (due.missing and due.state != "OPEN") or (f.period.unit == DAY and due.date == f.period.since)
    ]  # fmt: skip
    rows = [
        (names[d.bank], d.date, Text(*words.STATES[d.told_state]), d.net, d.moved, d.corrections, d.due, d.received,
         d.missing, d.days_late)
        for d in wanted
    ]  # fmt: skip
    note = (
        "应划 = 明细文件净额 + 跨日 + 更正；更正记在差异所属的结算日，退费不减应划。"
        "往期未划清者一并列出，未划为负数即多划。 Corrections count on the date of the exception that they answer, "
        "refunds do not reduce the due. Earlier dates while money is missing; negative: over."
    )
    name = Text("资金划拨", "Money due and received by date, yuan")
    return Table("money", *name, columns, rows, total=True, note=note, shown=SHOWN)


def statement(f: Figures) -> Table:
    columns = (
        Column("bank", "银行", "bank"), Column("due", "应划", "due", MONEY),
        Column("differences", "未入账差异", "unbooked differences", MONEY),
        Column("explained", "调节后", "explained", MONEY, sums=((1, 1), (1, 2))),
        Column("bank_net", "银行净额", "bank's net", MONEY),
        Column("rest", "应为零", "must be 0", MONEY, sums=((1, 4), (-1, 3))),
        Column("files", "文件", "files", COUNT),
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for part, one in zip(f.banks, f.statements, strict=True):
        if not one.accepted:
            rows.append((bank_text(part), None, None, None, None, None, 0))
            continue
        between = sum(line.fen for line in one.differences)
        rows.append((bank_text(part), one.due, between, one.due + between, one.net, one.rest, one.accepted))
    note = "只列已接受银行文件的结算日，“—”为等待文件。 Dates whose bank file is accepted; a dash: the file is awaited."
    return Table("statement", "余额调节表", "Reconciliation statement, yuan", columns, rows, total=True, note=note)


def differences(f: Figures) -> Table:
    columns = (
        Column("id", "编号", "id", CODE), Column("date", "结算日", "date", DATE, names=True),
        Column("of_date", "差异日", "arose", DATE, aside=True), Column("class", "类别", "class", aside=True),
        Column("state", "状态", "state"), Column("bill", "缴费单", "bill", CODE, aside=True),
        Column("fen", "银行多于应划", "bank's net over due", MONEY),
    )  # fmt: skip
    rows = [
        (f"{d.bank}-{d.id}", d.date, d.of_date, Text(CHINESE[d.item_class], d.item_class),
         words.state_of_exception(d.item_class, d.state), d.bill, d.fen)
        for one in f.statements for d in one.differences
    ]  # fmt: skip
    gross = sum(abs(d.fen) for one in f.statements for d in one.differences)
    note = f"绝对额合计 {yuan(gross)} 元。 Gross {yuan(gross)} yuan." if rows else ""
    name = Text("余额调节表明细", "Lines of the reconciliation statement, yuan")
    return Table("difference", *name, columns, rows, total=True, note=note, shown=SHOWN)
