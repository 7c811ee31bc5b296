"""The daemon as a process: the reactor, signals, logs on standard error, the exit status.

The only module that imports the reactor; `daemon` gets it as an argument.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet import reactor as _reactor
from twisted.internet.error import CannotListenError

from shebao.codecs.dialect import Dialect
from shebao.codecs.settings import SwitchSettings
from shebao.ledger.commands import LOOK, Stop
from shebao.ledger.secrets import Master
from shebao.ledger.store import Store
from shebao.ledger.told import keep

from .daemon import Daemon, port_taken
from .endofday import EndOfDay
from .logs import LogWriter, make_log, take_over
from .writer import Writer

STANDARD_ERROR: Final = 2
reactor: Any = _reactor

Read = Callable[[], tuple[SwitchSettings, Mapping[str, Dialect]]]


def serve(
    read: Read,
    settings: SwitchSettings,
    dialects: Mapping[str, Dialect],
    master: Master,
    store: Store,
    anchor: Callable[[], object],
    now_us: Callable[[], int],
) -> int:
    """Run until SIGTERM or SIGINT; the exit status. Raises Stop when a port is taken before anything is served."""
    logs = LogWriter(STANDARD_ERROR, settings.limits.log_lines_queued_max)
    log = make_log(logs, now_us)
    take_over(log)
    end_of_day = EndOfDay(settings, dialects, store.reading, anchor)
    writer = Writer(reactor.callFromThread)
    daemon = Daemon(
        reactor, settings, dialects, master, store, writer, end_of_day, store.reading, lambda rows: keep(store, rows),
        now_us, log, logs,
    )  # fmt: skip
    systemd = os.environ.get("NOTIFY_SOCKET")

    def stop(*_: object) -> None:
        notify_systemd(systemd, "STOPPING=1")
        daemon.stop()

    def install_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: reactor.callFromThread(stop))
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(daemon.reload, read))

    def ready() -> None:
        notify_systemd(systemd, "READY=1")

    try:
        daemon.start(ready)
    except CannotListenError as error:
        raise Stop(port_taken(error), LOOK) from None
    daemon.stopped.addCallback(lambda _: _end(daemon, logs))
    reactor.callWhenRunning(install_signals)
    reactor.run(installSignalHandlers=False)
    store.close()
    logs.close()
    if daemon.why_stopped:
        raise Stop(daemon.why_stopped, daemon.exit_code)
    return daemon.exit_code


def notify_systemd(address: str | None, state: str) -> None:
    """Tell systemd (NOTIFY_SOCKET) a state such as READY=1; without systemd nothing happens."""
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        try:
            notify.connect("\0" + address[1:] if address.startswith("@") else address)
            notify.sendall(state.encode("ascii"))
        except OSError:
            return


def _end(daemon: Daemon, logs: LogWriter) -> None:
    """Leave the reactor, or the process at once when something hangs in a thread that would be waited for."""
    if daemon.forced:
        logs.close()
        os._exit(daemon.exit_code)
    reactor.stop()
