"""What the wire answers about money that operators disposed of (wire.md section 6, rules 4, 6, 7, 8)."""

from __future__ import annotations

from typing import Any

import pytest
from shebao_clerks import D, status_of, strange
from shebao_random_desk import Story
from shebao_sums import balance, check

from shebao.ledger.facts import KeyClass, Request
from shebao.reconcile.decisions import Who, ask, propose
from shebao.reconcile.run import Refused

BOOK = 200
WHO = Who("甲", "因为", "")


def say(bureau: Any, request: Request) -> tuple[str, str]:
    """The code, and the receipt if there is one."""
    (answer,) = bureau.store.transact([request], lambda: bureau.now_us, lambda one, decision: b"")
    check(bureau)
    assert answer.decision is not None, answer.fault
    return str(answer.code), dict(answer.decision.tags).get("RN", "")


@pytest.fixture
def desk(any_bureau: Any) -> Any:
    """One BANK_ONLY, whose own bill was paid elsewhere since: it was paid onto another, `onto`."""
    bureau = any_bureau
    bureau.pay("icbc")
    bureau.only, bureau.onto = bureau.bill(), bureau.bill()
    bureau.close("icbc")
    bureau.deliver("icbc", D, lambda lines: [*lines, strange(lines[0], bureau.only)])
    bureau.next_day()
    story = bureau.story = Story(bureau, 1, lambda text: None)
    story.detail["icbc", D] = b""
    story.run("icbc", D)
    bureau.pay("boc", bill=bureau.only)
    ((bureau.case,),) = bureau.rows("SELECT id FROM exception WHERE item_class = 'BANK_ONLY'")
    story.decide(BOOK, "pay", exception_id=bureau.case, bill=bureau.onto)
    ((bureau.receipt, moment),) = bureau.rows("SELECT receipt, moment FROM payment WHERE kind = 'booked'")
    plain = bureau.request("icbc", "payment", "0200", bureau.only, 12000, str(moment))
    bureau.told = plain._replace(trace=moment % 10**12 * 10**6 + 999999, stan="999999")
    return bureau


def as_advice(request: Request) -> Request:
    return request._replace(service="advice", mti="0220", key_class=KeyClass.ADVICE)


def test_a_booked_item_is_the_banks_approved_payment(desk: Any) -> None:
    before = balance(desk, "clearing:icbc")
    assert status_of(desk, desk.onto) == "PAID"
    assert say(desk, desk.told) == ("00", desk.receipt)
    assert say(desk, as_advice(desk.told)) == ("00", desk.receipt)
    assert say(desk, desk.undoing(desk.told, "void"))[0] == "R2"
    assert balance(desk, "clearing:icbc") == before
    assert not desk.rows("SELECT 1 FROM exception WHERE item_class IN ('SUSPENSE', 'LATE_REVERSAL')")
    other = desk.told._replace(bill=desk.onto)  # another bill than the line's: not that payment told again
    assert say(desk, as_advice(other)._replace(trace=desk.told.trace))[0] in ("00", "94")


def test_its_reversal_before_its_date_is_reconciled(desk: Any) -> None:
    undo = desk.undoing(desk.told)
    assert say(desk, undo._replace(amount=11999))[0] == "13"
    assert say(desk, desk.undoing(desk.told))[0] == "00"
    assert status_of(desk, desk.onto) == "OUTSTANDING" and status_of(desk, desk.only) == "PAID"
    assert say(desk, desk.told)[0] == "R1"
    assert say(desk, desk.undoing(desk.told))[0] == "00"  # again: no effect
    with pytest.raises(Refused, match="REVERSED since"):
        propose(desk.story.office, ask(desk.story.office, BOOK, WHO, "undo", exception_id=desk.case))
    assert say(desk, as_advice(desk.told))[0] == "00"  # money is never refused: to suspense
    assert balance(desk, "suspense:icbc") == -12000


