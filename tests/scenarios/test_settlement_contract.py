"""Files of a day and reconciliation against a second reading of the contract: bytes by `shebao_statements`, which
shares no code with the switch; receipts, classes and states by hand.

Many cases share one day, each with bills of its own, since closing and running a date costs more than a case.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from shebao_bureau import BANKS, Bureau, bill_number
from shebao_statements import FIRST_LINE, Row, camt, control, csv, detail, names, put, sm3

from shebao.ledger.day import add_days
from shebao.ledger.facts import Request
from shebao.ledger.store import migrate

D, D1 = 20261123, 20261124
CLASSES = ("DUPLICATE", "AMOUNT_DIFFERS", "STATE_DIFFERS", "OTHER_DATE", "MATCHED", "BANK_ONLY", "LEDGER_ONLY")
ZERO = dict.fromkeys(CLASSES, 0)
SCHEMA = Path(__file__).resolve().parents[1] / "data" / "camt.053.001.08.xsd"
each_bank = pytest.mark.parametrize("bank", BANKS)


@pytest.fixture
def first_date() -> int:
    return D


@pytest.fixture
def bureau(tmp_path: Path, first_date: int) -> Iterator[Bureau]:
    url = f"sqlite:///{tmp_path / 'shebao.db'}"
    migrate(url)
    one = Bureau(tmp_path, url, first_date)
    yield one
    one.store.close()


def check_digit(body: str) -> str:
    """ISO 7064 MOD 11,10."""
    p = 10
    for digit in body:
        p = (p + int(digit)) % 10 or 10
        p = p * 2 % 11
    return str((11 - p) % 10)


def receipt(bank: str, date: int, serial: int) -> str:
    body = f"{date % 10**6:06d}{BANKS[bank]}00{serial:09d}"
    return body + check_digit(body)


def row(asked: Request, number: str = "", kind: str = "P", date: int = D, of: Row | None = None, **more: Any) -> Row:
    """The line of a payment, or of what undoes (or redoes) `of`: own time, STAN and RRN, the rest the payment's."""
    own = (str(date), f"{asked.moment:014d}", asked.stan, asked.rrn)
    if of is None:
        one = Row(*own, asked.terminal, asked.branch, kind, asked.bill, asked.amount, number, asked.channel)
    else:
        rest = (of.terminal, of.branch, kind, of.bill, of.fen, of.receipt, of.channel, of.time, of.stan)
        one = Row(*own, *rest)
    return one._replace(**more)


# -- (a) the files that the switch writes ------------------------------------------------------------------------------


def outbox(bureau: Bureau, bank: str, date: int) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in bureau.folder_of("outbox", bank, date).iterdir()}


def expected_files(bank: str, date: int, rows: Sequence[Row], opened: str) -> dict[str, bytes]:
    told = camt(str(date), rows, opened, f"{date}230000") if bank == "boc" else detail(bank, str(date), rows)
    name, beside = names(bank, str(date))
    files = {name: told, f"{name}.sm3": sm3(told).encode(), f"{name}.ok": b""}
    return {**files, beside: control(str(date), rows)} if beside else files


def odd(asked: Request) -> Request:
    """With blanks at the end, and what a layout has to quote or to escape."""
    return asked._replace(rrn="R&<7        ", terminal='T,"1  ', branch="Q>,2           ")


@each_bank
def test_the_files_of_three_days_to_the_byte(bureau: Bureau, bank: str) -> None:
    text = bureau.config.read_text(encoding="utf-8").replace(f"{bank}银行", "䶮𠮷葛·银行")
    bureau.config.write_text(text, encoding="utf-8")
    serial = iter(range(1, 99))
    rows: list[Row] = []

    def pay(service: str = "payment", mti: str = "0200", fen: int = 12345, bill: str = "", **more: Any) -> Row:
        asked = bureau.request(bank, service, mti, bill or bureau.bill(fen), fen)._replace(**more)
        assert bureau.ask(asked) == ["00"]
        rows.append(row(asked, receipt(bank, bureau.date, next(serial)), date=bureau.date))
        asks[rows[-1]] = asked
        return rows[-1]

    def undo(of: Row, kind: str, service: str = "reversal", first: Row | None = None) -> Row:
        asked = bureau.undo(asks[of], service)
        told = row(asked, kind=kind, date=bureau.date, of=(first or of))
        rows.append(told._replace(original_time=of.time, original_stan=of.stan))
        asks[rows[-1]] = asked
        return rows[-1]

    asks: dict[Row, Request] = {}
    strange = odd(bureau.request(bank, "payment", "0200", bureau.bill(5), 5))
    pay(fen=5, bill=strange.bill, rrn=strange.rrn, terminal=strange.terminal, branch=strange.branch)
    pay(rrn=" " * 12, terminal=" " * 8, branch=" " * 15, channel="03")
    pay("advice", "0220", 999_999_999_999)
    pay("advice", "0220", 700, bill=bill_number(999_001))  # fits no bill: suspense
    voided = pay()
    void = undo(voided, "V", "void")
    undo(void, "P", first=voided)  # the reversal of a void: a P line
    again = pay()
    undo(again, "R")
    bureau.undo(asks[again])  # no effect, so no line
    bureau.undo(asks[again], "void")
    paid_out = pay()
    refused = bureau.request(bank, "payment", "0200", paid_out.bill, 1)
    assert bureau.ask(refused) == ["B1"]
    bureau.close(bank)
    assert outbox(bureau, bank, D) == expected_files(bank, D, rows, f"{D}000000")
    before = outbox(bureau, bank, D)

    bureau.next_day()
    rows.clear()
    undo(paid_out, "R")  # of another date: the net is negative
    bureau.close(bank)
    assert outbox(bureau, bank, D1) == expected_files(bank, D1, rows, f"{D}230000")
    bureau.next_day()
    bureau.close(bank)
    assert outbox(bureau, bank, 20261125) == expected_files(bank, 20261125, [], f"{D1}230000")
    assert bureau.type("close", "--bank", bank, "--date", "2026-11-23").exit_code == 0
    assert outbox(bureau, bank, D) == before
    if bank == "boc":
        schema = etree.XMLSchema(etree.parse(SCHEMA))
        for date in (D, D1, 20261125):
            name = names(bank, str(date))[0]
            schema.assertValid(etree.fromstring(outbox(bureau, bank, date)[name]))


