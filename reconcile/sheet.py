"""The worklist as a workbook: out to whoever decides, and back filled in (settlement.md section 5, Bulk).

Only the sheet: cells out, checked cells in, every fault with its row. What a filled row does is `worklist_cli`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import openpyxl
import xlsxwriter

from shebao.codecs.statement import format_yuan
from shebao.ledger.durable import replace
from shebao.ledger.rulings import ALLOWED

from .terms import ACTION_WORDS, JUDGEMENT_WORDS, action_of, class_of

SHEET: Final = "worklist"
BYTES_MAX: Final = 32 << 20
ROWS_MAX: Final = 100_000
FAULTS_MAX: Final = 100
# key -> head, width; the last four are to be filled in
COLUMNS: Final[dict[str, tuple[str, int]]] = {
    "id": ("编号 id", 12),
    "date": ("结算日 date", 12),
    "class": ("类别 class", 24),
    "state": ("状态 state", 11),
    "bill": ("缴费单 bill", 23),
    "ledger": ("账上(元) ledger", 15),
    "bank": ("银行(元) bank", 15),
    "mark": ("标记 mark", 24),
    "stan": ("STAN", 9),
    "age_days": ("账龄(天) days", 10),
    "proposal": ("建议 proposal", 24),
    "waiting": ("待复核 waits for approval", 34),
    "asked": ("待复核号 its id", 12),
    "decision": ("决定 decision", 13),
    "reason": ("理由 reason", 30),
    "onto": ("入账缴费单 onto bill", 23),
    "reference": ("凭证号 reference", 18),
}
FILLED: Final = ("decision", "reason", "onto", "reference")
_WORDS: Final = {**ACTION_WORDS, **JUDGEMENT_WORDS}
SHOWN: Final = ("class", "state", "ledger", "bank", "mark", "asked")


class Shown(NamedTuple):
    """What whoever fills a row in has seen of its exception, and decides about: it has to be so still."""

    item_class: str
    state: str
    ledger: int | None  # fen; None: no line on that side
    bank: int | None
    mark: str  # which side is undone, or there twice
    asked: str  # id of the proposal that waits; empty: none

    def changed(self, now: Shown) -> str:
        """What is not so any more, in words; empty: all is."""
        names = ("class", "state", "ledger", "bank", "mark", "what waits")
        told = (
            f"{name} is {_shown(is_)} now, the sheet says {_shown(was)}"
            for name, was, is_ in zip(names, self, now, strict=True) if was != is_
        )  # fmt: skip
        return "; ".join(told)


def _shown(value: str | int | None) -> str:
    if isinstance(value, int):
        return format_yuan(value)
    return value or "nothing"


class Filled(NamedTuple):
    """A row that somebody has filled in. row: as the spreadsheet numbers it."""

    row: int
    id: str
    shown: Shown  # when the sheet went out
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
        choices = _choices(row["state"], class_of(row["class"]))
        sheet.data_validation(
            number, list(COLUMNS).index("decision"), number, list(COLUMNS).index("decision"),
            {"validate": "list", "source": [_WORDS.get(name, name) for name in choices]},
        )  # fmt: skip
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, max(number, 1), len(COLUMNS) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    book.close()
    replace(path, buffer.getvalue())
    return number


def _choices(state: str, item_class: str) -> tuple[str, ...]:
    """What can be decided about a row; of a class that is none nothing is left out."""
    if state == "PROPOSED":
        return tuple(JUDGEMENT_WORDS)
    allowed = tuple(name for name in ALLOWED if name != "undo" and item_class in ALLOWED[name])
    return allowed or tuple(ALLOWED)


def in_the_way(path: Path, stands: Callable[[Filled], bool]) -> str:
    """Why a new list may not take the place of what lies there; empty: it may. Raises OSError.

    stands: whether what a row shows still is so. What was taken back already is no work to be lost.
    """
    if not path.exists():
        return ""
    filled, faults = read(path)
    if filled or not faults:
        kept = next((row for row in filled if stands(row)), None)
        return f"row {kept.row} is filled in" if kept else ""
    row, found, _ = faults[0].partition(": ")
    return f"something is filled in in {row}" if found and row != "row 1" else "it is no worklist of this kind"


def read(path: Path) -> tuple[list[Filled], list[str]]:
    """The rows that are filled in, and what is wrong with the sheet, each with its row. Raises OSError."""
    if path.stat().st_size > BYTES_MAX:
        return [], [f"it is larger than {BYTES_MAX >> 20} MiB; send back the sheet that went out"]
    with path.open("rb") as source:
        try:
            return _read(source)
        except OSError:
            raise
        except Exception as error:  # what a damaged workbook raises is anything: of zip, of XML, of openpyxl itself
            told = " ".join(str(error).split())[:200] or type(error).__name__
            return [], [f"it is no workbook that can be read ({told}); save it as .xlsx, whole and without a password"]


def _read(source: BinaryIO) -> tuple[list[Filled], list[str]]:
    book = openpyxl.load_workbook(source, read_only=True)
    if SHEET not in book.sheetnames:
        return [], [f"it has no sheet {SHEET!r}; send back the sheet that went out"]
    lines = book[SHEET].iter_rows()
    heads = [str(cell.value or "") for cell in next(lines, ())]
    places = {name: heads.index(title) for name, (title, _) in COLUMNS.items() if title in heads}
    missing = [COLUMNS[name][0] for name in ("id", *SHOWN, *FILLED) if name not in places]
    if missing:
        return [], [f"row 1: column {', '.join(missing)} is missing; send back the sheet that went out"]
    filled, faults = [], []
    for number, cells in enumerate(lines, 2):
        if number > ROWS_MAX:
            faults.append(f"row {number}: more than {ROWS_MAX} rows")
            break
        one = _row(number, {name: cells[place] for name, place in places.items() if place < len(cells)})
        if isinstance(one, str):
            faults.append(f"row {number}: {one}")
        elif one is not None:
            filled.append(one)
    twice = sorted(told for told, number in Counter(one.id.lower() for one in filled).items() if number > 1)
    faults += [f"{told} stands in two rows; leave one" for told in twice]
    return filled, faults


def _row(number: int, cells: Mapping[str, Any]) -> Filled | str | None:
    """A row that is filled in; None: nothing of it is; or what is wrong with it. cells: by column."""
    formulas = [name for name in FILLED if name in cells and cells[name].data_type == "f"]
    if formulas:
        return f"{COLUMNS[formulas[0]][0]} is a formula; write the text itself (copy it, and paste the value)"
    values = {name: cell.value for name, cell in cells.items()}
    decision = action_of(str(values.get("decision") or "").strip())
    if not decision:
        given = [COLUMNS[name][0] for name in FILLED if str(values.get(name) or "").strip()]
        return f"{given[0]} without {COLUMNS['decision'][0]}; write both, or neither" if given else None
    state = str(values.get("state") or "").strip()
    item_class = class_of(str(values.get("class") or "").strip())
    if decision not in (JUDGEMENT_WORDS if state == "PROPOSED" else ALLOWED):
        right = ", ".join(_choices(state, item_class))
        return f"decision {decision!r} is none for {state or 'a row without state'} {item_class}; write {right}"
    texts = {}
    for name in ("id", "class", "mark", "asked", "reason", "onto", "reference"):
        value = values.get(name)
        if value is not None and not isinstance(value, str):
            return f"{COLUMNS[name][0]} is a number, and may have lost digits; format the cell as text"
        texts[name] = (value or "").strip()
    if not texts["id"]:
        return "the id is missing"
    if not texts["reason"]:
        return "a decision needs a reason"
    sides: dict[str, int | None] = {}
    for name in ("ledger", "bank"):
        value = values.get(name)
        if value not in (None, "") and (not isinstance(value, int | float) or not abs(value) < 2**53):
            return f"{COLUMNS[name][0]} is no amount; leave it as it went out"
        sides[name] = None if value in (None, "") else round(value * 100)
    shown = Shown(class_of(texts["class"]), state, sides["ledger"], sides["bank"], texts["mark"], texts["asked"])
    return Filled(number, texts["id"], shown, decision, texts["reason"], texts["onto"], texts["reference"])
