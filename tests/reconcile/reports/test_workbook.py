"""The workbook, read back: real numbers and dates, totals as formulas with values, names that stay names (C71)."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any

import openpyxl
import pytest
from shebao_made_day import ODD_BRANCHES, ODD_OFFICES, everything, report

from shebao.reconcile.reports import workbook


@pytest.fixture
def books(bureau: Any) -> tuple[Any, Any, Any]:
    """The report, its workbook as formulas, and as values."""
    everything(bureau, spread=12)
    made = report(bureau)
    data = workbook.render(made)
    return made, openpyxl.load_workbook(io.BytesIO(data)), openpyxl.load_workbook(io.BytesIO(data), data_only=True)


def test_each_table_is_a_sheet_with_its_numbers_in_yuan(books: tuple[Any, Any, Any]) -> None:
    made, _, values = books
    assert values.sheetnames == ["总览 Summary", *(table.chinese for table in made.tables)]
    for table in made.tables:
        rows = list(values[table.chinese].iter_rows(min_row=workbook.HEAD + 2, values_only=True))
        for told, row in zip(table.rows, rows, strict=False):
            for column, value, cell in zip(table.columns, told, row, strict=False):
                if column.kind == "money" and value is not None:
                    assert isinstance(cell, int | float) and round(cell * 100) == value
                elif column.kind == "count" and value is not None:
                    assert cell == value
                elif column.kind == "date" and value:
                    assert isinstance(cell, datetime) and int(cell.strftime("%Y%m%d")) == value
                elif column.kind == "code":
                    assert isinstance(cell, str)


def test_totals_are_sums_on_their_own_sheet_with_the_value_stored(books: tuple[Any, Any, Any]) -> None:
    made, formulas, values = books
    for table in (one for one in made.tables if one.total):
        at = workbook.HEAD + 2 + max(1, len(table.rows))
        for n, (column, total) in enumerate(zip(table.columns, table.totals(), strict=True), 1):
            if isinstance(total, int):
                formula = formulas[table.chinese].cell(at, n).value
                letter = formulas[table.chinese].cell(at, n).column_letter
                assert formula == f"=SUM({letter}{workbook.HEAD + 2}:{letter}{at - 1})"
                stored = values[table.chinese].cell(at, n).value
                assert round(stored * 100) == total if column.kind == "money" else stored == total


def test_a_net_is_worked_out_in_its_row(books: tuple[Any, Any, Any]) -> None:
    _, formulas, values = books
    row = workbook.HEAD + 2
    assert formulas["各银行"].cell(row, 8).value == f"=C{row}-E{row}+G{row}"
    cells = [values["各银行"].cell(row, n).value for n in (3, 5, 7, 8)]
    assert round(cells[0] - cells[1] + cells[2], 2) == cells[3]


def test_labels_hold_the_keys(books: tuple[Any, Any, Any]) -> None:
    _, _, values = books
    labels = {name: [row[0] for row in values[name].iter_rows(values_only=True)] for name in values.sheetnames}
    for sheet, *keys in (("各银行", "icbc"), ("各险种", "170", "挂账"), ("各渠道", "05"), ("各银行各险种", "boc")):
        for key in keys:
            assert any(key in str(label) for label in labels[sheet]), (sheet, key)


def test_words_are_cut_nowhere(books: tuple[Any, Any, Any]) -> None:
    """A column is as wide as its words, or they wrap; Chinese characters count two."""
    made, formulas, _ = books
    for table in made.tables:
        sheet = formulas[table.chinese]
        for n, column in enumerate(table.columns, 1):
            (wide,) = (one.width for one in sheet.column_dimensions.values() if one.min <= n <= one.max)
            assert wide <= workbook.CODE_MAX + 1, (table.key, column.key)
            for y in range(workbook.HEAD + 2, workbook.HEAD + 2 + len(table.rows)):
                cell = sheet.cell(y, n)
                if column.kind in ("text", "code"):
                    fits = sum(2 if ord(one) > 0x2000 else 1 for one in str(cell.value)) <= wide
                    assert fits or (cell.alignment.wrap_text and column.kind == "text"), (table.key, cell.value)
    state = formulas["对账结果"].column_dimensions["B"].width
    assert state >= len("已日切，未对账") * 2 + len(" cut over, not compared")


def test_names_that_look_like_formulas_stay_names(books: tuple[Any, Any, Any]) -> None:
    _, formulas, values = books
    offices = {row[0].value: row[0] for row in formulas["各开单机构"].iter_rows()}
    for name in ODD_OFFICES:
        assert offices[name].data_type == "s", name
        assert offices[name].quotePrefix == name.startswith(("=", "+", "-", "@"))
    branches = {str(row[0]) for sheet in (values["各网点"],) for row in sheet.iter_rows(values_only=True)}
    assert any(branch.startswith(ODD_BRANCHES[0]) for branch in branches) or "其余" in " ".join(branches)


def test_the_same_report_is_the_same_file_and_asks_nobody(books: tuple[Any, Any, Any]) -> None:
    made, _, _ = books
    data = workbook.render(made)
    assert workbook.render(made) == data
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        assert not [name for name in parts.namelist() if "external" in name.lower() or "vba" in name.lower()]


@pytest.mark.parametrize(("text", "cleaned"), [("a\x00b", "a�b"), ("\ud800", "�"), ("￾x", "�x"), ("好😀", "好😀")])
def test_what_a_cell_can_not_hold_is_replaced(text: str, cleaned: str) -> None:
    assert workbook.clean(text) == cleaned
    assert len(workbook.clean("长" * 40_000)) == workbook.CELL_MAX
