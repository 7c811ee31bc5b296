"""A small town to test the rules in: two banks, a bureau, a few bills, and a clock that is turned by hand.

No store: one Facts whose lookups know everything, cut into batches by `next_batch`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shebao.codecs.numbers import mod_11_10
from shebao.ledger import bills, day, journal
from shebao.ledger.decide import decide
from shebao.ledger.facts import (
    BUREAU_BOOK_ID,
    Bill,
    Book,
    Day,
    Decision,
    Event,
    Facts,
    KeyClass,
    Original,
    Person,
    Request,
    Transfer,
)

BANKS = {"rcb": 100, "icbc": 200}
INSTITUTIONS = {"rcb": "14293300", "icbc": "01020000"}
MTI = {
    "payment": "0200", "void": "0200", "advice": "0220", "reversal": "0420", "inquiry": "0100", "totals": "0500",
    "cutover": "0800",
}  # fmt: skip
CLASS = {"0200": KeyClass.PAYMENT, "0220": KeyClass.ADVICE, "0400": KeyClass.REVERSAL, "0420": KeyClass.REVERSAL}
PAYER = "33011019900101008X"
OTHER = "830000199001010012"


class Known(dict[Any, Any]):
    """A lookup in which everything is loaded: what is not there is known to be absent."""

    def __init__(self, absent: Callable[[], Any]) -> None:
        super().__init__()
        self.absent = absent

    def __missing__(self, key: Any) -> Any:
        self[key] = self.absent()
        return self[key]


def nothing() -> None:
    return None


def bill_number(serial: int) -> str:
    body = f"330110261101{serial:07d}"
    return body + mod_11_10(body)


class Town:
    """Facts, and the shortest way to ask something of them."""

    numbers = [bill_number(serial) for serial in range(1, 9)]
    payer, other = PAYER, OTHER

    def __init__(self, now: str = "20261123100000") -> None:
        self.now_us = day.us_of(int(now))
        date = int(now[:8])
        book = {number: Book(number, bank, date, 1, 1, 1, journal.GENESIS) for bank, number in BANKS.items()}
        book[BUREAU_BOOK_ID] = Book(BUREAU_BOOK_ID, "", date, 1, 1, 1, journal.GENESIS)
        self.facts = self._facts(book)
        for number in BANKS.values():
            self.facts.days[number, date] = Day(number, date, "OPEN", self.now_us, None, 0, 0, 0, 0, 0)
        for person in (Person(PAYER, "沈建国", "6217001234567890123"), Person(OTHER, "毛石", "6217009999")):
            self.facts.people[person.id] = self.facts.cards[person.card] = person
        for number in self.numbers:
            self.add_bill(number)
        self.history: list[tuple[Request, Decision]] = []
        self.stored: list[tuple[list[Event], list[Transfer]]] = []
        self.stan = 0

    def _facts(self, books: dict[int, Book]) -> Facts:
        return Facts(
            now_us=self.now_us,
            books=books,
            days=Known(nothing),
            events=Known(list),
            early=Known(nothing),
            bills=Known(nothing),
            by_payer=Known(tuple),
            people=Known(nothing),
            cards=Known(nothing),
        )

    def add_bill(self, number: str, **changes: Any) -> Bill:
        bill = Bill(
            number, PAYER, "沈建国", "运河街道", 202601, 202612, 20261101, 20261225, 20261231, False, 12000,
            (("170", 11000), ("390", 1000)), bills.OUTSTANDING,
        )._replace(**changes)  # fmt: skip
        if "parts" in changes:
            bill = bill._replace(amount=sum(fen for _, fen in bill.parts))
        self.facts.bills[number] = bill
        self.facts.by_payer[bill.payer_id] = tuple(sorted({*self.facts.by_payer[bill.payer_id], number}))
        return bill

    def next_batch(self, seconds: float = 1) -> None:
        """A later batch: the clock moves on, what was decided is stored."""
        self.now_us += round(seconds * 1_000_000)
        old = self.facts
        self.stored.append((old.new_events, old.new_transfers))
        self.facts = Facts(
            self.now_us, old.books, old.reply_deadline_us, old.banks, old.days, old.events, old.early, old.payments,
            old.bills, old.by_payer, old.people, old.cards, old.suspense, old.exceptions,
        )  # fmt: skip

    def turn_to(self, moment: str) -> None:
        self.next_batch((day.us_of(int(moment)) - self.now_us) / 1_000_000)

    def request(self, service: str, bank: str = "rcb", **fields: Any) -> Request:
        """A message sent now, unless `fields` says otherwise; a new STAN each time."""
        self.stan += 1
        stan = int(fields.pop("stan", self.stan))
        moment = int(fields.pop("moment", day.moment_of(self.now_us)))
        mti = fields.pop("mti", MTI.get(service, ""))
        proc = {"void": "200000", "inquiry": "390000", "totals": "", "cutover": ""}.get(service, "500000")
        request = Request(
            service=service,
            book_id=BANKS.get(bank, BUREAU_BOOK_ID),
            bank=bank,
            mti=mti,
            key_class=CLASS.get(mti, KeyClass.NONE),
            trace=moment % 10**12 * 10**6 + stan,
            moment=moment,
            received_us=self.now_us,
            echo={32: INSTITUTIONS.get(bank, "")},
            has_de48=service not in ("reversal", "totals", "cutover"),
            proc=proc,
            stan=f"{stan:06d}",
            rrn=f"{stan:012d}",
            terminal="TERM0001",
            branch="3301100000BR001",
            channel="01",
        )
        return request._replace(**fields)

    def ask(self, request: Request) -> Decision:
        """Decide, encode, apply, as a batch does."""
        decision = decide(request, self.facts)
        journal.apply(self.facts, request, decision, self.reply(decision))
        self.history.append((request, decision))
        return decision

    @staticmethod
    def reply(decision: Decision) -> bytes:
        return repr((str(decision.code), sorted(decision.fields.items()), decision.tags)).encode()

    # -- one line for each message --------------------------------------------------------------------------

    def pay(self, bank: str = "rcb", bill: str = numbers[0], amount: int = 12000, **fields: Any) -> Decision:
        return self.ask(self.request("payment", bank, bill=bill, amount=amount, **fields))

    def advise(self, bank: str = "rcb", bill: str = numbers[0], amount: int = 12000, **fields: Any) -> Decision:
        return self.ask(self.request("advice", bank, bill=bill, amount=amount, **fields))

    def undo(self, service: str, of: Request, bank: str = "rcb", **fields: Any) -> Request:
        """A reversal or void of an earlier request, DE90 made from it."""
        mti = fields.pop("original_mti", of.mti)
        institution = fields.pop("institution", INSTITUTIONS[bank])
        text = f"{mti}{of.stan}{of.moment % 10**10:010d}{institution.zfill(11)}{'0' * 11}"
        key_class = CLASS.get(mti[:3] + "0", KeyClass.NONE)
        fields = {
            "amount": of.amount,
            "proc": "200000" if service == "void" else of.proc,
            "original": Original(key_class, of.trace, institution.lstrip("0")),
            "original_text": text,
            "bill": of.bill if service == "void" else "",
            **fields,
        }
        return self.request(service, bank, **fields)

    def reverse(self, of: Request, bank: str = "rcb", **fields: Any) -> Decision:
        return self.ask(self.undo("reversal", of, bank, **fields))

    def void(self, of: Request, bank: str = "rcb", **fields: Any) -> Decision:
        return self.ask(self.undo("void", of, bank, **fields))

    @property
    def events(self) -> list[Event]:
        return [event for events, _ in self.stored for event in events] + self.facts.new_events

    @property
    def transfers(self) -> list[Transfer]:
        return [transfer for _, transfers in self.stored for transfer in transfers] + self.facts.new_transfers

    @property
    def last(self) -> Request:
        return self.history[-1][0]

    def bill(self, number: str = numbers[0]) -> Bill:
        found: Bill = self.facts.bills[number]
        return found

    def set_day(self, date: int, state: str, bank: str = "rcb") -> None:
        key = BANKS[bank], date
        self.facts.days[key] = self.facts.days[key]._replace(state=state)

    def balances(self) -> dict[str, int]:
        """Account -> debits less credits; accounts without a balance are left out."""
        found: dict[str, int] = {}
        for transfer in self.transfers:
            found[transfer.debit] = found.get(transfer.debit, 0) + transfer.amount
            found[transfer.credit] = found.get(transfer.credit, 0) - transfer.amount
        return {account: fen for account, fen in found.items() if fen}


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture(scope="session")
def make_town() -> type[Town]:
    return Town
