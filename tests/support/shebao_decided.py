"""The books of `Sealed` after two people have decided: an event of every kind, and what somebody could change of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shebao_sealed import Sealed
from sqlalchemy import insert

from shebao.ledger import proof
from shebao.ledger.schema_day import exception
from shebao.reconcile.commands import desk_of
from shebao.reconcile.decisions import Office, Who, approve, ask, propose

D = 20261123
RCB = 100
MAKER, CHECKER = Who("经办甲", "对过账", "1000 a@host"), Who("复核乙", "同意", "1001 b@host")


class Decided(Sealed):
    """`Sealed`, and then the desk: `at` names the event of each decision."""

    def __init__(self, till: Any, folder: Path) -> None:
        super().__init__(till, folder)
        desk = desk_of(till.store, folder, lambda: till.now_us)
        self.office = Office(till.store, desk, {100: "rcb", 200: "icbc"})
        self.at: dict[str, int] = {}
        self._decide_it()
        self.anchors.sign()

    def _decide_it(self) -> None:
        ((held,),) = self.till.rows("SELECT exception_id FROM suspense WHERE book_id = 100 AND seq = 5")
        ((late,),) = self.till.rows("SELECT id FROM exception WHERE book_id = 100 AND item_class = 'LATE_REVERSAL'")
        self.decide("received", "receive", amount=20000, dates=f"{D}", reference="TR-1", received_on=20261124)
        self.decide("returned", "return", exception_id=held)
        self.decide("reversed", "reverse", exception_id=late)
        self.decide("booked", "pay", exception_id=self._bank_only(), bill=self.bills[11])
        self.decide("refunded", "refund", bill=self.bills[9])
        self.decide("refundpaid", "refund-paid", bill=self.bills[9], reference="TR-2", received_on=20261124)
        self.decide("swept", "sweep", amount=1000, parts="170:600 390:400", reference="TR-3", received_on=20261124)
        self.decide("undone", "undo", exception_id=held)
        self.decide("cancelled", "cancel", reference="TR-3")

    def decide(self, kind: str, action: str, **content: Any) -> None:
        number = propose(self.office, ask(self.office, RCB, MAKER, action, **content))
        approve(self.office, RCB, number, CHECKER)
        ((self.at[kind], found),) = self.till.rows(
            "SELECT seq, kind FROM event WHERE book_id = 100 ORDER BY seq DESC LIMIT 1"
        )
        assert found == kind

    def _bank_only(self) -> int:
        """An exception as a run leaves it: the bank has a payment of 12000 fen of a bill that nobody knows."""
        ((number,),) = self.till.rows("SELECT next_exception FROM book WHERE book_id = 100")
        line = {
            "date": "2026-11-23", "line": 9, "kind": "P", "moment": f"{D}100000", "stan": "777777", "rrn": "B1",
            "terminal": "T", "branch": "", "bill": "33011026110100009999", "amount": 12000, "receipt": "",
            "channel": "01", "original_moment": "", "original_stan": "", "live": True,
        }  # fmt: skip
        row = {
            "book_id": RCB, "id": number, "date": D, "item_class": "BANK_ONLY", "state": "OPEN", "seq": 0,
            "trace": 261123100000777777, "bill": line["bill"], "amount": 12000, "opened_us": self.till.now_us,
            "bank_json": json.dumps(line), "item_key": "B:P:1", "gap_fen": 12000,
        }  # fmt: skip
        with self.till.store.writing() as connection:
            connection.execute(insert(exception).values(row))
            connection.exec_driver_sql("UPDATE book SET next_exception = next_exception + 1 WHERE book_id = 100")
        return int(number)


def where(s: Decided, kind: str) -> str:
    return f"book_id = 100 AND seq = {s.at[kind]}"


def _ruling(kind: str, change: str) -> Callable[[Decided], list[str]]:
    return lambda s: [f"UPDATE ruling SET {change} WHERE {where(s, kind)}"]


# what is done to the rows, which proofs speak against it, and what one of them says of which event
TAMPERED_DESK: dict[str, tuple[Callable[[Decided], list[str]], set[str], str, str]] = {
    "maker = checker": (
        _ruling("booked", "maker = '复核乙'"), {proof.SEAL, proof.CORRECTIONS}, "booked",
        "ruling 100/{}: maker and checker are one person, 复核乙",
    ),
    "maker = checker by spelling": (
        lambda s: [
            f"UPDATE ruling SET maker = 'ＺＨＡＮＧ ' WHERE {where(s, 'received')}",
            f"UPDATE event SET operator = 'zhang' WHERE {where(s, 'received')}",
        ],
        {proof.SEAL, proof.CORRECTIONS}, "received", "ruling 100/{}: maker and checker are one person, zhang",
    ),
    "no maker": (
        _ruling("reversed", "maker = ' '"), {proof.SEAL, proof.CORRECTIONS}, "reversed",
        "ruling 100/{}: names no two operators",
    ),
    "a reason": (
        _ruling("refunded", "maker_reason = '另一个'"), {proof.SEAL}, "refunded", "event 100/{}: its seal is not"
    ),
    "where the maker sat": (
        _ruling("swept", "maker_from = 'x'"), {proof.SEAL}, "swept", "event 100/{}: its seal is not"
    ),
    "a reference": (
        _ruling("refundpaid", "reference = 'TR-9'"), {proof.SEAL}, "refundpaid", "event 100/{}: its seal is not"
    ),
    "the day of a transfer": (
        _ruling("received", "received_on = 20261125"), {proof.SEAL}, "received", "event 100/{}: its seal is not"
    ),
    "an action": (
        _ruling("booked", "action = 'suspense'"), {proof.SEAL, proof.CORRECTIONS}, "booked",
        "ruling 100/{}: action suspense does not lead to a booked",
    ),
    "a ruling taken away": (
        lambda s: [f"DELETE FROM ruling WHERE {where(s, 'reversed')}"], {proof.SEAL, proof.CORRECTIONS}, "reversed",
        "event 100/{}: is of kind reversed and names no two operators",
    ),
    "a ruling of no event": (
        lambda s: ["INSERT INTO ruling SELECT book_id, 99, proposal_id, exception_id, action, bill, maker, "
                   "maker_reason, maker_from, made_us, checker_from, reference, received_on FROM ruling "
                   f"WHERE {where(s, 'returned')}"],
        {proof.CORRECTIONS}, "", "ruling 100/99: it, or its share, belongs to no event",
    ),
    "a share": (
        lambda s: [f"UPDATE share SET fen = fen + 1 WHERE {where(s, 'reversed')}"], {proof.SEAL, proof.CLEARING},
        "reversed", "share 100/{}: of side due are",
    ),
    "the date of a share": (
        lambda s: [f"UPDATE share SET date = 20261124 WHERE {where(s, 'received')}"], {proof.SEAL}, "received",
        "event 100/{}: its seal is not",
    ),
    "a share taken away": (
        lambda s: [f"DELETE FROM share WHERE {where(s, 'received')}"], {proof.SEAL, proof.CLEARING}, "received",
        "share 100/{}: of side received are 0 fen, right is 20000",
    ),
    "a share of a payment": (
        lambda s: [f"INSERT INTO share VALUES (100, 1, {D}, 'due', 5)"], {proof.SEAL, proof.CLEARING}, "",
        "share 100/1: belongs to no decision",
    ),
    "the account of a receipt": (
        lambda s: [f"UPDATE transfer SET debit = 'treasury:170' WHERE {where(s, 'received')}"],
        {proof.SEAL, proof.TRANSFERS}, "received", "transfer 100/{}/1: treasury:170 to clearing:rcb is no entry of a",
    ),
    "the amount of a sweep": (
        lambda s: [f"UPDATE transfer SET amount = 601 WHERE {where(s, 'swept')} AND line = 1"],
        {proof.SEAL, proof.TRANSFERS}, "swept", "transfer 100/{}: sum is 1001, right is 1000, the event's amount",
    ),
    "what a mirror mirrors": (
        lambda s: [f"UPDATE event SET origin_seq = {s.at['received']} WHERE {where(s, 'undone')}"],
        {proof.SEAL, proof.TRANSFERS, proof.SUSPENSE}, "undone",
        "transfer 100/{}: are not the mirror image of event 100/",
    ),
    "the bill that was paid": (
        lambda s: [f"UPDATE payment SET on_bill = '{s.bills[10]}' WHERE {where(s, 'booked')}"],
        {proof.STATES, proof.PAID}, "booked", "payment 100/{}: on_bill is",
    ),
    "the bill of a ruling": (
        lambda s: [f"UPDATE ruling SET bill = '{s.bills[10]}' WHERE {where(s, 'booked')}"],
        {proof.SEAL, proof.STATUS, proof.STATES}, "booked", "event 100/{}: its seal is not",
    ),
    "a refund taken back": (
        lambda s: [
            f"UPDATE bill SET status = 'PAID', paid_book = 100, paid_seq = 22 WHERE number = {s.bills[9][:19]}",
            "UPDATE payment SET state = 'LIVE', undone_seq = NULL WHERE book_id = 100 AND seq = 22",
        ],
        {proof.STATUS, proof.STATES}, "", "payment 100/22: state is LIVE, right is REFUNDED",
    ),
}  # fmt: skip
