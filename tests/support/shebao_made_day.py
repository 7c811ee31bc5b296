"""A day on which everything happens: for the reports. What two people decide is written into the tables by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from shebao_bureau import BANKS, Bureau
from sqlalchemy import insert, select, update

from shebao.codecs.numbers import receipt
from shebao.ledger import schema, schema_day
from shebao.ledger.day import CST, date_of
from shebao.reconcile.reports import periods
from shebao.reconcile.reports.figures import Figures, gather
from shebao.reconcile.reports.report import Report, compose

D = 20261123
AT = datetime(2026, 11, 24, 8, 0, tzinfo=CST)
ODD_OFFICES = ("=HYPERLINK(\"http://x\")", "𠮷田村<b>&委</b>", "+86-571 #set *粗* $x$ \\", "@SUM(A1) 😀", "-2村委会")
ODD_BRANCHES = ("=1+1", "@SUM(A1)", "+8613", "-2", "YUHANG<i>01")


class Desk:
    """Decisions as the settlement desk would have written them; the seal is not kept up."""

    def __init__(self, bureau: Bureau) -> None:
        self.bureau = bureau

    def decide(
        self, bank: str, kind: str, entries: Sequence[tuple[str, str, int]], *, origin: int | None = None,
        bill: str = "", exception_id: int = 0, shares: Iterable[tuple[int, str, int]] = (), booked: str = "",
        suspense: bool = False, fen: int = 0, action: str = "",
    ) -> int:  # fmt: skip
        """One decision on the bank's open date; gives its event's number. booked: the bill of its own payment."""
        with self.bureau.store.writing() as conn:
            book = conn.execute(select(schema.book).where(schema.book.c.bank == bank)).one()
            seq, date, key = book.next_seq, book.open_date, {"book_id": book.book_id, "seq": book.next_seq}
            blank = {c.name: b"" if c.name in ("reply", "seal") else "" for c in schema.event.c}
            amount = fen or sum(e[2] for e in entries)
            told = {"at_us": self.bureau.now_us, "key_class": 0, "trace": 0, "amount": amount, "operator": "李复核"}
            values = {**blank, **key, **told, "date": date, "kind": kind, "bill": booked or bill, "origin_seq": origin}
            conn.execute(insert(schema.event).values(values | {"seal": bytes(32)}))
            for line, (debit, credit, amount) in enumerate(entries, 1):
                row = {**key, "line": line, "date": date, "debit": debit, "credit": credit, "amount": amount}
                conn.execute(insert(schema.transfer).values(row))
            ruling = {c.name: "" for c in schema_day.ruling.c} | key | {"action": action}
            numbers = {"proposal_id": 1, "exception_id": exception_id, "made_us": 0, "received_on": 0}
            conn.execute(insert(schema_day.ruling).values({**ruling, **numbers, "maker": "张经办", "bill": bill}))
            for of_date, side, moved in shares:
                row = {**key, "date": of_date, "side": side, "fen": moved}
                conn.execute(insert(schema_day.share).values(row))
            if booked:
                text = {c.name: "" for c in schema.payment.c} | key
                more = {
                    "date": date, "kind": "booked", "trace": 0, "moment": date * 1_000_000 + 101010, "amount": fen,
                    "receipt": receipt(date % 1_000_000, BANKS[bank], 0, book.next_receipt), "undone_seq": None,
                    "suspense": int(suspense), "state": "LIVE", "bill": booked, "branch": "BOOKED", "channel": "01",
                }  # fmt: skip
                conn.execute(insert(schema.payment).values({**text, **more}))
            after = {"next_seq": seq + 1, "next_receipt": book.next_receipt + bool(booked)}
            conn.execute(update(schema.book).where(schema.book.c.bank == bank).values(after))
        return int(seq)

    def exception(self, bank: str, item_class: str, state: str, fen: int, date: int = D, **more: Any) -> int:
        """An exception of a run; gives its id."""
        with self.bureau.store.writing() as conn:
            book = conn.execute(select(schema.book).where(schema.book.c.bank == bank)).one()
            side = json.dumps({"amount": fen, "live": True, "kind": "P"})
            row = {
                "book_id": book.book_id, "id": book.next_exception, "date": date, "item_class": item_class,
                "state": state, "seq": 0, "trace": 261123091500000001, "bill": "33011026112300000010", "amount": fen,
                "opened_us": self.bureau.now_us, "item_key": f"k{book.next_exception}",
                "ledger_json": side if item_class != "BANK_ONLY" else "",
                "bank_json": side if item_class != "LEDGER_ONLY" else "",
            }  # fmt: skip
            conn.execute(insert(schema_day.exception).values({**row, **more}))
            after = {"next_exception": book.next_exception + 1}
            conn.execute(update(schema.book).where(schema.book.c.bank == bank).values(after))
        return int(book.next_exception)


def bank_file(bureau: Bureau, bank: str, net: int, date: int = D) -> None:
    """The bank's accepted file, as the books would know it."""
    with bureau.store.writing() as conn:
        book_id = int(BANKS[bank]) * 100
        row = {
            "book_id": book_id, "date": date, "digest": "", "accepted_us": 1, "staged_us": 1, "payments": 1,
            "payments_fen": max(0, net), "reversals": 0, "reversals_fen": max(0, -net),
            "classes_json": '{"MATCHED": 7, "BANK_ONLY": 1}',
        }  # fmt: skip
        conn.execute(insert(schema_day.bank_file).values(row))