# -- (b) what a bank may tell, and the class that each item ends in ----------------------------------------------------

Item = tuple[str, Row | None, Row | None]  # class, the ledger's line, the bank's


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


def agrees(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a)
    return [("MATCHED", a, a)]


def bare(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a._replace(receipt="", branch=""))
    return [("MATCHED", a, a)]


def dropped(d: Day) -> list[Item]:
    return [("LEDGER_ONLY", d.pay(), None)]


def added(d: Day) -> list[Item]:
    a = d.new(fen=4321)
    d.tell(a)
    return [("BANK_ONLY", None, a)]


def doubled(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, a)
    return [("MATCHED", a, a), ("DUPLICATE", a, a)]


def tripled(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, a, a)
    return [("MATCHED", a, a), ("DUPLICATE", a, a), ("DUPLICATE", a, a)]


def doubled_unknown(d: Day) -> list[Item]:
    a = d.new()
    d.tell(a, a)
    return [("BANK_ONLY", None, a), ("DUPLICATE", None, a)]


def less(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a._replace(fen=11999))
    return [("AMOUNT_DIFFERS", a, d.told[-1])]


def more_and_reversed(d: Day) -> list[Item]:
    """The first class that applies: the amount, then the state."""
    a = d.pay()
    b = a._replace(fen=12001)
    d.tell(b, d.back(b))
    return [("AMOUNT_DIFFERS", a, b)]


def doubled_with_two_amounts(d: Day) -> list[Item]:
    a = d.pay()
    b = a._replace(fen=90)
    d.tell(b, a)
    return [("MATCHED", a, a), ("DUPLICATE", a, b)]


