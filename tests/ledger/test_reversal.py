"""Reversal, void, reversal of a void, sentence by sentence (wire.md section 6, rules 6 and 7)."""

import itertools

import pytest

from shebao.ledger.facts import KeyClass


def detail(town) -> tuple[int, int, int, int]:
    day = town.facts.days[100, town.facts.books[100].open_date]
    return day.credits, day.credits_fen, day.reversals, day.reversals_fen


# -- reversal of what was approved


@pytest.mark.parametrize("take", ["pay", "advise"])
def test_an_approved_original_is_mirrored(town, take: str) -> None:
    getattr(town, take)()
    decision = town.reverse(town.last)
    assert (decision.code, decision.fields, decision.tags) == ("00", {15: "1123"}, ())
    assert town.bill().status == "OUTSTANDING" and town.bill().paid_seq is None
    assert town.balances() == {}
    event, payment = town.events[-1], town.facts.payments[100, 1]
    assert (event.kind, event.origin_seq, event.bill, event.bill_move) == (
        "reversal",
        1,
        town.numbers[0],
        "PAID>OUTSTANDING",
    )
    assert (payment.state, payment.undone_seq) == ("REVERSED", 2)
    assert detail(town) == (1, 12000, 1, 12000)
    assert town.pay("icbc").code == "00"


def test_its_bill_is_expired_when_the_last_day_is_over(town) -> None:
    town.add_bill(town.numbers[0], last_day=20261123)
    town.pay()
    paid = town.last
    town.turn_to("20261124000100")
    assert town.reverse(paid).code == "00"
    assert town.bill().status == "EXPIRED"


def test_a_reversal_belongs_to_the_date_open_at_its_commit(town) -> None:
    town.pay()
    paid = town.last
    town.ask(town.request("cutover", date=20261124))
    assert town.reverse(paid).fields == {15: "1124"}
    assert town.transfers[-1].date == town.events[-1].date == 20261124
    assert detail(town) == (0, 0, 1, 12000)
    assert town.facts.days[100, 20261123].reversals == 0


@pytest.mark.parametrize("first", ["reverse", "void"])
def test_undone_already_is_00_without_effect(town, first: str) -> None:
    town.pay()
    paid = town.last
    getattr(town, first)(paid)
    before = len(town.transfers)
    decision = town.reverse(paid)
    assert (decision.code, decision.fields) == ("00", {15: "1123"})
    assert len(town.transfers) == before and town.events[-1].kind == "noop"
    assert detail(town)[2:] == (1, 12000)


def test_a_declined_original_is_00_without_effect(town) -> None:
    town.pay(amount=1)
    assert town.reverse(town.last).code == "00"
    assert town.events[-1].kind == "noop" and not town.transfers


def test_another_amount(town) -> None:
    town.pay()
    assert town.reverse(town.last, amount=11999).code == "13"
    assert town.bill().status == "PAID"


def test_of_another_bank(town) -> None:
    town.pay("icbc")
    paid = town.last
    assert town.reverse(paid, institution="01020000").code == "25"
    assert town.pay("rcb", bill=town.numbers[1], moment=paid.moment, stan=int(paid.stan)).code == "00", "not remembered"
    assert town.bill().status == "PAID"


def test_de32_is_compared_however_it_is_filled(town) -> None:
    town.pay("icbc")
    assert town.reverse(town.last, "icbc").code == "00", "its institution begins with a zero"


def test_de3_must_be_the_original_s(town) -> None:
    town.pay()
    assert town.reverse(town.last, proc="200000").code == "25"
    assert town.bill().status == "PAID"


def test_what_is_there_with_another_de3_is_not_remembered(town) -> None:
    town.pay()
    town.void(town.last)
    void = town.last
    assert town.reverse(void, proc="500000").code == "25"
    assert town.advise(moment=void.moment, stan=int(void.stan)).code == "00"
    assert not town.facts.new_early


def test_a_void_is_found_by_either_class_too(town) -> None:
    town.pay()
    town.void(town.last)
    assert town.reverse(town.last, original_mti="0220").code == "00"
    assert town.bill().status == "PAID"


@pytest.mark.parametrize(("take", "mti"), [("pay", "0201"), ("pay", "0220"), ("advise", "0200"), ("advise", "0221")])
def test_mti_by_class_and_the_other_way_round(town, take: str, mti: str) -> None:
    getattr(town, take)()
    assert town.reverse(town.last, original_mti=mti).code == "00"
    assert town.bill().status == "OUTSTANDING"


