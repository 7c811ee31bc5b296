"""The special account's own statement (社保专用账户), as the bureau's bank tells it: read, so that nobody types it.

CSV or camt.053 (`accountxml`), taken whole or not at all. Pure: bytes in, entries or faults out. Which date an entry
is booked to, whether its reference is known already, and who approves it, is not decided here.

CSV: a header line, columns in any order, `reference,amount,received_on,bank,dates` and, if wanted, `direction`,
`text`: yuan with at most two decimals, dates YYYY-MM-DD, settlement dates separated by blanks, `credit` (if left out)
or `debit`. bank and dates may both be left empty: such an entry is to be assigned by an operator. A bank that
is none is a fault of a CSV, which the bureau writes; in camt.053 it is the payer's slip, and spoils no file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from shebao.codecs.columns import LineFault, date_exists, showing
from shebao.ledger.csvtext import Fault, decode, records, unprintable

from .accountxml import DIRECTIONS, FILE_BYTES_MAX, Raw, read_entries

COLUMNS: Final = ("reference", "amount", "received_on", "bank", "dates")
OPTIONAL: Final = ("direction", "text")
REFERENCE_CHARACTERS_MAX: Final = 64
DATES_MAX: Final = 62  # of one transfer
_YUAN: Final = re.compile(r"(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,2}))?")
_BANK: Final = re.compile("[a-z][a-z0-9]{0,7}")
_DATE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class AccountEntry(NamedTuple):
    """One booked entry of the special account."""

    line: int  # physical line on which it begins
    reference: str  # the bank's own, which makes it one of a kind
    amount_fen: int  # above zero, in both directions
    credit: bool  # money came in; else it went out
    received_on: int  # the day at the bank
    bank: str  # key of the bank that it comes from; empty: not told
    dates: tuple[int, ...]  # settlement dates that it is for, ascending; empty where bank is
    text: str


class Account(NamedTuple):
    """All entries, in the order of the file; or faults, and no entry."""

    entries: list[AccountEntry]
    faults: list[LineFault]


def read_account(source: bytes, banks: Collection[str] | None = None, latest: int = 9999_12_31) -> Account:
    """A whole statement, XML or CSV by how it begins. banks: those there are; latest: day on which money may have come.

    A source longer than FILE_BYTES_MAX need not be whole.
    """
    if len(source) > FILE_BYTES_MAX:
        return Account([], [LineFault(0, "the file is larger than 64 MiB", "send at most 64 MiB")])
    is_xml = source.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1] == b"<"
    entries: list[AccountEntry] = []
    faults: list[LineFault] = []
    credits: dict[str, Raw] = {}
    for raw in read_entries(source) if is_xml else _read_csv(source):
        wrong = [raw] if isinstance(raw, LineFault) else [*_faults(raw), *_twice(raw, credits)]
        if not wrong and isinstance(raw, Raw):
            wrong = [*_impossible(raw, None if is_xml else banks, latest)]
        faults += wrong
        if not wrong and isinstance(raw, Raw):
            entries.append(_entry(raw))
    return Account([], sorted(faults)) if faults else Account(entries, [])


def fen_of(text: str) -> int | None:
    """Fen from plain yuan with at most two decimals (`1234.5`), above zero; else None."""
    found = _YUAN.fullmatch(text)
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) or None if found else None


def _read_csv(source: bytes) -> Iterator[Raw | LineFault]:
    decoded = decode(source)
    if isinstance(decoded, Fault):
        yield LineFault(decoded.line, decoded.wrong, "save it as UTF-8 or GB18030")
        return
    for record in records(decoded[0], COLUMNS, OPTIONAL):
        if isinstance(record, Fault):
            yield LineFault(*record)
            continue
        values = record.values
        dates = [date for date in values["dates"].split(" ") if date]
        yield Raw(
            record.line, "", values["reference"].strip(" "), values["amount"], values.get("direction") or "credit",
            values["received_on"], values["bank"], dates, values.get("text", "").strip(" "),
        )  # fmt: skip


def _faults(raw: Raw) -> Iterator[LineFault]:
    """Every fault of one entry."""

    def fault(wrong: str, right: str) -> LineFault:
        return LineFault(raw.line, wrong, right, raw.where)

    if not 1 <= len(raw.reference) <= REFERENCE_CHARACTERS_MAX:
        yield fault(f"reference {showing(raw.reference)}", f"write 1 to {REFERENCE_CHARACTERS_MAX} characters")
    for name, text in (("reference", raw.reference), ("text", raw.text)):
        if bad := unprintable(text):
            yield fault(f"{name} holds {bad}", "take the control character out")
    if fen_of(raw.amount) is None:
        yield fault(f"amount {showing(raw.amount)}", "write yuan above zero, at most two decimals, such as 1234.50")
    if raw.direction not in DIRECTIONS.values():
        yield fault(f"direction {showing(raw.direction)}", "write credit or debit (CRDT or DBIT)")
    if not _is_date(raw.received_on):
        yield fault(f"received_on {showing(raw.received_on)} is no date", "write YYYY-MM-DD")
    if raw.bank and not _BANK.fullmatch(raw.bank):
        yield fault(f"bank {showing(raw.bank)}", "write the bank's key in the configuration, such as icbc")
    if bool(raw.bank) != bool(raw.dates):
        yield fault("half of bank and dates", "write both, or leave both empty: then it is to be assigned")
    if bad_dates := [date for date in raw.dates if not _is_date(date)]:
        yield fault(f"dates: {showing(bad_dates[0])} is no date", "write YYYY-MM-DD, separated by blanks")
    elif len(set(raw.dates)) < len(raw.dates) or len(raw.dates) > DATES_MAX:
        yield fault(f"dates: {len(raw.dates)}, or one of them twice", f"write each once, at most {DATES_MAX}")


def _impossible(raw: Raw, banks: Collection[str] | None, latest: int) -> Iterator[LineFault]:
    """What is well written, and can't be: a bank that is none, a day that has not come."""
    if _number(raw.received_on) > latest:
        wrong = f"received_on {showing(raw.received_on)} has not come yet"
        yield LineFault(raw.line, wrong, "write the day on which the money moved", raw.where)
    if raw.bank and banks is not None and raw.bank not in banks:
        wrong = f"bank {showing(raw.bank)} is not in the configuration"
        yield LineFault(raw.line, wrong, f"write one of {', '.join(banks)}", raw.where)


def _twice(raw: Raw, credits: dict[str, Raw]) -> Iterator[LineFault]:
    """Two credits of one reference: the second would pass for the first told again, and its money would be lost.

    What goes out may have the reference of what it pays back.
    """
    first = credits.setdefault(raw.reference, raw) if raw.direction == "credit" else raw
    if first is not raw:
        place = ", ".join(filter(None, (first.where, f"line {first.line}")))
        wrong = f"reference {showing(raw.reference)} is that of {place} too"
        yield LineFault(raw.line, wrong, "give each credit a reference of its own", raw.where)


def _is_date(text: str) -> bool:
    return bool(_DATE.fullmatch(text)) and date_exists(text.replace("-", ""))


def _number(date: str) -> int:
    return int(date.replace("-", ""))


def _entry(raw: Raw) -> AccountEntry:
    """Of an entry without fault."""
    return AccountEntry(
        raw.line, raw.reference, fen_of(raw.amount) or 0, raw.direction == "credit", _number(raw.received_on), raw.bank,
        tuple(sorted(map(_number, raw.dates))), raw.text,
    )  # fmt: skip
