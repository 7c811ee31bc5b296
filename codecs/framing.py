"""Bytes to frames and back (wire.md section 1): length headers, heartbeats, TPDU, CUPS header, limits.

Sans-IO: a `Framer` is fed whatever arrived and hands out whole frames; it owns no socket and no clock (the
frame time-out is the session's). What differs between lines is data, a `FramingSpec` from the dialect's
[framing] table. It does not look inside a body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from .section import Section

HEADER_MAXIMA: Final = {"ascii4": 9999, "binary2": 0xFFFF}
HEADER_SIZES: Final = {"ascii4": 4, "binary2": 2}
ENVELOPE_SIZES: Final = {"none": 0, "tpdu": 5, "cups": 46}

# Every reason that a FrameError can have: the closed list of a metric's label.
REASONS: Final = ("length_digits", "length_large", "length_small", "tpdu", "cups")

TPDU_ID: Final = 0x60
CUPS_FIRST_BYTES: Final = b"\x2e\x02"  # header length, version
CUPS_CONSTANTS: Final = b"\x00\x00\x00" + b"\x00" + b"00000000" + b"\x00" + b"00000"
STATION_SIZE: Final = 11  # characters, left-justified, blank-filled


@dataclass(frozen=True)
class FramingSpec:
    """How a line cuts its bytes into frames. Lengths are values of the length header, in bytes."""

    header: str  # "ascii4": 4 ASCII digits; "binary2": 2 bytes big-endian
    envelope: str  # between length header and body: "none", "tpdu" (5 bytes), "cups" (46 bytes)
    largest: int  # the length counts all after itself, envelope included
    smallest: int  # envelope, MTI and one bitmap

    @property
    def header_size(self) -> int:
        return HEADER_SIZES[self.header]

    @property
    def envelope_size(self) -> int:
        return ENVELOPE_SIZES[self.envelope]


class Frame(NamedTuple):
    """One whole frame without its length header; a heartbeat is Frame(b"", b"")."""

    envelope: bytes
    body: bytes


class FrameError(NamedTuple):
    """Why a stream can't be trusted any more; the line is to be closed."""

    reason: str  # one of REASONS
    detail: str  # for the log: lengths and header bytes only, nothing of a body


def framing_spec(section: Section, head_size: int = 10) -> FramingSpec:
    """Reads a dialect's [framing] table; raises SettingsError.

    head_size: bytes of the dialect's MTI and one bitmap, the least that a body can be.
    """
    header = section.text("header", choices=tuple(HEADER_SIZES))
    envelope = section.text("envelope", "none", choices=tuple(ENVELOPE_SIZES))
    smallest = ENVELOPE_SIZES[envelope] + head_size
    largest = section.integer("largest", least=smallest, most=HEADER_MAXIMA[header])
    section.finish()
    return FramingSpec(header, envelope, largest, smallest)


class Framer:
    """Cuts one direction of a line into frames.

    `feed` returns the frames that are complete, and the error that ends the stream, if any: frames before an
    error are still returned, and nothing after it is looked at. How the bytes were split between calls makes no
    difference to frames and error. Holds at most one incomplete frame.
    """

    def __init__(self, spec: FramingSpec, station: str | None) -> None:
        """station: the destination that a CUPS header must name, our own; None is not checked."""
        self._spec = spec
        self._header_size = spec.header_size
        self._envelope_size = spec.envelope_size
        self._read_length = _LENGTH_READERS[spec.header]
        self._check_envelope = _ENVELOPE_CHECKS[spec.envelope]
        self._destination = None if station is None else _station(station)
        self._kept = b""
        self._error: FrameError | None = None

    @property
    def partial(self) -> bool:
        """A frame has begun and is not complete; its time-out runs from its first byte."""
        return bool(self._kept) and self._error is None

    def feed(self, data: bytes) -> tuple[list[Frame], FrameError | None]:
        if self._error is not None:
            return [], self._error
        buffer = self._kept + data if self._kept else bytes(data)
        frames: list[Frame] = []
        at, end = 0, len(buffer)
        while end - at >= self._header_size:
            start = at + self._header_size
            length, self._error = self._length(buffer[at:start])
            if self._error is not None:
                break
            if length == 0:
                frames.append(HEARTBEAT)
                at = start
                continue
            body = start + self._envelope_size
            if self._check_envelope is not None and end >= body:
                self._error = self._check_envelope(buffer[start:body], length, self._destination)
                if self._error is not None:
                    break
            if end < start + length:
                break
            at = start + length
            frames.append(Frame(buffer[start:body], buffer[body:at]))
        self._kept = b"" if self._error is not None else buffer[at:]
        return frames, self._error

    def _length(self, header: bytes) -> tuple[int, FrameError | None]:
        length = self._read_length(header)
        if length is None:
            return 0, FrameError("length_digits", f"length header {header.hex()} is not 4 digits")
        if length > self._spec.largest:
            return 0, FrameError("length_large", f"length {length}, at most {self._spec.largest}")
        if 0 < length < self._spec.smallest:
            return 0, FrameError("length_small", f"length {length}, at least {self._spec.smallest}")
        return length, None


