"""Framers of the four lines: pieces make no difference, frames are the stream's own bytes, little is held back.

Input: which line and whether the station is checked (1 byte), how many piece sizes follow (1), the sizes, the stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from shebao.codecs.describe import FRAMES_SHOWN_MAX, describe
from shebao.codecs.dialect import load_dialect
from shebao.codecs.framing import REASONS, Frame, FrameError, Framer, FramingSpec, heartbeat

ROOT = Path(__file__).resolve().parents[3]
BANKS = ("rcb", "icbc", "ccb", "boc")
STATION = "33011000"
PIECES_MAX = 16
DIALECTS = [load_dialect((ROOT / f"etc/dialects/{bank}.toml").read_text("utf-8"), bank) for bank in BANKS]
SPECS = [dialect.framing for dialect in DIALECTS]


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    spec, station = SPECS[data[0] & 3], STATION if data[0] & 4 else None
    count = data[1] % PIECES_MAX
    sizes, stream = data[2 : 2 + count], data[2 + count :]
    whole = outcome(spec, station, [stream])
    assert outcome(spec, station, pieces(stream, sizes)) == whole
    frames, error, held = whole
    taken = b"".join(header(spec, len(frame.envelope) + len(frame.body)) + b"".join(frame) for frame in frames)
    assert stream.startswith(taken)
    told = describe(DIALECTS[data[0] & 3], stream, None)
    assert told and all(line.isprintable() for line in told) and len(told) < 200 * FRAMES_SHOWN_MAX
    if error is None:
        assert len(stream) - len(taken) == held < spec.header_size + spec.largest
        return
    assert held == 0 and error.reason in REASONS
    assert error.detail.isascii() and error.detail.isprintable() and len(error.detail) < 200


def outcome(
    spec: FramingSpec, station: str | None, chunks: Iterable[bytes]
) -> tuple[list[Frame], FrameError | None, int]:
    """Frames, error, and how many bytes wait for their frame to be complete."""
    framer = Framer(spec, station)
    frames: list[Frame] = []
    error = None
    for chunk in chunks:
        more, error = framer.feed(chunk)
        frames += more
        assert framer.partial == (bool(framer._kept) and error is None)
        if error is not None:
            assert framer.feed(b"0000") == ([], error)
    return frames, error, len(framer._kept)


def pieces(stream: bytes, sizes: bytes) -> Iterator[bytes]:
    at = turn = 0
    while at < len(stream):
        size = (sizes[turn % len(sizes)] or 1) if sizes else 1
        yield stream[at : at + size]
        at, turn = at + size, turn + 1


def header(spec: FramingSpec, length: int) -> bytes:
    return b"%04d" % length if spec.header == "ascii4" else length.to_bytes(2, "big")


def seeds() -> Iterator[bytes]:
    """Golden frames of each line, by themselves and several behind each other with a heartbeat."""
    for number, bank in enumerate(BANKS):
        golden = json.loads((ROOT / f"tests/data/vectors/{bank}.json").read_text("utf-8"))
        frames = [bytes.fromhex(message["frame"]) for message in golden["messages"]]
        for frame in frames[:6]:
            yield bytes([number, 0]) + frame
        yield bytes([number, 3, 1, 2, 200]) + frames[0] + heartbeat(SPECS[number]) + frames[2] + frames[10][:-5]
        yield bytes([number + 4, 1, 50]) + frames[0] + frames[4]


LARGE = [(bytes([number, 1, 255]), unit) for number in range(4) for unit in (b"\0", b"0000", b"9999", b"\x07\x00")]
