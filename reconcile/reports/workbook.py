"""A report as an Excel workbook: a sheet for each table, real numbers in yuan and real dates, totals as formulas.

Each formula carries its value, so that readers that calculate nothing see it too. Whatever is text is written as text:
a name that looks like a formula stays a name. Amounts are yuan here and nowhere else.
"""

from __future__ import annotations

import io
from typing import Any, Final

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from shebao.ledger.day import as_date

from .report import Report
from .sheet import CODE, COUNT, DATE, MONEY, NONE, NUMBERS, Column, Table, Text, width

A4: Final = 9
WIDTHS: Final = {COUNT: 11, MONEY: 19, DATE: 12}
WIDTH_MIN, WIDTH_MAX = 8, 48  # of a column of words, which wrap beyond
CODE_MAX: Final = 70  # of one of codes, which do not
HEAD: Final = 3  # row of the column heads, from 0
CELL_MAX: Final = 32_767  # characters
AS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet may take for a formula when it is edited
COLOURS: Final = {"good": "#1F7A4D", "wait": "#9A6A00", "bad": "#B3261E"}
FORMS: Final[dict[str, dict[str, Any]]] = {
    "title": {"bold": True, "font_size": 14}, "soft": {"font_color": "#5D6875"},
    "head": {"bold": True, "bg_color": "#F2F5F7", "bottom": 1, "text_wrap": True, "valign": "top"},
    "head n": {"bold": True, "bg_color": "#F2F5F7", "bottom": 1, "text_wrap": True, "valign": "top", "align": "right"},
    "text": {"valign": "top", "text_wrap": True},
    "formula-like": {"valign": "top", "text_wrap": True, "quote_prefix": True},
    CODE: {"num_format": "@", "valign": "top"},
    COUNT: {"num_format": "#,##0", "valign": "top"},
    MONEY: {"num_format": "#,##0.00;[Red]-#,##0.00", "valign": "top"},
    DATE: {"num_format": "yyyy-mm-dd", "align": "left", "valign": "top"}, "dash": {"align": "right", "valign": "top"},
    f"total {COUNT}": {"num_format": "#,##0", "bold": True, "top": 2},
    f"total {MONEY}": {"num_format": "#,##0.00;[Red]-#,##0.00", "bold": True, "top": 2},
    "total": {"bold": True, "top": 2},
}  # fmt: skip


def render(report: Report) -> bytes:
    """The workbook. The same report gives the same bytes."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({
        "title": f"{report.title.chinese} {report.figures.period.label}", "created": report.as_of.replace(tzinfo=None),
    })  # fmt: skip
    forms = {name: book.add_format({"font_name": "Microsoft YaHei", "font_size": 10, **form})
             for name, form in FORMS.items()}  # fmt: skip
    forms["verdict"] = book.add_format({"bold": True, "font_size": 13, "font_color": COLOURS[report.verdict.level]})
    _front(_sheet(book, report, "总览 Summary"), forms, report)
    for table in report.sheets:
        sheet = _sheet(book, report, table.chinese)
        _draw(sheet, forms, report, table)
        if table.drawn:
            sheet.insert_chart(HEAD, len(table.columns) + 1, _chart(book, table))
    book.close()
    return out.getvalue()


def _sheet(book: Any, report: Report, name: str) -> Worksheet:
    sheet: Worksheet = book.add_worksheet(name)
    sheet.set_paper(A4)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.7)
    label = f"{report.title.chinese} {report.figures.period.label}"
    sheet.set_footer(f"&L{label}&C第 &P 页 / 共 &N 页&R第 {report.version} 版")
    return sheet


def _front(sheet: Worksheet, forms: dict[str, Any], report: Report) -> None:
    """The verdict, what one reads first, and what the report says of itself."""
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 70)
    sheet.write_string(0, 0, f"{report.title} {report.figures.period.label}", forms["title"])
    sheet.write_string(1, 0, clean(report.verdict.chinese), forms["verdict"])
    sheet.write_string(2, 0, clean(report.verdict.english), forms["soft"])
    sheet.write_string(3, 0, clean(str(report.news)), forms["soft"])
    row = 5
    total = report.figures.total
    for name, value, form in (
        ("缴费笔数 payments", total.payments, COUNT), ("缴费金额 collected, yuan", total.payments_fen, MONEY),
        ("冲正金额 reversals, yuan", total.reversals_fen, MONEY),
        ("更正金额 corrections, yuan", total.corrections_fen, MONEY), ("净额 net, yuan", total.net, MONEY),
    ):
        sheet.write_string(row, 0, name, forms["text"])
        sheet.write_number(row, 1, _yuan(value) if form == MONEY else value, forms[form])
        row += 1
    row += 1
    for line in report.says:
        sheet.write_string(row, 0, clean(str(line)), forms["soft"])
        row += 1


def _draw(sheet: Worksheet, forms: dict[str, Any], report: Report, table: Table) -> None:
    columns = table.columns
    sheet.write_string(0, 0, f"{table.chinese} {table.english}", forms["title"])
    told = f"{report.figures.period.label} · 第 {report.version} 版 version {report.version}"
    sheet.write_string(1, 0, f"{told}   {clean(table.note)}", forms["soft"])
    for n, column in enumerate(columns):
        sheet.set_column(n, n, WIDTHS.get(column.kind) or _width(table, n))
        form = forms["head n" if column.kind in NUMBERS else "head"]
        sheet.write_string(HEAD, n, f"{column.chinese}\n{column.english}", form)
    sheet.set_row(HEAD, 32)
    sheet.freeze_panes(HEAD + 1, 1)
    sheet.repeat_rows(HEAD)
    at = HEAD + 1
    for k, row in enumerate(table.rows):
        for n, (column, value) in enumerate(zip(columns, row, strict=True)):
            _write(sheet, forms, at + k, n, column, value, row)
    if not table.rows:
        sheet.write_string(at, 0, "无 none", forms["soft"])
    if table.total:
        _totals(sheet, forms, table, at + max(1, len(table.rows)))


def _width(table: Table, n: int) -> int:
    """By what stands in it, the total's name included."""
    column = table.columns[n]
    cells = [row[n] for row in table.rows] + [table.totals()[n]] * table.total
    longest = max(width(str(told)) for told in (column.chinese, column.english, *cells))
    return min(max(WIDTH_MIN, longest + 2), CODE_MAX if column.kind == CODE else WIDTH_MAX)


