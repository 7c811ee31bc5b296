"""All 128 fields decode in every dialect, at their full length and not beyond it; only the echo's come back (wire.md
section 2)."""

from __future__ import annotations

from shebao_desk import FEN, LONE, Desk, today
from shebao_wire import FORMATS, Raw, Value, Wire, field_bytes, frame, head, text

NOT_ASKED = {7, 11, 32, 35, 36, 45, 48, 52, 55, 64, 128}  # keys, forbidden ones, the MAC's, those tried elsewhere
SPECIAL = {12: "235959", 15: "1231", 49: "156"}
ONE = ["NM", "NB", "BL", "IN"]


def test_there_is_a_format_for_every_field() -> None:
    assert set(FORMATS) == set(range(2, 129)) - {65}


def full(number: int, size: int) -> str:
    kind = FORMATS[number].kind
    if number == 13:
        return today()
    if number in SPECIAL:
        return SPECIAL[number]
    if kind == "n":
        return ("99" + "8" * size)[:size]
    if kind == "x+n":
        return "D" + "9" * (size - 1)
    if kind == "b":
        return "0123456789ABCDEF"
    return ("~ !{}[]^`'\"@#$%&*" * 60)[:size]


def test_every_field_at_its_full_length(wire: Wire) -> None:
    for number, form in FORMATS.items():
        if number not in NOT_ASKED and number not in (3, 4, 49):
            asked = {**wire.inquiry(("BN", LONE)), number: full(number, form.size)}
            if form.digits == 3 and form.size == 999:
                asked[number] = full(number, 999)
            wire.ask("0100", asked).fits(asked, "00", "0110", ONE, de4=f"{FEN:012d}")


def test_every_variable_field_of_odd_length_and_of_none(wire: Wire) -> None:
    for number, form in FORMATS.items():
        if number not in NOT_ASKED and form.digits:
            for size in (0, 1, form.size - 1, 10):
                asked = {**wire.inquiry(("BN", LONE)), number: full(number, size)}
                wire.ask("0100", asked).fits(asked, "00", "0110", ONE, de4=f"{FEN:012d}")


def test_every_variable_field_one_longer_than_it_may_be(wire: Wire) -> None:
    for number, form in FORMATS.items():
        if number in NOT_ASKED or not form.digits or form.size >= 999:
            continue
        size = form.size + 1
        if wire.bank != "ccb":
            value = text(wire.bank, f"{size:0{form.digits}d}" + "1" * size)
        else:
            prefix = bytes.fromhex(f"{size:02d}" if form.digits == 2 else f"{size:04d}")
            value = prefix + (bytes.fromhex("1" * size) if form.kind == "n" else b"1" * size)
            if form.kind == "n" and size % 2:
                value = prefix + bytes.fromhex("0" + "1" * size)
        asked: dict[int, Value] = {**wire.inquiry(("BN", LONE)), number: Raw(value)}
        echo = {n: v for n, v in asked.items() if n != number}
        wire.ask("0100", asked).fits(echo, "30", "0110", de44=f"{number:03d}")


def test_every_fixed_field_of_the_wrong_alphabet(wire: Wire) -> None:
    for number, form in FORMATS.items():
        if number in NOT_ASKED or form.digits or (form.kind == "b" and wire.bank != "rcb"):
            continue
        right = full(number, form.size)
        if form.kind == "n" and wire.bank == "ccb":
            size = (form.size + 1) // 2
            wrong = [b"\x1a" * size] + ([b"\x11" * size] if form.size % 2 else [])
        elif form.kind in ("n", "x+n"):
            wrong = [text(wire.bank, right[:-1] + bad) for bad in ("A", " ", "-")]
        elif form.kind == "b":
            wrong = [b"0123456789abcdef", b"0123456789ABCDEG"]
        else:
            wrong = [text(wire.bank, right[:-1] + bad) for bad in ("|", "\x1f", "\x7f")]
        for value in wrong:
            asked: dict[int, Value] = {**wire.inquiry(("BN", LONE)), number: Raw(value)}
            echo = {n: v for n, v in asked.items() if n != number}
            wire.ask("0100", asked).fits(echo, "30", "0110", de44=f"{number:03d}")


def test_fields_of_a_reply_in_a_request_do_not_come_back(desk: Desk, wire: Wire) -> None:
    more: dict[int, Value] = {15: "0101", 38: "ABCDEF", 39: "00", 44: "048", 66: "1", 74: "1" * 10, 90: "1" * 42}
    more[97] = "C" + "1" * 16
    asked = {**wire.payment(LONE, FEN - 1), **more}
    wire.ask("0200", asked).fits(asked, "13", "0210", ["MS"])
    asked = {**wire.payment(desk.bill(), FEN), **more}
    wire.ask("0200", asked).fits(asked, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*")
    asked = {**wire.network("301"), 15: "0101", 39: "00"}
    wire.ask("0800", asked).fits(asked, "00", "0810")


def test_two_fields_at_fault_name_the_lower(wire: Wire) -> None:
    bad = Raw(b"\x1a" * 5 if wire.bank == "ccb" else text(wire.bank, "11111A11-1"))
    asked = wire.payment(LONE, FEN)
    asked |= {74: bad, 75: bad}
    wire.ask("0200", asked).fits(asked, "30", "0210", de44="074")
    asked |= {13: "1301"}
    echo = {n: v for n, v in asked.items() if n != 13}
    wire.ask("0200", asked).fits(echo, "30", "0210", de44="013")


def test_a_field_that_runs_into_the_mac_is_cut(wire: Wire) -> None:
    """The last field says that it is longer than the body: that field, and nothing that was read of the MAC."""
    asked = {**wire.inquiry(("BN", LONE)), 63: "x" * 20}
    whole = wire.body("0100", asked)
    field = field_bytes(wire.bank, 63, "x" * 20)
    prefix = len(field) - 20
    longer = field_bytes(wire.bank, 63, "x" * 25)[:prefix] + field[prefix:]
    at = whole.index(field)
    assert at > len(head(wire.bank, "0100", [64]))
    wire.raw(frame(wire.bank, wire.seal(whole[:at] + longer)))
    wire.hear().fits(asked, "30", "0110", de44="063")
