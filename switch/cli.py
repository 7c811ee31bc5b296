"""`switchd`: run the daemon, check what it would run with, explain a frame (operations.md, Commands)."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from sqlalchemy import make_url

from shebao.codecs.describe import describe
from shebao.codecs.dialect import Dialect
from shebao.codecs.mac import ALGORITHMS, MacKey
from shebao.codecs.settings import SwitchSettings
from shebao.ledger.books import ensure_books
from shebao.ledger.commands import (
    DONE,
    LOOK,
    RUNNING,
    USAGE,
    Command,
    Stop,
    anchors_of,
    config_option,
    store_of,
    version_option,
    wall_us,
)
from shebao.ledger.config import read_dialects, read_settings
from shebao.ledger.durable import in_use
from shebao.ledger.secrets import SecretsError, load_master, open_key
from shebao.ledger.store import StoreError
from shebao.reconcile.workdays import FILE, read_workdays

from .keys import KIND_MAC, read_keys

SWITCH_INTERVAL_S = 0.001  # threads change hands more often than by default, so that the writer is not starved


@click.group(cls=Command, name="switchd")
@config_option
@version_option
@click.pass_context
def switchd(context: click.Context, config: Path) -> None:
    """The switch between the banks and the bureau's ledger."""
    context.obj = config


@switchd.command()
@click.pass_obj
def run(config: Path) -> int:
    """Serve the banks, in the foreground, until SIGTERM."""
    hold_standard_descriptors()
    settings, dialects = read_both(config)
    master = load_master(Path(settings.master_key_file))
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with _running_on(Path(settings.state_dir)), store_of(settings) as store:
        store.ping()
        ensure_books(store, settings, wall_us())
        anchors = anchors_of(settings, store, wall_us)
        from .process import serve  # importing it installs the reactor: only for a daemon

        return serve(lambda: read_both(config), settings, dialects, master, store, anchors.sign, wall_us)


@contextmanager
def _running_on(state_dir: Path) -> Iterator[None]:
    """Says to `ledgerctl restore` that this folder is in use; several daemons may use one."""
    with ExitStack() as held:
        try:
            held.enter_context(in_use(state_dir / RUNNING))
        except BlockingIOError:
            raise Stop(f"a restore is under way on {state_dir}; wait for its end, and start again", LOOK) from None
        yield


@switchd.command()
@click.pass_obj
def check(config: Path) -> int:
    """Check configuration, dialects, keys and MACs.

    Each MAC algorithm is tried on its known answers; what is missing is said.
    """
    settings, dialects = read_both(config)
    faults = 0
    database = make_url(settings.database).render_as_string(hide_password=True)
    click.echo(f"configuration  {config}: {len(settings.banks)} banks, database {database}")
    click.echo(f"holidays       {_calendar(config)}")
    for bank, dialect in dialects.items():
        where = settings.banks[bank].listen
        speaks = f"dialect {dialect.name}, MAC {dialect.mac.algorithm}"
        click.echo(f"bank {bank:8}  {speaks}, port {where.host}:{where.port}")
    for name, algorithm in ALGORITHMS.items():
        failed = algorithm.failures()
        faults += len(failed)
        click.echo(f"MAC {name:13} {len(algorithm.known)} known answers: {'FAILED' if failed else 'right'}")
    try:
        keys = _keys(settings, dialects)
    except StoreError as error:
        raise Stop(f"keys can't be checked: {error}; see [switch] database, or type: ledgerctl init", USAGE) from None
    for bank in dialects:
        click.echo(f"key {bank:8}   {keys.get(bank, 'none loaded; type: keyctl load --bank ' + bank + ' --kind mac')}")
    if faults:
        raise Stop(f"{faults} known answers failed; the cryptography library can't be used as it is", USAGE)
    return DONE


@switchd.command()
@click.option("--dialect", "name", required=True, metavar="D", help="The dialect that the frame is in.")
@click.argument("text", metavar="HEX")
@click.pass_obj
def explain(config: Path, name: str, text: str) -> int:
    """Say what a frame or body holds, field by field.

    Secrets and personal data stay masked. HEX may hold blanks, quoted.
    """
    try:
        data = bytes.fromhex("".join(text.split()))
    except ValueError:
        raise Stop("HEX is not hex; type the frame as hex digits, two a byte", USAGE) from None
    settings, dialects = read_both(config)
    known = {dialect.name: bank for bank, dialect in dialects.items()}
    if name not in known:
        raise Stop(f"no bank speaks dialect {name}; known are {', '.join(sorted(known))}", USAGE)
    bank = known[name]
    for line in describe(dialects[bank], data, _mac_key(settings, dialects, bank)):
        click.echo(line)
    return DONE


def read_both(config: Path) -> tuple[SwitchSettings, Mapping[str, Dialect]]:
    """Configuration and dialects; raises SettingsError, which the command tells in one line."""
    settings = read_settings(config)
    return settings, read_dialects(settings, config)


def hold_standard_descriptors() -> None:
    """Where standard error was closed, a bank's socket would get its number, and the log would go to the bank."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one


def _calendar(config: Path) -> str:
    """The working days in words; raises SettingsError."""
    known, path = read_workdays(config), config.parent / FILE
    if not known.years:
        return f"{path} tells of none: Saturdays and Sundays are off"
    years = ", ".join(map(str, known.years))
    return f"{path}: {len(known.holidays)} days off, {len(known.workdays)} weekend days worked, of {years}"


def _keys(settings: SwitchSettings, dialects: Mapping[str, Dialect]) -> dict[str, str]:
    """What is known of each bank's MAC key: its check value, never the key."""
    master = load_master(Path(settings.master_key_file))
    with store_of(settings) as store, store.reading() as connection:
        rows = [row for row in read_keys(connection) if row.kind == KIND_MAC and row.bank in dialects]
    for row in rows:
        open_key(master, row.bank, row.kind, row.sealed)
    return {row.bank: f"{row.algorithm}, check value {row.check_value}, opens under the master key" for row in rows}


def _mac_key(settings: SwitchSettings, dialects: Mapping[str, Dialect], bank: str) -> MacKey | None:
    """The bank's MAC key when it can be had: explaining works without it."""
    try:
        master = load_master(Path(settings.master_key_file))
        with store_of(settings) as store, store.reading() as connection:
            rows = {row.bank: row for row in read_keys(connection) if row.kind == KIND_MAC}
        row = rows.get(bank)
        return None if row is None else ALGORITHMS[row.algorithm].make(open_key(master, bank, KIND_MAC, row.sealed))
    except (SecretsError, StoreError, ValueError):
        return None
