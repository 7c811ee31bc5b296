"""Once and only once, on real lines: request keys, repeats, races for a bill, what is kept and what is decided anew
(wire.md section 6, rules 2 and 4)."""

from __future__ import annotations

import pytest
from shebao_desk import EXPIRED, FEN, STRANGER, WITHDRAWN, Desk, today
from shebao_harness import BANKS, bill_number
from shebao_wire import Value, Wire, frame, tagged

PAID = ["RN", "NM", "MS"]
Fields = dict[int, Value]


def paid(wire: Wire, bill: str, **more: str) -> tuple[Fields, str]:
    asked = wire.payment(bill, FEN, **more)
    answer = wire.ask("0200", asked).fits(asked, "00", "0210", PAID, de15=today(), de38="*")
    return asked, answer.tag("RN")


def test_the_same_key_with_other_content(desk: Desk, wire: Wire) -> None:
    bill, other = desk.bill(), desk.bill()
    asked, _ = paid(wire, bill)
    first = wire.ask("0200", asked)
    void = {**wire.void(asked, bill), 7: asked[7], 11: asked[11]}
    for mti, odd in (
        ("0200", {**asked, 4: f"{FEN + 1:012d}"}),
        ("0201", {**asked, 48: tagged([("CH", "01"), ("BN", other)])}),
        ("0200", void),
    ):
        wire.ask(mti, odd).fits(odd, "94", "0210")
    same = [
        {**asked, 41: "OTHER001"}, {**asked, 37: "X" * 12}, {**asked, 42: "9" * 15}, {**asked, 12: "000000"},
        {**asked, 22: "051"}, {**asked, 2: "62"}, {**asked, 48: tagged([("CH", "04"), ("BN", bill)])},
        {**asked, 48: tagged([("BN", bill), ("CH", "01"), ("ID", STRANGER), ("ZZ", "1")])},
    ]  # fmt: skip
    for like in same:
        assert wire.ask("0201", like).tail == first.tail, "the stored reply, the first request's echo"
    assert wire.ask("0200", {**wire.payment(other, FEN)}).code == "00"


def test_reversals_have_their_content_too(desk: Desk, wire: Wire) -> None:
    one, _ = paid(wire, desk.bill())
    two, _ = paid(wire, desk.bill())
    asked = wire.reversal(one)
    first = wire.ask("0400", asked)
    for odd in ({**asked, 90: wire.de90(two)}, {**asked, 4: "0" * 12}, {**asked, 3: "200000"}):
        wire.ask("0421", odd).fits(odd, "94", "0430")
    again = wire.ask("0421", {**asked, 37: "OTHERRRN0001"})
    assert again.tail == first.tail
    advice = wire.payment(desk.bill(), FEN)
    assert wire.ask("0220", advice).code == "00"
    for odd in ({**advice, 4: "0" * 12}, {**advice, 48: wire.payment(desk.bill(), FEN)[48]}):
        wire.ask("0221", odd).fits(odd, "94", "0230")


def test_classes_and_banks_have_keys_of_their_own(desk: Desk) -> None:
    """One DE7 and DE11 for a payment, an advice of another bill, a reversal of both, at each bank."""
    with desk.wire("rcb") as first, desk.wire("boc") as second:
        asked, _ = paid(first, desk.bill())
        for wire in (first, second):
            advice = {**wire.payment(desk.bill(), FEN), 7: asked[7], 11: asked[11]}
            wire.ask("0220", advice).fits(advice, "00", "0230", ["RN", "MS"], de15=today())
            reversal = {**wire.reversal(advice, "0220"), 7: asked[7], 11: asked[11]}
            wire.ask("0400", reversal).fits(reversal, "00", "0410", de15=today())
            same = {**wire.payment(desk.bill(), FEN), 7: asked[7], 11: asked[11]}
            assert wire.ask("0200", same).code == ("94" if wire is first else "00")


def test_a_repeat_on_another_line_while_the_first_is_in_work(desk: Desk, wire: Wire) -> None:
    with desk.wire(wire.bank) as other:
        for _ in range(20):
            asked = wire.payment(desk.bill(), FEN)
            wire.raw(frame(wire.bank, wire.body("0200", asked)) + frame(wire.bank, wire.body("0201", asked)))
            other.tell("0201", asked)
            answers = [wire.hear(), wire.hear(), other.hear()]
            assert len({a.tail for a in answers}) == 1 and answers[0].code == "00"


def test_a_repeat_keeps_to_its_own_lines_envelope(desk: Desk) -> None:
    with desk.wire("ccb") as wire:
        asked = wire.payment(desk.bill(), FEN)
        first = wire.ask("0200", asked)
        body = wire.body("0201", asked)
        wire.raw((len(body) + 5).to_bytes(2, "big") + bytes.fromhex("60ABCD9876") + body)
        raw = wire._take(2 + 5)
        assert raw[2:] == bytes.fromhex("609876ABCD")
        rest = wire._take(int.from_bytes(raw[:2], "big") - 5)
        assert rest[2:-8] == first.tail


