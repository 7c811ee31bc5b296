"""Which characters the font of the paper has, and what stands for those that it has not.

A name may hold any character that Unicode has; a tofu box would look like a fault, or like nothing. What the font lacks
is told by its code, so that a reader can look it up. Reads the font's `cmap`; draws nothing.
"""

from __future__ import annotations

import struct
import unicodedata
from bisect import bisect_right
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final, NamedTuple

PACKAGE: Final = "manimgx_fonts_cjk"  # Noto Sans CJK, as a wheel
FAMILY: Final = "Noto Sans CJK SC"
SILENT: Final = ("Cf", "Mn", "Me", "Cc")  # joiners, selectors, marks: left out where the font does not know them


class Ranges(NamedTuple):
    """Code points from `starts[n]` to `ends[n]`, ascending."""

    starts: list[int]
    ends: list[int]

    def has(self, code: int) -> bool:
        n = bisect_right(self.starts, code) - 1
        return n >= 0 and code <= self.ends[n]


@cache
def font() -> Path:
    """The font's file; `pip` lays wheels out as files."""
    with as_file(files(PACKAGE)) as folder:
        found = sorted(path for path in folder.iterdir() if path.suffix in (".ttc", ".otf", ".ttf"))
    if not found:
        raise FileNotFoundError(f"{PACKAGE} has no font: install it again")
    return found[0]


def told(text: str) -> str:
    """The text with `[U+1F600]` for what no face of the font has."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if _known(ord(one)) else _instead(one) for one in text)


def _instead(one: str) -> str:
    return "" if unicodedata.category(one) in SILENT else f"[U+{ord(one):04X}]"


@cache
def _known(code: int) -> bool:
    return all(face.has(code) for face in _faces(font()))


@cache
def _faces(path: Path) -> list[Ranges]:
    data = path.read_bytes()
    if data[:4] != b"ttcf":
        return [_cmap(data, 0)]
    (count,) = struct.unpack_from(">L", data, 8)
    return [_cmap(data, offset) for offset in struct.unpack_from(f">{count}L", data, 12)]


def _cmap(data: bytes, at: int) -> Ranges:
    """The face's whole-Unicode map: subtable format 12 (OpenType, cmap)."""
    (tables,) = struct.unpack_from(">H", data, at + 4)
    for n in range(tables):
        tag, _, offset, _ = struct.unpack_from(">4sLLL", data, at + 12 + 16 * n)
        if tag != b"cmap":
            continue
        (subtables,) = struct.unpack_from(">H", data, offset + 2)
        for k in range(subtables):
            _, _, where = struct.unpack_from(">HHL", data, offset + 4 + 8 * k)
            where += offset
            if struct.unpack_from(">H", data, where) == (12,):
                (groups,) = struct.unpack_from(">L", data, where + 12)
                found = list(struct.iter_unpack(">LLL", data[where + 16 : where + 16 + 12 * groups]))
                return Ranges([start for start, _, _ in found], [end for _, end, _ in found])
    raise ValueError("the font has no map of all Unicode")
