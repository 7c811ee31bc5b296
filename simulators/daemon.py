"""One `switchd` as a child: started until it is ready, killed, frozen, ended. Blocking: to be called in a thread."""

from __future__ import annotations

import resource
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from .children import Children, CommandFailed

READY_WITHIN_S: Final = 60.0
POLL_S: Final = 0.05
DESCRIPTORS_LEFT: Final = 3


class Daemon:
    def __init__(self, children: Children, log: Path, admin: tuple[str, int]) -> None:
        self.children, self._log = children, log
        self._url = f"http://{admin[0]}:{admin[1]}/readyz"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def lives(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Raises CommandFailed when it is not ready in time."""
        self._child = self.children.daemon(self._log)
        until = monotonic() + READY_WITHIN_S
        while not answers(self._url):
            if not self.lives or monotonic() > until:
                raise CommandFailed(f"the daemon did not become ready; its log is {self._log}: {last(self._log)}")
            sleep(POLL_S)

    def kill(self) -> None:
        if self._child is not None:
            self.children.kill(self._child)

    def stop(self) -> None:
        """SIGTERM; raises CommandFailed when it ends with anything but 0."""
        if self._child is not None and (status := self.children.stop(self._child)):
            raise CommandFailed(f"the daemon ended with {status}; its log is {self._log}: {last(self._log)}")

    def freeze(self) -> None:
        self._known().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._known().send_signal(signal.SIGCONT)

    def limit_descriptors(self) -> None:
        """A few more than it has open now, and no more."""
        pid = self._known().pid
        have = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (have + DESCRIPTORS_LEFT, most))

    def free_descriptors(self) -> None:
        pid = self._known().pid
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))

    def _known(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise CommandFailed("the daemon was never started")
        return self._child


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def last(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it is empty"