def test_what_is_kept_stays_though_the_bill_changes(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    asked, _ = paid(wire, bill)
    late = wire.payment(bill, FEN)
    told = wire.ask("0200", late).fits(late, "B1", "0210", ["PB", "PT", "RN", "MS"])
    assert wire.ask("0400", wire.reversal(asked)).code == "00"
    assert wire.ask("0201", late).tail == told.tail, "B1 still, though it could be paid now"
    wrong = wire.payment(bill, FEN - 1)
    kept = wire.ask("0200", wrong).fits(wrong, "13", "0210", ["MS"])
    for odd, code in ((bill_number(888_888), "25"), (WITHDRAWN, "B2"), (EXPIRED[1], "B2"), (next(desk.owned), "B3")):
        refusal = wire.payment(odd, FEN, ("ID", STRANGER))
        first = wire.ask("0200", refusal).fits(refusal, code, "0210", ["MS"])
        assert wire.ask("0201", refusal).tail == first.tail
    paid(wire, bill)
    assert wire.ask("0200", wrong).tail == kept.tail
    assert wire.ask("0200", {**asked, 4: f"{FEN - 1:012d}"}).code == "94"


def test_what_is_not_kept_is_decided_anew(desk: Desk, wire: Wire) -> None:
    asked = wire.payment(desk.bill(), FEN)
    lacking = {n: v for n, v in asked.items() if n != 42}
    wire.ask("0200", lacking).fits(lacking, "30", "0210", de44="042")
    other = {**asked, 3: "510000"}
    wire.ask("0200", other).fits(other, "12", "0210")
    foreign = {**asked, 32: "1"}
    wire.ask("0200", foreign).fits(foreign, "31", "0210")
    aged = {**asked, 13: today(-4)}
    wire.ask("0200", aged).fits(aged, "30", "0210", de44="013")
    wire.ask("0201", asked).fits(asked, "00", "0210", PAID, de15=today(), de38="*")


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [150])
def test_two_banks_at_one_bill_at_once(desk: Desk, rounds: int) -> None:
    with desk.wire("rcb") as one, desk.wire("icbc") as two:
        won = {"rcb": 0, "icbc": 0}
        for n in range(rounds):
            bill = desk.bill()
            lines = (one, two) if n % 2 else (two, one)
            asked = {line.bank: line.payment(bill, FEN) for line in lines}
            for line in lines:
                line.tell("0200", asked[line.bank])
            answers = {line.bank: line.hear() for line in lines}
            winner = next(bank for bank, answer in answers.items() if answer.code == "00")
            loser = "icbc" if winner == "rcb" else "rcb"
            lost = answers[loser].fits(asked[loser], "B1", "0210", ["PB", "PT", "MS"])
            assert lost.tag("PB") == winner
            assert lost.tag("PT")[4:] == asked[winner][7]
            won[winner] += 1
        assert sum(won.values()) == rounds


def test_one_pays_one_advises(desk: Desk) -> None:
    """Both have taken cash: the advice is taken whatever came first, and the bill is paid once."""
    with desk.wire("ccb") as payer, desk.wire("boc") as adviser:
        for n in range(40):
            bill = desk.bill()
            pay, advice = payer.payment(bill, FEN), adviser.payment(bill, FEN)
            told = [(payer, "0200", pay), (adviser, "0220", advice)]
            for line, mti, asked in told if n % 2 else reversed(told):
                line.tell(mti, asked)
            taken = adviser.hear().fits(advice, "00", "0230", ["RN", "MS"], de15=today())
            answer = payer.hear()
            other = payer.payment(bill, FEN)
            truth = payer.ask("0200", other)
            assert truth.code == "B1"
            assert truth.tag("PB") == ("ccb" if answer.code == "00" else "boc")
            if answer.code == "B1":
                assert [name for name, _ in answer.tags] == ["PB", "PT", "MS"]
            assert taken.tag("RN")


def test_every_bank_may_use_one_stan_at_one_second(desk: Desk) -> None:
    lines = [desk.wire(bank) for bank in BANKS]
    first = lines[0].payment(desk.bill(), FEN)
    receipts = set()
    for line in lines:
        asked = {**line.payment(desk.bill(), FEN), 7: first[7], 11: first[11]}
        receipts.add(line.ask("0200", asked).fits(asked, "00", "0210", PAID, de15=today(), de38="*").tag("RN"))
        line.socket.close()
    assert len(receipts) == len(BANKS)
