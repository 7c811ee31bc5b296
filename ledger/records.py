"""What the columns of an import mean: records to bills and people, each value checked (settlement.md section 1).

Pure; `csvtext` takes the file apart before, `imports` writes what is good afterwards. A personal value is never
shown in a fault as a whole: faults end up on screens and in mails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import lru_cache
from typing import Any, Final, NamedTuple

from shebao.codecs.numbers import bill_ok, person_id_kind

from .csvtext import Fault, Record, shown, unprintable
from .facts import Bill

BILL_COLUMNS: Final = (
    "bill_number", "payer_id", "payer_name", "office", "period_from", "period_to", "issued", "due", "last_day",
    "insurance_type", "amount_fen", "owner_only",
)  # fmt: skip
PEOPLE_COLUMNS: Final = ("id", "name", "phone", "card", "division", "enrolled")
TYPES: Final = ("110", "120", "170", "210", "310", "390", "410", "510")  # wire.md section 4
AMOUNT_MAX: Final = 10**12 - 1  # DE4 has 12 digits
OF_A_PART: Final = ("insurance_type", "amount_fen")  # the columns in which the lines of one bill differ


class PersonRow(NamedTuple):
    """A row of `person`, in the table's order."""

    id: str
    name: str
    phone: str
    card: str
    division: str
    enrolled: str


class Numbered(NamedTuple):
    """A bill and the line it begins on."""

    line: int
    bill: Bill


class _Wrong(Exception):
    """A value that can't be taken: what is wrong, what would be right."""

    def __init__(self, wrong: str, right: str) -> None:
        super().__init__(wrong)
        self.wrong, self.right = wrong, right


# -- bills ------------------------------------------------------------------------------------------------

def bills(found: Iterable[Record | Fault]) -> Iterator[Numbered | Fault]:
    """Bills from their lines, which stand together; each fault by itself.

    A bill with a fault is left out, so that one wrong line makes one fault.
    """
    seen: set[int] = set()
    group: list[Record] = []
    for record in found:
        if isinstance(record, Fault):
            yield record
            continue
        if group and record.values["bill_number"] != group[0].values["bill_number"]:
            yield from _bill(group, seen)
            group = []
        group.append(record)
    if group:
        yield from _bill(group, seen)


def _bill(group: list[Record], seen: set[int]) -> Iterator[Numbered | Fault]:
    first = group[0]
    faults: list[Fault] = []
    common = _checked(first, _COMMON, faults)
    parts: list[tuple[str, int]] = []
    for record in group:
        part = _checked(record, _PART, faults)
        if part is not None:
            parts.append(part)
        if record is not first:
            faults += _differences(first, record)
    if not faults and common is not None:
        number, payer_id, payer_name, office, period_from, period_to, issued, due, last_day, owner_only = common
        faults += _contradictions(first.line, group, common, parts, seen)
        amount = sum(fen for _, fen in parts)
        bill = Bill(
            number, payer_id, payer_name, office, period_from, period_to, issued, due, last_day, owner_only, amount,
            tuple(parts), "OUTSTANDING",
        )  # fmt: skip
        seen.add(int(number[:19]))
        if not faults:
            yield Numbered(first.line, bill)
    yield from sorted(faults)


def _differences(first: Record, record: Record) -> list[Fault]:
    differing = [name for name in _COMMON if record.values[name] != first.values[name]]
    if not differing:
        return []
    right = f"the lines of one bill differ in {' and '.join(OF_A_PART)} only"
    return [Fault(record.line, f"{', '.join(differing)} is not as on line {first.line} of the same bill", right)]


def _contradictions(
    line: int, group: list[Record], common: tuple[Any, ...], parts: list[tuple[str, int]], seen: set[int]
) -> Iterator[Fault]:
    """What no single column shows."""
    number, _, _, _, period_from, period_to, issued, due, last_day, _ = common
    if int(number[:19]) in seen:
        yield Fault(line, f"bill {number} stood further up already", "put all lines of one bill together")
    if period_from > period_to:
        yield Fault(line, "period_from is after period_to", "swap them")
    if not issued <= due <= last_day:
        yield Fault(line, "the dates are out of order", "issued, due, last_day: each the same day or later")
    if sum(fen for _, fen in parts) > AMOUNT_MAX:
        yield Fault(line, f"the parts add up to more than {AMOUNT_MAX} fen", "make two bills")
    kinds: set[str] = set()
    for record, (kind, _) in zip(group, parts, strict=True):
        if kind in kinds:
            yield Fault(record.line, f"insurance type {kind} stands twice in one bill", "add the two amounts")
        kinds.add(kind)


