"""Every golden frame decodes to its fields and encodes back to its bytes, MAC included; by the judge and compiled."""

import json
from pathlib import Path

import pytest

from shebao.codecs import message
from shebao.codecs.compiled import Codec
from shebao.codecs.framing import Framer, request_bytes
from shebao.codecs.mac import ALGORITHMS, verify, wire_mac
from shebao.codecs.tags import build, parse

VECTORS = Path(__file__).resolve().parents[1] / "data" / "vectors"
CASES = [
    pytest.param(path.stem, entry, id=f"{path.stem}-{entry['name']}")
    for path in sorted(VECTORS.glob("*.json"))
    for entry in json.loads(path.read_text(encoding="utf-8"))["messages"]
]


def addresses(envelope):
    """(source, destination) as request_bytes takes them."""
    if len(envelope) == 5:
        return envelope[3:5].hex(), envelope[1:3].hex()
    return envelope[17:28].decode().rstrip(), envelope[6:17].decode().rstrip()


@pytest.mark.parametrize(("name", "entry"), CASES)
def test_golden_frame(name, entry, dialects, golden):
    dialect, codec = dialects[name], Codec(dialects[name])
    key = ALGORITHMS[dialect.mac.algorithm].make(bytes.fromhex(golden[name]["mac_key"]))
    frame_bytes = bytes.fromhex(entry["frame"])
    frames, error = Framer(dialect.framing, None).feed(frame_bytes)
    assert error is None
    [(envelope, body)] = frames

    fields = {int(number): value for number, value in entry["fields"].items()}
    if "de48" in entry:
        fields[48] = build(entry["de48"]).hex().upper()
        assert [list(pair) for pair in parse(bytes.fromhex(fields[48])).pairs] == entry["de48"]
    mac_field = 128 if 128 in fields else 64
    expected = message.Decoded(entry["mti"], fields, (), mac_field)
    assert message.decode(dialect, body) == expected
    assert codec.decode(body) == expected
    assert verify(key, body, dialect.mac.hex)

    for covered in (message.encode(dialect, entry["mti"], fields), codec.encode(entry["mti"], fields)):
        again = covered + wire_mac(key.compute(covered), dialect.mac.hex)
        source, destination = addresses(envelope) if envelope else ("", "")
        assert request_bytes(dialect.framing, again, source, destination) == frame_bytes


def test_there_are_frames_of_all_four():
    assert len({case.values[0] for case in CASES}) == 4 and len(CASES) > 100
