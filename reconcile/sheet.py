"""The worklist as a workbook: out to whoever decides, and back filled in (settlement.md section 5, Bulk).

Only the sheet: cells out, checked cells in, every fault with its row. What a filled row does is `worklist_cli`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import openpyxl
import xlsxwriter
from openpyxl.utils.exceptions import InvalidFileException

from shebao.ledger.rulings import ALLOWED

SHEET: Final = "worklist"
JUDGEMENTS: Final = ("approve", "reject")
BYTES_MAX: Final = 32 << 20
ROWS_MAX: Final = 100_000
FAULTS_MAX: Final = 100
# key -> head, width; the last four are to be filled in
COLUMNS: Final[dict[str, tuple[str, int]]] = {
    "id": ("编号 id", 12),
    "date": ("结算日 date", 12),
    "class": ("类别 class", 17),
    "state": ("状态 state", 11),
    "bill": ("缴费单 bill", 23),
    "ledger": ("账上(元) ledger", 15),
    "bank": ("银行(元) bank", 15),
    "stan": ("STAN", 9),
    "age_days": ("账龄(天) days", 10),
    "proposal": ("建议 proposal", 12),
    "waiting": ("待复核 waits for approval", 34),
    "decision": ("决定 decision", 13),
    "reason": ("理由 reason", 30),
    "onto": ("入账缴费单 onto bill", 23),
    "reference": ("凭证号 reference", 18),
}
FILLED: Final = ("decision", "reason", "onto", "reference")


class Filled(NamedTuple):
    """A row that somebody has filled in. row: as the spreadsheet numbers it."""

    row: int
    id: str
    state: str  # as it was when the sheet went out
    decision: str
    reason: str
    onto: str
    reference: str


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Writes the worklist, whole or not at all; how many rows. Amounts are yuan as numbers, all else is text."""
    buffer = BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet(SHEET)
    head = book.add_format({"bold": True, "bg_color": "#DDE7F0", "text_wrap": True, "valign": "vcenter", "border": 1})
    fill = book.add_format({"bg_color": "#FFF8DC", "num_format": "@", "border": 1, "border_color": "#CCCCCC"})
    text, yuan = book.add_format({"num_format": "@"}), book.add_format({"num_format": "#,##0.00"})
    for column, (name, (title, width)) in enumerate(COLUMNS.items()):
        sheet.set_column(column, column, width, fill if name in FILLED else text)
        sheet.write_string(0, column, title, head)
    number = 0
    for number, row in enumerate(rows, 1):
        for column, name in enumerate(COLUMNS):
            value = row.get(name, "")
            if name in ("ledger", "bank") and value != "":
                sheet.write_number(number, column, value / 100, yuan)  # fen below 2**53 come back exactly
            elif name == "age_days":
                sheet.write_number(number, column, value)
            else:
                sheet.write_string(number, column, str(value), fill if name in FILLED else text)
        choices = JUDGEMENTS if row["state"] == "PROPOSED" else tuple(ALLOWED)
        sheet.data_validation(
            number, list(COLUMNS).index("decision"), number, list(COLUMNS).index("decision"),
            {"validate": "list", "source": [c for c in choices if _may(c, row)]},
        )  # fmt: skip
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, max(number, 1), len(COLUMNS) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    book.close()
    path.write_bytes(buffer.getvalue())
    return number


def _may(choice: str, row: Mapping[str, Any]) -> bool:
    return choice in JUDGEMENTS or (choice != "undo" and row["class"] in ALLOWED[choice])


def read(path: Path) -> tuple[list[Filled], list[str]]:
    """The rows that have a decision, and what is wrong with the sheet, each with its row. Raises OSError."""
    if path.stat().st_size > BYTES_MAX:
        return [], [f"it is larger than {BYTES_MAX >> 20} MiB; send back the sheet that went out"]
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        return [], [f"it is no workbook that can be read ({error}); save it as .xlsx"]
    if SHEET not in book.sheetnames:
        return [], [f"it has no sheet {SHEET!r}; send back the sheet that went out"]
    lines = book[SHEET].iter_rows(values_only=True)
    heads = [str(cell or "") for cell in next(lines, ())]
    places = {name: heads.index(title) for name, (title, _) in COLUMNS.items() if title in heads}
    missing = [COLUMNS[name][0] for name in ("id", "state", *FILLED) if name not in places]
    if missing:
        return [], [f"row 1: column {', '.join(missing)} is missing; send back the sheet that went out"]
    filled, faults = [], []
    for number, cells in enumerate(lines, 2):
        if number > ROWS_MAX:
            faults.append(f"row {number}: more than {ROWS_MAX} rows")
            break
        one, wrong = _row(number, cells, places)
        if wrong:
            faults.append(f"row {number}: {wrong}")
        elif one is not None:
            filled.append(one)
    twice = sorted(told for told, number in Counter(one.id for one in filled).items() if number > 1)
    faults += [f"{told} stands in two rows; leave one" for told in twice]
    return filled, faults


def _row(number: int, cells: Sequence[Any], places: Mapping[str, int]) -> tuple[Filled | None, str]:
    def cell(name: str) -> Any:
        place = places[name]
        return cells[place] if place < len(cells) else None

    decision = str(cell("decision") or "").strip().lower()
    if not decision:
        return None, ""
    state = str(cell("state") or "").strip()
    right = JUDGEMENTS if state == "PROPOSED" else tuple(ALLOWED)
    if decision not in right:
        return None, f"decision {decision!r} is none for {state or 'a row without state'}; write {', '.join(right)}"
    texts = {}
    for name in ("id", "reason", "onto", "reference"):
        value = cell(name)
        if value is not None and not isinstance(value, str):
            return None, f"{COLUMNS[name][0]} is a number, and may have lost digits; format the cell as text"
        texts[name] = (value or "").strip()
    if not texts["id"]:
        return None, "the id is missing"
    if not texts["reason"]:
        return None, "a decision needs a reason"
    return Filled(number, texts["id"], state, decision, texts["reason"], texts["onto"], texts["reference"]), ""
