"""What a broken or hostile peer does to a line: lengths, headers, garbage, cuts, half-closes, resets, and bodies
damaged at random. It loses its own line at most, gets replies to what was taken in before, and harms nobody else."""

from __future__ import annotations

import itertools
import random
import socket
import struct
from collections.abc import Iterator

import pytest
from shebao_desk import FEN, LONE, Desk, today
from shebao_harness import BANKS, bill_number
from shebao_wire import LARGEST, MAC_SIZE, Raw, Wire, envelope, frame, head, length_header, text

DAMAGED = 600
CODES = {"00", "12", "13", "14", "25", "30", "31", "40", "58", "94", "95", "A0", "B1", "B2", "B3", "R1", "R2"}


@pytest.fixture
def bystander(desk: Desk, wire: Wire) -> Iterator[Wire]:
    """Another line of the same bank: whatever happens to the first, it goes on."""
    with desk.wire(wire.bank) as line:
        yield line
        asked = line.inquiry(("BN", LONE))
        assert line.ask("0100", asked).code == "00"


def rejected(desk: Desk, bank: str) -> float:
    name = f'shebao_rejected_frames_total{{bank="{bank}",'
    return sum(count for key, count in desk.metrics().items() if key.startswith(name))


def closes(desk: Desk, wire: Wire, data: bytes) -> None:
    """Asserts that the line ends without an answer, after those of what came before, and that it is counted."""
    before = rejected(desk, wire.bank)
    ahead, behind = wire.network("301"), wire.network("301")
    wire.raw(frame(wire.bank, wire.body("0800", ahead)) + data + frame(wire.bank, wire.body("0800", behind)))
    wire.hear().fits(ahead, "00", "0810")
    assert wire.ended()
    assert rejected(desk, wire.bank) == before + 1


# -- frames ------------------------------------------------------------------------------------------------


def bad_frames(wire: Wire) -> dict[str, bytes]:
    bank = wire.bank
    body = wire.body("0800", wire.network("301"))
    whole = envelope(bank, len(body)) + body
    size = len(whole)
    smallest = len(envelope(bank, 0)) + len(head(bank, "0800", [7]))
    found = {
        "too long": length_header(bank, LARGEST[bank] + 1) + whole + b"0" * (LARGEST[bank] + 1 - size),
        "too short": length_header(bank, smallest - 1) + whole[: smallest - 1],
        "length 1": length_header(bank, 1) + b"0",
    }
    if bank in ("rcb", "boc"):
        for odd in (f" {size:3d}", f"+{size:03d}", f"{size:3d} ", "0_99", "00x1", "-001", "\x000\x00\x00"):
            found[f"length {odd!r}"] = odd.encode() + whole
        found["an Arabic digit"] = "00٨".encode() + whole
        found["binary"] = size.to_bytes(2, "big") + whole
    if bank == "icbc":
        found["ASCII digits"] = f"{size:04d}".encode() + whole
    if bank == "ccb":
        found["TPDU id 61"] = length_header(bank, size) + b"\x61" + whole[1:]
        found["no TPDU"] = length_header(bank, len(body)) + body
    if bank == "boc":
        for at, new in ((0, b"\x2d"), (1, b"\x01"), (2, b"%04d" % (size + 1)), (2, b"%4d" % size), (6, b"33011001")):
            found[f"header byte {at} {new!r}"] = length_header(bank, size) + whole[:at] + new + whole[at + len(new) :]
        swapped = whole[:6] + whole[17:28] + whole[6:17] + whole[28:]
        found["the stations the other way round"] = length_header(bank, size) + swapped
    return found


def test_a_frame_that_can_not_be_trusted_closes_its_line(desk: Desk, wire: Wire, bystander: Wire) -> None:
    for name in bad_frames(wire):
        with desk.wire(wire.bank) as line:
            closes(desk, line, bad_frames(line)[name])


def test_what_of_a_header_is_not_checked(desk: Desk) -> None:
    with desk.wire("boc") as wire:
        asked = wire.network("301")
        whole = frame("boc", wire.body("0800", asked))
        odd = whole[: 4 + 28] + b"\x01\x02\x03\x09ABCDEFGH\x07ABCDE" + whole[4 + 46 :]
        wire.raw(odd)
        wire.hear().fits(asked, "00", "0810")


