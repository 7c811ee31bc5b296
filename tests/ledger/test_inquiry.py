"""Bill inquiry (wire.md section 5, Inquiry; section 6, rule 4)."""

import pytest

from shebao.codecs.numbers import mod_11_10
from shebao.codecs.tags import build
from shebao.ledger.outcome import Say


def number_of(serial: int) -> str:
    body = f"330110261102{serial:07d}"
    return body + mod_11_10(body)


def many(town, count: int, **changes: object) -> list[str]:
    numbers = [number_of(serial) for serial in range(1, count + 1)]
    for number in numbers:
        town.add_bill(number, payer_id="91330110MA2HHHH117", payer_name="余杭村", **changes)
    return numbers


def ask(town, **fields: object):
    return town.ask(town.request("inquiry", **fields))


def tags(decision, name: str) -> list[str]:
    return [value for tag, value in decision.tags if tag == name]


def test_one_bill_by_number_as_the_golden_frame_has_it(town) -> None:
    number = number_of(1)
    town.add_bill(number, parts=(("170", 1530000), ("390", 48000)), period_from=202601, period_to=202612, due=20261231)
    decision = ask(town, bill=number)
    assert (decision.code, decision.fields, decision.effects) == ("00", {4: "000001578000"}, None)
    assert decision.tags == (
        ("NM", "沈建国"), ("NB", "001"), ("BL", f"{number}00000157800020260120261220261231170"),
        ("IN", "170000001530000"), ("IN", "390000000048000"),
    )  # fmt: skip


def test_a_name_that_is_not_known(town) -> None:
    town.add_bill(town.numbers[0], payer_name="")
    assert tags(ask(town, bill=town.numbers[0]), "NM") == []


@pytest.mark.parametrize(
    ("status", "code", "say"),
    [("WITHDRAWN", "B2", Say.WITHDRAWN), ("REFUNDED", "B2", Say.REFUNDED), ("EXPIRED", "B2", Say.EXPIRED)],
)
def test_by_number_of_a_bill_that_can_t_be_paid(town, status: str, code: str, say: Say) -> None:
    town.add_bill(town.numbers[0], status=status, last_day=20261122)
    decision = ask(town, bill=town.numbers[0])
    assert (decision.code, decision.tags) == (code, (("MS", str(say)),))


def test_by_number_of_a_paid_bill(town) -> None:
    town.pay(moment=20261123093015)
    receipt = town.facts.payments[100, 1].receipt
    decision = ask(town, bill=town.numbers[0])
    assert decision.code == "B1"
    assert decision.tags[:3] == (("PB", "rcb"), ("PT", "20261123093015"), ("RN", receipt))
    assert [tag for tag, _ in ask(town, bank="icbc", bill=town.numbers[0]).tags] == ["PB", "PT", "MS"]


def test_unknown(town) -> None:
    assert ask(town, bill="33011026112300000010").tags == (("MS", str(Say.NO_BILL)),)
    assert ask(town, bill="33011026112300000011").tags == (("MS", str(Say.CHECK_DIGIT)),)
    decision = ask(town, card="1")
    assert (decision.code, decision.tags) == ("14", (("MS", str(Say.CARD)),))


def test_the_number_decides_then_the_id_then_the_card(town) -> None:
    own = ask(town, bill=town.numbers[0], person=town.other, card="1")
    assert tags(own, "NB") == ["001"]
    assert tags(ask(town, person=town.payer, card="1"), "NB") == ["008"]
    assert tags(ask(town, card="6217001234567890123"), "NB") == ["008"]


def test_with_nothing_outstanding(town) -> None:
    decision = ask(town, person=town.other)
    assert decision.code == "00" and decision.fields == {}
    assert decision.tags == (("NM", "毛石"), ("NB", "000"), ("MS", str(Say.NOTHING_TO_PAY)))
    assert tags(ask(town, person="110101199001010015"), "NM") == []


def test_only_what_can_be_paid_counts_ascending(town) -> None:
    town.pay(bill=town.numbers[3])
    town.add_bill(town.numbers[0], status="WITHDRAWN")
    town.add_bill(town.numbers[1], last_day=20261122)
    decision = ask(town, person=town.payer)
    assert tags(decision, "NB") == ["005"]
    assert [line[:20] for line in tags(decision, "BL")] == [town.numbers[n] for n in (2, 4, 5, 6, 7)]
    assert decision.fields == {} and tags(decision, "IN") == [] and tags(decision, "PG") == []


def test_one_bill_by_id_has_its_amount_and_parts(town) -> None:
    many(town, 1)
    decision = ask(town, person="91330110MA2HHHH117")
    assert decision.fields == {4: "000000012000"} and len(tags(decision, "IN")) == 2


@pytest.mark.parametrize("count", [2, 15, 16, 17, 31, 40, 200])
@pytest.mark.parametrize("name", ["", "余杭村", "余" * 100, "𠮷" * 225])
def test_pages_show_every_bill_once_and_fit(town, count: int, name: str) -> None:
    numbers = many(town, count)
    for number in numbers:
        town.facts.bills[number] = town.facts.bills[number]._replace(payer_name=name)
    seen: list[str] = []
    after = ""
    while True:
        decision = ask(town, person="91330110MA2HHHH117", page_after=after)
        size = len(build(decision.tags))
        lines = tags(decision, "BL")
        assert size <= 999 and tags(decision, "NB") == [f"{count:03d}"] and lines
        seen += [line[:20] for line in lines]
        more = tags(decision, "PG")
        if not more:
            break
        assert more == [seen[-1]]
        assert size + 60 > 999, "as many as fit"
        after = more[0]
    assert seen == numbers


def test_beyond_the_last_page(town) -> None:
    many(town, 1)
    decision = ask(town, person="91330110MA2HHHH117", page_after="9" * 20)
    assert (decision.fields, decision.tags) == ({}, (("NM", "余杭村"), ("NB", "001")))


def test_a_name_longer_than_de48_is_cut_between_characters(town) -> None:
    town.add_bill(town.numbers[0], payer_name="𠮷" * 400)
    decision = ask(town, bill=town.numbers[0])
    assert len(build(decision.tags)) <= 999 and set(tags(decision, "NM")[0]) == {"𠮷"}


def test_sixteen_bills_without_a_page_tag_but_fifteen_with_one(town) -> None:
    many(town, 16)
    assert len(tags(ask(town, person="91330110MA2HHHH117"), "BL")) == 16
    many(town, 17)
    assert len(tags(ask(town, person="91330110MA2HHHH117"), "BL")) == 15
