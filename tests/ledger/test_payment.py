"""Payment and advice, sentence by sentence (wire.md section 6, rules 4 and 8)."""

import pytest

from shebao.ledger.facts import KeyClass
from shebao.ledger.journal import auth_id
from shebao.ledger.outcome import Say

# -- payment


def test_the_exact_amount_pays_the_bill(town) -> None:
    decision = town.pay()
    receipt = town.facts.payments[100, 1].receipt
    assert decision.code == "00"
    assert decision.fields == {15: "1123", 38: auth_id(receipt)}
    assert decision.tags == (("RN", receipt), ("NM", "沈建国"), ("MS", "缴费成功"))
    assert (town.bill().status, town.bill().paid_book, town.bill().paid_seq) == ("PAID", 100, 1)


@pytest.mark.parametrize("amount", [11999, 12001, 0])
def test_another_amount_is_refused(town, amount: int) -> None:
    decision = town.pay(amount=amount)
    assert (decision.code, decision.tags) == ("13", (("MS", "金额与缴费单不符"),))
    assert town.bill().status == "OUTSTANDING" and not town.transfers


def test_paid_already_says_where_and_when_and_the_receipt_to_its_own_bank_alone(town) -> None:
    town.pay(moment=20261123093015)
    receipt = town.facts.payments[100, 1].receipt
    where = (("PB", "rcb"), ("PT", "20261123093015"))
    own, foreign = town.pay(), town.pay("icbc")
    assert own.code == foreign.code == "B1"
    assert own.tags == (*where, ("RN", receipt), ("MS", "该缴费单已缴费"))
    assert foreign.tags == (*where, ("MS", "该缴费单已缴费"))


def test_the_bank_of_a_book_outside_the_batch_is_known(town) -> None:
    town.pay("icbc")
    town.next_batch()
    del town.facts.books[200]
    town.facts.banks[200] = "icbc"
    assert town.pay().tags[0] == ("PB", "icbc")


def test_two_banks_pay_one_bill_in_one_batch_and_exactly_one_wins(town) -> None:
    assert [town.pay("icbc").code, town.pay("rcb").code] == ["00", "B1"]
    assert town.balances()["clearing:icbc"] == 12000 and "clearing:rcb" not in town.balances()


@pytest.mark.parametrize(("status", "say"), [("WITHDRAWN", Say.WITHDRAWN), ("REFUNDED", Say.REFUNDED)])
def test_a_bill_that_can_t_be_paid(town, status: str, say: Say) -> None:
    town.add_bill(town.numbers[0], status=status)
    decision = town.pay(amount=1)
    assert (decision.code, decision.tags) == ("B2", (("MS", str(say)),))


@pytest.mark.parametrize(("moment", "code"), [(20261130235959, "00"), (20261201000000, "B2")])
def test_the_last_day_is_judged_by_de7(make_town, moment: int, code: str) -> None:
    town = make_town("20261201000010")
    town.add_bill(town.numbers[0], last_day=20261130)
    assert town.pay(moment=moment).code == code


def test_a_number_with_a_wrong_check_digit_is_never_looked_up(town) -> None:
    wrong = town.numbers[0][:-1] + str((int(town.numbers[0][-1]) + 1) % 10)
    town.add_bill(wrong)
    decision = town.pay(bill=wrong)
    assert (decision.code, decision.tags) == ("25", (("MS", str(Say.CHECK_DIGIT)),))


def test_a_bill_that_does_not_exist(town) -> None:
    assert town.pay(bill="33011026112300000010").tags == (("MS", str(Say.NO_BILL)),)


PAYERS = [
    ({}, "00"), ({"person": "33011019900101008X"}, "00"), ({"card": "6217001234567890123"}, "00"),
    ({"person": "830000199001010012"}, "B3"), ({"card": "6217009999"}, "B3"), ({"card": "1"}, "B3"),
    ({"person": "33011019900101008X", "card": "6217009999"}, "B3"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "code"), PAYERS)
def test_a_bill_for_its_owner_alone(town, given: dict[str, str], code: str) -> None:
    town.add_bill(town.numbers[0], owner_only=True)
    assert town.pay(**given).code == code


@pytest.mark.parametrize("given", [given for given, _ in PAYERS])
def test_else_the_payer_is_not_judged(town, given: dict[str, str]) -> None:
    assert town.pay(**given).code == "00"


def test_the_order_of_refusals(town) -> None:
    """B1, B2, B3, 13: each hides the later ones."""
    town.add_bill(town.numbers[0], owner_only=True)
    assert town.pay(person=town.other, amount=1).code == "B3"
    town.pay()
    assert town.pay(person=town.other, amount=1).code == "B1"


