"""Bytes to frames and back (wire.md section 1): length headers, heartbeats, TPDU, CUPS header, limits.

Sans-IO: a `Framer` is fed whatever arrived and hands out whole frames; it owns no socket and no clock (the
frame time-out is the session's). What differs between lines is data, a `FramingSpec` from the dialect's
[framing] table. It does not look inside a body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .section import Section

HEADER_SIZES: Final = {"ascii4": 4, "binary2": 2}
HEADER_MAXIMA: Final = {"ascii4": 9999, "binary2": 0xFFFF}
ENVELOPE_SIZES: Final = {"none": 0, "tpdu": 5, "cups": 46}


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
