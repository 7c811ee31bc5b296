"""Decisions about payments that stand in suspense, and about voids whose reversal came too late."""

from __future__ import annotations

from typing import Any

import pytest
from shebao_bureau import bill_number
from shebao_clerks import D, decide, listed, only, propose, run_day, status_of, strange
from shebao_sums import balance

UNKNOWN = bill_number(990002)


@pytest.mark.parametrize("fen", [780, 770])
def test_a_suspended_payment_of_another_amount_is_reversed_and_its_item_closed(bureau: Any, fen: int) -> None:
    """The bank's amount is in suspense after it, once; and the payment's again when that is undone."""
    bureau.pay("icbc", mti="0220", bill=UNKNOWN, fen=777)
    run_day(bureau, lambda lines: [lines[0]._replace(amount=fen)])
    first = only(bureau, **{"class": "SUSPENSE"})["id"]
    told = only(bureau, **{"class": "AMOUNT_DIFFERS"})["id"]
    decide(bureau, told, "reverse")
    second = only(bureau, **{"class": "SUSPENSE"})
    assert (second["id"] != first, second["amount"], balance(bureau, "suspense:icbc")) == (True, fen, -fen)
    propose(bureau, first, "return", code=3)
    decide(bureau, told, "undo")
    assert (only(bureau, **{"class": "SUSPENSE"})["id"], balance(bureau, "suspense:icbc")) == (first, -777)
    decide(bureau, told, "reverse")
    third = only(bureau, **{"class": "SUSPENSE"})["id"]
    decide(bureau, third, "return")
    assert balance(bureau, "suspense:icbc") == 0
    propose(bureau, told, "undo", code=3)  # what it parked is gone


@pytest.fixture
def late(bureau: Any) -> Any:
    """A void whose reversal the wire answered R2, of a payment onto a bill, or of one in suspense."""

    def make(**more: Any) -> str:
        bureau.paid = bureau.pay("icbc", **more)
        bureau.void = bureau.undo(bureau.paid, "void")
        run_day(bureau)
        bureau.undo(bureau.void, code="R2")
        return str(only(bureau, **{"class": "LATE_REVERSAL"})["id"])

    bureau.late = make
    return bureau


def test_a_voids_late_reversal_is_decided_undone_and_decided_again(late: Any) -> None:
    told = late.late()
    for action, status in (("reverse", "PAID"), ("undo", "OUTSTANDING"), ("reverse", "PAID")):
        decide(late, told, action)
        assert status_of(late, late.paid.bill) == status
    kept = late.rows("SELECT state, undone_seq FROM payment")
    assert kept == [("LIVE", None)]


def test_the_payment_of_a_void_may_have_stood_in_suspense(late: Any) -> None:
    told = late.late(mti="0220", bill=UNKNOWN, fen=777)
    decide(late, told, "reverse")
    assert only(late, **{"class": "SUSPENSE"})["amount"] == 777 and balance(late, "suspense:icbc") == -777
    decide(late, told, "undo")
    assert balance(late, "suspense:icbc") == 0
    assert not [one for one in listed(late) if one["class"] == "SUSPENSE"]
    decide(late, told, "reverse")
    held = only(late, **{"class": "SUSPENSE"})["id"]
    decide(late, held, "pay", "--bill", late.bill(777))
    propose(late, told, "undo", code=3)


def test_the_proposal_is_to_pay_what_was_in_time(bureau: Any) -> None:
    """By the day on which the bank took it; and a number that is none is no bill."""
    free, other = bureau.bill(), bureau.bill()
    wrong = other[:-1] + str((int(other[-1]) + 1) % 10)
    with bureau.store.writing() as conn:
        conn.exec_driver_sql(f"UPDATE bill SET last_day = {D} WHERE number = {free[:19]}")
    bureau.pay("icbc")
    run_day(bureau, lambda lines: [*lines, strange(lines[0], free), strange(lines[0], wrong, stan="999998")])
    assert {one["bill"]: one["proposal"] for one in listed(bureau)} == {free: "pay", wrong: "suspense"}
    decide(bureau, only(bureau, bill=free)["id"], "pay")
