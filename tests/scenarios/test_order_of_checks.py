"""Two faults at once, on a real line of each bank: the first check of wire.md section 6, rule 1, that fails decides.
And the MAC in every state that it can be in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from shebao_desk import EXPIRED, FEN, LONE, OWNER_CARD, STRANGER, WITHDRAWN, Desk, today
from shebao_harness import bill_number, moment
from shebao_wire import MAC_SIZE, Raw, Value, Wire, frame, text, unsealed

Fields = dict[int, Value]
NO_BILL = bill_number(999_999)
TWO_DAYS = 2 * 86_400


def spoiled(wire: Wire, body: bytes) -> bytes:
    """A body whose MAC is wrong in its last bit (in rcb: its last hex digit)."""
    last = bytes([body[-1] ^ 1]) if wire.bank != "rcb" else (b"0" if body[-1:] != b"0" else b"1")
    return body[:-1] + last


def ask_spoiled(wire: Wire, mti: str, asked: Fields) -> None:
    wire.raw(frame(wire.bank, spoiled(wire, wire.body(mti, asked))))


# -- the MAC -----------------------------------------------------------------------------------------------


def test_a_wrong_mac_has_no_effect_and_comes_before_every_other_fault(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    asked = wire.payment(bill, FEN)
    ask_spoiled(wire, "0200", asked)
    wire.hear().fits(asked, "A0", "0210")
    malformed = {**asked, 12: "246000", 32: "999", 49: "840", 35: "6222020200112233445=4912"}
    ask_spoiled(wire, "0200", malformed)
    wire.hear().fits({n: v for n, v in malformed.items() if n != 12}, "A0", "0210")
    for mti, reply, other in (
        ("0100", "0110", wire.inquiry()), ("0400", "0410", wire.reversal(asked)), ("0800", "0810", wire.network("301")),
    ):  # fmt: skip
        wire.ask("0800", wire.network("301"))  # a right MAC between, since five wrong ones in a row end the line
        ask_spoiled(wire, mti, other)
        wire.hear().fits(other, "A0", reply)
    totals = wire.totals(today(), 0, 0, 0, 0)
    ask_spoiled(wire, "0500", totals)
    wire.hear().fits(totals, "A0", "0510", de15=today())
    with desk.wire(wire.bank, sign_on=False) as unsigned:
        ask_spoiled(unsigned, "0200", asked)
        unsigned.hear().fits(asked, "A0", "0210")
    assert wire.ask("0200", asked).code == "00", "the bill is still to be paid, the key is free"


def test_the_mac_stands_in_de128_exactly_when_bit_1_is_set(wire: Wire) -> None:
    asked = wire.network("301")
    key = "0" * 16
    bodies = [
        unsealed(wire.bank, "0800", asked, mac_field=0),  # neither
        wire.seal(unsealed(wire.bank, "0800", asked, mac_field=0)),  # neither, but a right MAC in the last bytes
        wire.seal(unsealed(wire.bank, "0800", {**asked, 64: key}, mac_field=128)),  # both
        wire.seal(unsealed(wire.bank, "0800", {**asked, 64: key}, mac_field=0)),  # 64 beside bit 1
    ]
    for body in bodies:
        wire.raw(frame(wire.bank, body))
        wire.hear().fits(asked, "A0", "0810")
    assert wire.ask("0800", asked).code == "00", "four in a row keep the line"
    inquiry = {n: v for n, v in wire.inquiry(("BN", LONE)).items() if n != 48}
    wire.raw(frame(wire.bank, unsealed(wire.bank, "0100", inquiry, mac_field=0)))
    wire.hear().fits(inquiry, "A0", "0110")
    ends_there = frame(wire.bank, unsealed(wire.bank, "0800", asked, mac_field=128))  # the bit is set, the bytes lack
    wire.raw(ends_there)
    assert wire.hear().code == "A0"


def test_bytes_after_the_mac_and_bytes_before_it(wire: Wire) -> None:
    asked = wire.payment(LONE, FEN)
    whole = wire.body("0200", asked)
    for count in (1, 8, 200):
        wire.raw(frame(wire.bank, whole + b"\x20" * count))
        wire.hear().fits(asked, "A0", "0210")
        for fields, field in ((asked, "064"), ({**asked, 70: "301"}, "128")):
            more = wire.seal(unsealed(wire.bank, "0200", fields) + b"\x20" * count)
            wire.raw(frame(wire.bank, more))
            wire.hear().fits(fields, "30", "0210", de44=field)


def test_the_fifth_wrong_mac_in_a_row_is_answered_and_closes(desk: Desk, wire: Wire) -> None:
    name = f'shebao_mac_failures_total{{bank="{wire.bank}"}}'
    before = desk.metrics()[name]
    echo = wire.network("301")
    with desk.wire(wire.bank) as other:
        for _ in range(4):
            ask_spoiled(wire, "0800", echo)
            assert wire.hear().code == "A0"
        assert wire.ask("0800", echo).code == "00"
        for line in (other, other, other):
            ask_spoiled(line, "0800", echo)
            assert line.hear().code == "A0"
        for _ in range(4):
            ask_spoiled(wire, "0800", echo)
            assert wire.hear().code == "A0"
        wire.tell("0210", echo)  # a reply counts as neither right nor wrong
        wire.raw(frame(wire.bank, spoiled(wire, wire.body("0800", echo))) + frame(wire.bank, wire.body("0800", echo)))
        assert wire.hear().code == "A0"
        assert wire.ended()
        assert other.ask("0800", echo).code == "00", "three on one line and some on another are not added"
    assert desk.metrics()[name] == before + 4 + 3 + 4 + 1


def test_lower_case_hex_and_no_hex_are_wrong_macs(desk: Desk) -> None:
    with desk.wire("rcb") as wire:
        asked = wire.payment(LONE, FEN)
        whole = wire.body("0200", asked)
        while whole[-16:] == whole[-16:].lower():
            asked = wire.payment(LONE, FEN)
            whole = wire.body("0200", asked)
        for bad in (whole[-16:].lower(), b"Z" * 16, b" " * 16):
            wire.raw(frame("rcb", whole[:-16] + bad))
            wire.hear().fits(asked, "A0", "0210")


# -- two faults --------------------------------------------------------------------------------------------

Case = Callable[[Wire, Desk], tuple[str, Fields, str, str]]  # MTI, message, code, DE44

CASES: dict[str, Case] = {
    "malformed, of another bank": lambda w, d: ("0200", {**w.payment(LONE, FEN), 32: "9", 13: "1301"}, "30", "013"),
    "of another bank, DE3 unknown": lambda w, d: ("0200", {**w.payment(LONE, FEN), 32: "9", 3: "123456"}, "31", ""),
    "of another bank, MTI unknown": lambda w, d: ("0300", {**w.payment(LONE, FEN), 32: "9"}, "31", ""),
    "DE3 unknown, fields lack": lambda w, d: ("0200", {**w.key_fields(), 3: "500001"}, "12", ""),
    "no DE3": lambda w, d: ("0200", {n: v for n, v in w.payment(LONE, FEN).items() if n != 3}, "12", ""),
    "no DE70": lambda w, d: ("0800", w.key_fields(), "12", ""),
    "DE70 unknown, DE48 bad": lambda w, d: ("0800", {**w.network("999"), 48: b"x"}, "12", ""),
    "not enabled, DE48 bad": lambda w, d: ("0100", {**w.inquiry(), 3: "391000", 48: b"x"}, "40", ""),
    "forbidden, DE48 bad": lambda w, d: ("0200", {**w.payment(LONE, FEN), 48: b"x", 35: "6=4912"}, "30", "035"),
    "forbidden, DE3 unknown": lambda w, d: ("0200", {**w.payment(LONE, FEN), 3: "9" * 6, 52: "A" * 16}, "30", "052"),
    "forbidden in a sign-on": lambda w, d: ("0800", {**w.network("001"), 36: "6"}, "30", "036"),
    "forbidden and of another bank": lambda w, d: ("0800", {**w.network("301"), 32: "9", 45: "B6^"}, "30", "045"),
    "two forbidden": lambda w, d: ("0200", {**w.payment(LONE, FEN), 52: "0" * 16, 55: b"\x9f\x26"}, "30", "052"),
    "bill unknown, too old": lambda w, d: ("0200", {**w.payment(NO_BILL, FEN), 7: moment(-TWO_DAYS)}, "30", "007"),
    "too old and a field lacks": lambda w, d: (
        "0200", {n: v for n, v in {**w.payment(LONE, FEN), 7: moment(-TWO_DAYS)}.items() if n != 42}, "30", "042"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_first_fault_decides(desk: Desk, wire: Wire, case: Case) -> None:
    mti, asked, code, field = case(wire, desk)
    lost = {13} if asked.get(13) == "1301" else set()
    reply = mti[:2] + str(int(mti[2]) + 1) + "0"
    echo = {n: v for n, v in asked.items() if n not in lost}
    wire.ask(mti, echo | asked).fits(echo, code, reply, **({"de44": field} if field else {}))


def test_before_sign_on_the_order_is_the_same(desk: Desk, wire: Wire) -> None:
    with desk.wire(wire.bank, sign_on=False) as line:
        other = {**line.payment(LONE, FEN), 32: "9"}
        line.ask("0200", other).fits(other, "31", "0210")
        unknown = {**line.payment(LONE, FEN), 3: "999999"}
        line.ask("0200", unknown).fits(unknown, "58", "0210")
        line.ask("0820", {**line.network("001")}).fits({**line.network("001")} | {}, "58", "0830", de7="*", de11="*")
        bad = {**line.payment(LONE, FEN), 35: "6"}
        line.ask("0200", bad).fits(bad, "30", "0210", de44="035")


def test_the_key_comes_before_age_and_after_the_required_fields(desk: Desk, wire: Wire) -> None:
    asked = wire.payment(desk.bill(), FEN)
    first = wire.ask("0200", asked)
    lacking = {n: v for n, v in asked.items() if n != 41}
    wire.ask("0201", lacking).fits(lacking, "30", "0210", de44="041")
    far = {**asked, 13: today(-5)}
    assert wire.ask("0201", far).tail == first.tail, "a repeat has no age"
    other = {**asked, 4: f"{FEN + 1:012d}", 13: today(-5)}
    wire.ask("0201", other).fits(other, "94", "0210")


def test_the_business_asks_in_its_order(desk: Desk, wire: Wire) -> None:
    paid, owned = desk.bill(), next(desk.owned)
    assert wire.ask("0200", wire.payment(paid, FEN)).code == "00"
    stranger = ("ID", STRANGER)
    for bill, pairs, code, tags in (
        (NO_BILL, [stranger], "25", ["MS"]),
        (paid, [stranger], "B1", ["PB", "PT", "RN", "MS"]),
        (WITHDRAWN, [stranger], "B2", ["MS"]),
        (EXPIRED[0], [stranger], "B2", ["MS"]),
        (owned, [stranger], "B3", ["MS"]),
        (owned, [], "13", ["MS"]),
    ):
        asked = wire.payment(bill, 1, *pairs)
        wire.ask("0200", asked).fits(asked, code, "0210", tags)
        early = wire.payment(bill, 1, *pairs)
        reversal = wire.reversal(early)
        wire.ask("0400", reversal).fits(reversal, "25", "0410")
        wire.ask("0200", early).fits(early, "R1", "0210", ["MS"])


def test_an_unknown_card_is_no_fault_of_a_payment_that_anyone_may_make(desk: Desk, wire: Wire) -> None:
    asked = wire.payment(desk.bill(), FEN, ("ID", STRANGER), de2="6200000000000000000")
    assert wire.ask("0200", asked).code == "00"
    for card, code in (("6200000000000000000", "B3"), (OWNER_CARD, "00")):
        asked = wire.payment(owned := next(desk.owned), FEN, de2=card)
        assert wire.ask("0200", asked).code == code, owned


# -- forbidden fields, well formed or not --------------------------------------------------------------------


def forbidden(wire: Wire) -> list[tuple[int, Value]]:
    bcd = wire.bank == "ccb"
    track = "6222020200112233445=49121010000000000"
    long = b"\x38" if bcd else text(wire.bank, "38")
    beyond = b"\x09\x00" if bcd else text(wire.bank, "900")
    return [
        (35, track), (35, Raw(long + text(wire.bank, track))), (35, Raw(long + text(wire.bank, track + "0"))),
        (36, "9" * 104), (45, "B6222020200112233445^A/B^4912"), (45, ""), (52, "0123456789ABCDEF"),
        (55, b"\x9f\x26\x08" + b"\x11" * 8), (55, Raw(beyond + b"\x5a\x0a\x62\x22")), (35, Raw(b"\xff" * 5)),
    ]  # fmt: skip


def test_pin_and_track_data_are_refused_well_formed_or_not(wire: Wire) -> None:
    for field, value in forbidden(wire):
        asked = {**wire.payment(LONE, FEN), field: value}
        answer = wire.ask("0200", asked)
        assert (answer.code, answer.fields[44]) == ("30", f"{field:03d}"), (field, value)
        assert field not in answer.fields and 48 not in answer.fields
    asked = wire.payment(LONE, FEN)
    cut = unsealed(wire.bank, "0200", {**asked, 52: "0123456789ABCDEF"})[: -(MAC_SIZE[wire.bank] - 3)]
    wire.raw(frame(wire.bank, wire.seal(cut)))
    answer = wire.hear()
    assert (answer.code, answer.fields[44]) == ("30", "052")
