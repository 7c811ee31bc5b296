"""One bank's end of the wire: messages packed into its dialect's frames, frames unpacked and their MAC checked.

Pure but for the codec's caches. It knows the bank's identity and key, nothing of lines, time or money.
"""

from __future__ import annotations

from typing import NamedTuple

from shebao.codecs.compiled import Codec
from shebao.codecs.dialect import Dialect
from shebao.codecs.framing import Framer, heartbeat, request_bytes
from shebao.codecs.mac import ALGORITHMS, verify, wire_mac
from shebao.codecs.message import Decoded

TPDU_ADDRESSES = ("0000", "0003")  # source and destination words of a frame with a TPDU


class Identity(NamedTuple):
    """What the switch's configuration says of a bank."""

    bank: str  # its key there: "icbc"
    name: str
    number: str  # 2 digits, in receipt numbers
    institution: str  # DE32
    switch: str  # the bureau's institution


class Wire:
    def __init__(self, identity: Identity, dialect: Dialect, key: bytes) -> None:
        """key: the MAC key in the clear; ValueError when its size is not the algorithm's."""
        self.identity = identity
        self.dialect = dialect
        self.codec = Codec(dialect)
        self.heartbeat = heartbeat(dialect.framing)
        self.mac_key = ALGORITHMS[dialect.mac.algorithm].make(key)
        self._hex = dialect.mac.hex
        stations = (identity.institution, identity.switch)
        self._source, self._destination = TPDU_ADDRESSES if dialect.framing.envelope == "tpdu" else stations

    def framer(self) -> Framer:
        """A framer for what the switch sends: a CUPS header must name this bank as destination."""
        return Framer(self.dialect.framing, self.identity.institution)

    def pack(self, mti: str, fields: dict[int, str]) -> bytes:
        body = self.codec.encode(mti, fields)
        body += wire_mac(self.mac_key.compute(body), self._hex)
        return request_bytes(self.dialect.framing, body, self._source, self._destination)

    def unpack(self, body: bytes) -> Decoded | None:
        """The message, or None when its MAC is wrong; raises Unreadable."""
        if not verify(self.mac_key, body, self._hex):
            return None
        return self.codec.decode(body)

    def without_mti_and_mac(self, body: bytes) -> bytes:
        """What of a reply stays the same, byte for byte, when its request is repeated (wire.md section 6, rule 2)."""
        return body[self.codec.mti_size : -self.codec.mac_size]
