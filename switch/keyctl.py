"""`keyctl`: the master key file, and the key ceremony of a bank (wire.md section 6, rule 12; operations.md, Commands).

A key comes in whole or as components that are XORed, each typed by another custodian; what goes out is a check
value, never a key. It lies in the table `bank_key`, sealed under the master key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Final

import click
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.cmac import CMAC
from rich.console import Console
from rich.table import Table
from sqlalchemy import delete, insert

from shebao.codecs.mac import ALGORITHMS
from shebao.ledger.anchor import FOLDER, PUBLIC_KEY, write_public_key
from shebao.ledger.commands import (
    DONE,
    REFUSED,
    USAGE,
    Command,
    Stop,
    bank_of,
    config_option,
    json_option,
    print_json,
    store_of,
    version_option,
    wall_us,
)
from shebao.ledger.day import time_of
from shebao.ledger.schema import bank_key
from shebao.ledger.secrets import create_master, load_master, seal_key

from .cli import read_both
from .keys import CURRENT, KIND_MAC, KIND_ZONE, read_keys

ZONE_KEY_BYTES: Final = 32
ZONE_ALGORITHM: Final = "aes-256"
FROM_STANDARD_INPUT: Final = "-"


@click.group(cls=Command, name="keyctl")
@config_option
@version_option
@click.pass_context
def keyctl(context: click.Context, config: Path) -> None:
    """The switch's master key file and the banks' keys."""
    context.obj = config


@keyctl.command()
@click.pass_obj
def init(config: Path) -> int:
    """Make the master key file; one that exists is never overwritten."""
    settings, _ = read_both(config)
    path = Path(settings.master_key_file)
    if path.is_symlink() or path.exists():
        raise Stop(f"{path}: exists already and is never overwritten; move it away to start anew", REFUSED)
    folder = Path(settings.state_dir) / FOLDER
    if any(folder.glob("*.log")):
        raise Stop(f"{folder}: has logs that another master key signed; move the folder away to start anew", REFUSED)
    master = create_master(path, os.urandom)
    (folder / PUBLIC_KEY).unlink(missing_ok=True)
    public = write_public_key(folder, master.signer().public_key())
    click.echo(f"{path}: made, mode 0600; keep a copy of it apart from the database's backup")
    click.echo(f"{public}: the public half of the key that signs the books' heads; give the auditor a copy")
    return DONE


@keyctl.command()
@click.option("--bank", required=True, help="The bank's name in switch.toml.")
@click.option("--kind", required=True, type=click.Choice([KIND_MAC, KIND_ZONE]), help="Which of the bank's keys.")
@click.option("--hex", "whole", metavar="HEX", help="The key; - reads it from standard input, hidden on a terminal.")
@click.option("--component", "components", metavar="HEX", multiple=True,
              help="A component to XOR; given twice or more; - reads one line of standard input.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the check value, store nothing.")
@click.pass_obj
def load(
    config: Path, bank: str, kind: str, whole: str | None, components: Sequence[str], dry_run: bool
) -> int:
    """Store a bank's key; print its check value only.

    It takes the place of the key before, for good.
    """
    settings, dialects = read_both(config)
    algorithm = dialects[bank_of(settings, bank).key].mac.algorithm if kind == KIND_MAC else ZONE_ALGORITHM
    size = ALGORITHMS[algorithm].key_size if kind == KIND_MAC else ZONE_KEY_BYTES
    key = _key(whole, components, size)
    check_value = check_value_of(algorithm, key)
    if dry_run:
        click.echo(f"{bank} {kind} {algorithm} check value {check_value}; nothing was stored")
        return DONE
    master = load_master(Path(settings.master_key_file))
    sealed = seal_key(master, bank, kind, key, os.urandom)
    row = {
        "bank": bank, "kind": kind, "state": CURRENT, "sealed": sealed, "check_value": check_value,
        "algorithm": algorithm, "since_us": wall_us(),
    }  # fmt: skip
    with store_of(settings) as store, store.writing() as connection:
        connection.execute(delete(bank_key).where(bank_key.c.bank == bank, bank_key.c.kind == kind))
        connection.execute(insert(bank_key).values(row))
    click.echo(f"{bank} {kind} {algorithm} check value {check_value}")
    return DONE


@keyctl.command(name="list")
@json_option
@click.pass_obj
def list_keys(config: Path, as_json: bool) -> int:
    """Bank, kind, algorithm, check value, since when; never a key."""
    settings, _ = read_both(config)
    with store_of(settings) as store, store.reading() as connection:
        rows = read_keys(connection)
    if as_json:
        names = ("bank", "kind", "algorithm", "check_value")
        told = [
            {**{name: getattr(row, name) for name in names}, "since": time_of(row.since_us).isoformat()} for row in rows
        ]
        print_json(told)
        return DONE
    table = Table("bank", "kind", "algorithm", "check value", "since")
    for row in rows:
        table.add_row(row.bank, row.kind, row.algorithm, row.check_value, f"{time_of(row.since_us):%Y-%m-%d %H:%M:%S}")
    Console().print(table if rows else "no keys loaded; type: keyctl load --bank B --kind mac --component HEX")
    return DONE


def check_value_of(algorithm: str, key: bytes) -> str:
    """The check value by which custodians compare a key: 6 hex characters."""
    if algorithm in ALGORITHMS:
        return ALGORITHMS[algorithm].check_value(key)
    cmac = CMAC(AES256(key))
    cmac.update(bytes(16))
    return cmac.finalize()[:3].hex().upper()


def _key(whole: str | None, components: Sequence[str], size: int) -> bytes:
    """The key from what was typed; raises Stop with what would be right."""
    if (whole is None) == (not components):
        raise Stop("give the key as --hex HEX, or as --component HEX twice or more", USAGE)
    if whole is None and len(components) < 2:
        raise Stop("one component is no component; give --component HEX twice or more, or --hex HEX", USAGE)
    texts = [whole] if whole is not None else list(components)
    parts = [
        _part(_typed(f"{place} of {len(texts)}") if text == FROM_STANDARD_INPUT else text, size)
        for place, text in enumerate(texts, 1)
    ]
    key = reduce(lambda one, other: bytes(a ^ b for a, b in zip(one, other, strict=True)), parts)
    if not any(key):
        raise Stop("the key is all zeros; the same component was given twice, or none was typed", USAGE)
    return key


def _typed(place: str) -> str:
    """A line of standard input; from a terminal it is asked for and not shown, as the next holder looks at it."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    return str(click.prompt(f"hex digits, {place}, not shown", hide_input=True, err=True))


def _part(text: str, size: int) -> bytes:
    try:
        part = bytes.fromhex("".join(text.split()))
    except ValueError:
        raise Stop(f"the key is not hex; type {2 * size} hex digits", USAGE) from None
    if len(part) != size:
        raise Stop(f"the key has {2 * len(part)} hex digits; right are {2 * size}", USAGE)
    return part