def unreadable(wire: Wire) -> dict[str, bytes]:
    bank, asked = wire.bank, wire.payment(LONE, FEN)
    bcd = bank == "ccb"
    mti = {"icbc": "0800".encode("cp500"), "ccb": b"\x08\x00"}.get(bank, b"0800")
    body = wire.body("0200", asked)
    bad = {
        "MTI 1200": wire.body("1200", asked),
        "MTI 9810": wire.body("9810", asked),
        "an MTI of letters": wire.seal((b"\x0a\x00" if bcd else text(bank, "02A0")) + body[len(mti) : -MAC_SIZE[bank]]),
        "no DE7": wire.body("0200", {n: v for n, v in asked.items() if n != 7}),
        "no DE11": wire.body("0200", {n: v for n, v in asked.items() if n != 11}),
        "DE7 of letters": wire.body("0200", {**asked, 7: Raw(b"\xaa" * 5 if bcd else text(bank, "11251200A0"))}),
        "DE11 of letters": wire.body("0200", {**asked, 11: Raw(b"\xaa" * 3 if bcd else text(bank, "00000A"))}),
        "DE2's length no number": wire.body("0200", {**asked, 2: Raw(b"\x1a" if bcd else text(bank, "1x"))}),
        "cut in the bitmap": wire.body("0800", wire.network("301"))[: len(mti) + (24 if bank == "rcb" else 12)],
        "cut before DE11": body[: len(head(bank, "0200", [3, 4])) + 12],
    }
    if bank == "rcb":
        covered = wire.body("0200", {**asked, 70: "301"})[: -MAC_SIZE[bank]]
        bitmaps = covered[4:36]
        assert bitmaps != bitmaps.lower()
        bad["a bitmap in lower case"] = wire.seal(covered[:4] + bitmaps.lower() + covered[36:])
    return {name: frame(bank, body) for name, body in bad.items()}


def test_an_unreadable_message_closes_its_line(desk: Desk, wire: Wire, bystander: Wire) -> None:
    for name in unreadable(wire):
        with desk.wire(wire.bank) as line:
            closes(desk, line, unreadable(line)[name])


def test_another_dialects_bank_at_the_wrong_port(desk: Desk) -> None:
    for mine, other in itertools.permutations(BANKS, 2):
        with desk.wire(mine) as teacher, desk.wire(other, sign_on=False) as line:
            line.raw(frame(mine, teacher.body("0800", teacher.network("001"))))
            assert line.ended(), "at once: nobody waits for a huge frame that was never meant"
    for bank in BANKS:
        with desk.wire(bank) as line:
            line.ask("0800", line.network("301"))


def padded(wire: Wire, size: int) -> tuple[dict, bytes]:  # type: ignore[type-arg]
    """An inquiry whose body has exactly `size` bytes, by private fields."""
    asked = wire.inquiry(("BN", LONE))
    room = size - len(wire.body("0100", {**asked, 60: "", 61: ""}))
    asked |= {60: "p" * min(room, 999), 61: "q" * max(0, room - 999)}
    body = wire.body("0100", asked)
    assert len(body) == size
    return asked, body


def test_the_largest_frame(desk: Desk, wire: Wire) -> None:
    for size in (1845, 1846):
        asked, body = padded(wire, size)
        wire.raw(frame(wire.bank, body))
        wire.hear().fits(asked, "00", "0110", ["NM", "NB", "BL", "IN"], de4=f"{FEN:012d}")
    asked, body = padded(wire, 1847)
    closes(desk, wire, frame(wire.bank, body))


# -- how bytes come ------------------------------------------------------------------------------------------


def test_heartbeats_are_never_answered_before_sign_on_or_after(desk: Desk, wire: Wire) -> None:
    with desk.wire(wire.bank, sign_on=False) as line:
        beat = length_header(wire.bank, 0)
        for asked in (line.network("001"), line.network("301")):
            line.raw(beat * 70 + frame(wire.bank, line.body("0800", asked)) + beat * 3)
            line.hear().fits(asked, "00", "0810")
        line.raw(beat[:1])
        line.raw(beat[1:])
        line.socket.shutdown(socket.SHUT_WR)
        assert line.ended()


