"""DE48, private data: bytes to tagged values and back (wire.md section 4).

One table says what each tag's value may be. Which tags a message needs is the services' affair; a bill number's
check digit is judged later (its failure is answered 25, not 30), everything else about a value here.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder  # the standard library's: this package is shebao.codecs
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from .errors import CodecError
from .numbers import person_id_kind

ENCODING: Final = "gb18030"
SIZE_MAX: Final = 999  # bytes, of DE48 and so of any value
MESSAGE_SIZE_MAX: Final = 60  # bytes of MS, the teller's message
_HEAD_SIZE: Final = 5  # tag 2, length 3

# Every reason that a TagError can have.
REASONS: Final = ("head", "length", "gb18030", "repeat", "value")


class TagError(CodecError):
    """DE48 is malformed: answered 30 with DE44 048. Tells the tag and the reason, never a value."""

    def __init__(self, reason: str, tag: str = "") -> None:
        self.reason, self.tag = reason, tag
        super().__init__(f"DE48 {tag}: {reason}" if tag else f"DE48: {reason}")


class Tag(NamedTuple):
    """One row of the table. size_min and size_max count bytes."""

    size_min: int
    size_max: int
    fits: Callable[[str], object]  # whether the decoded value is of the tag's alphabet
    repeats: bool = False


def _pattern(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern).fullmatch


_DIGITS: Final = _pattern("[0-9]+")
_PRINTABLE: Final = _pattern("[ -{}~]+")  # ans: without the bar
_TEXT: Final = _pattern("[^\x00-\x1f\x7f-\x9f]*")


TAGS: Final[dict[str, Tag]] = {
    "BN": Tag(20, 20, _DIGITS),  # bill number
    "ID": Tag(18, 18, person_id_kind),  # of a citizen or an employer; a final x counts as X and stays
    "NM": Tag(1, SIZE_MAX, _TEXT),  # name
    "PH": Tag(11, 11, _DIGITS),  # mobile phone
    "CH": Tag(2, 2, _pattern("0[1-4]")),  # channel; 05, batch debit, is never on the wire
    "AU": Tag(1, 1, _pattern("[0-3]")),  # how the bank confirmed the person
    "AC": Tag(1, 32, _PRINTABLE),  # account for a direct-debit mandate
    "IT": Tag(3, SIZE_MAX, _pattern("([0-9]{3})+")),  # insurance types
    "AP": Tag(20, 20, _DIGITS),  # application number
    "KB": Tag(112, 112, _pattern("[0-9A-Z]+")),  # key block
    "KC": Tag(6, 6, _pattern("[0-9A-Fa-f]+")),  # key check value
    "PT": Tag(14, 14, _DIGITS),  # when the bill was paid
    "PB": Tag(1, 8, _pattern("[a-z0-9]+")),  # bank that the bill was paid at, by its name in the switch
    "RN": Tag(20, 20, _DIGITS),  # receipt number
    "MS": Tag(0, MESSAGE_SIZE_MAX, _TEXT),  # message for the teller's screen
    "NB": Tag(3, 3, _DIGITS),  # number of outstanding bills
    "BL": Tag(55, 55, _DIGITS, repeats=True),  # an outstanding bill
    "IN": Tag(15, 15, _DIGITS, repeats=True),  # an insurance part of a bill
    "PG": Tag(20, 20, _DIGITS),  # page: bills after this number
    "ST": Tag(2, 2, _DIGITS),  # status
}


class Tags(NamedTuple):
    """DE48 taken apart, in the order received."""

    pairs: tuple[tuple[str, str], ...] = ()  # the tags of the table
    unknown: tuple[str, ...] = ()  # names of the others, each as often as it came

    def get(self, tag: str) -> str | None:
        """The first value of a tag."""
        for name, value in self.pairs:
            if name == tag:
                return value
        return None

    def all(self, tag: str) -> list[str]:
        return [value for name, value in self.pairs if name == tag]


def parse(data: bytes) -> Tags:
    """DE48's bytes, at most 999, to tags. Raises TagError for the first fault; values are kept as sent."""
    pairs: list[tuple[str, str]] = []
    unknown: list[str] = []
    seen: set[str] = set()
    for name, raw in _cut(data):
        try:
            value = raw.decode(ENCODING)
        except UnicodeDecodeError:
            raise TagError("gb18030", name) from None
        tag = TAGS.get(name)
        if tag is None:
            unknown.append(name)
            continue
        if name in seen and not tag.repeats:
            raise TagError("repeat", name)
        if not (tag.size_min <= len(raw) <= tag.size_max and tag.fits(value)):
            raise TagError("value", name)
        seen.add(name)
        pairs.append((name, value))
    return Tags(tuple(pairs), tuple(unknown))


def build(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Tags and values to DE48's bytes, in the order given. ValueError for more than 999 bytes: a bug of the caller."""
    parts: list[bytes] = []
    for name, value in pairs:
        raw = value.encode(ENCODING)
        parts.append(b"%s%03d%s" % (name.encode("ascii"), len(raw), raw))
    data = b"".join(parts)
    if len(data) > SIZE_MAX:
        raise ValueError(f"DE48 of {len(data)} bytes; the largest is {SIZE_MAX}")
    return data


def size(value: str) -> int:
    """Bytes that a tag with this value takes in DE48."""
    return _HEAD_SIZE + len(value.encode(ENCODING))


def fit(text: str, bytes_max: int) -> str:
    """The longest beginning of a text that fits into so many bytes of GB18030, cut between characters."""
    raw = text.encode(ENCODING)
    if len(raw) <= bytes_max:
        return text
    # An incremental decoder keeps the cut character back; "ignore" would read its second byte as a digit.
    return getincrementaldecoder(ENCODING)().decode(raw[:bytes_max])


def _cut(data: bytes) -> Iterable[tuple[str, bytes]]:
    at, end = 0, len(data)
    while at < end:
        head = data[at : at + _HEAD_SIZE]
        name, digits = head[:2], head[2:]
        if not all(0x20 <= byte <= 0x7E for byte in name) or len(digits) < 3 or not digits.isdigit():
            raise TagError("head")
        at += _HEAD_SIZE + int(digits)
        if at > end:
            raise TagError("length", name.decode("ascii"))
        yield name.decode("ascii"), data[at - int(digits) : at]
