"""A dialect's TOML text as checked values: how one bank's line writes each of the 128 fields (wire.md section 2).

A bank joins by a file, not by code. Every dialect starts from `elements` and from plain ASCII, and states only
what differs, by format ([text], [numeric], [binary]) or by field ([fields.N]). This module reads and refuses;
what a `Dialect` means for bytes is in `message` (through pyiso8583) and `compiled`.

    name = "example"
    [mti]      encoding                                 a code page or "bcd"; default: that of [text]
    [bitmap]   encoding                                 "bytes" or "hex" (upper-case ASCII hex characters)
    [prefix]   kind                                     of every length prefix: "digits", "bcd" or "binary"
    [text]     encoding                                 of an, ans, x+n: a code page, "ascii" "latin-1" "cp500" ...
    [numeric]  encoding, pad, pad_nibble, prefix_counts of n: a code page or "bcd"; pad side of odd digits
    [binary]   encoding                                 of b fields: "bytes" or "hex" (upper-case ASCII)
    [fields.N] encoding pad pad_nibble prefix prefix_bytes prefix_counts, and format length max for private fields
    [framing] [mac] [statement]                         see `framing`, `mac`, `statement`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .columns import StatementSpec, statement_spec
from .elements import ELEMENTS, FIELD_MAX, FORMATS, MAC_FIELDS, Element
from .framing import FramingSpec, framing_spec
from .mac import ALGORITHMS, wire_size
from .section import Section, read_toml, show

PREFIX_KINDS: Final = ("digits", "bcd", "binary")
LENGTHS: Final = {"fixed": 0, "LL": 2, "LLL": 3}
_PREFIX_BYTES: Final = {"digits": {2: 2, 3: 3}, "bcd": {2: 1, 3: 2}, "binary": {2: 1, 3: 2}}
_PREFIX_BYTES_MAX: Final = 4
_VALUE_MAX: Final = 999  # of any field, in its own unit
_CODE_PAGE: Final = re.compile(r"ascii|latin-1|iso8859-\d{1,2}|cp\d{3,4}")
_CODE_PAGE_RIGHT: Final = 'write a single-byte code page such as "ascii", "latin-1", "cp500" or "cp037"'
_FIXED_BY_CONTRACT: Final = (7, 11, 12, 13, 15, 48, *MAC_FIELDS)  # the switch reads these: format and size stay


class Field(NamedTuple):
    """One field as it stands on this line. Sizes: digits for n, characters for text, bytes for b and bytes.

    encoding: "bcd", "bytes", "hex", or a code page.
    prefix: "" when the size is fixed, else one of PREFIX_KINDS; its digits are in the code page prefix_page.
    counts: what the prefix counts: "digits" (nibbles of BCD without the pad) or "bytes" of the value on the wire.
    """

    number: int
    element: Element
    encoding: str
    prefix: str
    prefix_bytes: int
    prefix_page: str
    counts: str
    pad_left: bool
    pad_nibble: str  # "0" to "F", upper case

    @property
    def fixed(self) -> bool:
        return not self.prefix

    @property
    def wire_max(self) -> int:
        """What a length prefix may say at most, or the fixed size, in the unit of `counts`."""
        if self.encoding == "bcd" and self.counts == "bytes":
            return (self.element.size + 1) // 2
        return self.element.size * 2 if self.encoding == "hex" else self.element.size

    def wire_bytes(self, length: int) -> int:
        """Bytes of a value whose length, in the unit of `counts`, is `length`."""
        return (length + 1) // 2 if self.encoding == "bcd" and self.counts == "digits" else length


class MacSpec(NamedTuple):
    algorithm: str  # a name of mac.ALGORITHMS
    hex: bool  # 16 upper-case hex characters instead of 8 bytes

    @property
    def size(self) -> int:
        """Bytes of the MAC on the wire."""
        return wire_size(self.hex)


@dataclass(frozen=True)
class Dialect:
    """Everything that differs between one bank's line and another's."""

    name: str
    mti: str  # "bcd" or a code page
    bitmap_hex: bool
    fields: dict[int, Field]
    spec: dict[str, dict[str, Any]]  # the same for pyiso8583
    framing: FramingSpec
    mac: MacSpec
    statement: StatementSpec

    @property
    def mti_size(self) -> int:
        return 2 if self.mti == "bcd" else 4

    @property
    def bitmap_size(self) -> int:
        return 16 if self.bitmap_hex else 8


def load_dialect(text: str, source: str) -> Dialect:
    """The text of a dialect file, checked. Raises SettingsError naming source, key, what is wrong, what is right."""
    top = read_toml(text, source)
    name = top.text("name", pattern=r"[a-z][a-z0-9_-]{0,30}", right="write a short name in lower-case letters")
    page = _code_page(text_section := top.section("text", optional=True), "encoding", "ascii")
    text_section.finish()
    mti = _code_page(mti_section := top.section("mti", optional=True), "encoding", page, "bcd")
    mti_section.finish()
    bitmap_section = top.section("bitmap", optional=True)
    bitmap_hex = bitmap_section.text("encoding", "bytes", choices=("bytes", "hex")) == "hex"
    bitmap_section.finish()
    fields = _fields(top, page)
    head_size = (2 if mti == "bcd" else 4) + (16 if bitmap_hex else 8)
    dialect = Dialect(
        name=name,
        mti=mti,
        bitmap_hex=bitmap_hex,
        fields=fields,
        spec=_pyiso8583_spec(mti, bitmap_hex, fields),
        framing=framing_spec(top.section("framing"), head_size),
        mac=_mac_spec(top, fields),
        statement=statement_spec(top.section("statement")),
    )
    top.finish()
    return dialect


class _Defaults(NamedTuple):
    """What a field is unless its own table says otherwise."""

    page: str
    numeric: str
    binary: str
    prefix: str
    counts: str  # of BCD
    pad: str
    pad_nibble: str


def _fields(top: Section, page: str) -> dict[int, Field]:
    prefix_section = top.section("prefix", optional=True)
    numeric = top.section("numeric", optional=True)
    binary = top.section("binary", optional=True)
    defaults = _Defaults(
        page=page,
        prefix=prefix_section.text("kind", "digits", choices=PREFIX_KINDS),
        numeric=_code_page(numeric, "encoding", page, "bcd"),
        counts=_counts(numeric, "digits"),
        pad=_pad(numeric, "left"),
        pad_nibble=_pad_nibble(numeric, "0"),
        binary=binary.text("encoding", "bytes", choices=("bytes", "hex")),
    )
    for section in (prefix_section, numeric, binary):
        section.finish()
    tables = top.section("fields", optional=True)
    own: dict[int, Section] = {}
    numbers = {str(number): number for number in ELEMENTS if number != 65}
    for key, section in tables.sections().items():
        if key not in numbers:
            raise tables.error(key, "no such field", f"write a field number from 2 to {FIELD_MAX}, but not 65")
        own[numbers[key]] = section
    empty = Section({}, top.source, "fields")
    return {number: _field(number, own.get(number, empty), defaults) for number in ELEMENTS}


def _field(number: int, section: Section, defaults: _Defaults) -> Field:
    element = _element(number, section)
    kind = element.format
    if kind == "n":
        encoding = _code_page(section, "encoding", defaults.numeric, "bcd")
    elif kind in ("b", "bytes"):
        usual = defaults.binary if kind == "b" else "bytes"
        encoding = section.text("encoding", usual, choices=("bytes", "hex"))
    else:
        encoding = _code_page(section, "encoding", defaults.page)
    bcd = encoding == "bcd"
    pad = _pad(section, defaults.pad) if bcd else "left"
    pad_nibble = _pad_nibble(section, defaults.pad_nibble) if bcd else "0"
    prefix, prefix_bytes, counts = "", 0, "digits" if bcd else "bytes"
    if element.prefix:
        prefix = section.text("prefix", defaults.prefix, choices=PREFIX_KINDS)
        usual_bytes = _PREFIX_BYTES[prefix][element.prefix]
        prefix_bytes = section.integer("prefix_bytes", usual_bytes, least=1, most=_PREFIX_BYTES_MAX)
        counts = _counts(section, defaults.counts) if bcd else "bytes"
        if bcd and counts == "bytes" and pad_nibble.isdigit():
            key = "prefix_counts" if "prefix_counts" in section else "pad_nibble"
            right = 'write pad_nibble = "F", or prefix_counts = "digits"'
            raise section.error(key, "an odd number of digits can't be told when the prefix counts bytes", right)
    page = encoding if encoding not in ("bcd", "bytes", "hex") else defaults.page
    field = Field(number, element, encoding, prefix, prefix_bytes, page, counts, pad == "left", pad_nibble)
    if prefix and field.wire_max > _prefix_capacity(field):
        right = f"at most {_prefix_capacity(field)}; write a larger prefix_bytes or a smaller max"
        raise section.error("prefix_bytes", f"the prefix can't say {field.wire_max}", right)
    if section.path != "fields":
        section.finish()
    return field


def _element(number: int, section: Section) -> Element:
    """The base element, or what the dialect makes of a field whose content the switch does not act on."""
    element = ELEMENTS[number]
    for key in ("format", "length", "max"):
        if key in section and number in _FIXED_BY_CONTRACT:
            raise section.error(key, f"DE{number} is the same on every line", "leave this key out")
    kind = section.text("format", element.format, choices=FORMATS)
    lengths = {size: name for name, size in LENGTHS.items()}
    prefix = LENGTHS[section.text("length", lengths[element.prefix], choices=tuple(LENGTHS))]
    size = section.integer("max", element.size, least=1, most=_VALUE_MAX)
    if (kind == "b") != (prefix == 0) and kind in ("b", "bytes"):
        raise section.error("length", f'format "{kind}" can\'t have it', '"b" is fixed, "bytes" is LL or LLL')
    return element._replace(format=kind, prefix=prefix, size=size)


def _prefix_capacity(field: Field) -> int:
    if field.prefix == "binary":
        return int(256**field.prefix_bytes) - 1
    digits = field.prefix_bytes * 2 if field.prefix == "bcd" else field.prefix_bytes
    return int(10**digits) - 1


def _mac_spec(top: Section, fields: dict[int, Field]) -> MacSpec:
    section = top.section("mac")
    algorithm = section.text("algorithm", choices=tuple(ALGORITHMS))
    section.finish()
    written = {fields[number].encoding for number in MAC_FIELDS}
    if len(written) != 1:
        raise top.error("fields", "DE64 and DE128 are written in two ways", "write the MAC in one way")
    return MacSpec(algorithm, written == {"hex"})


def _code_page(section: Section, key: str, default: str, *others: str) -> str:
    name = section.text(key, default)
    if name in others:
        return name
    right = _CODE_PAGE_RIGHT + "".join(f', or "{other}"' for other in others)
    if not _CODE_PAGE.fullmatch(name):
        raise section.error(key, f"{show(name)} can't be used", right)
    try:
        single = [bytes([byte]).decode(name, "replace") for byte in range(256)]
        writes_ascii = all(single[char.encode(name)[0]] == char for char in map(chr, range(0x20, 0x7F)))
        usable = writes_ascii and list(bytes(range(256)).decode(name, "replace")) == single
    except (LookupError, UnicodeError):
        usable = False
    if not usable:
        raise section.error(key, f"{show(name)} is no single-byte code page that holds all of ASCII", right)
    return name


def _pad(section: Section, default: str) -> str:
    return section.text("pad", default, choices=("left", "right"))


def _pad_nibble(section: Section, default: str) -> str:
    return section.text("pad_nibble", default, pattern=r"[0-9A-F]", right='write one hex digit, "0" to "F"')


def _counts(section: Section, default: str) -> str:
    return section.text("prefix_counts", default, choices=("digits", "bytes"))


def _pyiso8583_spec(mti: str, bitmap_hex: bool, fields: dict[int, Field]) -> dict[str, dict[str, Any]]:
    """The dialect in the form that pyiso8583 reads."""
    plain = {"len_enc": "ascii", "len_type": 0, "max_len": 0}
    bitmap = {**plain, "data_enc": "ascii" if bitmap_hex else "b", "max_len": 16 if bitmap_hex else 8}
    spec: dict[str, dict[str, Any]] = {
        "h": {**plain, "data_enc": "ascii", "desc": "header"},
        "t": {**plain, "data_enc": "b" if mti == "bcd" else mti, "desc": "MTI"},
        "p": {**bitmap, "desc": "bitmap, primary"},
        "1": {**bitmap, "desc": "bitmap, secondary"},
    }
    for number, field in fields.items():
        raw = field.encoding in ("bcd", "bytes")
        entry = {
            "data_enc": "b" if raw else "ascii" if field.encoding == "hex" else field.encoding,
            "len_enc": {"bcd": "bcd", "binary": "b"}.get(field.prefix, field.prefix_page),
            "len_type": field.prefix_bytes,
            "max_len": field.wire_max,
            "desc": field.element.name,
        }
        if field.encoding == "bcd" and field.counts == "digits":
            entry["len_count"] = "nibbles"
            entry["left_pad" if field.pad_left else "right_pad"] = field.pad_nibble
        spec[str(number)] = entry
    return spec