def test_a_byte_at_a_time_and_many_frames_in_one_segment(desk: Desk, wire: Wire) -> None:
    asked = [wire.payment(desk.bill(), FEN) for _ in range(2)] + [wire.network("301")]
    for byte in b"".join(frame(wire.bank, wire.body("0800" if 70 in a else "0200", a)) for a in asked):
        wire.raw(bytes([byte]))
    assert sorted(wire.hear().code for _ in asked) == ["00"] * 3
    many = [wire.payment(desk.bill(), FEN) for _ in range(50)]
    wire.raw(b"".join(frame(wire.bank, wire.body("0200", a)) for a in many))
    answers = {a.fields[11]: a for a in (wire.hear() for _ in many)}
    for one in many:
        answers[one[11]].fits(one, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*")


def test_a_bank_that_half_closes_gets_its_replies(desk: Desk, wire: Wire) -> None:
    asked = [wire.payment(desk.bill(), FEN) for _ in range(30)]
    wire.raw(b"".join(frame(wire.bank, wire.body("0200", a)) for a in asked))
    wire.raw(frame(wire.bank, wire.body("0800", wire.network("301")))[:-3])  # a frame that never completes
    wire.socket.shutdown(socket.SHUT_WR)
    assert [wire.hear().code for _ in asked] == ["00"] * 30
    assert wire.ended()


def test_a_bank_that_closes_at_once_finds_the_truth_by_a_repeat(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    with desk.wire(wire.bank) as gone:
        asked = gone.payment(bill, FEN)
        gone.tell("0200", asked)
        gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.ask("0201", asked).fits(asked, "00", "0210", ["RN", "NM", "MS"], de15=today(), de38="*")
    other = wire.payment(bill, FEN)
    wire.ask("0200", other).fits(other, "B1", "0210", ["PB", "PT", "RN", "MS"])


def test_probes_are_no_news(desk: Desk) -> None:
    before, logged = {bank: rejected(desk, bank) for bank in BANKS}, len(desk.switch.log)
    for bank in BANKS:
        for linger in (False, True) * 20:
            with socket.create_connection(("127.0.0.1", desk.switch.ports[bank])) as probe:
                if linger:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for bank in BANKS:
        with desk.wire(bank) as line:
            line.ask("0800", line.network("301"))
    assert before == {bank: rejected(desk, bank) for bank in BANKS}
    assert not [e for e in desk.switch.log[logged:] if e.get("level") in ("warning", "error")]


# -- damage at random ------------------------------------------------------------------------------------------


def damaged(chance: random.Random, wire: Wire) -> bytes:
    """A body with one thing wrong at random, its MAC made anew or not."""
    nothing = bill_number(990_000 + chance.randrange(1000))
    paid = wire.payment(nothing, FEN)
    mti, asked = chance.choice([
        ("0200", paid), ("0220", {**paid, 49: "840"}), ("0100", wire.inquiry(("BN", nothing), de2="6217001234567890")),
        ("0400", wire.reversal(paid)), ("0200", wire.void(paid, nothing)), ("0500", wire.totals(today(), 1, 2, 3, 4)),
        ("0800", wire.network("301", de48="") | {48: b"ZZ003abc"}), ("0600", {**paid, 3: "910000"}),
    ])  # fmt: skip
    body = bytearray(wire.body(mti, asked))
    end = len(body) - MAC_SIZE[wire.bank]
    at = chance.randrange(end)
    match chance.randrange(5):
        case 0:
            body[at] ^= 1 << chance.randrange(8)
        case 1:
            body[at] = chance.choice(b"\x00\xff09 |~\xf0\x99")
        case 2:
            del body[at:end]
        case 3:
            body[at:at] = chance.randbytes(chance.randrange(1, 30))
        case 4:
            body[at : at + chance.randrange(1, 9)] = b""
    whole = bytes(body)
    return wire.seal(whole[: -MAC_SIZE[wire.bank]]) if chance.random() < 0.8 else whole


def test_damaged_bodies_are_answered_or_close_their_line_and_nothing_else(desk: Desk, wire: Wire) -> None:
    chance = random.Random(f"damage {wire.bank}")
    line, asked = wire, 0
    answered: dict[str, int] = {}
    for _ in range(DAMAGED):
        body = damaged(chance, line)
        echo = line.network("301")
        if len(body) + len(envelope(wire.bank, 0)) > LARGEST[wire.bank]:
            continue
        asked += 1
        line.raw(frame(wire.bank, body) + frame(wire.bank, line.body("0800", echo)))
        try:
            while (answer := line.hear()).fields[11] != echo[11]:
                assert answer.code in CODES, answer
                answered[answer.code] = answered.get(answer.code, 0) + 1
        except (EOFError, ConnectionResetError):
            line.socket.close()
            line = desk.wire(wire.bank)
    line.socket.close()
    assert asked > 400 and {"30", "A0", "25"} <= set(answered), answered
