"""What the model answers to questions, which change nothing: inquiries about bills, and a date's totals."""

from __future__ import annotations

from collections import Counter
from datetime import date as Date
from datetime import datetime
from typing import Protocol

from .almanac import check_digit_ok, nearest_date
from .said import Expected, Said
from .stage import Payer, PrintedBill


class Books(Protocol):
    """What the model knows of bills and dates."""

    bills: dict[str, PrintedBill]
    status: dict[str, str]
    payers: list[Payer]
    cards: dict[str, Payer]
    ways: Counter[str]
    open: dict[str, Date]
    dates: dict[str, set[Date]]
    sums: dict[tuple[str, Date], list[int]]

    def payable(self, bill: PrintedBill, day: Date) -> bool: ...
    def where(self, bank: str, bill: str) -> dict[str, tuple[str, ...]]: ...
    def way(self, way: str, code: str, **more: object) -> Expected: ...


def inquire(model: Books, said: Said, moment: datetime) -> Expected:
    """`BN` decides, else `ID`, else DE2 (wire.md section 5, Inquiry); nothing changes."""
    day = moment.date()
    if said.bill:
        bill = model.bills.get(said.bill) if check_digit_ok(said.bill) else None
        if bill is None:
            return model.way("inquiry 25", "25")
        if model.status[said.bill] == "PAID":
            return model.way("inquiry B1", "B1", tags=model.where(said.bank, said.bill))
        if not model.payable(bill, day):
            return model.way("inquiry B2", "B2")
        return _one(model, bill, "001")
    if said.person:
        payer = next((p for p in model.payers if p.id == said.person.upper()), None)
    else:
        payer = model.cards.get(said.card)
        if payer is None:
            return model.way("inquiry 14", "14")
    found = sorted(b.number for b in model.bills.values() if b.payer == payer and model.payable(b, day))
    after = [number for number in found if number > said.page]
    if len(found) == 1 and after:
        return _one(model, model.bills[found[0]], "001")
    return _page(model, payer, found, after, said.page)


def _one(model: Books, bill: PrintedBill, count: str) -> Expected:
    parts = tuple(f"{kind}{fen:012d}" for kind, fen in bill.parts)
    tags = {"NM": (bill.payer.name,), "NB": (count,), "BL": (bill.line,), "IN": parts}
    return model.way("inquiry one bill", "00", amount=bill.amount, tags=tags)


def _page(model: Books, payer: Payer | None, found: list[str], after: list[str], page: str) -> Expected:
    name = () if payer is None else (payer.name,)
    size = 8 + sum(5 + len(text.encode("gb18030")) for text in name)
    tags: dict[str, tuple[str, ...]] = {"NM": name, "NB": (f"{len(found):03d}",)}
    room = 999 - size
    if not after:
        return model.way("inquiry nothing", "00", tags={**tags, "BL": ()})
    model.ways["inquiry next page" if page else "inquiry page"] += 1
    if len(after) * 60 <= room:
        return Expected("00", tags={**tags, "BL": tuple(model.bills[number].line for number in after), "PG": ()})
    model.ways["inquiry page cut"] += 1
    shown = tuple(after[: (room - 25) // 60])
    return Expected("00", tags={**tags, "BL": tuple(model.bills[number].line for number in shown), "PG": (shown[-1],)})


def totals_of(model: Books, bank: str, day: Date) -> dict[int, str]:
    """DE74 to 77, 86 to 89 and 97 of a date."""
    credits, credits_fen, reversals, reversals_fen = model.sums.get((bank, day), [0, 0, 0, 0])
    net = credits_fen - reversals_fen
    return {
        74: f"{credits:010d}", 75: f"{reversals:010d}", 76: "0" * 10, 77: "0" * 10,
        86: f"{credits_fen:016d}", 87: f"{reversals_fen:016d}", 88: "0" * 16, 89: "0" * 16,
        97: f"{'D' if net < 0 else 'C'}{abs(net):016d}",
    }  # fmt: skip


def totals(model: Books, said: Said) -> Expected:
    """0500: 00 in balance, else 95, with the switch's own figures; an unknown date 30 (section 5, Totals)."""
    day = nearest_date(said.de15, model.open[said.bank])
    if day not in model.dates[said.bank]:
        return model.way("totals 30", "30", de44=15)
    ours = totals_of(model, said.bank, day)
    if ours == dict(said.totals):
        return model.way("totals 00", "00", totals={66: "1", **ours})
    return model.way("totals 95", "95", totals={66: "2", **ours})
