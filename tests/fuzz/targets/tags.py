"""DE48: tags or a TagError, never anything else; what was read is written to the same bytes.

Input: the bytes of DE48, with more than its 999 allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from shebao.codecs import message
from shebao.codecs.dialect import load_dialect
from shebao.codecs.framing import Framer
from shebao.codecs.tags import ENCODING, MESSAGE_SIZE_MAX, REASONS, SIZE_MAX, TagError, build, fit, parse, size

ROOT = Path(__file__).resolve().parents[3]


def one_input(data: bytes) -> None:
    try:
        tags = parse(data)
    except TagError as fault:
        assert fault.reason in REASONS
        assert str(fault).isprintable() and len(str(fault)) < 40  # the reason and a tag, never a value
        return
    assert len(tags.pairs) + len(tags.unknown) <= len(data) // 5
    assert sum(size(value) for _, value in tags.pairs) <= len(data)
    assert all(tags.get(name) == tags.all(name)[0] for name in dict(tags.pairs))
    for _, value in tags.pairs:
        short = fit(value, MESSAGE_SIZE_MAX)
        assert value.startswith(short) and len(short.encode(ENCODING)) <= MESSAGE_SIZE_MAX
    if not tags.unknown and len(data) <= SIZE_MAX:
        assert build(tags.pairs) == data


def seeds() -> Iterator[bytes]:
    """The DE48 of every golden frame."""
    dialect = load_dialect((ROOT / "etc/dialects/rcb.toml").read_text("utf-8"), "rcb.toml")
    golden = json.loads((ROOT / "tests/data/vectors/rcb.json").read_text("utf-8"))
    for entry in golden["messages"]:
        (frame,), _ = Framer(dialect.framing, None).feed(bytes.fromhex(entry["frame"]))
        if found := message.decode(dialect, frame.body).fields.get(48):
            yield bytes.fromhex(found)
    yield build([("NM", "沈建国𠮷·"), ("ID", "33011019900101008x"), ("MS", ""), ("CH", "01")]) + b"ZZ003abc"


LARGE = [(b"", unit) for unit in (b"ZZ000", b"MS000", b"BL055" + b"1" * 55, b"NM999" + b"\x81\x30\x81\x30" * 250)]
