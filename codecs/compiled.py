"""A body's bytes to fields and back, fast: one straight-line function per set of fields, the judge for the rest.

The same contract as `message`, byte for byte and fault for fault; a property test holds the two equal. A function is
generated when its set of fields is first seen and kept, within a bound. Whatever is not plainly well formed goes to
the judge, so that there is one place only that says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any, Final

from . import message
from .codegen import decoder, encoder
from .dialect import Dialect
from .elements import FORBIDDEN, MAC_FIELDS
from .errors import Unreadable
from .message import Decoded

FUNCTIONS_MAX: Final = 512  # per codec and direction; a real line shows a few dozen sets of fields

_DecodeFunction = Callable[[bytes, str], "Decoded | None"]
_EncodeFunction = Callable[[bytes, Mapping[int, str]], "bytes | None"]


class Codec:
    """One dialect's reader and writer. Threads may share it."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.mti_size: int = dialect.mti_size
        self.mac_size: int = dialect.mac.size
        self._mti_bytes, self._mtis = _mti_tables(dialect.mti)  # those that begin with 0
        self._bitmap_end = dialect.mti_size + dialect.bitmap_size
        self._bitmaps_end = self._bitmap_end + dialect.bitmap_size
        self._first_secondary = ord("8") if dialect.bitmap_hex else 0x80  # least first byte with bit 1 set
        self._decoders: dict[bytes, _DecodeFunction | None] = {}
        self._encoders: dict[tuple[int, ...], tuple[bytes, _EncodeFunction] | None] = {}

    def decode(self, body: bytes) -> Decoded:
        """As message.decode: fields and faults; raises Unreadable."""
        mti = self._mtis.get(body[: self.mti_size])
        if mti is not None and len(body) > self._bitmap_end:
            second = body[self.mti_size] >= self._first_secondary
            bitmap = body[self.mti_size : self._bitmaps_end if second else self._bitmap_end]
            try:
                function = self._decoders[bitmap]
            except KeyError:
                function = self._new_decoder(bitmap)
            if function is not None:
                decoded = function(body, mti)
                if decoded is not None:
                    return decoded
        return message.decode(self.dialect, body)

    def encode(self, mti: str, fields: Mapping[int, str]) -> bytes:
        """As message.encode: the body up to its MAC; raises NotEncodable."""
        key = tuple(fields)
        try:
            known = self._encoders[key]
        except KeyError:
            known = self._new_encoder(key)
        mti_bytes = self._mti_bytes.get(mti)
        if known is not None and mti_bytes is not None:
            bitmaps, function = known
            try:
                body = function(mti_bytes + bitmaps, fields)
            except ValueError:  # what should be hex is not
                body = None
            if body is not None:
                return body
        return message.encode(self.dialect, mti, fields)

    def encode_mti(self, mti: str) -> bytes:
        return message.encode_mti(self.dialect, mti)

    def _new_decoder(self, bitmap: bytes) -> _DecodeFunction | None:
        """The function for a bitmap, or None where the judge is needed at any rate."""
        probe = self._mti_bytes["0000"] + bitmap
        try:
            present, mac_field = message.read_head(self.dialect, probe)
        except Unreadable:
            return None  # not kept: a cut or lower-case bitmap
        function: _DecodeFunction | None = None
        numbers = [number for number in present if number != mac_field]
        if mac_field and {7, 11} <= set(numbers) and not {65, *FORBIDDEN} & set(numbers):
            source, names = decoder(self.dialect, numbers, mac_field, len(probe))
            function = _compiled(source, names, "decode")
        _keep(self._decoders, bitmap, function)
        return function

    def _new_encoder(self, key: tuple[int, ...]) -> tuple[bytes, _EncodeFunction] | None:
        numbers = sorted(number for number in key if number not in MAC_FIELDS)
        known: tuple[bytes, _EncodeFunction] | None = None
        if all(number in self.dialect.fields and number != 65 for number in numbers):
            source, names = encoder(self.dialect, numbers)
            mac_field = 128 if numbers and numbers[-1] > 64 else 64
            head = message.head_bytes(self.dialect, "0000", [*numbers, mac_field])
            known = head[self.mti_size :], _compiled(source, names, "encode")
        _keep(self._encoders, key, known)
        return known


@lru_cache(maxsize=16)
def _mti_tables(encoding: str) -> tuple[dict[str, bytes], dict[bytes, str]]:
    encoded = {mti: message.encode_mti_as(encoding, mti) for mti in (f"{n:04d}" for n in range(1000))}
    return encoded, {raw: mti for mti, raw in encoded.items()}


def _compiled(source: str, names: dict[str, Any], name: str) -> Any:
    namespace: dict[str, Any] = {**names, "Decoded": Decoded}
    exec(_code(source, name), namespace)
    return namespace[name]


@lru_cache(maxsize=FUNCTIONS_MAX)  # banks of one dialect, and the next daemon in this process, need the same
def _code(source: str, name: str) -> CodeType:
    return compile(source, f"<{name}>", "exec")


def _keep(functions: dict[Any, Any], key: Any, value: Any) -> None:
    """Within the bound: the oldest goes, and is made again should it come back."""
    if len(functions) >= FUNCTIONS_MAX:
        for oldest in tuple(functions)[:1]:  # a copy, and no complaint: another thread may be doing the same
            functions.pop(oldest, None)
    functions[key] = value
