"""What is the same for all requests: key, age, deadline, order (wire.md section 6, rules 1, 2, 3 and 9)."""

import pytest

from shebao.codecs.errors import KEPT
from shebao.ledger import day
from shebao.ledger.decide import RULES, decide

DAY_S = 86_400


# -- request key (C19, C25)


@pytest.mark.parametrize("wait_s", [0, 25 * 3600, 8 * DAY_S, 180 * DAY_S])
def test_a_repeat_gets_the_stored_reply_at_any_time(town, wait_s: int) -> None:
    first = town.pay()
    request = town.last
    town.next_batch(wait_s)
    again = decide(request._replace(mti="0201", received_us=0), town.facts)
    assert again.replay == town.reply(first) and again.code == "00"
    assert again.effects is None


def test_an_old_reversal_advice_too(town) -> None:
    town.pay()
    reversal = town.undo("reversal", town.last)
    first = town.ask(reversal)
    town.next_batch(8 * DAY_S)
    assert decide(reversal._replace(mti="0421"), town.facts).replay == town.reply(first)


def test_a_repeat_in_the_same_batch(town) -> None:
    first = town.pay()
    again = town.ask(town.last._replace(mti="0201"))
    assert again.replay == town.reply(first)
    assert len(town.events) == 1 and len(town.transfers) == 2


CONTENT = [
    {"amount": 12001}, {"bill": "33011026112300000028"}, {"proc": "200000", "service": "void"},
    {"original_text": "0" * 42},
]  # fmt: skip


@pytest.mark.parametrize("other", CONTENT)
def test_the_same_key_with_other_content(town, other: dict[str, object]) -> None:
    town.pay()
    decision = town.ask(town.last._replace(**other))
    assert (decision.code, decision.fields, decision.tags, decision.effects) == ("94", {}, (), None)
    assert len(town.events) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"terminal": "OTHER"},
        {"rrn": "9"},
        {"channel": "03"},
        {"person": "830000199001010012"},
        {"local_date": 20200101},
    ],
)
def test_other_fields_may_differ(town, other: dict[str, object]) -> None:
    first = town.pay()
    assert town.ask(town.last._replace(**other)).replay == town.reply(first)


def test_a_reversal_s_content_is_amount_and_de90(town) -> None:
    town.pay()
    paid = town.last
    town.reverse(paid)
    reversal = town.last
    assert decide(reversal, town.facts).replay is not None
    assert decide(reversal._replace(amount=1), town.facts).code == "94"
    assert decide(reversal._replace(original_text="x"), town.facts).code == "94"


def test_classes_and_banks_have_keys_of_their_own(town) -> None:
    town.pay(stan=7)
    assert town.pay("icbc", bill=town.numbers[1], stan=7).code == "00"
    assert town.reverse(town.history[0][0], stan=7).code == "00"
    assert town.advise(bill=town.numbers[2], stan=7).code == "00"


def test_what_is_kept_and_what_is_decided_anew(town) -> None:
    refused = town.pay(amount=1)
    town.next_batch()
    assert decide(town.last, town.facts).replay == town.reply(refused), "13 is kept"
    late = town.request("payment", bill=town.numbers[0], amount=12000, received_us=town.now_us - 20_000_001)
    assert town.ask(late).code == "68"
    assert town.ask(late._replace(received_us=town.now_us)).code == "00", "68 is not"


def test_of_messages_with_a_key_every_code_kept_has_an_event_and_no_other(town) -> None:
    town.pay()
    paid = town.last
    asked = [
        town.pay(), town.pay(bill=town.numbers[1], amount=1), town.pay(bill="33011026112300000010"), town.void(paid),
        town.pay(moment=20261120000000), town.pay(received_us=0), town.reverse(town.request("payment")),
    ]  # fmt: skip
    assert [decision.code for decision in asked] == ["B1", "13", "25", "00", "30", "68", "25"]
    assert [decision.effects is not None for decision in asked] == [decision.code in KEPT for decision in asked]
    assert len(town.events) == 1 + 5


def test_messages_without_a_key_leave_no_event(town) -> None:
    town.ask(town.request("inquiry", bill=town.numbers[0]))
    town.ask(town.request("inquiry", bill="33011026112300000010"))
    town.ask(town.request("totals", date=20261123))
    assert not town.events


# -- age and deadline


def test_a_new_request_from_another_day(town) -> None:
    decision = town.pay(moment=day.moment_of(town.now_us - 2 * DAY_S * 1_000_000))
    assert (decision.code, decision.fields, decision.effects) == ("30", {44: "007"}, None)
    assert town.pay(local_date=20261120).fields == {44: "013"}
    assert town.ask(town.request("inquiry", moment=20261101000000)).fields == {44: "007"}


def test_an_advice_of_a_week_ago_is_taken_and_no_older_one(town) -> None:
    assert town.advise(moment=20261116100000, local_date=20261116).code == "00"
    assert town.advise(moment=20261116095959).fields == {44: "007"}


@pytest.mark.parametrize(("waited_us", "code"), [(20_000_000, "00"), (20_000_001, "68")])
def test_the_deadline_is_taken_at_the_decision(town, waited_us: int, code: str) -> None:
    decision = town.pay(received_us=town.now_us - waited_us)
    assert decision.code == code
    assert (town.bill().status == "PAID") == (code == "00")


def test_a_void_has_it_too_advices_and_reversals_never(town) -> None:
    long_ago = town.now_us - 100_000_000
    town.pay()
    paid = town.last
    assert town.void(paid, received_us=long_ago).code == "68"
    assert town.reverse(paid, received_us=long_ago).code == "00"
    assert town.advise(received_us=long_ago).code == "00"


def test_the_deadline_is_an_argument(town) -> None:
    town.facts.reply_deadline_us = 1_000
    assert town.pay(received_us=town.now_us - 1_001).code == "68"


def test_key_before_age_age_before_deadline_deadline_before_business(town) -> None:
    town.pay()
    paid = town.last
    town.next_batch(30)
    assert decide(paid, town.facts).replay is not None
    old = {"received_us": 0, "amount": 1}
    assert town.pay(moment=20261101000000, **old).code == "30"
    assert town.pay(**old).code == "68"


def test_a_fault_while_deciding_leaves_no_trace(town) -> None:
    town.add_bill(town.numbers[0], status="PAID", paid_book=100, paid_seq=99)  # books that contradict themselves
    request = town.request("payment", bill=town.numbers[0], amount=12000)
    with pytest.raises(KeyError):
        decide(request, town.facts)
    assert not town.events and town.facts.books[100].next_seq == 1
    assert town.pay(bill=town.numbers[1]).code == "00"


def test_there_is_a_rule_for_every_service() -> None:
    assert set(RULES) == {"inquiry", "payment", "advice", "void", "reversal", "totals", "cutover", "withdraw", "desk"}
