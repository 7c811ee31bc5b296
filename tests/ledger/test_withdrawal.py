"""Withdrawing a bill (settlement.md section 1)."""

import pytest


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
