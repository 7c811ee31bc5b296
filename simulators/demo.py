"""`bin/demo`: one peak day from the first bill to the morning's report, with no question asked.

Four bank cores in this process drive the daemon, a child, over TCP; every other command of the project is run as
an operator would. It ends with 0 only if every book balances and exactly the planted discrepancies were found.
The day itself is written down in `programme`, what has to come out in `proof`.
"""

from __future__ import annotations

import os
import shlex
import signal
from pathlib import Path
from typing import Any, Final

import click

import shebao

from . import programme, script, staging
from .children import Children, CommandFailed
from .client import SignOnFailed
from .commands import FAILED, INTERRUPTED, REFUSED, OneLineCommand, Stop
from .config import CHECKOUT
from .day import Day, Refused, Wrong
from .programme import PAYMENTS_MIN
from .screen import Screen
from .statements import BadFile

NEAR_MIDNIGHT_S: Final = 300


@click.command(cls=OneLineCommand, name="demo")
@click.version_option(shebao.__version__, prog_name="demo", message="%(prog)s %(version)s")
@click.option("--payments", type=click.IntRange(PAYMENTS_MIN, 1_000_000), default=20_000, show_default=True,
              help="How many bills are paid.")  # fmt: skip
@click.option("--database", metavar="URL", help="An empty database; a new SQLite file under var/demo if left out.")
@click.option("--keep-running", is_flag=True, help="The daemon stays up at the end, until Ctrl-C.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another day.")
def main(payments: int, database: str | None, keep_running: bool, seed: int) -> int:
    """One peak day: bills, four banks over TCP, cut-over, statement files, reconciliation, reports, proof."""
    home = Path(os.environ.get("SHEBAO_HOME") or CHECKOUT)
    try:
        staging.reach_loopback()
        lock = staging.claim(home / "var" / "demo")
    except (staging.StageTaken, staging.NoLoopback) as fault:
        raise Stop(str(fault), REFUSED) from None
    with lock:
        try:
            faults = _run(home, payments, database, keep_running, seed)
        except script.Interrupted:
            raise Stop("interrupted; nothing is left running", INTERRUPTED) from None
        except Refused as refused:
            raise Stop(str(refused), REFUSED) from None
        except (CommandFailed, Wrong, BadFile, SignOnFailed) as fault:
            raise Stop(str(fault), FAILED) from None
    return FAILED if faults else 0


def _run(home: Path, payments: int, database: str | None, keep_running: bool, seed: int) -> list[str]:
    screen = Screen()
    folder = home / "var" / "demo"
    stage = staging.build(folder, home / "etc" / "switch.toml", database, seed)
    children = Children(home, stage.config)

    async def play(reactor: Any) -> list[str]:
        reactor.addSystemEventTrigger("before", "shutdown", children.end_all)
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(reactor.stop))
        await script.wait_for_the_day(reactor, screen.step, NEAR_MIDNIGHT_S)
        today = script.today()
        plan = programme.write_down(seed, payments, today, list(stage.settings.banks))
        day = Day(reactor, screen, stage, children, plan)
        faults = await day.play()
        if keep_running:
            host, port = stage.settings.admin_listen
            screen.step(f"The daemon stays up: metrics at http://{host}:{port}/metrics, Ctrl-C ends it.")
            screen.say(f"Ask it in another window: bin/reconcile --config {shlex.quote(str(stage.config))} status")
            await script.forever()
        return faults + await day.stop_daemon()

    try:
        return script.run_script(play)
    finally:
        children.end_all()


if __name__ == "__main__":
    main()
