"""Some dates of a bank as a settlement contract's reader sees them: what the ledger takes in, and what the bank tells.

Lines and receipts are worked out by hand from what was asked; nothing is read back from the switch's own files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shebao_bureau import BANKS, Bureau
from shebao_statements import Row, put

from shebao.ledger.facts import Request
from shebao.simulators.world.almanac import mod_11_10

D, D1 = 20261123, 20261124
CLASSES = ("DUPLICATE", "AMOUNT_DIFFERS", "STATE_DIFFERS", "OTHER_DATE", "MATCHED", "BANK_ONLY", "LEDGER_ONLY")
ZERO = dict.fromkeys(CLASSES, 0)


def receipt(bank: str, date: int, serial: int) -> str:
    body = f"{date % 10**6:06d}{BANKS[bank]}00{serial:09d}"
    return body + mod_11_10(body)


def row(asked: Request, number: str = "", kind: str = "P", date: int = D, of: Row | None = None, **more: Any) -> Row:
    """The line of a payment, or of what undoes (or redoes) `of`: own time, STAN and RRN, the rest the payment's."""
    own = (str(date), f"{asked.moment:014d}", asked.stan, asked.rrn)
    if of is None:
        one = Row(*own, asked.terminal, asked.branch, kind, asked.bill, asked.amount, number, asked.channel)
    else:
        rest = (of.terminal, of.branch, kind, of.bill, of.fen, of.receipt, of.channel, of.time, of.stan)
        one = Row(*own, *rest)
    return one._replace(**more)


class Day:
    """One date of one bank: what the ledger takes in and what the bank will list, case by case."""

    def __init__(self, bureau: Bureau, bank: str, date: int = D) -> None:
        self.bureau, self.bank, self.date = bureau, bank, date
        self.serial = 0
        self.told: list[Row] = []
        self.asks: dict[tuple[str, str], Request] = {}

    def ask(self, service: str = "payment", fen: int = 12000, bill: str = "", **more: Any) -> Request:
        mti = {"payment": "0200", "advice": "0220"}[service]
        return self.bureau.request(self.bank, service, mti, bill or self.bureau.bill(fen), fen)._replace(**more)

    def pay(self, service: str = "payment", fen: int = 12000, bill: str = "", **more: Any) -> Row:
        asked = self.ask(service, fen, bill, **more)
        assert self.bureau.ask(asked) == ["00"]
        self.serial += 1
        one = row(asked, receipt(self.bank, self.date, self.serial), date=self.date)
        self.asks[one.time, one.stan] = asked
        return one

    def undo(self, of: Row, kind: str = "R", first: Row | None = None, like: Row | None = None) -> Row:
        """first: the payment, when `of` is its void. like: a line whose time and STAN it has too."""
        asked = self.bureau.undoing(self.asks[of.time, of.stan], "void" if kind == "V" else "reversal")
        if like:
            first_ask = self.asks[like.time, like.stan]
            asked = asked._replace(trace=first_ask.trace, moment=first_ask.moment, stan=first_ask.stan)
        assert self.bureau.ask(asked) == ["00"]
        one = row(asked, kind=kind, date=self.date, of=first or of)
        self.asks.setdefault((one.time, one.stan), asked)
        return one._replace(original_time=of.time, original_stan=of.stan)

    def new(self, like: Row | None = None, **more: Any) -> Row:
        """A line that the ledger has never heard of: of its own, or `like` another but for time, STAN and RRN."""
        one = row(self.ask(bill=like.bill if like else ""), date=self.date, **more)
        return one if like is None else like._replace(time=one.time, stan=one.stan, rrn=one.rrn, **more)

    def back(self, of: Row, kind: str = "R") -> Row:
        """The bank's own reversal of a line, not heard of either."""
        return row(self.ask(bill=of.bill), kind=kind, date=self.date, of=of)

    def tell(self, *rows: Row) -> None:
        self.told += rows


class Days:
    """Some dates of one bank: `at[date]` takes in while that date is open, `lists` is what the bank tells in a date."""

    def __init__(self, bureau: Bureau, bank: str, dates: Sequence[int]) -> None:
        self.bureau, self.bank, self.dates = bureau, bank, dates
        self.at = {date: Day(bureau, bank, date) for date in dates}
        for day in self.at.values():
            day.asks = self.at[dates[0]].asks

    def close_until(self, date: int) -> None:
        while self.bureau.date < date:
            self.bureau.close(self.bank)
            self.bureau.next_day()

    def deliver(self, date: int) -> None:
        told = self.at[date].told
        put(self.bureau.folder_of("inbox", self.bank, date), self.bank, str(date), told)

    def run(self, date: int) -> dict[str, Any]:
        told: dict[str, Any] = self.bureau.told("run", "--bank", self.bank, "--date", str(date), code=None)
        assert set(told["classes"]) == set(CLASSES)
        return told

    def lists(self, date: int, *rows: Row) -> None:
        self.at[date].tell(*(one._replace(date=str(date)) for one in rows))