def test_a_declined_payment_yields_to_the_advice_of_the_same_key(town) -> None:
    town.pay(stan=7, amount=1)
    declined = town.last
    town.advise(stan=7, amount=1)
    assert town.reverse(declined).code == "00"
    assert town.facts.payments[100, 2].state == "REVERSED"


def test_a_payment_and_an_advice_of_one_key_are_told_apart(town) -> None:
    town.pay(stan=7)
    paid = town.last
    town.reverse(paid)
    town.advise(stan=7)
    advice = town.last
    assert town.reverse(paid).code == "00" and town.facts.payments[100, 3].state == "LIVE"
    assert town.reverse(advice).code == "00" and town.facts.payments[100, 3].state == "REVERSED"


def test_a_payment_told_again_is_reversed_by_either_name(town) -> None:
    town.pay(stan=7)
    town.advise(stan=7)
    assert town.reverse(town.last).code == "00"
    assert town.facts.payments[100, 1].state == "REVERSED"


# -- before its original (C29)

ORIGINALS = ["payment", "advice"]


@pytest.mark.parametrize(("mti", "service"), list(itertools.product(["0200", "0201", "0220"], ORIGINALS)))
def test_before_its_original_it_is_remembered(town, mti: str, service: str) -> None:
    original = town.request(service, bill=town.numbers[0], amount=12000)
    assert town.reverse(original, original_mti=mti).code == "25"
    town.next_batch()
    assert town.ask(original).code == "R1"
    assert town.bill().status == "OUTSTANDING" and not town.transfers
    assert town.reverse(original).code == "00", "R1 counts as declined"


def test_both_orders_in_one_batch(town) -> None:
    first = town.request("payment", bill=town.numbers[0], amount=12000)
    second = town.request("payment", bill=town.numbers[1], amount=12000)
    assert [town.reverse(first).code, town.ask(first).code] == ["25", "R1"]
    assert [town.ask(second).code, town.reverse(second).code] == ["00", "00"]
    assert [town.bill(number).status for number in town.numbers[:2]] == ["OUTSTANDING", "OUTSTANDING"]


def test_a_void_that_comes_after_its_reversal(town) -> None:
    town.pay()
    void = town.undo("void", town.last)
    assert town.reverse(void).code == "25"
    assert town.ask(void).code == "R1"
    assert town.bill().status == "PAID"


def test_remembered_once_however_often_it_comes(town) -> None:
    original = town.request("payment", bill=town.numbers[0], amount=12000)
    assert [town.reverse(original).code for _ in range(3)] == ["25"] * 3
    assert len(town.facts.new_early) == 1 and len(town.events) == 3


def test_an_original_answered_68_does_not_exist(town) -> None:
    original = town.request("payment", bill=town.numbers[0], amount=12000, received_us=town.now_us - 21_000_000)
    assert town.ask(original).code == "68"
    assert town.reverse(original).code == "25"
    assert town.ask(original._replace(received_us=town.now_us)).code == "R1"


def test_an_mti_that_is_no_payment_s_leaves_nothing_to_remember(town) -> None:
    original = town.request("payment", bill=town.numbers[0], amount=12000)
    assert town.reverse(original, original_mti="0100").code == "25"
    assert town.reverse(original, original_mti="0400").code == "25"
    assert town.ask(original).code == "00"


# -- too late


@pytest.mark.parametrize("state", ["RECONCILED", "SETTLED"])
def test_of_a_reconciled_date_it_is_r2_and_an_exception(town, state: str) -> None:
    town.pay()
    paid = town.last
    town.ask(town.request("cutover", date=20261124))
    town.set_day(20261123, state)
    assert town.reverse(paid).code == "R2"
    item = town.facts.exceptions[100, 1]
    assert (item.item_class, item.state, item.date, item.amount) == ("LATE_REVERSAL", "OPEN", 20261124, 12000)
    assert item.bill == town.numbers[0] and item.seq == town.events[-1].seq
    assert town.bill().status == "PAID" and town.facts.payments[100, 1].state == "LIVE"


def test_of_a_closed_date_it_is_not(town) -> None:
    town.pay()
    paid = town.last
    town.ask(town.request("cutover", date=20261124))
    assert town.reverse(paid).code == "00"


def test_of_a_refunded_bill(town) -> None:
    town.pay()
    town.add_bill(town.numbers[0], status="REFUNDED")
    town.facts.payments[100, 1] = town.facts.payments[100, 1]._replace(state="REFUNDED", undone_seq=1)
    assert town.reverse(town.last).code == "R2"
    assert town.facts.exceptions[100, 1].item_class == "LATE_REVERSAL"