def _write(
    sheet: Worksheet, forms: dict[str, Any], y: int, x: int, column: Column, value: Any, row: tuple[Any, ...]
) -> None:
    if value is None or (column.kind == DATE and not value):
        sheet.write_string(y, x, NONE, forms["dash" if column.kind in NUMBERS else "text"])
    elif column.kind in NUMBERS:
        number = _yuan(value) if column.kind == MONEY else value
        if column.sums and all(row[n] is not None for _, n in column.sums):
            terms = "".join(f"{'+' if sign > 0 else '-'}{xl_col_to_name(n)}{y + 1}" for sign, n in column.sums)
            sheet.write_formula(y, x, f"={terms.removeprefix('+')}", forms[column.kind], number)
        else:
            sheet.write_number(y, x, number, forms[column.kind])
    elif column.kind == DATE:
        sheet.write_datetime(y, x, as_date(value), forms[DATE])
    else:
        text = clean(str(value))
        like = "formula-like" if text.startswith(AS_FORMULA) else CODE if column.kind == CODE else "text"
        sheet.write_string(y, x, text, forms[like])


def _totals(sheet: Worksheet, forms: dict[str, Any], table: Table, y: int) -> None:
    for n, (column, value) in enumerate(zip(table.columns, table.totals(), strict=True)):
        if isinstance(value, Text):
            sheet.write_string(y, n, str(value), forms["total"])
        elif value is None:
            sheet.write_blank(y, n, None, forms["total"])
        else:
            number = _yuan(value) if column.kind == MONEY else value
            letter = xl_col_to_name(n)
            sheet.write_formula(y, n, f"=SUM({letter}{HEAD + 2}:{letter}{y})", forms[f"total {column.kind}"], number)


def _chart(book: Any, table: Table) -> Any:
    """Payments as columns, yuan as a line."""
    last = HEAD + len(table.rows)
    name = table.chinese
    bars, line = book.add_chart({"type": "column"}), book.add_chart({"type": "line"})
    for chart, column in ((bars, 1), (line, 2)):
        chart.add_series({
            "name": [name, HEAD, column], "categories": [name, HEAD + 1, 0, last, 0],
            "values": [name, HEAD + 1, column, last, column], "y2_axis": chart is line,
        })  # fmt: skip
    bars.combine(line)
    bars.set_title({"name": f"{name} {table.english}", "name_font": {"size": 11}})
    bars.set_legend({"position": "bottom"})
    bars.set_size({"width": 900, "height": 360})
    return bars


def _yuan(fen: int) -> float:
    return fen / 100


def clean(text: str) -> str:
    """What XML can't hold, replaced; and no more than a cell takes."""
    return "".join(one if _in_xml(ord(one)) else "�" for one in text[:CELL_MAX])


def _in_xml(code: int) -> bool:
    if code < 0x20:
        return code in (0x09, 0x0A)
    return not (0xD800 <= code <= 0xDFFF or code & 0xFFFE == 0xFFFE)