def test_its_reversal_after_its_date_is_reconciled(desk: Any) -> None:
    desk.close("icbc")
    desk.deliver("icbc", D + 1)
    desk.next_day()
    desk.story.detail["icbc", D + 1] = b""
    desk.story.run("icbc", D + 1)
    assert say(desk, desk.undoing(desk.told))[0] == "R2"
    ((number, amount),) = desk.rows("SELECT id, amount FROM exception WHERE item_class = 'LATE_REVERSAL'")
    assert amount == 12000
    desk.story.decide(BOOK, "reverse", exception_id=number)
    assert status_of(desk, desk.onto) == "OUTSTANDING" and status_of(desk, desk.only) == "PAID"
    desk.story.decide(BOOK, "undo", exception_id=number)
    assert status_of(desk, desk.onto) == "PAID"
    check(desk)


def test_undone_it_is_no_payment_any_more(desk: Any) -> None:
    desk.story.decide(BOOK, "undo", exception_id=desk.case)
    assert say(desk, desk.told)[0] == "R1"
    assert say(desk, as_advice(desk.told))[0] == "00"
    assert balance(desk, "suspense:icbc") == -12000


def test_suspended_it_counts_as_well(desk: Any) -> None:
    desk.story.decide(BOOK, "undo", exception_id=desk.case)
    desk.story.decide(BOOK, "suspense", exception_id=desk.case)
    code, receipt = say(desk, desk.told)
    assert code == "00" and receipt != desk.receipt
    assert say(desk, desk.undoing(desk.told, "void"))[0] == "R2"
    ((held,),) = desk.rows("SELECT exception_id FROM suspense WHERE state = 'OPEN'")
    desk.story.decide(BOOK, "pay", exception_id=held, bill=desk.onto)
    assert say(desk, as_advice(desk.told)) == ("00", receipt)
    assert say(desk, desk.undoing(desk.told))[0] == "R2"  # decided: too late
    assert status_of(desk, desk.onto) == "PAID"


def test_a_refund_from_decision_to_payment(desk: Any) -> None:
    story: Story = desk.story
    paid = desk.pay("icbc")
    first = say(desk, paid)
    story.decide(BOOK, "refund", bill=paid.bill)
    assert status_of(desk, paid.bill) == "REFUNDED" and balance(desk, "refund:icbc") == -12000
    assert say(desk, paid) == first  # the stored reply
    receipt = desk.rows(f"SELECT receipt FROM payment WHERE stan = '{paid.stan}'")[0][0]
    assert say(desk, as_advice(paid)) == ("00", receipt)
    assert say(desk, desk.request("icbc", "payment", "0200", paid.bill, 12000))[0] == "B2"
    assert say(desk, desk.undoing(paid, "void"))[0] == "R2"
    assert say(desk, desk.undoing(paid))[0] == "R2"
    ((late,),) = desk.rows("SELECT id FROM exception WHERE item_class = 'LATE_REVERSAL'")
    for action, content in (("reverse", {"exception_id": late}), ("refund", {"bill": paid.bill})):
        with pytest.raises(Refused, match="REFUNDED"):
            propose(story.office, ask(story.office, BOOK, WHO, action, **content))
    story.decide(BOOK, "accept", exception_id=late)
    story.decide(BOOK, "refund-paid", bill=paid.bill, reference="TR-1", received_on=20261124)
    assert balance(desk, "refund:icbc") == 0 and balance(desk, "special:icbc") == -12000
    again = ask(story.office, BOOK, WHO, "refund-paid", bill=paid.bill, reference="TR-2", received_on=20261124)
    with pytest.raises(Refused, match="TR-1"):
        propose(story.office, again)
    story.decide(BOOK, "cancel", reference="TR-1")
    assert balance(desk, "refund:icbc") == -12000
    story.decide(BOOK, "refund-paid", bill=paid.bill, reference="TR-2", received_on=20261124)
    assert balance(desk, "refund:icbc") == 0
    check(desk)
