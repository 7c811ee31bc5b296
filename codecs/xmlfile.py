"""XML that others wrote, fed to expat in bounds: no DOCTYPE, no tree, no tag or comment without end.

What the elements mean is the reader's business (`camt`, and the special account's statement in `reconcile.account`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final
from xml.parsers import expat

CHUNK_BYTES: Final = 1 << 16
TOKEN_BYTES_MAX: Final = 1 << 20  # of one tag or comment
DEPTH_MAX: Final = 50
NAMES_MAX: Final = 2000  # different element and attribute names
_DOCTYPE: Final = b"<!DOCTYPE"


class Refused(Exception):
    """Ends the reading: arguments are what is wrong, what would be right, and the line unless the parser knows it."""


def make_parser() -> Any:
    """Names come as "namespace name". A declaration of another encoding than UTF-8 is refused."""
    parser = expat.ParserCreate("UTF-8", " ")
    parser.buffer_text = True
    parser.XmlDeclHandler = _on_declaration
    return parser


def _on_declaration(version: str, encoding: str | None, standalone: int) -> None:
    if encoding and encoding.upper() != "UTF-8":
        raise Refused(f"the encoding is declared as {encoding[:60]!a}", "write the file in UTF-8")


def feed(parser: Any, source: BinaryIO, bytes_max: int, told_max: str) -> Iterator[None]:
    """Parse all of a source; a yield after each piece, so that the caller can take what was found.

    bytes_max, told_max: how large it may be, and that in words. Raises Refused and expat.ExpatError.
    """
    size, tail, line = 0, b"", 1  # tail: what was screened last and may be the beginning of a DOCTYPE; its line
    while chunk := source.read(CHUNK_BYTES):
        screened = tail + chunk
        _screen(screened, line)
        tail = screened[1 - len(_DOCTYPE) :]
        line += screened.count(b"\n", 0, len(screened) - len(tail))
        size += len(chunk)
        if size > bytes_max:
            raise Refused(f"the file is larger than {told_max}", f"send at most {told_max}")
        parser.Parse(chunk, False)
        if size - parser.CurrentByteIndex > TOKEN_BYTES_MAX:
            raise Refused("a tag or comment is too long", f"write at most {TOKEN_BYTES_MAX} bytes")
        if len(parser.intern) > NAMES_MAX:
            raise Refused("too many different element names", "write camt.053")
        yield
    if size == 0:
        raise Refused("the file is empty", "a day without payments has a document too", 0)
    parser.Parse(b"", True)


def _screen(data: bytes, line: int) -> None:
    """Before the parser sees it: expat parses the rest of a chunk even after a handler has refused, and takes
    UTF-16 for what it is whatever it was told. line: that on which the data begin."""
    for never, wrong, right in (
        (b"\0", "bytes that are no XML text in UTF-8", "write the document in UTF-8"),
        (_DOCTYPE, "the XML has a DOCTYPE", "write the document without DOCTYPE and entities"),
    ):
        if (at := data.find(never)) >= 0:
            raise Refused(wrong, right, line + data.count(b"\n", 0, at))


def place_of(refused: Refused, parser: Any) -> tuple[int, str, str]:
    """Line, what is wrong, what would be right."""
    wrong, right, *known = refused.args
    return known[0] if known else parser.CurrentLineNumber, wrong, right


def ill_formed(error: expat.ExpatError) -> tuple[int, str, str]:
    """The same of what is no XML."""
    return error.lineno, f"no well-formed XML in UTF-8: {expat.ErrorString(error.code)}", "send it whole"
