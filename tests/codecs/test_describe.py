"""`switchd explain`: everything in words, nothing personal in clear, never a traceback."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shebao.codecs.describe import describe
from shebao.codecs.dialect import Dialect, load_dialect
from shebao.codecs.framing import heartbeat, request_bytes
from shebao.codecs.mac import ALGORITHMS, MacKey, wire_mac
from shebao.codecs.message import encode
from shebao.codecs.tags import TAGS, build

ROOT = Path(__file__).parents[2]
NAMES = ["rcb", "icbc", "ccb", "boc"]
PERSONAL = ["330110199912313452", "沈建国", "欧阳娜娜", "13800000001", "6222020200112233445", "建国", "娜娜"]


def load(name: str) -> Dialect:
    file = ROOT / "etc" / "dialects" / f"{name}.toml"
    return load_dialect(file.read_text(encoding="utf-8"), file.name)


DIALECTS = {name: load(name) for name in NAMES}


def golden(name: str) -> tuple[MacKey, list[dict]]:
    data = json.loads((ROOT / "tests" / "data" / "vectors" / f"{name}.json").read_text(encoding="utf-8"))
    return key_of(name, data["mac_key"]), data["messages"]


def key_of(name: str, key: str = "0123456789ABCDEFFEDCBA9876543210") -> MacKey:
    return ALGORITHMS[DIALECTS[name].mac.algorithm].make(bytes.fromhex(key))


def body_of(name: str, mti: str, fields: dict[int, str]) -> bytes:
    """A body with a right MAC, by any means."""
    dialect, covered = DIALECTS[name], encode(DIALECTS[name], mti, fields)
    return covered + wire_mac(key_of(name).compute(covered), dialect.mac.hex)


def frame_of(name: str, body: bytes) -> bytes:
    spec = DIALECTS[name].framing
    source, destination = ("0010", "0003") if spec.envelope == "tpdu" else ("01040000", "33011000")
    return request_bytes(spec, body, source, destination)


def explained(name: str, data: bytes, key: MacKey | None = None) -> str:
    lines = describe(DIALECTS[name], data, key)
    assert lines and all(line.isprintable() for line in lines), lines
    text = "\n".join(lines)
    for secret in PERSONAL:
        assert secret not in text
    return text


PAYMENT = {3: "500000", 4: "000000015780", 7: "1123093015", 11: "000007", 12: "093015", 13: "1123", 32: "14293300",
           37: "000000000007", 41: "T0000001", 42: "B00000000000001", 49: "156"}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_golden_frame_in_words(name):
    key, messages = golden(name)
    for message in messages:
        frame = bytes.fromhex(message["frame"])
        text = explained(name, frame, key)
        assert "MTI          " + message["mti"] in text
        assert f"MAC          {DIALECTS[name].mac.algorithm}, right" in text
        assert "refused" not in text and "malformed" not in text, message["name"]
        for field in message["fields"]:
            assert f"\nDE{field} " in text, (message["name"], field)
        for tag, _ in message.get("de48", []):
            assert f" {tag} " in text
        bare = explained(name, frame[DIALECTS[name].framing.header_size + DIALECTS[name].framing.envelope_size :], key)
        assert bare.startswith("body ") and bare.split("\nMTI", 1)[1] == text.split("\nMTI", 1)[1]


def test_a_payment_reads_like_this():
    fields = {**PAYMENT, 2: "6222020200112233445",
              48: build([("CH", "01"), ("BN", "33011026110300000013"), ("ID", "330110199912313452"),
                         ("NM", "沈建国")]).hex().upper()}  # fmt: skip
    lines = explained("rcb", frame_of("rcb", body_of("rcb", "0200", fields)), key_of("rcb")).splitlines()
    assert lines[0].startswith("frame ") and " bytes, length " in lines[0]
    expected = [
        "0200  payment request",
        "622202*********3445",
        "500000  payment",
        "000000015780  157.80 yuan",
        "CH channel: 01  counter",
        "BN bill number: 33011026110300000013",
        "ID citizen id or credit code: 330110**********52",
        "NM name: 沈**",
        "156  yuan",
        "x9.19, right",
    ]
    at = [next(i for i, line in enumerate(lines) if line.endswith(words)) for words in expected]
    assert at == sorted(at)


def test_the_mac():
    body = body_of("boc", "0200", PAYMENT)
    assert "not checked: no key" in explained("boc", body)
    assert "aes-cmac, right" in explained("boc", body, key_of("boc"))
    wrong = explained("boc", body[:-1] + bytes([body[-1] ^ 1]), key_of("boc"))
    assert f"aes-cmac, wrong over the {len(body) - 8} bytes before it: answered A0" in wrong


def test_a_bill_number_with_a_wrong_check_digit():
    fields = {**PAYMENT, 48: build([("BN", "33011026110300000014")]).hex().upper()}
    text = explained("rcb", body_of("rcb", "0200", fields))
    assert "33011026110300000014  its check digit is wrong: answered 25" in text


def test_heartbeats_and_many_frames_at_once():
    for name in NAMES:
        assert "heartbeat    an idle frame" in explained(name, heartbeat(DIALECTS[name].framing))
    frame = frame_of("rcb", body_of("rcb", "0200", PAYMENT))
    text = explained("rcb", frame * 3)
    assert text.count("MTI ") == 3
    assert "and 10 more frames, not shown" in explained("rcb", frame * 60)


def test_envelopes():
    assert "TPDU         to 0003, from 0010" in explained("ccb", frame_of("ccb", body_of("ccb", "0200", PAYMENT)))
    assert "CUPS header  to 33011000, from 01040000" in explained(
        "boc", frame_of("boc", body_of("boc", "0200", PAYMENT))
    )


# Malformed


def test_forbidden_fields_and_their_values():
    fields = {**PAYMENT, 35: "6222020200112233445=49121010000000000", 52: "1122334455667788"}
    for name in NAMES:
        text = explained(name, body_of(name, "0200", fields), key_of(name))
        assert "forbidden" in text and "=4912" not in text and "1122334455667788" not in text


def test_what_no_table_names_is_hidden():
    fields = {**PAYMENT, 34: "SECRET-34", 44: "SECRET-44", 61: "SECRET-61", 102: "SECRET-102", 127: "SECRET-127",
              48: build([("ZZ", "SECRET-ZZ"), ("AC", "6222020200112233445"), ("KB", "D" * 112)]).hex().upper(),
    }  # fmt: skip
    text = explained("rcb", body_of("rcb", "0200", fields))
    assert "SECRET" not in text and "DDDD" not in text
    assert "(9 characters, hidden)" in text and "and 1 unknown tags, skipped" in text


def test_a_malformed_de48_shows_nothing_of_itself():
    fields = {**PAYMENT, 48: (b"ID018330110199912313453" + b"NM9999").hex().upper()}
    text = explained("rcb", body_of("rcb", "0200", fields))
    assert "malformed at ID (value), 29 bytes, not shown: answered 30" in text and "33011019991231" not in text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "nothing to explain: no bytes"),
        (b"GET / HTTP/1.1\r\n\r\n", "length header 47455420 is not 4 digits"),
        (b"9999" + b"x" * 40, "length 9999, at most 1846"),
        (b"0083" + b"x" * 40, "incomplete: 44 bytes; the length header 30303833 announces more"),
        (b"0083" + b"x" * 83, "the MTI is not four digits; the switch would close the line"),
        (b"0", "incomplete: 1 bytes"),
    ],
)
def test_neither_a_frame_nor_a_body(data, said):
    assert said in explained("rcb", data)


def test_what_stands_before_a_broken_frame_is_still_explained():
    text = explained("rcb", frame_of("rcb", body_of("rcb", "0200", PAYMENT)) + b"00")
    assert text.count("MTI ") == 1
    assert text.splitlines()[-1].startswith("then         incomplete: 2 bytes; the length header 3030 announces")


def test_amounts_originals_and_bills_in_words():
    bill, part = "3301102611030000001300000157800020260120261220261231170", "170000001530000"
    original = "0200000007112309301500014293300" + "0" * 11
    fields = {**PAYMENT, 90: original, 97: "D0000000000015780", 48: build([("BL", bill), ("IN", part)]).hex().upper()}
    text = explained("icbc", body_of("icbc", "0400", fields))
    assert "MTI 0200, DE11 000007, DE7 1123093015, DE32 14293300\n" in text
    assert "D0000000000015780  157.80 yuan\n" in text
    assert "BL bill: 33011026110300000013, 15780.00 yuan, 202601 to 202612, due 20261231, type 170\n" in text
    assert "IN insurance part: type 170, 15300.00 yuan\n" in text


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_any_bytes_are_explained(name, data):
    key, messages = golden(name)
    frame = bytes.fromhex(data.draw(st.sampled_from(messages))["frame"])
    at = data.draw(st.integers(0, len(frame)))
    put = data.draw(st.binary(max_size=4))
    for damaged in (frame[:at], frame[:at] + put + frame[at + len(put) :], frame[:at] + put + frame[at:], put):
        lines = describe(DIALECTS[name], damaged, key)
        assert lines and all(line.isprintable() for line in lines)


def test_every_tag_has_a_name_and_is_masked_or_shown_on_purpose():
    from shebao.codecs import describe as module

    assert set(module._TAG_NAMES) == set(TAGS)
    assert set(TAGS) - set(module._TAG_MASKS) == {"KB"}
