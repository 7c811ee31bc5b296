"""Framing: however the bytes arrive, the same frames; a stream that can't be trusted is named (wire.md section 1)."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shebao.codecs.framing import (
    HEARTBEAT,
    REASONS,
    Frame,
    Framer,
    FramingSpec,
    framing_spec,
    heartbeat,
    reply_bytes,
    request_bytes,
)
from shebao.codecs.section import SettingsError, read_toml

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
RCB = FramingSpec("ascii4", "none", 1846, 20)
ICBC = FramingSpec("binary2", "none", 1846, 12)
CCB = FramingSpec("binary2", "tpdu", 1851, 15)
BOC = FramingSpec("ascii4", "cups", 1892, 58)
LINES = {"rcb": RCB, "icbc": ICBC, "ccb": CCB, "boc": BOC}
BUREAU = "33011000"


def golden(dialect: str) -> list[tuple[dict, bytes]]:
    data = json.loads((VECTORS / f"{dialect}.json").read_text(encoding="utf-8"))
    return [(m, bytes.fromhex(m["frame"])) for m in data["messages"]]


def is_request(message: dict) -> bool:
    return int(message["mti"][2]) % 2 == 0


def requests(dialect: str) -> list[bytes]:
    return [frame for message, frame in golden(dialect) if is_request(message)]


def framed(spec: FramingSpec, body: bytes) -> bytes:
    source, destination = ("0010", "0003") if spec.envelope == "tpdu" else ("01040000", BUREAU)
    return request_bytes(spec, body, source, destination)


def outcome(spec, chunks, station=BUREAU):
    framer = Framer(spec, station)
    frames, error = [], None
    for chunk in chunks:
        more, error = framer.feed(chunk)
        frames += more
    return frames, error and error.reason, framer.partial


# Golden frames


@pytest.mark.parametrize("dialect", LINES)
def test_golden_frames_come_apart_and_together_again(dialect):
    spec = LINES[dialect]
    for message, data in golden(dialect):
        (frame,), error, partial = outcome(spec, [data], station=None)
        assert (error, partial) == (None, False), message["name"]
        assert len(frame.envelope) == spec.envelope_size
        assert data.endswith(frame.envelope + frame.body)
        twice = reply_bytes(spec, reply_bytes(spec, frame.envelope, b"")[spec.header_size :], frame.body)
        assert twice == data  # addresses swapped twice, the length and the constants our own


@pytest.mark.parametrize("dialect", LINES)
def test_a_golden_reply_swaps_its_requests_addresses(dialect):
    spec = LINES[dialect]
    messages = {message["name"]: data for message, data in golden(dialect)}
    pairs = [(messages[name], reply) for name, reply in
             ((name.removesuffix(" reply"), data) for name, data in messages.items() if name.endswith(" reply"))
             if name in messages]
    assert pairs
    for request, reply in pairs:
        (asked,), _, _ = outcome(spec, [request])
        (answered,), _, _ = outcome(spec, [reply], station=None)
        assert reply_bytes(spec, asked.envelope, answered.body) == reply


@pytest.mark.parametrize("dialect", LINES)
def test_golden_requests_in_every_kind_of_segment(dialect):
    spec, frames = LINES[dialect], requests(dialect)
    whole = b"".join(frames)
    expected, error, _ = outcome(spec, [whole])
    assert error is None and len(expected) == len(frames) > 5
    assert outcome(spec, [whole[i : i + 1] for i in range(len(whole))])[0] == expected
    one = frames[0]
    for cut in range(1, len(one)):  # inside length header, TPDU or CUPS header, MTI, bitmap, the rest
        framer = Framer(spec, BUREAU)
        assert framer.feed(one[:cut]) == ([], None)
        assert framer.partial
        assert framer.feed(one[cut:]) == (expected[:1], None)
        assert not framer.partial
    assert len(outcome(spec, [one * 50])[0]) == 50
    framer = Framer(spec, BUREAU)
    half = len(frames[1]) // 2
    assert framer.feed(frames[0] + frames[1][:half]) == (expected[:1], None) and framer.partial
    assert framer.feed(frames[1][half:]) == (expected[1:2], None) and not framer.partial


# However the bytes are split


pieces = st.one_of(
    st.sampled_from(["frame", "frame", "heartbeat"]),
    st.binary(min_size=1, max_size=60),
)


@pytest.mark.parametrize("dialect", LINES)
@given(data=st.data())
def test_splitting_makes_no_difference(dialect, data):
    spec = LINES[dialect]
    known = {"frame": requests(dialect)[0], "heartbeat": heartbeat(spec)}
    parts = data.draw(st.lists(pieces, max_size=6))
    stream = b"".join(known.get(part, part) if isinstance(part, str) else part for part in parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert outcome(spec, chunks) == outcome(spec, [stream])


@pytest.mark.parametrize("dialect", LINES)
@given(bodies=st.lists(st.binary(min_size=20, max_size=1846), max_size=5))
def test_what_a_bank_frames_comes_out_again(dialect, bodies):
    spec = LINES[dialect]
    stream = b"".join(framed(spec, body) for body in bodies)
    frames, error, partial = outcome(spec, [stream])
    assert ([frame.body for frame in frames], error, partial) == (bodies, None, False)


# Heartbeats


@pytest.mark.parametrize("dialect", LINES)
def test_a_heartbeat_has_neither_envelope_nor_body(dialect):
    spec = LINES[dialect]
    assert heartbeat(spec) == (b"0000" if spec.header == "ascii4" else b"\0\0")
    request = requests(dialect)[0]
    frames, error, partial = outcome(spec, [heartbeat(spec) * 2 + request + heartbeat(spec)])
    assert [frame == HEARTBEAT for frame in frames] == [True, True, False, True]
    assert (error, partial) == (None, False)


# Limits: what the largest length applies to is the value of the length header


@pytest.mark.parametrize(
    ("dialect", "length", "reason"),
    [
        ("rcb", 1846, None), ("rcb", 1847, "length_large"),
        ("icbc", 1846, None), ("icbc", 1847, "length_large"),
        ("ccb", 1846, None), ("ccb", 1847, None), ("ccb", 1851, None), ("ccb", 1852, "length_large"),
        ("boc", 1846, None), ("boc", 1847, None), ("boc", 1892, None), ("boc", 1893, "length_large"),
    ],
)  # fmt: skip
def test_largest_length(dialect, length, reason):
    spec = LINES[dialect]
    wide = FramingSpec(spec.header, spec.envelope, 9999, spec.smallest)
    frames, error, _ = outcome(spec, [framed(wide, bytes(length - spec.envelope_size))])
    assert (error, [len(f.envelope) + len(f.body) for f in frames]) == (reason, [] if reason else [length])


@pytest.mark.parametrize("length", [1846, 1847, 1892])
@pytest.mark.parametrize("off", [-1, 1])
def test_a_cups_total_that_is_not_the_frames_length(length, off):
    data = framed(BOC, bytes(length - 46))
    data = data[:6] + b"%04d" % (length + off) + data[10:]
    assert outcome(BOC, [data])[:2] == ([], "cups")


@pytest.mark.parametrize(("dialect", "smallest"), [("rcb", 20), ("icbc", 12), ("ccb", 15), ("boc", 58)])
def test_below_what_mti_and_one_bitmap_need(dialect, smallest):
    spec = LINES[dialect]
    assert outcome(spec, [framed(spec, bytes(smallest - spec.envelope_size))])[1] is None
    for length in range(1, smallest):
        header = b"%04d" % length if spec.header == "ascii4" else length.to_bytes(2, "big")
        assert outcome(spec, [header])[1] == "length_small", length


@pytest.mark.parametrize("header", [b"+083", b"-083", b" 083", b"8_3 ", b"0x53", b"083 ", b"\xd9\xa0\xd9\xa1", b"GET "])
def test_a_length_header_that_is_no_number(header):
    assert outcome(RCB, [header + bytes(83)])[1] == "length_digits"


# A peer of another framing is told at once, it never hangs the line


def test_rcb_frames_at_the_port_of_icbc():
    assert outcome(ICBC, [requests("rcb")[0][:2]])[1] == "length_large"


def test_icbc_frames_at_the_port_of_rcb():
    assert outcome(RCB, [requests("icbc")[0][:4]])[1] == "length_digits"


def test_icbc_frames_at_the_port_of_ccb():
    assert outcome(CCB, [requests("icbc")[0]])[1] == "tpdu"


def test_rcb_frames_at_the_port_of_boc():
    assert outcome(BOC, [requests("rcb")[0]])[1] == "cups"


# TPDU and CUPS header


@pytest.mark.parametrize("tpdu_id", [0x00, 0x61, 0xE0])
def test_a_wrong_tpdu_id(tpdu_id):
    data = requests("ccb")[0]
    assert outcome(CCB, [data[:2] + bytes([tpdu_id]) + data[3:]])[1] == "tpdu"


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (0, b"\x2d", "cups"), (1, b"\x01", "cups"), (2, b"0102", "cups"), (2, b" 103", "cups"),
        (6, b"33011001   ", "cups"), (6, b"   33011000", "cups"), (6, b"33011000\0\0\0", "cups"),
        (17, b"99999999999", None), (28, b"\x01\x02\x03", None), (31, b"\x07", None), (32, b"12345678", None),
        (40, b"\xff", None), (41, b"ABCDE", None),
    ],
)  # fmt: skip
def test_what_of_a_cups_header_is_checked(at, value, reason):
    data = requests("boc")[0]
    changed = data[: 4 + at] + value + data[4 + at + len(value) :]
    assert outcome(BOC, [changed])[1] == reason


def test_replies_to_odd_cups_headers_have_the_constants():
    data = bytearray(requests("boc")[0])
    plain = reply_bytes(BOC, bytes(data[4:50]), b"B" * 20)
    data[4 + 28 : 4 + 46] = b"\xff" * 18
    assert reply_bytes(BOC, bytes(data[4:50]), b"B" * 20) == plain
    assert plain[:4] == plain[6:10] == b"0066"


def test_a_bank_may_have_an_institution_of_eleven_digits():
    data = request_bytes(BOC, bytes(20), "01040000", "33011000123")
    assert outcome(BOC, [data], station="33011000123")[1] is None
    assert outcome(BOC, [data], station="33011000")[1] == "cups"


# What happens around an error


def test_frames_before_an_error_are_still_returned_and_nothing_after_it():
    good = framed(RCB, bytes(30))
    framer = Framer(RCB, BUREAU)
    frames, error = framer.feed(good * 2 + b"oops" + good)
    assert frames == [Frame(b"", bytes(30))] * 2
    assert error is not None and error.reason == "length_digits" and error.reason in REASONS
    assert not framer.partial
    assert framer.feed(good) == ([], error)


def test_an_error_tells_nothing_of_the_body():
    secret = b"6222020200112233445"
    _, error = Framer(BOC, BUREAU).feed(framed(BOC, secret * 2).replace(b"\x2e\x02", b"\x2e\x03"))
    assert secret.decode() not in error.detail and secret.hex() not in error.detail


def test_a_frame_too_large_is_never_sent():
    with pytest.raises(ValueError, match="largest is 1846"):
        reply_bytes(RCB, b"", bytes(1847))


# The [framing] table of a dialect


def test_a_framing_table():
    text = 'header = "binary2"\nenvelope = "tpdu"\nlargest = 1851\n'
    assert framing_spec(read_toml(text, "ccb.toml"), head_size=10) == CCB
    assert framing_spec(read_toml('header = "ascii4"\nlargest = 1846', "rcb.toml"), head_size=20) == RCB


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("largest = 1846", "x.toml: header: is missing; write one of ascii4, binary2"),
        ('header = "ascii3"\nlargest = 9', 'x.toml: header: "ascii3" can\'t be used; write one of ascii4, binary2'),
        ('header = "ascii4"\nlargest = 10000', "largest: 10000 is out of range; write a whole number from 10 to 9999"),
        ('header = "ascii4"\nenvelope = "cups"\nlargest = 55', "whole number from 56 to 9999"),
        ('header = "ascii4"\nlargest = 1846\ntpdu = 1', "tpdu: unknown key; known here: envelope, header, largest"),
    ],
)
def test_a_wrong_framing_table(text, said):
    with pytest.raises(SettingsError) as refused:
        framing_spec(read_toml(text, "x.toml"))
    assert said in str(refused.value)
