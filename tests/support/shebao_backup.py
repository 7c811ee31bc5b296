"""Backup files in tests: made, looked into, and spoilt."""

import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from shebao.codecs.settings import SwitchSettings, load_switch
from shebao.ledger.backup import Summary, write

BUREAU = "33011000"
Edit = Callable[[list[Any]], object]


def settings_of(url: str, institution: str = BUREAU, banks: Sequence[str] = ("rcb", "icbc")) -> SwitchSettings:
    """A configuration with the banks of `Till`, and more if asked for."""
    text = f'[switch]\ninstitution = "{institution}"\ndatabase = "{url}"\nstate_dir = "var"\n'
    text += 'master_key_file = "key"\n[admin]\nlisten = "127.0.0.1:8580"\n'
    for n, bank in enumerate(banks, 1):
        text += f'[banks.{bank}]\nname = "{bank}"\nnumber = "{n:02d}"\ninstitution = "{n}0000000"\n'
        text += f'dialect = "rcb"\nlisten = "127.0.0.1:{9000 + n}"\nallow = ["127.0.0.1/32"]\ncutover = "23:00:00"\n'
    return load_switch(text, "switch.toml")


def silent(rows: int) -> None:
    """No progress is told."""


def save(till: Any, path: Path, progress: Callable[[int], None] = silent) -> Summary:
    return write(till.store.reading, path, BUREAU, lambda: till.now_us, progress)


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def packed(lines: list[Any]) -> bytes:
    return gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode())


def edited(path: Path, edit: Edit) -> bytes:
    """Changed, with the digest that it had."""
    lines = lines_of(path)
    edit(lines)
    return packed(lines)


def rows_of(lines: list[Any], table: str) -> list[Any]:
    """The first rows of a table, to be changed in place."""
    at = next(n for n, line in enumerate(lines) if isinstance(line, dict) and line.get("table") == table)
    found: list[Any] = lines[at + 1]
    return found


def forge(path: Path, edit: Edit) -> None:
    """Changed, with counts and a digest that are right again."""
    lines = lines_of(path)[:-1]
    edit(lines)
    counts: dict[str, int] = {}
    for line in lines[1:]:
        if isinstance(line, dict):
            name = line["table"]
            counts[name] = 0
        else:
            counts[name] += len(line)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    end = json.dumps({"rows": counts, "sha256": hashlib.sha256(text).hexdigest()}) + "\n"
    path.write_bytes(gzip.compress(text + end.encode()))