# -- people -----------------------------------------------------------------------------------------------

def people(found: Iterable[Record | Fault]) -> Iterator[tuple[int, PersonRow] | Fault]:
    """People and the line each begins on; each fault by itself."""
    ids: set[str] = set()
    cards: set[str] = set()
    for record in found:
        faults: list[Fault] = []
        if isinstance(record, Fault):
            yield record
            continue
        values = _checked(record, _PEOPLE, faults)
        if values is not None:
            person = PersonRow(*values)
            if person.id in ids:
                faults.append(Fault(record.line, "this id stood further up already", "give each person one line"))
            if person.card and person.card in cards:
                faults.append(Fault(record.line, "this card stood further up already", "a card is one person's"))
            ids.add(person.id)
            cards.add(person.card)
            if not faults:
                yield record.line, person
        yield from faults


# -- columns ----------------------------------------------------------------------------------------------

def _checked(record: Record, checks: dict[str, Callable[[str], Any]], faults: list[Fault]) -> tuple[Any, ...] | None:
    """The values of these columns, or None and a fault for each that can't be taken."""
    values = []
    before = len(faults)
    for name, check in checks.items():
        try:
            values.append(check(record.values[name]))
        except _Wrong as wrong:
            faults.append(Fault(record.line, f"{name} {wrong.wrong}", wrong.right))
    return tuple(values) if len(faults) == before else None


def _number(text: str) -> str:
    if not re.fullmatch("[0-9]{20}", text):
        raise _Wrong(f"{shown(text)} is no bill number", "write 20 digits, without blanks")
    if not bill_ok(text):
        raise _Wrong(f"{text} has a wrong check digit", "ISO 7064 MOD 11,10 over the first 19 digits; compare the bill")
    return text


def _person_id(text: str) -> str:
    wanted = text[:-1] + "X" if text[-1:] == "x" else text
    if not person_id_kind(wanted):
        right = "write 18 characters, the last one the check character, without blanks"
        raise _Wrong("is neither a citizen id nor a unified social credit code", right)
    return wanted


def _text(text: str) -> str:
    bad = unprintable(text)
    if bad:
        raise _Wrong(f"holds {bad}, which can't be printed", "take it out")
    return text


def _name(text: str) -> str:
    if not text.strip():
        raise _Wrong("is empty", "write the name")
    return _text(text)


@lru_cache(maxsize=4096)
def _date(text: str) -> int:
    try:
        if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            date.fromisoformat(text)
            return int(text.replace("-", ""))
    except ValueError:
        pass
    raise _Wrong(f"{shown(text)} is no date", "write YYYY-MM-DD")


def _period(text: str) -> int:
    if not re.fullmatch("[0-9]{4}(0[1-9]|1[0-2])", text):
        raise _Wrong(f"{shown(text)} is no month", "write YYYYMM")
    return int(text)


def _type(text: str) -> str:
    if text not in TYPES:
        raise _Wrong(f"{shown(text)} is no insurance type", f"write one of {' '.join(TYPES)}")
    return text


def _fen(text: str) -> int:
    if not re.fullmatch("[0-9]{1,12}", text) or not int(text):
        raise _Wrong(f"{shown(text)} is no amount", f"write fen in digits, from 1 to {AMOUNT_MAX}")
    return int(text)


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise _Wrong(f"{shown(text)} is no flag", "write 0 or 1")
    return text == "1"


def _digits(least: int, most: int, right: str) -> Callable[[str], str]:
    pattern = re.compile(f"([0-9]{{{least},{most}}})?")

    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise _Wrong("is not of the right form", right)
        return text

    return check


def _types(text: str) -> str:
    return " ".join(_type(part) for part in text.split(" ") if part)


_COMMON: Final[dict[str, Callable[[str], Any]]] = {
    "bill_number": _number,
    "payer_id": _person_id,
    "payer_name": _name,
    "office": _text,
    "period_from": _period,
    "period_to": _period,
    "issued": _date,
    "due": _date,
    "last_day": _date,
    "owner_only": _flag,
}
_PART: Final[dict[str, Callable[[str], Any]]] = {"insurance_type": _type, "amount_fen": _fen}
_PEOPLE: Final[dict[str, Callable[[str], Any]]] = {
    "id": _person_id,
    "name": _name,
    "phone": _digits(11, 11, "write 11 digits, or leave it empty"),
    "card": _digits(8, 19, "write 8 to 19 digits, or leave it empty"),
    "division": _digits(6, 6, "write 6 digits, or leave it empty"),
    "enrolled": _types,
}