# -- a payment whose advice came first (C31)


def test_a_payment_of_an_advice_already_taken(town) -> None:
    advice = town.advise(moment=20261123093000, stan=7)
    late = town.pay(moment=20261123093000, stan=7)
    assert late.code == "00" and late.fields[15] == "1123" and late.fields[38]
    assert late.tags[0] == advice.tags[0]
    assert [event.kind for event in town.events] == ["advice", "noop"]
    assert len(town.transfers) == 2 and town.facts.books[100].next_receipt == 2


def test_it_keeps_the_date_of_that_receipt(town) -> None:
    town.turn_to("20261123225000")
    advised = town.advise(moment=20261123225000, stan=7)
    town.ask(town.request("cutover", date=20261124))
    assert town.pay(moment=20261123225000, stan=7).fields[15] == advised.fields[15] == "1123"


def test_an_advice_in_suspense_counts_as_taken(town) -> None:
    advice = town.advise(amount=5, stan=7)
    assert town.pay(amount=5, stan=7).tags[0] == advice.tags[0]


def test_of_another_bill_it_is_a_payment_of_its_own(town) -> None:
    town.advise(stan=7)
    assert town.pay(bill=town.numbers[1], stan=7).code == "00"
    assert town.bill(town.numbers[1]).status == "PAID"


def test_of_another_bank_it_is_too(town) -> None:
    town.advise("icbc", stan=7)
    assert town.pay("rcb", stan=7).code == "B1"


def test_of_an_advice_reversed_since_it_is_r1(town) -> None:
    town.advise(stan=7)
    town.reverse(town.last)
    decision = town.pay(stan=7)
    assert (decision.code, decision.tags) == ("R1", (("MS", "该交易已被冲正"),))
    assert town.bill().status == "OUTSTANDING"


def booked(town, stan: int = 7, suspense: bool = False, key_class: int = KeyClass.BOOKED) -> None:
    """What the settlement desk's `pay` and `suspense` will leave: a payment of kind `booked`."""
    town.advise(stan=stan, amount=5 if suspense else 12000)
    seq = town.events[-1].seq
    payment = town.facts.payments[100, seq]
    town.facts.payments[100, seq] = payment._replace(kind="booked")
    events = town.facts.events[100, payment.trace]
    events[-1] = events[-1]._replace(kind="booked", key_class=key_class)


def test_a_payment_of_an_item_that_an_operator_booked(town) -> None:
    booked(town)
    receipt = town.facts.payments[100, 1].receipt
    assert town.pay(stan=7).tags[0] == ("RN", receipt)
    town.reverse(town.last)
    assert town.facts.payments[100, 1].state == "REVERSED", "the payment's original is the booked item"


def test_booked_and_reversed_since_is_r1(town) -> None:
    booked(town)
    town.reverse(town.history[0][0])
    assert town.pay(stan=7).code == "R1"


def test_of_twins_the_live_one_answers(town) -> None:
    booked(town)
    town.reverse(town.history[0][0])
    booked(town, key_class=KeyClass.BOOKED + 1)
    assert town.pay(stan=7).tags[0] == ("RN", town.facts.payments[100, 3].receipt)


# -- advice


def test_an_advice_pays_a_payable_bill_and_judges_no_payer(town) -> None:
    town.add_bill(town.numbers[0], owner_only=True)
    decision = town.advise(person=town.other)
    receipt = town.facts.payments[100, 1].receipt
    assert (decision.code, decision.fields) == ("00", {15: "1123"})
    assert decision.tags == (("RN", receipt), ("MS", "缴费成功"))
    assert town.bill().status == "PAID"


def test_money_paid_in_time_and_told_late_counts(make_town) -> None:
    town = make_town("20261201100000")
    town.add_bill(town.numbers[0], last_day=20261130, status="EXPIRED")
    assert town.advise(moment=20261130100000).tags[1] == ("MS", str(Say.PAID_NOW))
    assert town.events[-1].bill_move == "EXPIRED>PAID"


def unknown(town) -> dict[str, object]:
    return {"bill": "33011026112300000010"}


def check_digit(town) -> dict[str, object]:
    return {"bill": "33011026112300000011"}


def paid_elsewhere(town) -> dict[str, object]:
    town.pay("icbc")
    return {}


def withdrawn(town) -> dict[str, object]:
    town.add_bill(town.numbers[0], status="WITHDRAWN")
    return {}


