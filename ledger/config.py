"""The edge where configuration is read: `switch.toml` and the dialect files it names, from the disk.

What they mean is checked in `codecs.settings` and `codecs.dialect`; the commands of all rooms come through here.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from shebao.codecs.dialect import Dialect, load_dialect
from shebao.codecs.settings import SettingsError, SwitchSettings, load_switch

CHECKOUT: Final = Path(__file__).resolve().parents[1]
FILE_BYTES_MAX: Final = 1024**2  # of a configuration file


def read_settings(path: Path) -> SwitchSettings:
    """Checked settings of a `switch.toml`, the environment's overrides applied. Raises SettingsError."""
    return load_switch(read_text(path, "name the file: --config FILE before the sub-command"), str(path), os.environ)


def read_dialects(settings: SwitchSettings, config: Path) -> dict[str, Dialect]:
    """The dialect of each bank, by the bank's key. Raises SettingsError.

    Looked for in this order: `dialects/` beside the configuration, `etc/dialects/` of the working folder, of
    SHEBAO_HOME, of the checkout that this package lies in.
    """
    read: dict[str, Dialect] = {}
    for bank in settings.banks.values():
        if bank.dialect not in read:
            path = _find(bank.dialect, config, bank.key)
            dialect = load_dialect(read_text(path, "make it readable"), str(path))
            read[bank.dialect] = replace(dialect, name=bank.dialect)  # a copied file may keep the name of its model
    return {bank.key: read[bank.dialect] for bank in settings.banks.values()}


def _find(dialect: str, config: Path, bank: str) -> Path:
    home = Path(os.environ.get("SHEBAO_HOME") or CHECKOUT)
    for folder in (config.parent, Path("etc"), home / "etc", CHECKOUT / "etc"):
        path = folder / "dialects" / f"{dialect}.toml"
        if path.is_file():
            return path
    wanted = config.parent / "dialects" / f"{dialect}.toml"
    raise SettingsError(str(config), f"banks.{bank}.dialect", f'"{dialect}" has no file', f"write {wanted}")


def read_text(path: Path, right: str) -> str:
    """The text of a file of the configuration. Raises SettingsError; `right` is what an operator can do."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(str(path), "", f"can't be read: {error.strerror}", right) from None
    if len(data) > FILE_BYTES_MAX:
        raise SettingsError(str(path), "", f"is larger than {FILE_BYTES_MAX} bytes", "name the right file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(str(path), f"line {line}", "is not UTF-8", "save the file as UTF-8") from None
