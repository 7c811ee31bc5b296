"""`ledgerctl backup` and `restore`: the commands. The file is `backup`'s affair, books out of one `restore`'s."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from shebao.codecs.settings import SwitchSettings

from . import backup as saved
from . import restore as back
from .anchor import FOLDER, AnchorError, Anchors
from .backup import Summary
from .commands import DONE, LOOK, REFUSED, RUNNING, Stop, faults_in_words, operator_of, store_of, tell, wall_us
from .config import read_settings
from .day import as_date
from .durable import unused
from .relog import begin
from .secrets import load_master
from .store import open_store

TOLD_EVERY: Final = 100_000  # rows, on a terminal
_FILE: Final = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")


@click.command()
@_FILE
@click.pass_obj
def backup(config: Path, file: Path) -> None:
    """Copy the live books into a new file.

    The switch may run, and no payment waits. The file can be restored into either database. It holds personal data,
    and the banks' keys under the master key; it does not hold the master key file, the seal folder, the configuration.
    """
    settings = read_settings(config)
    with store_of(settings) as store:
        summary = saved.write(store.reading, file, settings.institution, wall_us, _progress)
    _end_progress()
    size = file.stat().st_size
    click.echo(f"{file}: {_in_words(summary)}, {size / 1024**2:,.1f} MiB, SHA-256 {summary.digest}")
    seal = Path(settings.state_dir) / FOLDER
    click.echo(f"keep off this machine, each by itself: it, {settings.master_key_file}, {seal}, {config}")


@click.command()
@_FILE
@click.option("--operator", help="Who, where the configuration says that operators declare themselves.")
@click.option("--accept-faults", is_flag=True, help="Also books that don't prove right; there are no better ones.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, do nothing.")
@click.pass_obj
def restore(config: Path, file: Path, operator: str | None, accept_faults: bool, dry_run: bool) -> int:
    """Bring a backup back into an empty database.

    The switch stands still. The books are proved before they count. Receipts go on beyond all that may have been given
    since the backup; each book records the gap.
    """
    settings = read_settings(config)
    goal = _goal(settings, operator, accept_faults)
    if dry_run:
        summary = back.foresee(file, goal, wall_us())
        click.echo(f"{file} is whole: {_in_words(summary)}; it would be restored; nothing was written")
        return DONE
    try:
        with unused(Path(settings.state_dir) / RUNNING):
            done, begun = _restore(file, goal)
    except BlockingIOError:
        what = f"a switch runs on {settings.state_dir}, whose signed logs a restore begins anew; stop it, or"
        then = "to try the backup beside it set SHEBAO_DATABASE and SHEBAO_STATE_DIR to others"
        raise Stop(f"{what}, {then}", REFUSED) from None
    click.echo(f"{file}: {_in_words(done.summary)}; restored; new anchor logs for {', '.join(begun)}")
    for gap in done.gaps:
        click.echo(f"{gap.bank:8} {as_date(gap.date)}  receipts go on after {gap.last:09d} with {gap.next:09d}")
    click.echo(
        f"what happened after {done.summary.made} is not in these books: import, withdraw and load again what was"
        f" imported, withdrawn and loaded since, and move {Path(settings.state_dir) / 'outbox'} away (it lists receipts"
        " that were given since); then type: ledgerctl verify; then start the switch. What banks took meanwhile"
        " and don't repeat, reconcile run finds as BANK_ONLY"
    )
    if not done.faults:
        return DONE
    faults = faults_in_words(sum(proof.faults for proof in done.faults))
    return tell("ledgerctl", f"restored with {faults}; type: ledgerctl verify", LOOK)


def _restore(file: Path, goal: back.Goal) -> tuple[back.Restored, list[str]]:
    """The books, then the logs; what was brought back, and whose logs are new."""
    try:
        done = back.restore(file, goal, wall_us, _progress)
    except AnchorError as error:
        raise Stop(str(error), REFUSED) from None
    _end_progress()
    store = open_store(goal.settings.database)
    try:
        begun = begin(store.reading, goal.folder, goal.signer)
        Anchors(store.reading, goal.folder, goal.signer, wall_us).sign()
    except AnchorError as error:
        raise Stop(f"the books are restored, but not signed: {error}", LOOK) from None
    finally:
        store.close()
    return done, begun


def _goal(settings: SwitchSettings, operator: str | None, accept_faults: bool) -> back.Goal:
    signer = load_master(Path(settings.master_key_file)).signer()
    folder = Path(settings.state_dir) / FOLDER
    who = operator_of(settings, operator)
    if not (who.strip() and who.isprintable()):
        raise Stop("an operator's name is printable, and not blank; give another --operator", REFUSED)
    return back.Goal(settings, folder, signer, who, accept_faults)


def _in_words(summary: Summary) -> str:
    return f"{summary.events:,} events of {len(summary.books)} books, {summary.rows:,} rows, as of {summary.made}"


# -- a line on a terminal that counts ---------------------------------------------------------------------

_rows = 0


def _progress(rows: int) -> None:
    global _rows
    before, _rows = _rows, _rows + rows
    if before // TOLD_EVERY != _rows // TOLD_EVERY and sys.stderr.isatty():
        click.echo(f"\r{_rows:,} rows ...", nl=False, err=True)


def _end_progress() -> None:
    if _rows >= TOLD_EVERY and sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
