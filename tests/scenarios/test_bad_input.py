"""Each kind of bad input gets its code, on a real line of each bank: 30 with the field that is wrong, 31, 25, 14."""

from __future__ import annotations

import pytest
from shebao_desk import EMPLOYER, FEN, LONE, OWNER, OWNER_CARD, Desk, today
from shebao_harness import bill_number, moment
from shebao_wire import Raw, Value, Wire, frame, head, tagged, text, unsealed

Fields = dict[int, Value]
UNKNOWN_BILL = bill_number(999_999)
BAD_CHECK = LONE[:19] + str((int(LONE[19]) + 1) % 10)


def refused(wire: Wire, mti: str, asked: Fields, code: str, field: int = 0, lost: tuple[int, ...] = ()) -> None:
    """Asserts a refusal without DE48; `lost`: fields that could not be decoded, so are not echoed."""
    reply = mti[:2] + str(int(mti[2]) + 1) + "0"
    adds = {"de15": str(asked[15])} if mti[1] in "58" and 15 in asked and 15 not in lost else {}
    if code == "30":
        adds["de44"] = f"{field:03d}"
    wire.ask(mti, asked).fits({n: v for n, v in asked.items() if n not in lost}, code, reply, **adds)


def messages(wire: Wire) -> list[tuple[str, Fields, tuple[int, ...]]]:
    """Each message that is enabled, with the fields that it needs beside DE7 and DE11."""
    paid = wire.payment(LONE, FEN)
    money = (4, 12, 13, 37, 41, 42, 48, 49)
    return [
        ("0100", wire.inquiry(("BN", LONE)), (12, 13, 37, 41, 42, 48)),
        ("0200", paid, money),
        ("0220", wire.payment(LONE, FEN), money),
        ("0200", wire.void(paid, LONE), (*money, 90)),
        ("0400", wire.reversal(paid), (4, 37, 49, 90)),
        ("0420", wire.reversal(paid), (4, 37, 49, 90)),
        ("0500", wire.totals(today(), 0, 0, 0, 0), (15, 74, 75, 76, 77, 86, 87, 88, 89, 97)),
        ("0800", wire.network("201", de15=today()), (15,)),
    ]


def test_each_required_field_that_lacks_is_named(wire: Wire) -> None:
    for mti, asked, required in messages(wire):
        for field in required:
            refused(wire, mti, {n: v for n, v in asked.items() if n != field}, "30", field)
        if len(required) > 1:
            refused(wire, mti, {n: v for n, v in asked.items() if n not in required}, "30", required[0])


@pytest.mark.parametrize("currency", ["840", "000", "155"])
def test_a_currency_that_is_not_156(wire: Wire, currency: str) -> None:
    for mti, asked, _ in messages(wire):
        refused(wire, mti, {**asked, 49: currency}, "30", 49)
    refused(wire, "0200", {**wire.payment(LONE, FEN), 49: currency, 48: b"CH"}, "30", 48)
    refused(wire, "0400", {n: v for n, v in messages(wire)[4][1].items() if n != 90} | {49: currency}, "30", 49)


# -- what a field may hold ---------------------------------------------------------------------------------

CALENDAR = [
    *((12, v) for v in ("240000", "236000", "235960", "246000")),
    *((13, v) for v in ("1301", "0001", "0431", "0230", "0100", "1132")),
]


def test_dates_and_times_must_exist(wire: Wire) -> None:
    for field, value in CALENDAR:
        refused(wire, "0200", {**wire.payment(LONE, FEN), field: value}, "30", field, lost=(field,))
    for value in ("1301", "0230", "0000"):
        refused(wire, "0500", {**wire.totals(today(), 0, 0, 0, 0), 15: value}, "30", 15, lost=(15,))
    for value in ("1301000000", "0001000000", "0431120000", "1125240000", "1125235960", "0230000000"):
        refused(wire, "0200", {**wire.payment(LONE, FEN), 7: value, 13: "1301"}, "30", 7, lost=(13,))
        refused(wire, "0800", {**wire.network("301"), 7: value}, "30", 7)


