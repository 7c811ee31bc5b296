"""Moves of a bill: those of settlement.md section 1, and no other."""

import itertools

import pytest

from shebao.ledger import bills


def test_moves_are_those_of_the_contract() -> None:
    pairs = {(before, after) for (before, _), after in bills.MOVES.items()}
    assert pairs == {
        ("OUTSTANDING", "PAID"),
        ("PAID", "OUTSTANDING"),
        ("PAID", "EXPIRED"),
        ("OUTSTANDING", "WITHDRAWN"),
        ("OUTSTANDING", "EXPIRED"),
        ("EXPIRED", "PAID"),
        ("PAID", "REFUNDED"),
    }


def test_every_other_move_is_a_bug(town) -> None:
    acts = {
        "pay": lambda b: bills.paid(b, 100, 1),
        "release": lambda b: bills.released(b, 20260101),
        "withdraw": bills.withdrawn,
    }
    for status, (act, make) in itertools.product(bills.STATUSES, acts.items()):
        bill = town.bill()._replace(status=status)
        if (status, act) in bills.MOVES:
            assert make(bill).status == bills.MOVES[status, act]
        else:
            with pytest.raises(KeyError):
                make(bill)


@pytest.mark.parametrize("stored", ["OUTSTANDING", "EXPIRED"])
def test_the_day_of_payment_alone_decides_whether_it_is_over(town, stored: str) -> None:
    bill = town.bill()._replace(status=stored)
    assert bills.status_on(bill, bill.last_day) == "OUTSTANDING"
    assert bills.status_on(bill, bill.last_day + 100) == "EXPIRED"


@pytest.mark.parametrize("stored", ["PAID", "WITHDRAWN", "REFUNDED"])
def test_other_statuses_stay_whatever_the_day(town, stored: str) -> None:
    bill = town.bill()._replace(status=stored)
    assert bills.status_on(bill, 20260101) == bills.status_on(bill, 20991231) == stored


def test_a_released_bill_has_no_payment_and_knows_whether_its_last_day_is_over(town) -> None:
    paid = bills.paid(town.bill(), 100, 7)
    assert (paid.status, paid.paid_book, paid.paid_seq) == ("PAID", 100, 7)
    free = bills.released(paid, paid.last_day)
    assert (free.status, free.paid_book, free.paid_seq) == ("OUTSTANDING", None, None)
    assert bills.released(paid, paid.last_day + 1).status == "EXPIRED"


def test_parts_go_to_text_and_back_in_file_order(town) -> None:
    parts = (("390", 1000), ("170", 11000))
    assert bills.parts_text(parts) == "390:1000 170:11000"
    assert bills.parse_parts(bills.parts_text(parts)) == parts
    assert bills.main_type(town.bill()._replace(parts=parts)) == "170"
