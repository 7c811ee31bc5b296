"""Message authentication codes (wire.md section 3): the four algorithms as one table, and their check.

What a MAC covers and where it stands is the dialect's and the message's affair; keys come in as bytes and
stay in a `MacKey`. Every MAC here is 8 raw bytes; on the wire they are 8 bytes or 16 upper-case hex characters.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import reduce
from hmac import compare_digest
from operator import xor
from typing import Final, NamedTuple

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES128, SM4
from cryptography.hazmat.primitives.cmac import CMAC

MAC_SIZE: Final = 8  # raw bytes
_DES_BLOCK: Final = 8
_ZERO_BLOCK: Final = bytes(_DES_BLOCK)


class MacKey:
    """A key ready to compute with. Its `repr` does not tell the key."""

    __slots__ = ("compute",)

    def __init__(self, compute: Callable[[bytes], bytes]) -> None:
        self.compute = compute  # data to 8 raw bytes

    def __repr__(self) -> str:
        return "<MacKey>"


class KnownAnswer(NamedTuple):
    key: str  # hex
    data: bytes
    mac: str  # 16 hex characters


class Algorithm(NamedTuple):
    """One row of the table. make and check_value raise ValueError for a key of another size."""

    name: str  # as in a dialect's [mac] table
    key_size: int  # bytes
    make: Callable[[bytes], MacKey]
    check_value: Callable[[bytes], str]  # KC of wire.md section 6, rule 12: 6 upper-case hex characters
    known: tuple[KnownAnswer, ...]

    def failures(self) -> list[KnownAnswer]:
        """The known answers that this machine's cryptography library does not give: none, if all is well."""
        return [a for a in self.known if self.make(bytes.fromhex(a.key)).compute(a.data).hex().upper() != a.mac]


def wire_mac(raw: bytes, as_hex: bool) -> bytes:
    """8 raw bytes as they stand on the wire: 8 bytes, or 16 upper-case hex characters."""
    return raw.hex().upper().encode("ascii") if as_hex else raw


def wire_size(as_hex: bool) -> int:
    return 2 * MAC_SIZE if as_hex else MAC_SIZE


def verify(key: MacKey, body: bytes, as_hex: bool) -> bool:
    """Whether the last 8 (16) bytes of a body are the MAC of what stands before them; in constant time."""
    size = wire_size(as_hex)
    if len(body) < size:
        return False
    return compare_digest(wire_mac(key.compute(body[:-size]), as_hex), body[-size:])


def _sized(key: bytes, size: int) -> bytes:
    if len(key) != size:
        raise ValueError(f"a MAC key of {len(key)} bytes; right are {size}")
    return key


def _padded(data: bytes) -> bytes:
    """Zero padding to whole blocks; nothing is added to whole blocks, one block to nothing."""
    return data + bytes(-len(data) % _DES_BLOCK) if data else _ZERO_BLOCK


def _two_key_des(key: bytes) -> TripleDES:
    # The library deprecates 16-byte keys; K1 K2 K1 is the same cipher.
    return TripleDES(key + key[:_DES_BLOCK])


def _x9_19(key: bytes) -> MacKey:
    single = TripleDES(_sized(key, 16)[:_DES_BLOCK] * 3)  # three times K1 is single DES
    chain = Cipher(single, modes.CBC(_ZERO_BLOCK)).encryptor
    finish = Cipher(_two_key_des(key), modes.ECB()).encryptor().update

    def compute(data: bytes) -> bytes:
        padded = _padded(data)
        head, last = padded[:-_DES_BLOCK], padded[-_DES_BLOCK:]
        state = chain().update(head)[-_DES_BLOCK:] if head else _ZERO_BLOCK
        # DES-CBC's last step, decryption under K2 and encryption under K1 are together one triple DES.
        return finish(_xor_blocks(state + last))

    return MacKey(compute)


def _unionpay_ecb(key: bytes) -> MacKey:
    encrypt = Cipher(_two_key_des(_sized(key, 16)), modes.ECB()).encryptor().update

    def compute(data: bytes) -> bytes:
        text = _hex(_xor_blocks(_padded(data)))
        first = encrypt(text[:_DES_BLOCK])
        return _hex(encrypt(_xor_blocks(first + text[_DES_BLOCK:])))[:MAC_SIZE]

    return MacKey(compute)


def _hex(block: bytes) -> bytes:
    return block.hex().upper().encode("ascii")


def _xor_blocks(data: bytes) -> bytes:
    return reduce(xor, struct.unpack(f">{len(data) // _DES_BLOCK}Q", data), 0).to_bytes(_DES_BLOCK, "big")


def _cmac(cipher: Callable[[bytes], AES128 | SM4]) -> Callable[[bytes], MacKey]:
    def make(key: bytes) -> MacKey:
        keyed = CMAC(cipher(_sized(key, 16)))

        def compute(data: bytes) -> bytes:
            context = keyed.copy()  # a third of the cost of keying anew
            context.update(data)
            return context.finalize()[:MAC_SIZE]

        return MacKey(compute)

    return make


def _des_check_value(key: bytes) -> str:
    encryptor = Cipher(_two_key_des(_sized(key, 16)), modes.ECB()).encryptor()
    return encryptor.update(_ZERO_BLOCK)[:3].hex().upper()


def _cmac_check_value(make: Callable[[bytes], MacKey]) -> Callable[[bytes], str]:
    return lambda key: make(key).compute(bytes(16))[:3].hex().upper()


_aes_cmac, _sm4_cmac = _cmac(AES128), _cmac(SM4)
_DOUBLE: Final = "0123456789ABCDEFFEDCBA9876543210"
_SENTENCE: Final = b"Now is the time for all "
_RFC4493_KEY: Final = "2B7E151628AED2A6ABF7158809CF4F3C"
_RFC4493_DATA: Final = bytes.fromhex(
    "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51"
    "30C81C46A35CE411E5FBC1191A0A52EFF69F2445DF4F9B17AD2B417BE66C3710"
)

ALGORITHMS: Final[dict[str, Algorithm]] = {
    row.name: row
    for row in (
        Algorithm(
            "x9.19", 16, _x9_19, _des_check_value, (KnownAnswer(_DOUBLE, _SENTENCE, "A1C72E74EA3FA9B6"),)
        ),
        Algorithm(
            "sm4-cmac",
            16,
            _sm4_cmac,
            _cmac_check_value(_sm4_cmac),
            (KnownAnswer(_DOUBLE, _SENTENCE, "30D15846C31EC731"),),
        ),
        Algorithm(
            "unionpay-ecb",
            16,
            _unionpay_ecb,
            _des_check_value,
            (
                KnownAnswer(
                    "55036372B17543ECB173730768B8D6C4",
                    bytes.fromhex("1212B04E1227809C"),
                    b"5FE058DB".hex().upper(),
                ),
            ),
        ),
        Algorithm(
            "aes-cmac",
            16,
            _aes_cmac,
            _cmac_check_value(_aes_cmac),
            (
                KnownAnswer(_RFC4493_KEY, b"", "BB1D6929E9593728"),
                KnownAnswer(_RFC4493_KEY, _RFC4493_DATA[:16], "070A16B46B4D4144"),
                KnownAnswer(_RFC4493_KEY, _RFC4493_DATA[:40], "DFA66747DE9AE630"),
                KnownAnswer(_RFC4493_KEY, _RFC4493_DATA, "51F0BEBF7E3B9D92"),
            ),
        ),
    )
}