def test_reversed_already_comes_before_too_late_and_amount_before_it_too(town) -> None:
    town.pay()
    paid = town.last
    town.pay(bill=town.numbers[1])
    other = town.last
    town.reverse(paid)
    town.ask(town.request("cutover", date=20261124))
    town.set_day(20261123, "RECONCILED")
    assert town.reverse(paid).code == "00"
    assert town.reverse(other, amount=1).code == "13"
    assert not town.facts.exceptions


# -- an advice in suspense


def test_of_an_advice_in_suspense(town) -> None:
    town.advise(amount=5)
    assert town.reverse(town.last).code == "00"
    assert town.balances() == {}
    assert town.facts.suspense[100, 1].state == "REVERSED" and town.facts.exceptions[100, 1].state == "CLOSED"
    assert town.facts.books[100].next_exception == 2
    assert town.bill().status == "OUTSTANDING"


@pytest.mark.parametrize("decided", ["APPLIED", "RETURNED"])
def test_of_an_advice_in_suspense_that_was_decided(town, decided: str) -> None:
    town.advise(amount=5)
    town.facts.suspense[100, 1] = town.facts.suspense[100, 1]._replace(state=decided)
    assert town.reverse(town.last).code == "R2"
    assert town.facts.exceptions[100, 2].item_class == "LATE_REVERSAL"
    assert town.facts.exceptions[100, 1].state == "OPEN"


def test_of_an_advice_in_suspense_whose_date_is_reconciled(town) -> None:
    town.advise(amount=5)
    advice = town.last
    town.ask(town.request("cutover", date=20261124))
    town.set_day(20261123, "RECONCILED")
    assert town.reverse(advice).code == "R2"
    assert town.balances() == {"clearing:rcb": 5, "suspense:rcb": -5}


# -- void


def test_a_void_is_a_reversal_with_the_payment_s_receipt(town) -> None:
    receipt = town.pay().tags[0]
    decision = town.void(town.last)
    assert (decision.code, decision.fields) == ("00", {15: "1123"})
    assert decision.tags == (receipt, ("MS", "撤销成功"))
    assert town.facts.payments[100, 1].state == "VOIDED" and town.bill().status == "OUTSTANDING"
    assert town.events[-1].kind == "void" and town.balances() == {} and detail(town) == (1, 12000, 1, 12000)


def test_of_a_closed_date_it_is_r2_without_an_exception(town) -> None:
    town.pay()
    paid = town.last
    town.ask(town.request("cutover", date=20261124))
    assert town.void(paid).code == "R2"
    assert not town.facts.exceptions and town.bill().status == "PAID"


def test_not_found_is_not_remembered(town) -> None:
    original = town.request("payment", bill=town.numbers[0], amount=12000)
    assert town.void(original).code == "25"
    assert town.ask(original).code == "00"


def test_another_bill_than_the_original_s(town) -> None:
    town.pay()
    assert town.void(town.last, bill=town.numbers[1]).code == "25"
    assert town.void(town.history[0][0], bill="33011026112300000011").code == "25"
    assert town.bill().status == "PAID"


def test_of_another_bank_s_payment(town) -> None:
    town.pay("icbc")
    assert town.void(town.last, institution="01020000").code == "25"


def test_an_amount_that_differs(town) -> None:
    town.pay()
    assert town.void(town.last, amount=1).code == "13"


@pytest.mark.parametrize("first", ["reverse", "void"])
def test_voiding_what_is_undone_already_has_no_effect(town, first: str) -> None:
    receipt = town.pay().tags[0]
    paid = town.last
    getattr(town, first)(paid)
    decision = town.void(paid)
    assert decision.code == "00" and decision.tags[0] == receipt
    assert town.events[-1].kind == "noop" and town.balances() == {}


def test_but_not_on_a_later_date(town) -> None:
    town.pay()
    paid = town.last
    town.void(paid)
    town.ask(town.request("cutover", date=20261124))
    assert town.void(paid).code == "R2", "00 would pay the customer out again"


def test_voiding_a_declined_payment_has_no_effect(town) -> None:
    town.pay(amount=1)
    decision = town.void(town.last)
    assert decision.code == "00" and [tag for tag, _ in decision.tags] == ["MS"]


def test_an_advice_can_be_voided_in_suspense_too(town) -> None:
    town.advise(amount=5)
    assert town.void(town.last).code == "00"
    assert town.balances() == {} and town.facts.exceptions[100, 1].state == "CLOSED"


