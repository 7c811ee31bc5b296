"""The MAC algorithms against published answers and the golden frames (wire.md section 3)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shebao.codecs.mac import ALGORITHMS, MacKey, verify, wire_mac, wire_size

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
# dialect: algorithm, MAC in hex, bytes before the body
LINES = {
    "rcb": ("x9.19", True, 4),
    "icbc": ("sm4-cmac", False, 2),
    "ccb": ("unionpay-ecb", False, 7),
    "boc": ("aes-cmac", False, 50),
}


def golden(dialect: str) -> tuple[MacKey, list[tuple[dict, bytes]]]:
    data = json.loads((VECTORS / f"{dialect}.json").read_text(encoding="utf-8"))
    key = ALGORITHMS[LINES[dialect][0]].make(bytes.fromhex(data["mac_key"]))
    return key, [(m, bytes.fromhex(m["frame"])[LINES[dialect][2] :]) for m in data["messages"]]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_known_answers(name):
    assert ALGORITHMS[name].known
    assert ALGORITHMS[name].failures() == []


def test_a_wrong_answer_would_be_named():
    row = ALGORITHMS["aes-cmac"]
    assert row._replace(make=ALGORITHMS["sm4-cmac"].make).failures() == list(row.known)


def test_sm4_cmac_key_is_used_whole():
    first = ALGORITHMS["sm4-cmac"].make(bytes(16)).compute(b"x")
    assert first != ALGORITHMS["sm4-cmac"].make(bytes(15) + b"\1").compute(b"x")


@pytest.mark.parametrize("dialect", LINES)
def test_every_golden_frame(dialect):
    key, frames = golden(dialect)
    as_hex = LINES[dialect][1]
    assert frames
    for message, body in frames:
        assert verify(key, body, as_hex), message["name"]
        mac = message["fields"].get("128") or message["fields"]["64"]
        assert wire_mac(bytes.fromhex(mac), as_hex) == body[-wire_size(as_hex) :], message["name"]


@pytest.mark.parametrize("dialect", LINES)
def test_one_changed_bit_anywhere_is_a_wrong_mac(dialect):
    key, frames = golden(dialect)
    body = frames[0][1]
    for at in range(len(body)):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert not verify(key, changed, LINES[dialect][1]), at


def test_lower_case_hex_and_no_hex_are_wrong_macs():
    key, frames = golden("rcb")
    body = next(body for _, body in frames if body[-16:].lower() != body[-16:])
    assert not verify(key, body[:-16] + body[-16:].lower(), True)
    assert not verify(key, body[:-16] + b"ZZ" + body[-14:], True)


@pytest.mark.parametrize("dialect", LINES)
def test_a_body_shorter_than_a_mac_is_wrong(dialect):
    key, _ = golden(dialect)
    as_hex = LINES[dialect][1]
    for size in range(wire_size(as_hex)):
        assert not verify(key, bytes(size), as_hex)


@pytest.mark.parametrize("name", ["x9.19", "unionpay-ecb"])
def test_zero_padding_adds_nothing_to_whole_blocks(name):
    key = ALGORITHMS[name].make(bytes(range(16)))
    assert key.compute(b"A" * 16) != key.compute(b"A" * 16 + b"B")
    assert key.compute(b"ABC") == key.compute(b"ABC" + bytes(5))
    assert len(key.compute(b"")) == 8


def test_check_values():
    key = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
    assert ALGORITHMS["x9.19"].check_value(key) == "08D7B4"  # the golden key exchange's KC is of this kind
    assert ALGORITHMS["unionpay-ecb"].check_value(key) == "08D7B4"
    assert {len(row.check_value(key)) for row in ALGORITHMS.values()} == {6}


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 8, 15, 17, 24, 32])
def test_a_key_of_another_size_is_refused(name, size):
    with pytest.raises(ValueError, match=f"of {size} bytes; right are 16"):
        ALGORITHMS[name].make(bytes(size))
    with pytest.raises(ValueError, match="right are 16"):
        ALGORITHMS[name].check_value(bytes(size))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_key_does_not_show(name):
    key = ALGORITHMS[name].make(b"0123456789ABCDEF")
    assert "0123" not in repr(key) and "0123" not in str(key)


def test_no_warning_from_the_library():
    """Short triple-DES keys are deprecated in the library; ours must not meet that (`python -W error`)."""
    code = (
        "from shebao.codecs.mac import ALGORITHMS\n"
        "print([r.failures() or r.check_value(bytes(range(16))) and 0 for r in ALGORITHMS.values()])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