def everything(bureau: Bureau, spread: int = 1) -> Desk:
    """Payments, advice, suspense, void, its reversal, reversals, each kind of decision; all four dates closed.

    spread: that many payments more at each bank, over offices, branches, channels and hours.
    """
    desk = Desk(bureau)
    _traffic(bureau, spread)
    stray = bureau.pay("icbc", 700, bill="33011026112300000010", mti="0220", at="20261123150001")
    kept = bureau.pay("icbc", 900, bill="33011026112300000010", mti="0220", at="20261123150002")
    seqs = {
        row[0]: row[1] for row in bureau.rows("SELECT stan, seq FROM payment WHERE book_id = 200 AND suspense = 1")
    }
    bill, other = bureau.bill(700, "110:500 310:200"), bureau.bill(2500, "210:2500")
    found = desk.exception("rcb", "BANK_ONLY", "DECIDED", 2500, gap_fen=2500, corrected_fen=2500, decided_date=D)
    booked = desk.decide(
        "rcb", "booked", [("clearing:rcb", "fund:210", 2500)], booked=other, bill=other, fen=2500, exception_id=found,
        shares=[(D, "due", 2500)],
    )  # fmt: skip
    desk.decide(
        "icbc", "applied", [("suspense:icbc", "fund:110", 500), ("suspense:icbc", "fund:310", 200)],
        origin=seqs[stray.stan], bill=bill, fen=700,
    )  # fmt: skip
    desk.decide("icbc", "returned", [("suspense:icbc", "clearing:icbc", 900)], origin=seqs[kept.stan],
                shares=[(D, "due", -900)], exception_id=1)  # fmt: skip
    parked = desk.exception("ccb", "DUPLICATE", "DECIDED", 333, gap_fen=333, corrected_fen=333, decided_date=D)
    desk.decide("ccb", "parked", [("clearing:ccb", "suspense:ccb", 333)], booked="33011026112300000010", suspense=True,
                fen=333, exception_id=parked, shares=[(D, "due", 333)])  # fmt: skip
    desk.decide("rcb", "undone", [("fund:210", "clearing:rcb", 2500)], origin=booked, bill=other, exception_id=found,
                shares=[(D, "due", -2500)])  # fmt: skip
    first = bureau.rows("SELECT seq, bill, amount FROM payment WHERE book_id = 400 AND state = 'LIVE' ORDER BY seq")[0]
    desk.decide("boc", "refunded", [("fund:170", "refund:boc", first[2])], origin=first[0], bill=first[1])
    desk.decide("boc", "refundpaid", [("refund:boc", "special:boc", first[2])])
    desk.decide("boc", "received", [("special:boc", "clearing:boc", 5000)], shares=[(D, "received", 5000)])
    desk.decide("boc", "swept", [("treasury:170", "special:boc", 3000)])
    for bank in BANKS:
        bureau.close(bank)
    return desk


def _traffic(bureau: Bureau, spread: int) -> None:
    offices: dict[str, str] = {}
    for n, bank in enumerate(BANKS):
        for k in range(spread):
            fen = 1000 * (k % 37 + 1) + n
            bill = bureau.bill(fen, f"170:{fen - 300} 390:300" if k % 2 else f"110:{fen}")
            offices[bill] = ODD_OFFICES[k] if k < len(ODD_OFFICES) else f"余杭区良渚街道第{k % 61}社区居民委员会"
            minute = (k * 7 + n * 11) % (13 * 60) + 8 * 60
            at = f"{D}{minute // 60:02d}{minute % 60:02d}{k % 60:02d}"
            request = bureau.request(bank, "payment", "0200", bill, fen, at)
            branch = ODD_BRANCHES[k] if k < len(ODD_BRANCHES) else f"YUHANG{k % 29:09d}"
            assert bureau.ask(request._replace(branch=branch, channel=f"{k % 5 + 1:02d}")) == ["00"]
    with bureau.store.writing() as conn:
        for bill, office in offices.items():
            number = schema.bill.c.number == int(bill[:19])
            conn.execute(update(schema.bill).where(number).values(office=office))
    voided = bureau.pay("rcb", 1000, at="20261123091600")
    bureau.undo(bureau.undo(voided, "void"))
    bureau.undo(bureau.pay("icbc", 1530000, parts="110:1530000", at="20261123150000"))
    bureau.undo(bureau.pay("ccb", 4400, parts="510:4400", at="20261123160000"), "void")
    bureau.pay("boc", 88000, parts="170:88000", at="20261123161000")


def figures(bureau: Any, period: periods.Period | None = None, **more: Any) -> Figures:
    banks = {bank: (f"{bank}银行", int(number) * 100) for bank, number in BANKS.items()}
    with bureau.store.reading() as conn:
        return gather(conn, banks, period or periods.of_day(D), 23 * 60, date_of(bureau.now_us), **more)


def report(bureau: Any, period: periods.Period | None = None) -> Report:
    return compose(figures(bureau, period), AT, "declared", "0")
