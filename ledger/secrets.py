"""The switch's master key file, and the sealing of bank keys under it (wire.md section 6, rule 12).

The file is text, one `name = hex` a line, mode 0600: the AES-256 master under which every bank key lies
encrypted in the table `bank_key`, and the Ed25519 seed that signs the seal's anchors. It stands apart from
the database, so that whoever can change rows can neither read a bank's key nor sign a forged head.

What this is not: the keyring of the running switch (`switch.keys`), or key exchange with a bank.
Randomness is an argument: `os.urandom` is handed in by the commands.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .durable import sync_folder

_NAMES = ("aes", "seal_seed")
_KEY_BYTES = 32
_NONCE_BYTES = 12
_HEADER = "# Master key of the switch. Keep a copy apart from the database's backup; without it no bank key opens.\n"


class SecretsError(Exception):
    """The master key file or a sealed key can't be used; `str()` is one line that says what to do."""


class Master(NamedTuple):
    """Both secrets of the file, 32 bytes each."""

    aes: bytes
    seal_seed: bytes

    def __repr__(self) -> str:  # never a key in a log or a traceback
        return "Master(...)"

    def signer(self) -> Ed25519PrivateKey:
        """Return the key that signs the seal's anchors."""
        return Ed25519PrivateKey.from_private_bytes(self.seal_seed)


def create_master(path: Path, random: Callable[[int], bytes]) -> Master:
    """Write a new master key file, mode 0600, durable; raise SecretsError if anything is there already."""
    master = Master(random(_KEY_BYTES), random(_KEY_BYTES))
    text = _HEADER + "".join(f"{name} = {value.hex()}\n" for name, value in zip(_NAMES, master, strict=True))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise SecretsError(f"{path}: exists already and is never overwritten; move it away to start anew") from None
    except OSError as error:
        raise SecretsError(f"{path}: can't be written: {error.strerror}; give a folder that can be written") from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)  # whatever the umask said
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)  # half a key file would stand in the way of the next try
        raise SecretsError(f"{path}: can't be written: {error.strerror}; free space and try again") from None
    return master


def load_master(path: Path) -> Master:
    """Read the master key file; raise SecretsError if it is missing, too open, or not of the right form."""
    try:
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if mode & 0o077:
                raise SecretsError(f"{path}: mode {mode:04o} lets others read it; type: chmod 600 {path}")
            text = file.read(4096)
    except FileNotFoundError:
        raise SecretsError(f"{path}: no master key file; type: keyctl init") from None
    except UnicodeDecodeError:
        raise SecretsError(f"{path}: is no master key file; restore your copy of it") from None
    except OSError as error:
        raise SecretsError(f"{path}: can't be read: {error.strerror}; run as the user who made it") from None
    values: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, value = (part.strip() for part in line.partition("="))
        try:
            values[name] = bytes.fromhex(value)
        except ValueError:
            raise SecretsError(f"{path}: line {number}: no hex value; restore your copy of the file") from None
    if set(values) != set(_NAMES) or any(len(value) != _KEY_BYTES for value in values.values()):
        raise SecretsError(f"{path}: needs aes and seal_seed, 64 hex digits each; restore your copy of the file")
    return Master(values["aes"], values["seal_seed"])


def seal_key(master: Master, bank: str, kind: str, key: bytes, random: Callable[[int], bytes]) -> bytes:
    """Encrypt a bank's key for the table `bank_key`: nonce, then AES-256-GCM bound to bank and kind."""
    nonce = random(_NONCE_BYTES)
    return nonce + AESGCM(master.aes).encrypt(nonce, key, _bound_to(bank, kind))


def open_key(master: Master, bank: str, kind: str, sealed: bytes) -> bytes:
    """Return the key of `seal_key`; raise SecretsError if it was sealed under another master, bank or kind."""
    try:
        return AESGCM(master.aes).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(bank, kind))
    except (InvalidTag, ValueError):
        raise SecretsError(
            f"{kind} key of {bank}: not sealed under this master key; restore the master key file, or keyctl load again"
        ) from None


def _bound_to(bank: str, kind: str) -> bytes:
    return f"shebao bank_key\x1f{bank}\x1f{kind}".encode()
