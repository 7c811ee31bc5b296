"""What the simulators read of the switch's configuration: where a bank connects to, and which dialect it speaks.

The edge: files are read here. A simulator reads `switch.toml` itself as a bank's staff would read their contract;
it shares no state with the switch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shebao.codecs.dialect import Dialect, load_dialect
from shebao.codecs.settings import BankSettings, SettingsError, SwitchSettings, load_switch

from .wire import Identity, Wire

CHECKOUT: Final = Path(__file__).resolve().parents[1]  # through the package's link


def read_settings(path: Path) -> SwitchSettings:
    """Raises SettingsError, also for a file that can't be read."""
    return load_switch(_text(path), str(path), os.environ)


def read_dialect(name: str, config: Path) -> Dialect:
    """The dialect of that name: beside the configuration, else in the working folder's etc/, else the checkout's."""
    home = Path(os.environ.get("SHEBAO_HOME") or CHECKOUT)
    folders = (config.parent, Path("etc"), home / "etc", CHECKOUT / "etc")
    for folder in folders:
        path = folder / "dialects" / f"{name}.toml"
        if path.is_file():
            return load_dialect(_text(path), str(path))
    raise SettingsError(str(config), "dialect", f'"{name}" has no file', f"write {config.parent}/dialects/{name}.toml")


def bank_settings(settings: SwitchSettings, bank: str, source: str) -> BankSettings:
    if bank not in settings.banks:
        raise SettingsError(source, f"banks.{bank}", "no such bank", f"right are {', '.join(settings.banks)}")
    return settings.banks[bank]


def make_wire(settings: SwitchSettings, bank: BankSettings, dialect: Dialect, key: str) -> Wire:
    """key: the MAC key in hex. Raises ValueError with one line for the user."""
    try:
        raw = bytes.fromhex(key)
    except ValueError:
        raise ValueError(f"the MAC key of {bank.key} is no hex; write 32 hex digits") from None
    identity = Identity(bank.key, bank.name, bank.number, bank.institution, settings.institution)
    return Wire(identity, dialect, raw)


def read_keys(text: str) -> Mapping[str, str]:
    """MAC keys from lines `bank=hex`; empty lines and those with # are left out. Raises ValueError."""
    keys: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        bank, equals, key = line.partition("=")
        if not line.strip() or line.startswith("#"):
            continue
        if not equals:
            raise ValueError(f"line {number} of the keys is not of the form bank=hex")
        keys[bank.strip()] = key.strip()
    return keys


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise SettingsError(str(path), "", fault.strerror or "can't be read", "name the file with --config") from None
    except UnicodeDecodeError:
        raise SettingsError(str(path), "", "is not UTF-8", "save it as UTF-8") from None
