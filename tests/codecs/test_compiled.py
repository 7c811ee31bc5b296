"""The compiled dialect and the judge are one: on every line, for every set of fields, on whole and on damaged bytes."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shebao.codecs import compiled, message
from shebao.codecs.compiled import Codec
from shebao.codecs.elements import DAYS, FORBIDDEN, TEXT_ALPHABET
from shebao.codecs.errors import CodecError, NotEncodable, Unreadable
from shebao.codecs.framing import Framer
from shebao.codecs.mac import ALGORITHMS, wire_mac

FIVE = ("rcb", "icbc", "ccb", "boc", "unionpay-pos")
DIGITS, HEX, TEXT = "0123456789", "0123456789ABCDEF", "".join(sorted(TEXT_ALPHABET))
NUMBERS = [number for number in range(2, 128) if number not in (7, 11, 64, 65)]
DAY = st.sampled_from(sorted(DAYS))
TIME = st.builds("{:02d}{:02d}{:02d}".format, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
bodies = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def codecs(dialects):
    return {name: Codec(dialects[name]) for name in FIVE}


def value_of(field):
    """Any value that is right for a field."""
    kind, size = field.element.format, field.element.size
    check = field.element.check
    if check:
        return {"date": DAY, "time": TIME, "moment": st.builds("{}{}".format, DAY, TIME)}[check]
    least = size if field.fixed else 0
    size = min(size, 120)  # of a longer one nothing new is learnt
    if kind == "n":
        return st.text(DIGITS, min_size=least, max_size=size)
    if kind == "x+n":
        return st.builds("{}{}".format, st.sampled_from("CD"), st.text(DIGITS, min_size=size - 1, max_size=size - 1))
    if kind in ("b", "bytes"):
        return st.binary(min_size=least, max_size=size).map(lambda raw: raw.hex().upper())
    return st.text(TEXT, min_size=least, max_size=size)


@st.composite
def messages(draw, dialects, forbidden=False):
    """A dialect, an MTI, and fields of it that are right; DE7 and DE11 among them."""
    dialect = dialects[draw(st.sampled_from(FIVE))]
    numbers = NUMBERS if forbidden else [number for number in NUMBERS if number not in FORBIDDEN]
    chosen = draw(st.lists(st.sampled_from(numbers), unique=True, max_size=25))
    fields = {number: draw(value_of(dialect.fields[number])) for number in (*chosen, 7, 11)}
    return dialect, "0" + draw(st.text(DIGITS, min_size=3, max_size=3)), fields


def outcome(function, *arguments):
    """What a decoder or encoder gives, or how it refuses; any other exception is a bug and gets through."""
    try:
        return function(*arguments)
    except CodecError as error:
        return type(error), str(error)


def assert_one(codec, body):
    """The two decode alike, and raise nothing but Unreadable."""
    judged = outcome(message.decode, codec.dialect, body)
    assert outcome(codec.decode, body) == judged
    assert isinstance(judged, message.Decoded) or judged[0] is Unreadable
    return judged


@bodies
@given(data=st.data())
def test_any_fields_on_any_line_come_back(data, dialects, codecs):
    dialect, mti, fields = data.draw(messages(dialects))
    codec = codecs[dialect.name]
    covered = message.encode(dialect, mti, fields)
    assert codec.encode(mti, fields) == covered
    mac = bytes(range(8))
    decoded = assert_one(codec, covered + wire_mac(mac, dialect.mac.hex))
    mac_field = 128 if max(fields) > 64 else 64
    assert decoded == message.Decoded(mti, fields | {mac_field: mac.hex().upper()}, (), mac_field)


@bodies
@given(data=st.data())
def test_damaged_bodies_are_judged_alike(data, dialects, codecs):
    dialect, mti, fields = data.draw(messages(dialects, forbidden=True))
    codec = codecs[dialect.name]
    body = bytearray(codec.encode(mti, fields) + wire_mac(bytes(8), dialect.mac.hex))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["set", "flip", "cut", "drop", "add"])):
            case "set":
                body[at] = data.draw(st.integers(0, 255))
            case "flip":
                body[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut" if at:
                del body[at:]
            case "drop" if len(body) > 1:
                del body[at]
            case "add":
                body.insert(at, data.draw(st.integers(0, 255)))
    assert_one(codec, bytes(body))


@pytest.mark.slow
@bodies
@given(data=st.data(), value=st.text(max_size=20) | st.text(HEX + HEX.lower() + " |", max_size=20))
def test_odd_values_are_encoded_or_refused_alike(data, value, dialects, codecs):
    dialect, mti, fields = data.draw(messages(dialects))
    codec = codecs[dialect.name]
    fields |= {data.draw(st.sampled_from([1, 65, 129, *NUMBERS])): value}
    judged = outcome(message.encode, dialect, mti, fields)
    assert outcome(codec.encode, mti, fields) == judged
    assert isinstance(judged, bytes) or judged[0] is NotEncodable


@given(body=st.binary(max_size=120))
@settings(max_examples=200, deadline=None)
def test_noise_is_unreadable_or_judged_alike(body, codecs):
    for codec in codecs.values():
        assert_one(codec, body)


def golden_bodies(golden, dialects, name):
    for entry in golden[name]["messages"]:
        [frame], _ = Framer(dialects[name].framing, None).feed(bytes.fromhex(entry["frame"]))
        yield frame.body


@pytest.mark.parametrize("name", FIVE[:4])
def test_every_byte_flipped_and_every_cut(name, golden, dialects, codecs):
    """Of all golden frames. Bits take turns, so that each byte is hit and each bit somewhere."""
    codec = codecs[name]
    for body in golden_bodies(golden, dialects, name):
        for at in range(len(body)):
            flipped = body[:at] + bytes([body[at] ^ 1 << at % 8]) + body[at + 1 :]
            assert_one(codec, flipped)
            cut = assert_one(codec, body[:at])
            assert cut[0] is Unreadable or cut.faults or not cut.mac_field


@pytest.mark.slow
@pytest.mark.parametrize("name", FIVE[:4])
def test_seeded_damage_with_a_right_mac(name, golden, dialects, codecs):
    """One to three bytes changed, cut or added, and the MAC computed anew: the damage that gets past the MAC."""
    codec, chance = codecs[name], random.Random(7)
    key = ALGORITHMS[dialects[name].mac.algorithm].make(bytes.fromhex(golden[name]["mac_key"]))
    whole = list(golden_bodies(golden, dialects, name))
    seen = set()
    for _ in range(25_000):
        body = bytearray(chance.choice(whole)[: -codec.mac_size])
        for _ in range(chance.randint(1, 3)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        if chance.random() < 0.2:
            del body[chance.randrange(1, len(body)) :]
        if chance.random() < 0.2:
            body += chance.randbytes(chance.randint(1, 200))
        judged = assert_one(codec, bytes(body) + wire_mac(key.compute(bytes(body)), codec.dialect.mac.hex))
        seen |= {fault.reason for fault in judged.faults} if isinstance(judged, message.Decoded) else {judged[1][-4:]}
    assert {"alphabet", "calendar", "cut", "forbidden", "length", "trailing"} <= seen


@pytest.mark.parametrize("name", FIVE[:4])
def test_golden_frames_never_need_the_judge(name, golden, dialects, monkeypatch):
    expected = [message.decode(dialects[name], body) for body in golden_bodies(golden, dialects, name)]
    codec = Codec(dialects[name])
    monkeypatch.setattr(compiled.message, "decode", None)
    monkeypatch.setattr(compiled.message, "encode", None)
    for body, decoded in zip(golden_bodies(golden, dialects, name), expected, strict=True):
        assert codec.decode(body) == decoded
        assert codec.encode(decoded.mti, decoded.fields) == body[: -codec.mac_size]


def test_functions_are_bounded(dialects, monkeypatch):
    """A bank that shows ever new sets of fields costs time, not memory; what was dropped still decodes."""
    monkeypatch.setattr(compiled, "FUNCTIONS_MAX", 4)
    codec = Codec(dialects["boc"])
    for turn in range(2):
        for number in (3, 4, 5, 6, 8, 9, 10):
            fields = {7: "1123093015", 11: f"00000{turn}", number: "0" * dialects["boc"].fields[number].element.size}
            body = codec.encode("0200", fields) + bytes(8)
            assert codec.decode(body) == message.decode(dialects["boc"], body)
    assert len(codec._decoders) == len(codec._encoders) == 4


def test_a_stored_reply_gets_another_mti(dialects):
    """The tail is kept without its MTI, and a repeat's answer begins with its own."""
    for dialect in dialects.values():
        codec = Codec(dialect)
        whole = codec.encode("0210", {7: "1123093015", 11: "000001", 39: "00"})
        assert codec.encode_mti("0210") + whole[codec.mti_size :] == whole
        assert codec.mac_size == dialect.mac.size
