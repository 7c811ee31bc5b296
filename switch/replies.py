"""Replies: the fields that a request gets back, the fields that a decision adds, DE48 where it may stand.

A reply is made in two steps, because its first part is kept: the tail (a body without MTI and MAC) is encoded
before the commit and stored; MTI, MAC and framing are put on when it leaves (`seal`), fresh for every repeat.
"""

from __future__ import annotations

from collections.abc import Mapping

from shebao.codecs.compiled import Codec
from shebao.codecs.errors import WITHOUT_DE48, Code
from shebao.codecs.framing import FramingSpec, reply_bytes
from shebao.codecs.mac import MacKey, wire_mac
from shebao.codecs.tags import build
from shebao.ledger.facts import Decision, Request

from .services import ECHO


def echo_of(fields: Mapping[int, str], names: tuple[int, ...] = ECHO) -> dict[int, str]:
    """The fields that every reply gives back, as received."""
    return {name: fields[name] for name in names if name in fields}


def decided(codec: Codec, request: Request, decision: Decision) -> bytes:
    """The tail of the reply to a decided request.

    DE48 goes out only if the decision has tags, the code allows it, and, in a refusal, the request had one.
    """
    fields = {**request.echo, 39: decision.code, **decision.fields}
    if decision.tags and decision.code not in WITHOUT_DE48 and (request.has_de48 or decision.code == Code.APPROVED):
        fields[48] = build(decision.tags).hex().upper()
    return codec.encode(request.mti, fields)[codec.mti_size :]


def plain(codec: Codec, mti: str, echo: Mapping[int, str], code: str, field: int = 0) -> bytes:
    """The tail of a reply that needs no decision: `field` names the fault in DE44 (format errors only)."""
    fields = {**echo, 39: str(code)}
    if code == Code.FORMAT:
        fields[44] = f"{field:03d}"
    return codec.encode(mti, fields)[codec.mti_size :]


def seal(framing: FramingSpec, envelope: bytes, mti: bytes, tail: bytes, key: MacKey, as_hex: bool) -> bytes:
    """A reply's whole frame: `mti` in wire form, the kept tail, a fresh MAC, its own line's framing."""
    body = mti + tail
    return reply_bytes(framing, envelope, body + wire_mac(key.compute(body), as_hex))