def test_an_item_that_an_operator_booked_can_t_be_voided(town) -> None:
    town.advise()
    town.facts.payments[100, 1] = town.facts.payments[100, 1]._replace(kind="booked")
    events = town.facts.events[100, town.last.trace]
    events[0] = events[0]._replace(key_class=int(KeyClass.BOOKED), kind="booked")
    assert town.void(town.last).code == "R2"
    assert town.reverse(town.history[0][0]).code == "00", "but reversed"


# -- reversal of a void


def voided(town, **bill) -> tuple:
    town.add_bill(town.numbers[0], **bill)
    town.pay()
    paid = town.last
    town.void(paid)
    return paid, town.last


def test_the_payment_stands_again_under_its_old_receipt(town) -> None:
    _, void = voided(town)
    decision = town.reverse(void)
    assert (decision.code, decision.fields, decision.tags) == ("00", {15: "1123"}, ())
    payment, event = town.facts.payments[100, 1], town.events[-1]
    assert (payment.state, payment.undone_seq, payment.suspense) == ("LIVE", None, False)
    assert (event.kind, event.origin_seq, event.bill_move) == ("unvoid", 2, "OUTSTANDING>PAID")
    assert (town.bill().status, town.bill().paid_seq) == ("PAID", 1)
    assert town.balances()["clearing:rcb"] == 12000
    assert detail(town) == (2, 24000, 1, 12000), "the reversal of a void is a credit"
    assert town.facts.books[100].next_receipt == 2


def test_reversed_again_nothing_happens(town) -> None:
    _, void = voided(town)
    assert [town.reverse(void).code for _ in range(3)] == ["00"] * 3
    assert town.balances()["clearing:rcb"] == 12000


def test_a_bill_expired_but_paid_in_time(town) -> None:
    _, void = voided(town, last_day=20261123)
    town.turn_to("20261124100000")
    assert town.reverse(void).code == "00"
    assert (town.bill().status, town.events[-1].bill_move) == ("PAID", "OUTSTANDING>PAID")


@pytest.mark.parametrize("since", ["paid", "withdrawn"])
def test_else_the_amount_goes_to_suspense(town, since: str) -> None:
    _, void = voided(town)
    if since == "paid":
        town.pay("icbc")
    else:
        town.add_bill(town.numbers[0], status="WITHDRAWN")
    assert town.reverse(void).code == "00"
    payment = town.facts.payments[100, 1]
    assert (payment.state, payment.suspense) == ("LIVE", True)
    assert town.balances()["suspense:rcb"] == -12000
    assert town.facts.exceptions[100, 1].item_class == "SUSPENSE" and town.facts.suspense[100, 1].state == "OPEN"
    assert town.reverse(town.history[0][0]).code == "00", "and is reversed as what it is now"
    assert "suspense:rcb" not in town.balances() and town.facts.exceptions[100, 1].state == "CLOSED"


def test_an_advice_that_stood_in_suspense_stands_there_again(town) -> None:
    town.advise(amount=5)
    town.void(town.last)
    assert town.reverse(town.last).code == "00"
    assert town.balances() == {"clearing:rcb": 5, "suspense:rcb": -5}
    assert town.facts.suspense[100, 1] == (100, 1, 5, "OPEN", 2)
    assert [town.facts.exceptions[100, n].state for n in (1, 2)] == ["CLOSED", "OPEN"]


def test_another_amount_than_the_void_s(town) -> None:
    _, void = voided(town)
    assert town.reverse(void, amount=1).code == "13"


def test_a_declined_void_was_none(town) -> None:
    town.pay()
    town.void(town.last, amount=1)
    assert town.reverse(town.last).code == "00"
    assert town.bill().status == "PAID" and town.events[-1].kind == "noop"


def test_a_void_of_a_declined_payment_gives_nothing_back(town) -> None:
    town.pay(amount=1)
    town.void(town.last)
    assert town.reverse(town.last).code == "00"
    assert town.events[-1].kind == "noop" and not town.transfers


def test_only_the_void_that_holds_can_be_reversed(town) -> None:
    paid, first = voided(town)
    town.reverse(first)
    town.void(paid)
    assert town.reverse(first).code == "00"
    assert town.facts.payments[100, 1].state == "VOIDED", "the second void stands"
    town.void(paid)
    assert town.reverse(town.last).code == "00"
    assert town.facts.payments[100, 1].state == "VOIDED", "and a void without effect has nothing to give back"


def test_a_void_of_a_reconciled_date(town) -> None:
    _, void = voided(town)
    town.ask(town.request("cutover", date=20261124))
    town.set_day(20261123, "RECONCILED")
    assert town.reverse(void).code == "R2"
    assert town.facts.exceptions[100, 1].item_class == "LATE_REVERSAL"
