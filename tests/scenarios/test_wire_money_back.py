"""Money that goes back, and money told late, on real lines: reversals, voids, a void's own reversal, advices, each with
its exact reply and with what became of the bill (wire.md section 6, rules 6 to 8)."""

from __future__ import annotations

from shebao_desk import EXPIRED, FEN, OWNER, STRANGER, WITHDRAWN, Desk, today
from shebao_harness import bill_number, moment
from shebao_wire import Answer, Value, Wire, frame

Fields = dict[int, Value]
DAY = 86_400


def pay(wire: Wire, asked: Fields, mti: str = "0200") -> str:
    return wire.ask(mti, asked).fits(asked, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*").tag("RN")


def advise(wire: Wire, asked: Fields, mti: str = "0220") -> str:
    return wire.ask(mti, asked).fits(asked, "00", "0230", ["RN", "MS"], de15=today()).tag("RN")


def reverse(wire: Wire, asked: Fields, code: str = "00", mti: str = "0400") -> Answer:
    adds = {"de15": today()} if code == "00" else {}
    return wire.ask(mti, asked).fits(asked, code, "0410" if mti < "0420" else "0430", **adds)


def void(wire: Wire, asked: Fields, code: str = "00", tags: tuple[str, ...] = ("RN", "MS")) -> Answer:
    adds = {"de15": today()} if code == "00" else {}
    return wire.ask("0200", asked).fits(asked, code, "0210", tags, **adds)


def is_free(wire: Wire, bill: str) -> bool:
    """Whether an inquiry offers the bill; else it must say that it is paid."""
    answer = wire.ask("0100", wire.inquiry(("BN", bill)))
    assert answer.code in ("00", "B1")
    return answer.code == "00"


def declined(wire: Wire, asked: Fields, code: str, tags: tuple[str, ...] = ("MS",), mti: str = "0200") -> None:
    wire.ask(mti, asked).fits(asked, code, "0210" if mti < "0220" else "0230", tags)


def receipt_on(wire: Wire, bill: str) -> str:
    return wire.ask("0100", wire.inquiry(("BN", bill))).tag("RN")


# -- reversals ---------------------------------------------------------------------------------------------


def test_a_reversal_frees_the_bill_once(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    asked = wire.payment(bill, FEN)
    receipt = pay(wire, asked)
    for field, value, code in ((4, f"{FEN + 1:012d}", "13"), (3, "200000", "25")):
        reverse(wire, {**wire.reversal(asked), field: value}, code)
        assert not is_free(wire, bill)
    first = reverse(wire, wire.reversal(asked, "0201"), mti="0420")
    assert is_free(wire, bill) and first.mti == "0430"
    reverse(wire, wire.reversal(asked))
    repeat = wire.ask("0201", asked)
    assert repeat.tag("RN") == receipt and is_free(wire, bill), "a repeat tells the first reply and does nothing"
    with desk.wire("rcb" if wire.bank == "boc" else "boc") as other:
        pay(other, other.payment(bill, FEN))
    reverse(wire, wire.reversal(asked))
    assert not is_free(wire, bill), "another's payment stands"


def test_de33_in_de90_is_ignored_and_another_banks_original_is_not_found(desk: Desk, wire: Wire) -> None:
    asked = wire.payment(desk.bill(), FEN)
    with desk.wire("ccb" if wire.bank != "ccb" else "icbc") as other:
        theirs = {**other.payment(desk.bill(), FEN), 7: asked[7], 11: asked[11]}
        pay(other, theirs)
        reverse(wire, {**wire.reversal(theirs), 90: other.de90(theirs)}, "25")
        pay(wire, asked)  # not remembered: that was another bank's
        void(wire, {**wire.void(theirs, str(theirs[48][-20:], "ascii")), 90: other.de90(theirs)}, "25", ("MS",))  # type: ignore[arg-type,index]
    reverse(wire, {**wire.reversal(asked), 90: wire.de90(asked)[:31] + "12345678901"})


def test_a_reversal_before_its_original_stops_it_in_every_form(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    asked = wire.payment(bill, FEN)
    early = wire.reversal(asked)
    with desk.wire(wire.bank) as line:
        reverse(line, early, "25")
        reverse(line, early, "25", mti="0421")
        reverse(line, wire.reversal(asked, "0201"), "25")
    declined(wire, asked, "R1", mti="0201")
    declined(wire, asked, "R1")
    declined(wire, asked, "R1", mti="0220")
    declined(wire, asked, "R1", mti="0221")
    assert is_free(wire, bill)
    reverse(wire, wire.reversal(asked))  # declined with R1: 00, no effect
    advice = wire.payment(bill, FEN)
    reverse(wire, wire.reversal(advice, "0221"), "25", mti="0420")
    declined(wire, advice, "R1", mti="0220")
    declined(wire, advice, "R1")
    pay(wire, wire.payment(bill, FEN))


def test_a_reversal_that_has_a_de48_is_refused_with_a_message(desk: Desk, wire: Wire) -> None:
    asked = wire.payment(desk.bill(), FEN)
    more: Fields = {48: b"ZZ001x"}
    refused = wire.reversal(asked) | more
    wire.ask("0400", refused).fits(refused, "25", "0410", ["MS"])
    declined(wire, asked, "R1")
    undone = wire.reversal(asked) | more
    wire.ask("0420", undone).fits(undone, "00", "0430", de15=today())


def test_reversal_and_original_in_one_segment(desk: Desk, wire: Wire) -> None:
    for first in ("0200", "0400"):
        bill = desk.bill()
        asked = wire.payment(bill, FEN)
        reversal = wire.reversal(asked)
        frames = {
            "0200": frame(wire.bank, wire.body("0200", asked)), "0400": frame(wire.bank, wire.body("0400", reversal)),
        }  # fmt: skip
        wire.raw(frames[first] + frames["0400" if first == "0200" else "0200"])
        codes = {answer.mti: answer.code for answer in (wire.hear(), wire.hear())}
        assert codes == ({"0210": "00", "0410": "00"} if first == "0200" else {"0210": "R1", "0410": "25"})
        assert is_free(wire, bill)


def test_reversal_of_what_was_declined_or_never_decided(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    wrong = wire.payment(bill, FEN + 5)
    declined(wire, wrong, "13")
    reverse(wire, wire.reversal(wrong))
    malformed = {**wire.payment(bill, FEN), 49: "840"}
    wire.ask("0200", malformed).fits(malformed, "30", "0210", de44="049")
    reverse(wire, wire.reversal(malformed), "25")
    declined(wire, {**malformed, 49: "156"}, "R1")
    assert is_free(wire, bill)


def test_the_mti_of_de90_goes_by_class_and_the_other_class_if_nothing_was_approved(desk: Desk, wire: Wire) -> None:
    bill, asked = desk.bill(), wire.payment(FEN_BILL := desk.bill(), FEN)
    advise(wire, asked)
    reverse(wire, wire.reversal(asked, "0200"))  # no payment approved: the advice is the original
    assert is_free(wire, FEN_BILL)
    asked = wire.payment(bill, FEN)
    pay(wire, asked)
    reverse(wire, wire.reversal(asked, "0221"))  # and the other way round
    assert is_free(wire, bill)


def test_a_reversal_too_late_for_another_payment(desk: Desk, wire: Wire) -> None:
    """After its last day a reversed bill is EXPIRED: told late it was paid in time, and now nobody can pay it."""
    bill = next(desk.expired)
    asked = {**wire.payment(bill, FEN), 7: moment(-DAY), 13: today(-1)}
    declined(wire, wire.payment(bill, FEN), "B2")
    receipt = advise(wire, asked)
    assert receipt_on(wire, bill) == receipt
    gone = wire.void(asked, bill, "0220")
    assert void(wire, gone).tag("RN") == receipt
    declined(wire, wire.payment(bill, FEN), "B2")
    reverse(wire, wire.reversal(gone))  # a void's reversal: expired, but paid in time
    assert receipt_on(wire, bill) == receipt
    reverse(wire, wire.reversal(asked, "0220"))
    declined(wire, wire.payment(bill, FEN), "B2")


# -- voids -------------------------------------------------------------------------------------------------


def test_a_void_is_of_its_own_bill_amount_and_bank_and_is_not_remembered(desk: Desk, wire: Wire) -> None:
    bill, other = desk.bill(), desk.bill()
    asked = wire.payment(bill, FEN)
    early = wire.void(asked, bill)
    void(wire, early, "25", ("MS",))
    receipt = pay(wire, asked)
    void(wire, early, "25", ("MS",))  # kept
    void(wire, wire.void(asked, other), "25", ("MS",))
    void(wire, {**wire.void(asked, bill), 4: f"{FEN - 1:012d}"}, "13", ("MS",))
    assert not is_free(wire, bill)
    first = wire.void(asked, bill)
    assert void(wire, first).tag("RN") == receipt
    assert is_free(wire, bill)
    assert void(wire, wire.void(asked, bill)).tag("RN") == receipt, "voided already: 00, no effect"
    reverse(wire, wire.reversal(asked))
    wrong = wire.payment(bill, FEN + 1)
    declined(wire, wrong, "13")
    void(wire, wire.void(wrong, bill), "00", ("MS",))  # declined: 00, there is no receipt
    pay(wire, wire.payment(bill, FEN))


def test_a_voids_reversal_brings_the_payment_back_under_its_receipt(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    asked = wire.payment(bill, FEN)
    receipt = pay(wire, asked)
    gone = wire.void(asked, bill)
    void(wire, gone)
    reverse(wire, {**wire.reversal(gone), 3: "500000"}, "25")
    reverse(wire, wire.reversal(gone))
    assert receipt_on(wire, bill) == receipt
    reverse(wire, wire.reversal(gone), mti="0421")
    assert receipt_on(wire, bill) == receipt
    again = wire.void(asked, bill)
    void(wire, again)
    reverse(wire, wire.reversal(gone))  # the first void holds no more: no effect
    assert is_free(wire, bill)
    with desk.wire("rcb" if wire.bank != "rcb" else "ccb") as other:
        theirs = pay(other, other.payment(bill, FEN))
        reverse(wire, wire.reversal(again))  # the bill is another's now: into suspense
        assert receipt_on(other, bill) == theirs


def test_a_void_that_is_reversed_before_it_comes(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    asked = wire.payment(bill, FEN)
    pay(wire, asked)
    late = wire.void(asked, bill)
    reverse(wire, wire.reversal(late), "25")
    void(wire, late, "R1", ("MS",))
    assert not is_free(wire, bill)


# -- advices -----------------------------------------------------------------------------------------------


def test_an_advice_and_the_payment_that_sat_in_a_queue(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    asked = wire.payment(bill, FEN)
    receipt = advise(wire, asked)
    assert pay(wire, asked) == receipt and pay(wire, asked, "0201") == receipt
    assert advise(wire, asked, "0221") == receipt
    reverse(wire, wire.reversal(asked, "0220"))
    assert is_free(wire, bill)
    other = wire.payment(bill, FEN)
    advise(wire, other)
    reverse(wire, wire.reversal(other, "0220"))
    declined(wire, other, "R1")  # reversed since


def test_an_advice_of_a_payment_that_stands_tells_it_again(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    asked = wire.payment(bill, FEN)
    receipt = pay(wire, asked)
    assert advise(wire, asked) == receipt
    assert advise(wire, asked, "0221") == receipt
    reverse(wire, wire.reversal(asked, "0220"))
    assert is_free(wire, bill), "the payment is the original of a reversal that names the advice"


def test_money_that_fits_no_bill_goes_to_suspense_and_can_come_back(desk: Desk, wire: Wire) -> None:
    paid = desk.bill()
    pay(wire, wire.payment(paid, FEN))
    short = desk.bill()
    check = short[:19] + str((int(short[19]) + 3) % 10)
    for bill, fen in (
        (short, FEN - 1), (paid, FEN), (WITHDRAWN, FEN), (EXPIRED[-1], FEN), (bill_number(777_777), 5), (check, FEN),
    ):  # fmt: skip
        asked = wire.payment(bill, fen)
        receipt = advise(wire, asked)
        assert advise(wire, asked, "0221") == receipt
        assert wire.ask("0200", asked).tag("RN") == receipt, "an advice already taken, in suspense too"
        reverse(wire, {**wire.reversal(asked, "0220"), 4: f"{fen + 1:012d}"}, "13")
        reverse(wire, wire.reversal(asked, "0220"))
        reverse(wire, wire.reversal(asked, "0220"))
    assert is_free(wire, short)


def test_an_advice_of_a_declined_or_reversed_payment_goes_to_suspense_though_the_bill_is_free(
    desk: Desk, wire: Wire
) -> None:
    bill = desk.bill()
    wrong = wire.payment(bill, FEN - 1)
    declined(wire, wrong, "13")
    advise(wire, {**wrong, 4: f"{FEN:012d}"})
    assert is_free(wire, bill)
    asked = wire.payment(bill, FEN)
    receipt = pay(wire, asked)
    reverse(wire, wire.reversal(asked))
    assert advise(wire, asked) != receipt
    assert is_free(wire, bill)


def test_an_advices_payer_is_not_judged(desk: Desk, wire: Wire) -> None:
    bill = next(desk.owned)
    declined(wire, wire.payment(bill, FEN, ("ID", STRANGER)), "B3")
    advise(wire, wire.payment(bill, FEN, ("ID", STRANGER)))
    assert not is_free(wire, bill)
    own = next(desk.owned)
    pay(wire, wire.payment(own, FEN, ("ID", OWNER[:17] + "x")))


def test_an_advice_of_nothing_and_of_all_the_money_there_is(desk: Desk, wire: Wire) -> None:
    for fen in (0, 999_999_999_999):
        declined(wire, wire.payment(desk.bill(), fen), "13")
        asked = wire.payment(desk.bill(), fen)
        advise(wire, asked)
        reverse(wire, wire.reversal(asked, "0220"))
        advise(wire, wire.payment(desk.bill(), fen))
