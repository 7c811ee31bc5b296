"""The MAC keys of the running switch: read from the table `bank_key`, opened under the master key, held ready.

A bank's lines share one `BankKeys`, so a key that an operator loads takes effect on all of them. Keys are read
again whenever a line connects and on SIGHUP: no restart. Key exchange with the bank (a second key, the
change-over) is not here yet. `refresh` talks to the database: call it in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from sqlalchemy import Connection, select

from shebao.codecs.dialect import MacSpec
from shebao.codecs.mac import ALGORITHMS, MacKey, verify
from shebao.ledger.schema import bank_key
from shebao.ledger.secrets import Master, SecretsError, open_key
from shebao.ledger.store import Reading

KIND_MAC = "mac"
KIND_ZONE = "zone"
CURRENT = "current"


class BankKeys:
    """The MAC key that one bank's messages are verified with (wire.md section 6, rule 12)."""

    def __init__(self, mac: MacSpec) -> None:
        self._mac = mac
        self._sealed = b""
        self.newest: MacKey | None = None

    def verify(self, body: bytes) -> MacKey | None:
        """The key under which the body's last bytes are its MAC, or None."""
        key = self.newest
        return key if key is not None and verify(key, body, self._mac.hex) else None

    def take(self, sealed: bytes, opened: Callable[[], bytes]) -> None:
        """Use this key from now on; the key in use is not made anew."""
        if sealed != self._sealed:
            self.newest = ALGORITHMS[self._mac.algorithm].make(opened())
            self._sealed = sealed


class SealedKey(NamedTuple):
    """A row of `bank_key`."""

    bank: str
    kind: str
    sealed: bytes
    check_value: str
    algorithm: str
    since_us: int


def read_keys(connection: Connection) -> list[SealedKey]:
    """All keys in use, sealed as they lie, by bank and kind."""
    columns = [bank_key.c[name] for name in SealedKey._fields]
    rows = connection.execute(
        select(*columns).where(bank_key.c.state == CURRENT).order_by(bank_key.c.bank, bank_key.c.kind)
    )
    return [SealedKey(*row) for row in rows]


class Keyring:
    """The keys of all banks, and the way to read them again."""

    def __init__(self, banks: Iterable[tuple[str, MacSpec]], master: Master, reading: Reading) -> None:
        self._banks = {name: BankKeys(mac) for name, mac in banks}
        self._master, self._reading = master, reading

    def of(self, bank: str) -> BankKeys:
        return self._banks[bank]

    def refresh(self) -> None:
        """Read all keys again. Raises StoreError without a store, SecretsError for those that do not open: they keep
        no other bank from its own."""
        with self._reading() as connection:
            rows = read_keys(connection)
        faults = []
        for row in rows:
            keys = self._banks.get(row.bank)
            if keys is not None and row.kind == KIND_MAC:
                try:
                    keys.take(row.sealed, lambda row=row: open_key(self._master, row.bank, row.kind, row.sealed))  # type: ignore[misc]
                except SecretsError as fault:
                    faults.append(str(fault))
                except ValueError as fault:  # a key of another algorithm's size
                    faults.append(f"{row.kind} key of {row.bank}: {fault}; type: keyctl load")
        if faults:
            raise SecretsError("; ".join(faults))

    def missing(self) -> list[str]:
        """Banks without a MAC key: their lines are refused until one is loaded."""
        return [name for name, keys in self._banks.items() if keys.newest is None]
