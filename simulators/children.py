"""The project's commands as child processes, and the promise that none of them outlives the demo.

Each child gets a session of its own, so that Ctrl-C reaches the demo alone, which then ends them in order.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

END_WITHIN_S: Final = 35.0  # the daemon itself takes at most 30
COMMAND_WITHIN_S: Final = 600.0


class Finished(NamedTuple):
    status: int
    out: str
    err: str


class CommandFailed(Exception):
    """A command ended as it must not; one line for the user."""


class Children:
    def __init__(self, folder: Path, config: Path) -> None:
        """folder: where commands are started; config: what they get as --config."""
        self._folder = folder
        self._config = config
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._ended = False

    def run(self, command: str, *arguments: str, given: str = "", fine: Sequence[int] = (0,)) -> Finished:
        """Runs a command to its end; raises CommandFailed when its exit status is not a fine one."""
        child = self._start(command, arguments, subprocess.PIPE)
        try:
            out, err = child.communicate(given.encode(), timeout=COMMAND_WITHIN_S)
        except subprocess.TimeoutExpired:
            end(child)
            raise CommandFailed(f"{command} {arguments[0]} was not done after {COMMAND_WITHIN_S:.0f} s") from None
        finally:
            self._forget(child)
        finished = Finished(child.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
        if finished.status not in fine:
            said = (finished.err.strip() or finished.out.strip() or "nothing").splitlines()
            raise CommandFailed(f"{command} {' '.join(arguments)} ended with {finished.status}: {said[-1]}")
        return finished

    def daemon(self, log: Path) -> subprocess.Popen[bytes]:
        """`switchd run`, its log at the end of a file."""
        with log.open("ab") as file:
            return self._start("switchd", ("run",), file.fileno())

    def kill(self, child: subprocess.Popen[bytes]) -> None:
        """SIGKILL, as a power cut does it."""
        child.kill()
        child.wait()
        self._forget(child)

    def stop(self, child: subprocess.Popen[bytes]) -> int:
        """SIGTERM, and its exit status."""
        status = end(child)
        self._forget(child)
        return status

    def end_all(self) -> None:
        with self._lock:
            self._ended = True
            left = list(self._running.values())
        for child in left:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in left:
            self.stop(child)

    def _start(self, command: str, arguments: Sequence[str], stderr: int) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._ended:
                raise CommandFailed("the demo is ending")
            child = subprocess.Popen(
                [sys.executable, "-P", _script(command), "--config", str(self._config), *arguments],
                stdin=subprocess.PIPE if stderr == subprocess.PIPE else subprocess.DEVNULL,
                stdout=subprocess.PIPE if stderr == subprocess.PIPE else stderr,
                stderr=stderr,
                cwd=self._folder,
                env={**os.environ, "PYTHONUTF8": "1"},
                start_new_session=True,
            )
            self._running[child.pid] = child
            return child

    def _forget(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.pop(child.pid, None)


def end(child: subprocess.Popen[bytes]) -> int:
    """Asks a child to end, and makes it, when it does not within its time."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        return child.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _script(command: str) -> str:
    """The console script of this very environment; bin/ would look the environment over again at each start."""
    beside = Path(sys.executable).with_name(command)
    found = str(beside) if beside.is_file() else shutil.which(command)
    if found is None:
        raise CommandFailed(f"the command {command} is not installed beside {sys.executable}; run bin/demo")
    return found
