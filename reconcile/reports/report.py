"""One report, whole: figures, tables, and what it says of itself. Page, workbook and paper take it from here."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from ..words import money
from . import words
from .figures import Figures
from .periods import TITLES
from .sheet import Column, Table, Text, shown
from .tables import tables
from .verdict import Verdict, verdict

CHANGES_SHOWN: Final = 30


class Change(NamedTuple):
    """A figure that another version had otherwise; None: it was, or is, not there."""

    table: str
    row: str
    column: str
    before: int | str | None
    after: int | str | None


class Report(NamedTuple):
    figures: Figures
    tables: list[Table]
    verdict: Verdict
    version: int
    as_of: datetime  # aware
    changes: list[Change]  # since the version before
    declared: bool  # operators are who they say they are
    program: str  # its version

    @property
    def title(self) -> Text:
        chinese, english = TITLES[self.figures.period.unit]
        return Text(f"社保缴费{chinese}", f"{english} settlement report")

    @property
    def sheets(self) -> list[Table]:
        """All tables; what changed since the version before, if anything did, behind the figures."""
        return [*self.tables[:-1], _changed(self), self.tables[-1]] if self.changes else self.tables

    @property
    def news(self) -> Text:
        """For its head: how much changed since the version before, and where that stands; empty: nothing did."""
        if not self.changes:
            return Text("")
        table, number = _changed(self), len(self.changes)
        return Text(f"第 {self.version} 版：{number:,} 项数字与第 {self.version - 1} 版不同，见后「{table.chinese}」",
                    f"version {self.version}: {number:,} figures differ, see “{table.english}”")  # fmt: skip

    @property
    def tiles(self) -> list[tuple[Text, str]]:
        """The figures that one reads first."""
        total = self.figures.total
        minute, most = self.figures.peak
        return [
            (Text("缴费笔数", "payments"), f"{total.payments:,}"),
            (Text("缴费金额，元", "collected"), money(total.payments_fen)),
            (Text("净额，元", "net"), money(total.net)),
            (Text("最忙一分钟", "peak minute"), f"{minute} · {most:,} 笔" if most else "—"),
        ]

    @property
    def says(self) -> list[Text]:
        """What it says of itself, at its foot."""
        told = words.stamp(self.as_of)
        lines = [
            Text(f"版本 {self.version}，截至 {told}", f"version {self.version}, as of {told} CST"),
            Text("编制时所见末笔账簿事件：" + self.seen, "last journal event seen, by bank"),
        ]
        for one in self.figures.banks:
            lines += [
                Text(
                    f"{one.name} {one.bank}：账簿于 {words.moment(at_us)} 由备份恢复，其后收据序号从 {serial} 起，"
                    "此前丢失的交易以银行对账文件为准",
                    "books restored from a backup; what was lost comes back from the bank's file",
                )
                for at_us, serial in one.restored
            ]  # fmt: skip
        if self.declared:
            lines.append(Text("经办人身份为自报，未经系统核验", "operators are as declared"))
        return [*lines, Text(f"社保缴费交换平台 {self.program}", "Shebao Switch")]

    @property
    def seen(self) -> str:
        return "、".join(f"{one.bank} {one.seen:,}" for one in self.figures.banks)


def compose(figures: Figures, as_of: datetime, identity: str, program: str) -> Report:
    """Version 1 of a report; `versions` knows whether it is another."""
    return Report(figures, tables(figures), verdict(figures), 1, as_of, [], identity == "declared", program)


def _changed(report: Report) -> Table:
    named = {(table.key, column.key): (table, column) for table in report.tables for column in table.columns}
    rows = []
    for one in report.changes:
        if (one.table, one.column) in named:
            table, column = named[one.table, one.column]
            where, what = Text(table.chinese), Text(column.chinese, column.english)
            told = [_told(column, value) for value in (one.before, one.after)]
        else:
            where, what, told = Text(one.table), Text(one.column), [str(one.before), str(one.after)]
        rows.append((where, Text(one.row), what, *told))
    columns = (
        Column("table", "表", "table"), Column("row", "行", "row"), Column("column", "项", "figure"),
        Column("before", "原", "before"), Column("after", "现", "after"),
    )  # fmt: skip
    chinese, english = f"第 {report.version} 版的变动", f"What changed since version {report.version - 1}"
    return Table("change", chinese, english, columns, rows, shown=CHANGES_SHOWN)


def _told(column: Column, value: int | str | None) -> str:
    return value if isinstance(value, str) else shown(column, value)