def reversed_here(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(a)
    d.tell(a)
    return [("STATE_DIFFERS", a, a)]


def voided_here(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(a, "V")
    d.tell(a)
    return [("STATE_DIFFERS", a, a)]


def reversed_there(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, d.back(a))
    return [("STATE_DIFFERS", a, a)]


def pair_on_both(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(d.undo(a), a)
    return [("MATCHED", a, a)]


def reversed_here_voided_there(d: Day) -> list[Item]:
    a = d.pay()
    r = d.undo(a)
    d.tell(a, r._replace(kind="V"))
    return [("MATCHED", a, a)]


def reversed_under_another_key(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(a)
    d.tell(a, d.back(a))
    return [("MATCHED", a, a)]


def pair_left_out_there(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(a)
    return [("MATCHED", a, None)]


def pair_unknown_here(d: Day) -> list[Item]:
    a = d.new()
    d.tell(a, d.back(a))
    return [("MATCHED", None, a)]


def voided_pair_unknown_here(d: Day) -> list[Item]:
    a = d.new()
    d.tell(d.back(a, "V"), a)
    return [("MATCHED", None, a)]


def reversal_alone(d: Day) -> list[Item]:
    """The bank lists the reversal, but not what it reverses."""
    a = d.pay()
    d.tell(d.undo(a))
    return [("LEDGER_ONLY", a, None), ("MATCHED", None, None)]


def void_undone_on_both(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    d.tell(d.undo(v, "P", first=a), v, a)
    return [("MATCHED", a, a)]


def void_undone_bank_tells_the_payment(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(d.undo(a, "V"), "P", first=a)
    d.tell(a)
    return [("MATCHED", a, a)]


def void_undone_here_only(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    d.undo(v, "P", first=a)
    d.tell(a, v)
    return [("STATE_DIFFERS", a, a)]


def void_undone_there_only(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    redone = d.back(v)._replace(kind="P", original_time=v.time, original_stan=v.stan)
    d.tell(a, v, redone)
    return [("STATE_DIFFERS", a, a)]


def void_undone_bank_lists_nothing(d: Day) -> list[Item]:
    a = d.pay()
    d.undo(d.undo(a, "V"), "P", first=a)
    return [("LEDGER_ONLY", a, None)]


def another_bill(d: Day) -> list[Item]:
    """Same time and STAN, another bill: no match."""
    a = d.pay()
    d.tell(a._replace(bill=d.bureau.bill()))
    return [("LEDGER_ONLY", a, None), ("BANK_ONLY", None, d.told[-1])]


def another_second(d: Day) -> list[Item]:
    """STAN and time move, the RRN stays."""
    a = d.pay()
    d.tell(d.new(a)._replace(rrn=a.rrn))
    return [("MATCHED", a, a)]


def another_second_reversed_there(d: Day) -> list[Item]:
    """The bank's reversal names the bank's own time and STAN."""
    a = d.pay()
    b = d.new(a)._replace(rrn=a.rrn)
    d.tell(d.back(b), b)
    return [("STATE_DIFFERS", a, b)]


def another_second_pair_on_both(d: Day) -> list[Item]:
    a = d.pay()
    r = d.undo(a)
    b = d.new(a)._replace(rrn=a.rrn)
    d.tell(b, r._replace(original_time=b.time, original_stan=b.stan))
    return [("MATCHED", a, b)]


def rrn_of_another_amount(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(d.new(a)._replace(rrn=a.rrn, fen=11000))
    return [("LEDGER_ONLY", a, None), ("BANK_ONLY", None, d.told[-1])]


def rrn_of_another_bill(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(d.new()._replace(rrn=a.rrn))
    return [("LEDGER_ONLY", a, None), ("BANK_ONLY", None, d.told[-1])]


def amount_and_bill(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(d.new(a))
    return [("MATCHED", a, a)]


def two_candidates_there(d: Day) -> list[Item]:
    a = d.pay()
    b, c = d.new(a), d.new(a)
    d.tell(b, c)
    return [("LEDGER_ONLY", a, None), ("BANK_ONLY", None, b), ("BANK_ONLY", None, c)]


def two_candidates_there_one_by_rrn(d: Day) -> list[Item]:
    a = d.pay()
    b, c = d.new(a), d.new(a)._replace(rrn=a.rrn)
    d.tell(b, c)
    return [("MATCHED", a, c), ("BANK_ONLY", None, b)]


def zero_rrns(d: Day) -> list[Item]:
    """An RRN of zeros never matches, so two candidates here and one there stay apart."""
    return _rrns_that_say_nothing(d, "000000000000")


def blank_rrns(d: Day) -> list[Item]:
    return _rrns_that_say_nothing(d, " " * 12)


def _rrns_that_say_nothing(d: Day, rrn: str) -> list[Item]:
    a = d.pay(rrn=rrn)
    b = d.pay("advice", bill=a.bill, rrn=rrn)  # paid already: suspense
    d.tell(d.new(a)._replace(rrn=rrn))
    ours: list[Item] = [("LEDGER_ONLY", a, None), ("LEDGER_ONLY", b, None), ("SUSPENSE", b, None)]
    return [*ours, ("BANK_ONLY", None, d.told[-1])]


def twins_of_one_bill(d: Day) -> list[Item]:
    a = d.pay()
    r = d.undo(a)
    b = d.pay(bill=a.bill)
    d.tell(b, a, r)
    return [("MATCHED", a, a), ("MATCHED", b, b)]


def twins_of_one_stan(d: Day) -> list[Item]:
    """The counter wrapped within the day."""
    a = d.pay()
    b = d.pay(stan=a.stan)
    c = d.pay(stan=a.stan)
    d.tell(c, a, b)
    return [("MATCHED", one, one) for one in (a, b, c)]


def twins_of_one_stan_one_lost(d: Day) -> list[Item]:
    a = d.pay()
    b = d.pay(stan=a.stan)
    d.tell(b)
    return [("MATCHED", b, b), ("LEDGER_ONLY", a, None)]


def one_key_two_bills(d: Day) -> list[Item]:
    """A payment and an advice may share time and STAN; the bill tells them apart."""
    a = d.pay()
    asked = d.asks[a.time, a.stan]
    b = d.pay("advice", trace=asked.trace, moment=asked.moment, stan=asked.stan)
    d.tell(b, a)
    return [("MATCHED", a, a), ("MATCHED", b, b)]


def one_key_one_bill(d: Day) -> list[Item]:
    """Reversed, then told by an advice under the same key: suspense, a second genuine payment."""
    a = d.pay()
    r = d.undo(a)
    asked = d.asks[a.time, a.stan]
    b = d.pay("advice", bill=a.bill, trace=asked.trace, moment=asked.moment, stan=asked.stan, rrn=asked.rrn)
    d.tell(b, r, a)
    return [("MATCHED", a, a), ("MATCHED", b, b), ("SUSPENSE", b, None)]


def surplus_taken_back(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, d.back(a), a)
    return [("MATCHED", a, a)]


def surplus_taken_back_by_a_void(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(d.back(a, "V"), a, a)
    return [("MATCHED", a, a)]


def two_surplus_one_taken_back(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, a, d.back(a), a)
    return [("MATCHED", a, a), ("DUPLICATE", a, a)]


def surplus_taken_back_twice(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, a, d.back(a), d.back(a))
    return [("STATE_DIFFERS", a, a)]


def doubled_and_reversed_here(d: Day) -> list[Item]:
    a = d.pay()
    d.tell(a, d.undo(a), a)
    return [("MATCHED", a, a), ("DUPLICATE", a, a)]


def reversal_doubled(d: Day) -> list[Item]:
    a = d.pay()
    r = d.undo(a)
    d.tell(a, r, r)
    return [("MATCHED", a, a), ("DUPLICATE", r, r)]


def reversal_of_nothing(d: Day) -> list[Item]:
    """What it reverses stands nowhere: an item of its own that one side lacks."""
    r = d.back(d.new())
    d.tell(r)
    return [("STATE_DIFFERS", None, r)]


def in_suspense(d: Day) -> list[Item]:
    a = d.pay("advice", bill=bill_number(900_000 + d.serial))
    d.tell(a)
    return [("MATCHED", a, a), ("SUSPENSE", a, None)]


def in_suspense_and_dropped(d: Day) -> list[Item]:
    a = d.pay("advice", bill=bill_number(900_000 + d.serial))
    return [("LEDGER_ONLY", a, None), ("SUSPENSE", a, None)]


def in_suspense_and_reversed(d: Day) -> list[Item]:
    a = d.pay("advice", bill=bill_number(900_000 + d.serial))
    d.tell(a, d.undo(a))
    return [("MATCHED", a, a)]


def other_small_print(d: Day) -> list[Item]:
    """Receipt, branch, terminal, channel and RRN decide nothing while time and STAN agree."""
    a = d.pay()
    b = a._replace(receipt=receipt(d.bank, D, 77_777), branch="ELSEWHERE", terminal="X", channel="04", rrn="OTHER")
    d.tell(b)
    return [("MATCHED", a, b)]


def reversal_under_the_payments_key(d: Day) -> list[Item]:
    """Keys are per class of message: a reversal may have its payment's time and STAN."""
    a = d.pay()
    r = d.undo(a, like=a)
    assert (r.time, r.stan) == (r.original_time, r.original_stan)
    d.tell(r, a)
    return [("MATCHED", a, a)]


def void_undone_under_the_payments_key(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    u = d.undo(v, "P", first=a, like=a)
    d.tell(u, v, a)
    return [("MATCHED", a, a)]


def void_undone_under_the_payments_key_bank_tells_it_all_twice(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    u = d.undo(v, "P", first=a, like=a)
    d.tell(a, v, u, a)
    return [("MATCHED", a, a), ("DUPLICATE", a, a)]


def voided_twice(d: Day) -> list[Item]:
    return _voided_twice(d, lambda *all_lines: all_lines, "MATCHED")


def voided_twice_bank_lists_nothing(d: Day) -> list[Item]:
    return _voided_twice(d, lambda *all_lines: (), "MATCHED")


def voided_twice_bank_lists_the_payment(d: Day) -> list[Item]:
    return _voided_twice(d, lambda a, v, u, w: (a,), "STATE_DIFFERS")


def voided_twice_bank_lists_payment_and_last(d: Day) -> list[Item]:
    return _voided_twice(d, lambda a, v, u, w: (w, a), "MATCHED")


def voided_twice_bank_lacks_the_last(d: Day) -> list[Item]:
    return _voided_twice(d, lambda a, v, u, w: (a, v, u), "STATE_DIFFERS")


def _voided_twice(d: Day, listed: Callable[..., Sequence[Row]], name: str) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    u = d.undo(v, "P", first=a)
    told = listed(a, v, u, d.undo(a, "V"))
    d.tell(*told)
    return [(name, a, a if told else None)]


def void_undone_then_reversed(d: Day) -> list[Item]:
    a = d.pay()
    v = d.undo(a, "V")
    d.tell(d.undo(v, "P", first=a), d.undo(a), v, a)
    return [("MATCHED", a, a)]


def void_undone_after_another_paid(d: Day) -> list[Item]:
    """The bill is paid by then, so the money that came back lies in suspense."""
    a = d.pay()
    v = d.undo(a, "V")
    b = d.pay(bill=a.bill)
    u = d.undo(v, "P", first=a)
    d.tell(b, u, v, a)
    return [("MATCHED", a, a), ("MATCHED", b, b), ("SUSPENSE", a, None)]


def twins_by_rrn_crosswise(d: Day) -> list[Item]:
    """Two of one bill and amount under other keys: the RRN tells which is which."""
    a = d.pay()
    b = d.pay("advice", bill=a.bill)
    d.tell(d.new(a)._replace(rrn=b.rrn), d.new(a)._replace(rrn=a.rrn))
    return [("MATCHED", a, a), ("MATCHED", b, b), ("SUSPENSE", b, None)]


def rrn_with_blanks(d: Day) -> list[Item]:
    a = d.pay(rrn="R 88        ")
    b = d.pay("advice", bill=a.bill)
    d.tell(b, d.new(a)._replace(rrn="R 88"), d.new(a))
    return [("MATCHED", a, a), ("MATCHED", b, b), ("SUSPENSE", b, None), ("BANK_ONLY", None, d.told[-1])]


def short_zero_rrns(d: Day) -> list[Item]:
    return _rrns_that_say_nothing(d, "000         ")


def another_bill_and_its_rrn(d: Day) -> list[Item]:
    """The key finds another bill, the RRN finds the payment."""
    a = d.pay()
    strange = a._replace(bill=d.bureau.bill(), rrn="")
    d.tell(strange, d.new(a)._replace(rrn=a.rrn))
    return [("MATCHED", a, d.told[-1]), ("BANK_ONLY", None, strange)]


ONE_DATE: tuple[Callable[[Day], list[Item]], ...] = (
    agrees, bare, dropped, added, doubled, tripled, doubled_unknown, less, more_and_reversed, doubled_with_two_amounts,
    reversed_here, voided_here, reversed_there, pair_on_both, reversed_here_voided_there, reversed_under_another_key,
    pair_left_out_there, pair_unknown_here, voided_pair_unknown_here, reversal_alone, void_undone_on_both,
    void_undone_bank_tells_the_payment, void_undone_here_only, void_undone_there_only, void_undone_bank_lists_nothing,
    another_bill, another_second, another_second_reversed_there, another_second_pair_on_both, rrn_of_another_amount,
    rrn_of_another_bill, amount_and_bill, two_candidates_there, two_candidates_there_one_by_rrn, zero_rrns, blank_rrns,
    twins_of_one_bill, twins_of_one_stan, twins_of_one_stan_one_lost, one_key_two_bills, one_key_one_bill,
    surplus_taken_back, surplus_taken_back_by_a_void, two_surplus_one_taken_back, surplus_taken_back_twice,
    doubled_and_reversed_here, reversal_doubled, reversal_of_nothing, in_suspense, in_suspense_and_dropped,
    in_suspense_and_reversed, other_small_print, reversal_under_the_payments_key, void_undone_under_the_payments_key,
    void_undone_under_the_payments_key_bank_tells_it_all_twice, voided_twice, voided_twice_bank_lists_nothing,
    voided_twice_bank_lists_the_payment, voided_twice_bank_lists_payment_and_last, voided_twice_bank_lacks_the_last,
    void_undone_then_reversed, void_undone_after_another_paid, twins_by_rrn_crosswise, rrn_with_blanks,
    short_zero_rrns, another_bill_and_its_rrn,
)  # fmt: skip


def shown(one: dict[str, Any]) -> tuple[str, str, int]:
    return one["class"], one["bill"], one["amount"]


def wanted(item: Item) -> tuple[str, str, int]:
    """amount: the bank's, for LEDGER_ONLY (and what came by the wire) the ledger's."""
    name, ours, theirs = item
    told = theirs or ours
    assert told is not None
    return name, told.bill, told.fen


def side(one: Row | None, line: int | None = None) -> dict[str, Any]:
    """What `exceptions --json` tells of a side, but for blanks at the end."""
    if one is None:
        return {}
    one = one.trimmed()
    told = {
        "kind": one.kind, "moment": one.time, "stan": one.stan, "bill": one.bill, "amount": one.fen,
        "receipt": one.receipt, "channel": one.channel, "terminal": one.terminal, "branch": one.branch,
        "rrn": one.rrn,
    }  # fmt: skip
    return told if line is None else {**told, "line": line}


def check_values(bank: str, listed: list[dict[str, Any]], items: list[Item], told: list[Row]) -> None:
    """Both sides' values to the last column; a bank's line by its place in the file, each place once."""
    places = [(FIRST_LINE[bank] + n, one) for n, one in enumerate(told)]
    left = list(items)
    for one in listed:
        line = one["bank_line"].get("line")
        theirs = dict(places)[line] if line else None
        item = next(i for i in left if wanted(i) == shown(one) and (i[2] is None or i[2] == theirs))
        left.remove(item)
        for key, values in (("ledger", side(item[1])), ("bank_line", side(theirs, line))):
            shown_values = {n: v.rstrip() if isinstance(v, str) else v for n, v in one[key].items() if n in values}
            assert shown_values == values, (one["class"], key)
            assert bool(one[key]) == bool(values), one
        if item[0] != "SUSPENSE":  # that one tells the message which opened it
            assert one["stan"] == (theirs or item[1]).stan  # type: ignore[union-attr]
        assert all(type(v["amount"]) is int for v in (one, one["ledger"], one["bank_line"]) if v)
    assert not left
    taken = [one["bank_line"]["line"] for one in listed if one["bank_line"]]
    assert len(taken) == len(set(taken))


@each_bank
def test_one_date(bureau: Bureau, bank: str) -> None:
    d = Day(bureau, bank)
    items = [item for case in ONE_DATE for item in case(d)]
    bureau.close(bank)
    told = d.told[::2] + d.told[1::2][::-1]  # in any order
    put(bureau.folder_of("inbox", bank, D), bank, str(D), told)
    foreseen = bureau.told("run", "--bank", bank, "--dry-run", code=1)
    assert bureau.told("exceptions") == [one for one in bureau.told("exceptions") if one["class"] == "SUSPENSE"]
    done = bureau.told("run", "--bank", bank, "--date", "2026-11-23", code=1)
    assert foreseen == {**done, "dry_run": True}
    listed = bureau.told("exceptions", "--bank", bank)
    open_items = [item for item in items if item[0] not in ("MATCHED", "OTHER_DATE")]
    assert Counter(map(shown, listed)) - Counter(map(wanted, open_items)) == Counter()
    assert Counter(map(wanted, open_items)) - Counter(map(shown, listed)) == Counter()
    counted = Counter(name for name, _, _ in items if name != "SUSPENSE")
    blocking = sum(item[0] != "SUSPENSE" for item in open_items)
    assert done == {
        "bank": bank, "date": "2026-11-23", "state": "CLOSED", "classes": {**ZERO, **counted},
        "exceptions_open": blocking,
    }  # fmt: skip
    check_values(bank, listed, open_items, told)


# -- several dates -----------------------------------------------------------------------------------------------------

Y, Y1, Y7, Y8 = 20261228, 20261229, 20270104, 20270105  # across the end of a year
Found = tuple[dict[int, tuple[str, ...]], tuple[tuple[str, int], ...]]  # classes by date; exceptions with their dates


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

    def run(self, date: int, **more: Any) -> dict[str, Any]:
        told: dict[str, Any] = self.bureau.told("run", "--bank", self.bank, "--date", str(date), code=None)
        assert set(told["classes"]) == set(CLASSES)
        return told

    def lists(self, date: int, *rows: Row) -> None:
        self.at[date].tell(*(one._replace(date=str(date)) for one in rows))


# Each case is a generator: until its `yield` the first date is open, after it the second; it ends with what it expects.
Case = Callable[[Days], Iterator[Found]]


def in_the_next_date(s: Days) -> Iterator[Found]:
    s.lists(Y1, s.at[Y].pay())
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, ()


def seven_dates_away(s: Days) -> Iterator[Found]:
    s.lists(Y7, s.at[Y].pay())
    yield {Y: ("OTHER_DATE",), Y7: ("OTHER_DATE",)}, ()


def eight_dates_away(s: Days) -> Iterator[Found]:
    s.lists(Y8, s.at[Y].pay())
    yield {Y: ("LEDGER_ONLY",), Y8: ("BANK_ONLY",)}, (("LEDGER_ONLY", Y), ("BANK_ONLY", Y8))


def by_rrn_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y1, s.at[Y].new(a)._replace(rrn=a.rrn))
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, ()


def by_amount_and_bill_in_the_next_date(s: Days) -> Iterator[Found]:
    s.lists(Y1, s.at[Y].new(s.at[Y].pay()))
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, ()


def another_amount_in_the_next_date(s: Days) -> Iterator[Found]:
    s.lists(Y1, s.at[Y].pay()._replace(fen=1))
    yield {Y: ("AMOUNT_DIFFERS",), Y1: ("AMOUNT_DIFFERS",)}, (("AMOUNT_DIFFERS", Y1),)


def reversed_here_told_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.at[Y].undo(a)
    s.lists(Y1, a)
    yield {Y: ("STATE_DIFFERS",), Y1: ("STATE_DIFFERS",)}, (("STATE_DIFFERS", Y1),)


def whole_pair_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y1, a, s.at[Y].undo(a))
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, ()


def banks_reversal_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    r = s.at[Y].undo(a)
    s.lists(Y, a)
    s.lists(Y1, r)
    yield {Y: ("MATCHED", "OTHER_DATE"), Y1: ("OTHER_DATE",)}, ()


def ledgers_reversal_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    yield {}, ()
    s.lists(Y, s.at[Y1].undo(a))
    yield {Y: ("MATCHED", "OTHER_DATE"), Y1: ("OTHER_DATE",)}, ()


def reversal_of_yesterday_on_both(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    yield {}, ()
    s.lists(Y1, s.at[Y1].undo(a))
    yield {Y: ("MATCHED",), Y1: ("MATCHED",)}, ()


def reversal_of_yesterday_here(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    yield {}, ()
    s.at[Y1].undo(a)
    yield {Y: ("MATCHED",), Y1: ("STATE_DIFFERS",)}, (("STATE_DIFFERS", Y1),)


def reversal_of_yesterday_there(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    s.lists(Y1, s.at[Y].back(a))
    yield {Y: ("MATCHED",), Y1: ("STATE_DIFFERS",)}, (("STATE_DIFFERS", Y1),)


def void_of_yesterday_there(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    s.lists(Y1, s.at[Y].back(a, "V"))
    yield {Y: ("MATCHED",), Y1: ("STATE_DIFFERS",)}, (("STATE_DIFFERS", Y1),)


def told_again_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    s.lists(Y1, a)
    yield {Y: ("MATCHED",), Y1: ("DUPLICATE",)}, (("DUPLICATE", Y1),)


def surplus_taken_back_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a, a)
    s.lists(Y1, s.at[Y].back(a))
    yield {Y: ("MATCHED",)}, ()


def unknown_taken_back_in_the_next_date(s: Days) -> Iterator[Found]:
    a = s.at[Y].new()
    s.lists(Y, a)
    s.lists(Y1, s.at[Y].back(a))
    yield {}, ()


def told_late_by_an_advice(s: Days) -> Iterator[Found]:
    bill = s.bureau.bill()
    yield {}, ()
    s.lists(Y, s.at[Y1].pay("advice", bill=bill))
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, ()


def suspense_in_the_next_date(s: Days) -> Iterator[Found]:
    s.lists(Y1, s.at[Y].pay("advice", bill=bill_number(990_001)))
    yield {Y: ("OTHER_DATE",), Y1: ("OTHER_DATE",)}, (("SUSPENSE", Y),)


def reversal_of_yesterday_under_another_key(s: Days) -> Iterator[Found]:
    a = s.at[Y].pay()
    s.lists(Y, a)
    yield {}, ()
    s.at[Y1].undo(a)
    s.lists(Y1, s.at[Y1].back(a))
    yield {Y: ("MATCHED",), Y1: ("MATCHED",)}, ()


def void_undone_in_the_next_date(s: Days) -> Iterator[Found]:
    yield from _void_undone(s, True, ("MATCHED",), ())


def void_undone_in_the_next_date_here_only(s: Days) -> Iterator[Found]:
    yield from _void_undone(s, False, ("STATE_DIFFERS",), (("STATE_DIFFERS", Y1),))


def _void_undone(s: Days, told: bool, classes: tuple[str, ...], listed: Any) -> Iterator[Found]:
    a = s.at[Y].pay()
    v = s.at[Y].undo(a, "V")
    s.lists(Y, a, v)
    yield {}, ()
    u = s.at[Y1].undo(v, "P", first=a)
    if told:
        s.lists(Y1, u)
    yield {Y: ("MATCHED",), Y1: classes}, listed


def surplus_of_two_dates_taken_back_in_the_second(s: Days) -> Iterator[Found]:
    """Told in both dates, and taken back where it was told again."""
    a = s.at[Y].pay()
    s.lists(Y, a)
    s.lists(Y1, a, s.at[Y].back(a))
    yield {Y: ("MATCHED",)}, ()


SEVERAL_DATES: tuple[Case, ...] = (
    in_the_next_date, by_rrn_in_the_next_date, by_amount_and_bill_in_the_next_date,
    another_amount_in_the_next_date, reversed_here_told_in_the_next_date, whole_pair_in_the_next_date,
    banks_reversal_in_the_next_date, ledgers_reversal_in_the_next_date, reversal_of_yesterday_on_both,
    reversal_of_yesterday_here, reversal_of_yesterday_there, void_of_yesterday_there, told_again_in_the_next_date,
    surplus_taken_back_in_the_next_date, unknown_taken_back_in_the_next_date, told_late_by_an_advice,
    suspense_in_the_next_date, reversal_of_yesterday_under_another_key, void_undone_in_the_next_date,
    void_undone_in_the_next_date_here_only, surplus_of_two_dates_taken_back_in_the_second,
)  # fmt: skip
FAR_DATES: tuple[Case, ...] = (seven_dates_away, eight_dates_away)


@pytest.mark.parametrize("first_date", [Y])
@pytest.mark.parametrize("order", [(Y8, Y1, Y, Y7), (Y, Y1)], ids=str)
def test_several_dates(bureau: Bureau, order: tuple[int, ...]) -> None:
    """Whatever the order in which the dates are run, the end is the same."""
    s = Days(bureau, "rcb", sorted(order))
    running = [case(s) for case in SEVERAL_DATES + (FAR_DATES if Y8 in order else ())]
    expected = [next(case) for case in running]
    s.close_until(Y1)
    expected = [next(case, found) for case, found in zip(running, expected, strict=True)]
    s.close_until(add_days(max(order), 1))
    for date in order:
        s.deliver(date)
        s.run(date)
    ends = {date: s.run(date) for date in order}
    for date in order:
        classes = Counter(name for found, _ in expected for name in found.get(date, ()))
        assert ends[date]["classes"] == {**ZERO, **classes}, date
    listed = Counter((one["class"], one["date"]) for one in bureau.told("exceptions"))
    dashed = lambda d: f"{d // 10000}-{d // 100 % 100:02d}-{d % 100:02d}"  # noqa: E731
    assert listed == Counter((name, dashed(date)) for _, found in expected for name, date in found)
    for date in order:
        blocking = sum(at == date and name != "SUSPENSE" for _, found in expected for name, at in found)
        assert (ends[date]["exceptions_open"], ends[date]["state"] == "CLOSED") == (blocking, blocking > 0), date


# -- what settles later ------------------------------------------------------------------------------------------------


def classes_open(bureau: Bureau) -> list[str]:
    return sorted(one["class"] for one in bureau.told("exceptions"))


def test_later_lines_settle_what_was_open(bureau: Bureau) -> None:
    """First one file alone, with all that it leaves open; then the next date's, which answers each of them."""
    s = Days(bureau, "ccb", (D, D1))
    first, then = s.at[D], s.at[D1]
    late, twice, live, unknown = first.pay(), first.pay(), first.pay(), first.new()
    s.lists(D, twice, twice, live, first.back(live), unknown)
    unheard = row(first.ask("advice"))  # the bank collected it; the advice comes tomorrow
    s.lists(D, unheard)
    s.close_until(D1)
    s.deliver(D)
    opened = s.run(D)
    assert opened["classes"] == {
        **ZERO, "MATCHED": 1, "DUPLICATE": 1, "LEDGER_ONLY": 1, "STATE_DIFFERS": 1, "BANK_ONLY": 2
    }  # fmt: skip
    assert (opened["state"], opened["exceptions_open"]) == ("CLOSED", 5)
    ids = {one["id"] for one in bureau.told("exceptions")}
    assert s.run(D) == opened and {one["id"] for one in bureau.told("exceptions")} == ids
    assert bureau.type("run", "--bank", "ccb").exit_code == 1 and bureau.type("status").exit_code == 1

    advice = bureau.request("ccb", "advice", "0220", unheard.bill, 12000)
    told = advice._replace(
        trace=int(unheard.time) % 10**12 * 10**6 + int(unheard.stan), moment=int(unheard.time), stan=unheard.stan,
        rrn=unheard.rrn,
    )  # fmt: skip
    assert bureau.ask(told) == ["00"]
    then.undo(live)  # the ledger follows, in its next date
    s.lists(D1, late, first.back(twice), first.back(unknown))
    s.close_until(20261125)
    s.deliver(D1)
    end = s.run(D1)
    assert (end["classes"], end["exceptions_open"]) == ({**ZERO, "OTHER_DATE": 3}, 0)
    assert classes_open(bureau) == [] and bureau.type("status").exit_code == 0  # at once, before D is run again
    end = s.run(D)
    assert end["classes"] == {**ZERO, "MATCHED": 2, "OTHER_DATE": 3}
    assert end["exceptions_open"] == 0 and end["state"] in ("RECONCILED", "SETTLED")
    assert bureau.type("status").exit_code == 0


def test_late_reversals_and_suspense_beside_the_classes(bureau: Bureau) -> None:
    s = Days(bureau, "boc", (D, D1))
    paid, suspended = s.at[D].pay(), s.at[D].pay("advice", bill=bill_number(990_002))
    s.lists(D, paid, suspended)
    s.close_until(D1)
    s.deliver(D)
    done = s.run(D)
    assert (done["state"], done["exceptions_open"]) == ("RECONCILED", 0)
    assert classes_open(bureau) == ["SUSPENSE"]
    asked = bureau.undo(s.at[D].asks[paid.time, paid.stan], code="R2")
    s.lists(D1, row(asked, kind="R", of=paid))
    s.close_until(20261125)
    s.deliver(D1)
    done = s.run(D1)
    assert (done["classes"], done["exceptions_open"], done["state"]) == (ZERO, 1, "CLOSED")
    listed = {one["class"]: one for one in bureau.told("exceptions")}
    assert set(listed) == {"SUSPENSE", "LATE_REVERSAL"}
    reversal = listed["LATE_REVERSAL"]
    assert (reversal["date"], reversal["bill"], reversal["amount"]) == ("2026-11-24", paid.bill, 12000)
    assert reversal["stan"] == asked.stan and reversal["proposal"] == "reverse"
    assert bureau.type("run", "--bank", "boc", "--date", "2026-11-24").exit_code == 1


def test_a_voids_reversal_that_came_too_late_joins_too(bureau: Bureau) -> None:
    """It is a `P` line of the bank's, with the void as its original."""
    s = Days(bureau, "icbc", (D, D1))
    paid = s.at[D].pay()
    void = s.at[D].undo(paid, "V")
    s.lists(D, paid, void)
    s.close_until(D1)
    s.deliver(D)
    assert s.run(D)["state"] == "SETTLED"  # nothing is due
    asked = bureau.undo(s.at[D].asks[void.time, void.stan], code="R2")
    told = row(asked, kind="P", of=paid)
    s.lists(D1, told._replace(original_time=void.time, original_stan=void.stan))
    s.close_until(20261125)
    s.deliver(D1)
    done = s.run(D1)
    assert (done["classes"], done["exceptions_open"]) == (ZERO, 1)
    (late,) = bureau.told("exceptions")
    assert (late["class"], late["ledger"]["receipt"], late["ledger"]["live"]) == ("LATE_REVERSAL", paid.receipt, False)


# -- readers' tolerances, and (c) what they do not forgive -------------------------------------------------------------


def three(bureau: Bureau, bank: str) -> tuple[Day, list[Row]]:
    """A closed date of three payments, one reversed."""
    d = Day(bureau, bank)
    paid = [d.pay() for _ in range(3)]
    rows = [*paid, d.undo(paid[2])]
    bureau.close(bank)
    return d, rows


FORGIVEN: dict[str, tuple[Callable[[list[Row]], bytes], str]] = {  # detail file, digest
    "rcb": (lambda rows: detail("rcb", str(D), rows), "{D}\r\n"),
    "icbc": (  # a name behind the digest; the rest of a record is nobody's business
        lambda rows: detail("icbc", str(D), rows).replace(b" " * 18 + b"\r\n", b"whatever the bank \r\n"),
        "{d}  ICBC_20261123_DTL.txt\n",
    ),
    "ccb": (lambda rows: csv(str(D), rows, always=True, bom=False), "{D}"),
    "boc": (lambda rows: detail("boc", str(D), rows), "{d} *BOC_20261123_DTL.xml\n"),
}


def test_what_readers_forgive(bureau: Bureau) -> None:
    for bank, (write, digest) in FORGIVEN.items():
        _, rows = three(bureau, bank)
        told = [one._replace(receipt="", branch="") for one in rows[::-1]]
        data = write(told)
        digest = digest.format(d=sm3(data), D=sm3(data).upper())
        put(bureau.folder_of("inbox", bank, D), bank, str(D), told, data, digest)
        assert bureau.told("run", "--bank", bank)["classes"] == {**ZERO, "MATCHED": 3}


# a good line becomes a bad one; each is named by its line, in XML by NtryRef too
BAD_LINES: dict[str, dict[str, Any]] = {
    "another date": {"date": "20261124"},
    "a time that does not exist": {"time": "20261123240000"},
    "a day that does not exist": {"time": "20260229090000"},
    "a STAN of letters": {"stan": "00000A"},
    "a STAN of blanks": {"stan": "      "},
    "a bill of 19 digits": {"bill": "3301102611010000001"},
    "an unknown kind": {"kind": "X"},
    "a reversal of nothing": {"kind": "R"},
    "half an original": {"original_time": "20261123090000"},
    "no amount": {"fen": 0},
    "an amount below zero": {"fen": -1},
    "a receipt of letters": {"receipt": "2611230400000000005X"},
}
Bad = tuple[Callable[[str, list[Row]], bytes], str]
BAD_FILES: dict[str, Bad] = {
    "another bank": (
        lambda bank, rows: detail(bank, str(D), rows)
        .replace(b"boc", b"abc").replace(b"icbc", b"abcc").replace(b"|rcb|", b"|abc|"), "abc",
    ),
    "another date": (lambda bank, rows: detail(bank, "20261122", [r._replace(date="20261122") for r in rows]), "2026"),
    "cut in the middle": (lambda bank, rows: detail(bank, str(D), rows)[:-200], ""),
    "the end lost": (lambda bank, rows: detail(bank, str(D), rows)[:-3], ""),
    "empty": (lambda bank, rows: b"", ""),
    "UTF-16": (lambda bank, rows: detail(bank, str(D), rows).decode().encode("utf-16"), ""),
    "a line less than the totals": (lambda bank, rows: _wrong_totals(bank, rows), ""),
}  # fmt: skip


def _wrong_totals(bank: str, rows: list[Row]) -> bytes:
    """The totals of all lines, and one line less."""
    whole = detail(bank, str(D), rows)
    lines = whole.splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if rows[0].bill.encode() in line)
    return b"".join(lines[:last] + lines[last + 1 :])


def refused(bureau: Bureau, bank: str) -> str:
    done = bureau.type("run", "--bank", bank, "--date", "2026-11-23")
    assert (done.exit_code, done.stdout) == (3, ""), done.output
    assert "Traceback" not in done.stderr
    untouched(bureau, bank)
    return done.stderr


def untouched(bureau: Bureau, bank: str) -> None:
    book = int(BANKS[bank]) * 100
    assert bureau.rows(f"SELECT state FROM day WHERE book_id = {book} AND date = {D}") == [("CLOSED",)]
    for table in ("bank_file", "bank_line", "exception"):
        assert bureau.rows(f"SELECT count(*) FROM {table}") == [(0,)], table


@each_bank
def test_bad_files_leave_the_date_as_it_was(bureau: Bureau, bank: str) -> None:
    _, rows = three(bureau, bank)
    folder = bureau.folder_of("inbox", bank, D)
    good = row(bureau.request(bank, "payment", "0200", bureau.bill(), 12000), receipt(bank, D, 9))
    bad = [good._replace(**columns) for columns in BAD_LINES.values()]
    told = [one for each in bad for one in (good, each)]
    put(folder, bank, str(D), told)
    said = refused(bureau, bank)
    for n, name in enumerate(BAD_LINES):
        line = FIRST_LINE[bank] + 2 * n + 1
        assert re.search(rf"\bline {line}\b", said), (name, said)
        assert bank != "boc" or re.search(rf"\bNtryRef {2 * n + 2}\b", said), (name, said)
        assert not re.search(rf"\bline {line - 1}\b", said), (name, said)
    dry = bureau.type("run", "--bank", bank, "--dry-run")
    assert (dry.exit_code, dry.stderr) == (3, said)
    for name, (write, says) in BAD_FILES.items():
        if bank == "ccb" and name == "another bank":
            continue  # its detail file does not name the bank; the control file does, below
        put(folder, bank, str(D), rows, write(bank, rows))
        said = refused(bureau, bank)
        assert re.search(says, said), (name, said)


@each_bank
def test_what_must_lie_beside_the_file(bureau: Bureau, bank: str) -> None:
    _, rows = three(bureau, bank)
    folder = bureau.folder_of("inbox", bank, D)
    name, beside = names(bank, str(D))
    run = ("run", "--bank", bank, "--date", "2026-11-23")
    assert bureau.type(*run).exit_code == 5
    path = put(folder, bank, str(D), rows)
    whole = path.read_bytes()
    for lost in filter(None, (f"{name}.sm3", beside, name)):
        kept = (folder / lost).read_bytes()
        (folder / lost).unlink()
        assert lost in refused(bureau, bank)
        (folder / lost).write_bytes(kept)
    for digest in (" ", "0" * 64, sm3(whole)[:-1]):
        put(folder, bank, str(D), rows, digest=digest)
        assert "digest" in refused(bureau, bank), digest
    if beside:
        put(folder, bank, str(D), rows)
        right = control(str(D), rows)
        for old, new in (
            (b"bank=ccb", b"bank=boc"), (b"date=20261123", b"date=20261122"), (b"payments=3", b"payments=4"),
            (b"net_amount=240.00", b"net_amount=240.0"), (b"reversals=1\r\n", b""), (right, b""),
            (b"reversals_amount=120.00", b"reversals_amount=-120.00"),
        ):  # fmt: skip
            assert old in right
            (folder / beside).write_bytes(right.replace(old, new))
            assert beside in refused(bureau, bank), new
    (folder / f"{name}.ok").unlink()
    for words in (run, (*run, "--dry-run"), (*run, "--json")):
        assert bureau.type(*words).exit_code == 5
        untouched(bureau, bank)


@each_bank
def test_another_file_for_an_accepted_date(bureau: Bureau, bank: str) -> None:
    _, rows = three(bureau, bank)
    folder = bureau.folder_of("inbox", bank, D)
    put(folder, bank, str(D), rows)
    first = bureau.told("run", "--bank", bank)
    put(folder, bank, str(D), rows[::-1])
    for words in (("run", "--bank", bank), ("run", "--bank", bank, "--dry-run")):
        done = bureau.type(*words)
        assert done.exit_code == 3 and "--replace" in done.stderr, done.output
    done = bureau.type("run", "--bank", bank, "--replace", "--reason", "x", "--operator", "a")
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    put(folder, bank, str(D), rows)
    assert bureau.told("run", "--bank", bank) == first