def expired(town) -> dict[str, object]:
    town.add_bill(town.numbers[0], last_day=20261120)
    return {}


def other_amount(town) -> dict[str, object]:
    return {"amount": 12001}


def declined_before(town) -> dict[str, object]:
    town.pay(stan=77, amount=1)
    return {"stan": 77}


def reversed_before(town) -> dict[str, object]:
    town.pay(stan=77)
    town.reverse(town.last)
    return {"stan": 77}


def voided_before(town) -> dict[str, object]:
    town.pay(stan=77)
    town.void(town.last)
    return {"stan": 77}


FITS_NO_BILL = [
    unknown, check_digit, paid_elsewhere, withdrawn, expired, other_amount, declined_before,
    reversed_before, voided_before,
]  # fmt: skip


@pytest.mark.parametrize("prepare", FITS_NO_BILL)
def test_money_that_fits_no_bill_goes_to_suspense(town, prepare) -> None:
    fields = prepare(town)
    decision = town.advise(**fields)
    event = town.events[-1]
    payment = town.facts.payments[100, event.seq]
    amount = town.last.amount
    assert decision.code == "00" and decision.fields == {15: "1123"}
    assert decision.tags == (("RN", payment.receipt), ("MS", str(Say.IN_SUSPENSE)))
    assert payment.suspense and event.bill_move == ""
    assert town.balances()["suspense:rcb"] == -amount
    item = town.facts.exceptions[100, 1]
    assert (item.item_class, item.state, item.seq, item.amount) == ("SUSPENSE", "OPEN", event.seq, amount)
    assert (item.date, item.trace, item.bill) == (20261123, town.last.trace, town.last.bill)
    assert town.facts.suspense[100, event.seq].exception_id == 1
    assert town.facts.books[100].next_exception == 2


def test_nothing_at_all_is_still_taken_and_moves_nothing(town) -> None:
    assert town.advise(amount=0).code == "00"
    assert not town.transfers and town.facts.exceptions[100, 1].amount == 0


def test_a_payment_told_again(town) -> None:
    receipt = town.pay(stan=7).tags[0]
    decision = town.advise(stan=7)
    assert decision.tags[0] == receipt and decision.fields == {15: "1123"}
    assert town.events[-1].kind == "noop" and town.events[-1].origin_seq == 1
    assert not town.facts.exceptions and len(town.transfers) == 2


@pytest.mark.parametrize("suspense", [False, True])
def test_a_booked_item_told_again(town, suspense: bool) -> None:
    """The operator's item has a key class of its own, so the bank's advice is a new request."""
    booked(town, suspense=suspense)
    before = len(town.transfers)
    assert town.advise(stan=7).tags[0] == ("RN", town.facts.payments[100, 1].receipt)
    assert town.events[-1].kind == "noop" and len(town.transfers) == before


def test_the_same_key_with_another_bill_is_not_that_payment(town) -> None:
    town.pay(stan=7)
    assert town.advise(bill=town.numbers[1], stan=7).tags[-1] == ("MS", str(Say.PAID_NOW))


def test_a_void_of_that_key_is_not_that_payment(town) -> None:
    town.pay(stan=1)
    town.void(town.last, stan=7)
    decision = town.advise(stan=7)
    assert decision.tags[-1] == ("MS", str(Say.PAID_NOW)), "DE7 and DE11 of a void tell nothing of a payment"


def test_two_banks_have_each_taken_cash(town) -> None:
    assert [town.advise("rcb").code, town.advise("icbc").code] == ["00", "00"]
    assert town.balances() == {
        "clearing:rcb": 12000, "clearing:icbc": 12000, "fund:170": -11000, "fund:390": -1000, "suspense:icbc": -12000,
    }  # fmt: skip


# -- receipts


def test_receipts_count_per_book_and_date_without_a_gap(town) -> None:
    town.pay(amount=1)
    town.pay()
    town.pay("icbc", bill=town.numbers[1])
    town.pay(bill=town.numbers[1])
    town.advise(bill=town.numbers[1])
    town.reverse(town.last)
    town.pay(bill=town.numbers[2])
    numbers = [payment.receipt for (book, _), payment in sorted(town.facts.payments.items()) if book == 100]
    assert [number[:19] for number in numbers] == [f"2611230100{serial:09d}" for serial in (1, 2, 3)]
    assert town.facts.payments[200, 1].receipt.startswith("2611230200000000001")


def test_every_word_for_the_teller_fits() -> None:
    assert all(len(text.encode("gb18030")) <= 60 for text in Say)