def wrong_values(bank: str) -> list[tuple[int, bytes]]:
    """Fixed-length fields as bytes that no good bank sends."""
    if bank == "ccb":
        digits = [(4, bytes.fromhex("00000000000A")), (37, b"R1234567890|"), (49, bytes.fromhex("1156"))]
        digits += [(49, bytes.fromhex("F156")), (3, bytes.fromhex("50000F")), (12, bytes.fromhex("0A0000"))]
    else:
        digits = [(4, text(bank, "00000004800A")), (4, text(bank, " " * 12)), (49, text(bank, "1 6"))]
        digits += [(3, text(bank, "+50000")), (12, b"\xb2" * 6), (13, text(bank, "-101"))]
    printable = [(41, text(bank, "TERM|001")), (42, text(bank, "3301\x1f00000BR001")), (41, text(bank, "TERM\x00001"))]
    high = [(41, b"\xff" * 8), (42, b"\xc3\xa9" * 7 + b"0" if bank != "icbc" else bytes(range(15)))]
    return [*digits, *printable, *high]


def test_what_is_not_of_a_fields_alphabet(wire: Wire) -> None:
    for field, data in wrong_values(wire.bank):
        refused(wire, "0200", {**wire.payment(LONE, FEN), field: Raw(data)}, "30", field, lost=(field,))
    for sign in "E", "c", "0":
        refused(wire, "0500", {**wire.totals(today(), 0, 0, 0, 0), 97: sign + "0" * 16}, "30", 97)


def test_a_code_page_that_is_a_neighbours(desk: Desk) -> None:
    """cp500 has é and ñ and its brackets where cp1047 has others: é is no printable ASCII, nor is a control code."""
    with desk.wire("icbc") as wire:
        asked = {**wire.payment(LONE, FEN), 41: Raw(bytes.fromhex("4AC15AF15149BB40")), 42: Raw(bytes(range(15)))}
        refused(wire, "0200", asked, "30", 41, lost=(41, 42))
        asked = {**wire.payment(desk.bill(), FEN), 41: Raw(bytes.fromhex("4AC15AF1E04F40C0"))}
        answer = wire.ask("0200", asked)
        assert answer.fields[41] == "[A]1\\! {" and answer.code == "00"


def test_a_length_above_the_maximum_is_a_malformed_field_and_decoding_goes_on_by_it(wire: Wire) -> None:
    asked = wire.payment(LONE, FEN)
    longer = {"ccb": bytes.fromhex("20") + bytes(10)}.get(wire.bank, text(wire.bank, "20" + "0" * 20))
    refused(wire, "0200", {**asked, 2: Raw(longer)}, "30", 2, lost=(2,))
    longer = {"ccb": bytes.fromhex("26") + b"x" * 26}.get(wire.bank, text(wire.bank, "26" + "x" * 26))
    refused(wire, "0200", {**asked, 44: Raw(longer)}, "30", 44)
    refused(wire, "0200", {**asked, 44: Raw(longer), 13: "1301"}, "30", 13, lost=(13,))


def test_a_length_that_is_no_number_makes_the_rest_unreadable(wire: Wire) -> None:
    asked = wire.payment(LONE, FEN)
    bcd = [b"\x0a\x10", b"\xf0\x00"]
    for prefix in bcd if wire.bank == "ccb" else [text(wire.bank, p) for p in ("9 9", "+10", "0x1", "-01")]:
        refused(wire, "0200", {**asked, 47: Raw(prefix + b"\x40" * 10)}, "30", 47, lost=(48, 49))
    cut = {"ccb": b"\x09\x99"}.get(wire.bank, text(wire.bank, "999")) + tagged([("BN", LONE)])[:20]
    refused(wire, "0200", {**asked, 48: Raw(cut)}, "30", 48, lost=(49,))