HEARTBEAT: Final = Frame(b"", b"")


def heartbeat(spec: FramingSpec) -> bytes:
    """The bytes of an idle heartbeat: a length of 0 and nothing else."""
    return _length_header(spec, 0)


def reply_bytes(spec: FramingSpec, envelope: bytes, body: bytes) -> bytes:
    """The frame of a reply: `envelope` is its request's, the reply's has the two addresses swapped."""
    if spec.envelope == "tpdu":
        envelope = envelope[:1] + envelope[3:5] + envelope[1:3]
    elif spec.envelope == "cups":
        envelope = _cups(len(body), destination=envelope[17:28], source=envelope[6:17])
    return _length_header(spec, len(envelope) + len(body)) + envelope + body


def request_bytes(spec: FramingSpec, body: bytes, source: str, destination: str) -> bytes:
    """The frame of a request, as a bank sends it.

    source, destination: stations of at most 11 characters for a CUPS header; for a TPDU, the two address words
    as 4 hex digits each; not looked at where there is no envelope.
    """
    envelope = b""
    if spec.envelope == "tpdu":
        envelope = bytes([TPDU_ID]) + bytes.fromhex(destination) + bytes.fromhex(source)
    elif spec.envelope == "cups":
        envelope = _cups(len(body), destination=_station(destination), source=_station(source))
    return _length_header(spec, len(envelope) + len(body)) + envelope + body


def _length_header(spec: FramingSpec, length: int) -> bytes:
    if length > spec.largest:
        raise ValueError(f"a frame of length {length}; the largest is {spec.largest}")
    return b"%04d" % length if spec.header == "ascii4" else length.to_bytes(2, "big")


def _cups(body_size: int, *, destination: bytes, source: bytes) -> bytes:
    total = b"%04d" % (ENVELOPE_SIZES["cups"] + body_size)
    return CUPS_FIRST_BYTES + total + destination + source + CUPS_CONSTANTS


def _station(name: str) -> bytes:
    return name.encode("ascii").ljust(STATION_SIZE)


def _digits(header: bytes) -> int | None:
    return int(header) if header.isdigit() else None  # of bytes: 0-9 only


def _big_endian(header: bytes) -> int | None:
    return int.from_bytes(header, "big")


def _check_tpdu(envelope: bytes, length: int, destination: bytes | None) -> FrameError | None:
    if envelope[0] != TPDU_ID:
        return FrameError("tpdu", f"TPDU id {envelope[0]:02x}, right is {TPDU_ID:02x}")
    return None


def _check_cups(envelope: bytes, length: int, destination: bytes | None) -> FrameError | None:
    if envelope[:2] != CUPS_FIRST_BYTES:
        return FrameError("cups", f"CUPS header begins {envelope[:2].hex()}, right is {CUPS_FIRST_BYTES.hex()}")
    if envelope[2:6] != b"%04d" % length:
        return FrameError("cups", f"CUPS total length {envelope[2:6].hex()}, the frame's is {length}")
    if destination is not None and envelope[6:17] != destination:
        return FrameError("cups", f"CUPS destination {envelope[6:17].hex()}, ours is {destination.hex()}")
    return None


_EnvelopeCheck = Callable[[bytes, int, "bytes | None"], "FrameError | None"]
_LENGTH_READERS: Final[dict[str, Callable[[bytes], int | None]]] = {"ascii4": _digits, "binary2": _big_endian}
_ENVELOPE_CHECKS: Final[dict[str, _EnvelopeCheck | None]] = {"none": None, "tpdu": _check_tpdu, "cups": _check_cups}
