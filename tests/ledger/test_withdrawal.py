"""Withdrawing a bill (settlement.md section 1)."""

import threading

import pytest

from shebao.ledger.facts import Request
from shebao.ledger.store import Store, open_store


def withdraw(town, **fields):
    return town.ask(
        town.request("withdraw", "", mti="", proc="", **{"reason": "重复开单", "operator": "zhang", **fields})
    )


def test_an_outstanding_bill_is_withdrawn_in_the_bureau_s_book(town) -> None:
    decision = withdraw(town, bill=town.numbers[0])
    event = town.events[-1]
    assert decision.code == "00" and town.bill().status == "WITHDRAWN"
    assert (event.book_id, event.kind, event.bill_move, event.date) == (
        0,
        "withdraw",
        "OUTSTANDING>WITHDRAWN",
        20261123,
    )
    assert (event.operator, event.reason, event.key_class) == ("zhang", "重复开单", 0)
    assert town.pay().code == "B2"


def test_its_date_is_the_calendar_s(town) -> None:
    town.turn_to("20270105120000")
    town.add_bill(town.numbers[0], last_day=20271231)
    withdraw(town, bill=town.numbers[0])
    assert town.events[-1].date == 20270105


@pytest.mark.parametrize(
    ("bill", "code"),
    [({"status": "WITHDRAWN"}, "B2"), ({"status": "REFUNDED"}, "B2"), ({"last_day": 20261122}, "B2")],
)
def test_any_other_bill_is_not(town, bill: dict[str, object], code: str) -> None:
    town.add_bill(town.numbers[0], **bill)
    decision = withdraw(town, bill=town.numbers[0])
    assert decision.code == code and decision.effects is None and town.numbers[0] in decision.note


def test_one_that_expired_by_a_clock_that_was_ahead_is_not(town) -> None:
    """Reversed after its last day, then the clock is put right: its day is not over, but no move leads there."""
    town.add_bill(town.numbers[0], status="EXPIRED")
    decision = withdraw(town, bill=town.numbers[0])
    assert (decision.code, decision.effects) == ("B2", None) and "EXPIRED" in decision.note


def test_paid_in_the_same_batch(town) -> None:
    town.pay()
    assert withdraw(town, bill=town.numbers[0]).code == "B1"
    assert withdraw(town, bill=town.numbers[1]).code == "00"
    assert town.pay(bill=town.numbers[1]).code == "B2"


@pytest.mark.parametrize("fields", [{"reason": " "}, {"reason": "a\x1fb"}, {"operator": "a\nb"}])
def test_what_can_t_be_sealed_as_text(town, fields: dict[str, str]) -> None:
    assert withdraw(town, bill=town.numbers[0], **fields).code == "12"
    assert not town.events


def test_no_such_bill(town) -> None:
    assert withdraw(town, bill="33011026112300000010").code == "25"
    assert withdraw(town, bill="33011026112300000011").code == "25"
    assert withdraw(town, bill="1").code == "25"


def test_payment_and_withdrawal_at_once_have_one_winner(till) -> None:
    """A command's store and a daemon's, each in its thread, from both ends of the list."""
    bills = till.add_bills(30)
    other = open_store(till.url)
    paying = [till.request("payment", bill) for bill in bills]
    withdrawing = [till.act("withdraw", bill=bill) for bill in reversed(bills)]
    found: dict[str, list[str]] = {}

    def run(name: str, store: Store, requests: list[Request]) -> None:
        found[name] = [till.ask_of(store, request) for request in requests]

    threads = [
        threading.Thread(target=run, args=("pay", till.store, paying)),
        threading.Thread(target=run, args=("withdraw", other, withdrawing)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.close()
    assert set(zip(found["pay"], reversed(found["withdraw"]), strict=True)) <= {("00", "B1"), ("B2", "00")}
    paid, withdrawn = found["pay"].count("00"), found["withdraw"].count("00")
    assert till.rows("SELECT count(*) FROM payment") == [(paid,)]
    assert till.rows("SELECT count(*) FROM bill WHERE status = 'WITHDRAWN'") == [(withdrawn,)]
    assert paid + withdrawn == 30