def test_bit_65_is_named(wire: Wire) -> None:
    asked = wire.payment(LONE, FEN)
    fields = unsealed(wire.bank, "0200", asked)[len(head(wire.bank, "0200", [64])) :]
    covered = head(wire.bank, "0200", [*asked, 65, 128]) + fields
    wire.raw(frame(wire.bank, wire.seal(covered)))
    wire.hear().fits(asked, "30", "0210", de44="065")


# -- DE48 --------------------------------------------------------------------------------------------------

GOOD = [("CH", "01"), ("BN", LONE)]
BAD_DE48: dict[str, bytes] = {
    "empty": b"",
    "a tag cut in its head": tagged(GOOD) + b"NM0",
    "a length past the end": tagged(GOOD) + b"NM009" + b"x" * 8,
    "a length that is no number": tagged(GOOD) + b"NM 1 x",
    "a length with a sign": tagged(GOOD) + b"NM+01x",
    "bytes after the last tag": tagged(GOOD) + b"\x00",
    "BN twice": tagged([*GOOD, ("BN", LONE)]),
    "CH twice": tagged([("CH", "01"), *GOOD]),
    "no channel": tagged([("BN", LONE)]),
    "no bill": tagged([("CH", "01")]),
    "channel 05": tagged([("CH", "05"), ("BN", LONE)]),
    "channel 00": tagged([("CH", "00"), ("BN", LONE)]),
    "channel of one digit": tagged([("CH", "1"), ("BN", LONE)]),
    "a bill of 19 digits": tagged([("CH", "01"), ("BN", LONE[:19])]),
    "a bill with a letter": tagged([("CH", "01"), ("BN", LONE[:19] + "A")]),
    "a bill in wide digits": tagged([("CH", "01"), ("BN", "１" * 10)]),
    "an id of 17": tagged([*GOOD, ("ID", OWNER[:17])]),
    "an id with a wrong check character": tagged([*GOOD, ("ID", OWNER[:17] + "1")]),
    "a wide X": tagged([*GOOD, ("ID", OWNER[:16] + "Ｘ")]),
    "an employer's code in lower case": tagged([*GOOD, ("ID", EMPLOYER.lower())]),
    "an employer's code with a wrong check": tagged([*GOOD, ("ID", EMPLOYER[:17] + "8")]),
    "no GB18030": tagged(GOOD) + b"NM002\xff\xff",
    "half a character": tagged(GOOD) + b"NM001\x95",
    "an unknown tag that is no GB18030": tagged(GOOD) + b"ZZ001\x81",
    "a phone of 10": tagged([*GOOD, ("PH", "1380000000")]),
    "AU out of its range": tagged([*GOOD, ("AU", "4")]),
    "an account of 33": tagged([*GOOD, ("AC", "6" * 33)]),
    "a type of 4": tagged([*GOOD, ("IT", "3901")]),
    "a control character in a name": tagged([*GOOD, ("NM", "沈\x0b国")]),
}


@pytest.mark.parametrize("bad", BAD_DE48.values(), ids=BAD_DE48.keys())
def test_a_bad_de48_is_048(wire: Wire, bad: bytes) -> None:
    refused(wire, "0200", {**wire.payment(LONE, FEN), 48: bad}, "30", 48)
    if bad != tagged([("CH", "01")]) or bad == b"":
        refused(wire, "0100", {**wire.inquiry(), 48: bad}, "30", 48)


def test_unknown_tags_are_skipped_though_they_repeat_and_an_id_ends_in_a_small_x(desk: Desk, wire: Wire) -> None:
    more = [("ZZ", "a"), ("zz", "沈"), ("ZZ", ""), ("ID", OWNER[:17] + "x"), ("01", "b")]
    more += [("BL", "1" * 55), ("IN", "390" + "0" * 12)] * 2  # these two may repeat
    asked = wire.payment(desk.bill(), FEN, *more)
    wire.ask("0200", asked).fits(asked, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*")


def test_an_inquiry_needs_bill_or_id_or_card(wire: Wire) -> None:
    refused(wire, "0100", wire.inquiry(), "30", 48)
    refused(wire, "0100", {**wire.inquiry(), 48: tagged([("BN", LONE)]), 2: OWNER_CARD}, "30", 48)
    asked = wire.inquiry(de2=OWNER_CARD)
    assert wire.ask("0100", asked).code == "00"


def test_a_card_of_no_digit_is_an_unknown_card(wire: Wire) -> None:
    asked = wire.inquiry(de2="")
    assert wire.ask("0100", asked).code in ("14", "30")
    asked = wire.payment(LONE, FEN - 1, de2="")
    wire.ask("0200", asked).fits(asked, "13", "0210", ["MS"])


# -- DE32, DE90, age -------------------------------------------------------------------------------------


def test_de32_of_another_bank_or_none(wire: Wire) -> None:
    for institution in ("33011000", "0" + wire.institution, wire.institution[:-1], "", "99999999999"):
        refused(wire, "0200", {**wire.payment(LONE, FEN), 32: institution}, "31")
    refused(wire, "0800", {n: v for n, v in wire.network("001").items() if n != 32}, "31")


def test_a_de90_that_fits_nothing(wire: Wire) -> None:
    paid = wire.payment(LONE, FEN)
    good = wire.de90(paid)
    for odd in ("0100" + good[4:], "9999" + good[4:], good[:20] + "0" * 22, good[:20] + "00033011000" + "0" * 11):
        asked = {**wire.reversal(paid), 90: odd}
        wire.ask("0400", asked).fits(asked, "25", "0410")
        void = {**wire.void(paid, LONE), 90: odd}
        wire.ask("0200", void).fits(void, "25", "0210", ["MS"])
    for no_date in ("0" * 42, good[:10] + "1301000000" + good[20:], good[:10] + "1125246000" + good[20:]):
        refused(wire, "0400", {**wire.reversal(paid), 90: no_date}, "30", 90)


HOUR, DAY = 3600, 86_400


def test_age_of_de7_and_de13(desk: Desk, wire: Wire) -> None:
    for offset in (-DAY - HOUR, DAY + HOUR, -8 * DAY, 200 * DAY):
        when = moment(offset)
        for mti, asked in (("0200", wire.payment(LONE, FEN)), ("0100", wire.inquiry(("BN", LONE)))):
            refused(wire, mti, {**asked, 7: when}, "30", 7)
        refused(wire, "0500", {**wire.totals(today(), 0, 0, 0, 0), 7: when}, "30", 7)
        refused(wire, "0800", {**wire.network("201", de15=today()), 7: when}, "30", 7)
        for code in ("301", "001"):  # of the line, not of the day: its clock is counted, and it is served
            asked = {**wire.network(code), 7: when}
            wire.ask("0800", asked).fits(asked, "00", "0810")
    for days in (-2, 2):
        refused(wire, "0200", {**wire.payment(LONE, FEN), 13: today(days)}, "30", 13)
        refused(wire, "0200", {**wire.payment(LONE, FEN), 13: today(days), 7: moment(2 * DAY)}, "30", 7)
    for offset in (-DAY + HOUR, DAY - HOUR):
        asked = {**wire.payment(desk.bill(), FEN), 7: moment(offset), 13: moment(offset)[:4]}
        assert wire.ask("0200", asked).code == "00"
    old = {**wire.payment(desk.bill(), FEN), 7: moment(-7 * DAY + HOUR), 13: today(-6)}
    assert wire.ask("0220", old).code == "00"
    back = {**wire.reversal(old, "0220"), 7: moment(-7 * DAY + 2 * HOUR)}
    assert wire.ask("0400", back).code == "00"
    for offset in (-7 * DAY - HOUR, DAY + HOUR):
        refused(wire, "0220", {**wire.payment(LONE, FEN), 7: moment(offset)}, "30", 7)
        refused(wire, "0420", {**wire.reversal(old), 7: moment(offset)}, "30", 7)
    refused(wire, "0220", {**wire.payment(LONE, FEN), 13: today(-8)}, "30", 13)
