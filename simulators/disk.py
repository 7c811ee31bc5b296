"""A small disk in memory that can be full: a tmpfs, shrunk to what lies on it. Only root can mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

SIZE: Final = 6 * 1024**3  # at the most; it takes as much memory as lies on it
SHRINK_TRIES: Final = 50  # somebody writes meanwhile


class NoDisk(Exception):
    """None can be mounted here; with the reason."""


class Disk:
    def __init__(self) -> None:
        """Raises NoDisk."""
        self.folder = Path(tempfile.mkdtemp(prefix="shebao-disk-"))
        if fault := self._mount(f"size={SIZE}", "tmpfs"):
            self.folder.rmdir()
            raise NoDisk(f"no disk can be mounted here: {fault}")
        self.folder.chmod(0o755)

    def fill(self) -> None:
        """Not a byte more can be written. Raises NoDisk."""
        fault = ""
        for _ in range(SHRINK_TRIES):
            state = os.statvfs(self.folder)
            used = (state.f_blocks - state.f_bfree) * state.f_frsize
            if not (fault := self._mount(f"remount,size={used}")):
                return
        raise NoDisk(f"the disk can't be made full: {fault}")

    def free(self) -> None:
        if fault := self._mount(f"remount,size={SIZE}"):
            raise NoDisk(f"the disk can't be made larger: {fault}")

    def remove(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _mount(self, options: str, *source: str) -> str:
        """What is wrong, or nothing."""
        mount = shutil.which("mount")
        if mount is None:
            return "there is no mount"
        call = [mount, "-t", "tmpfs", "-o", options, *(source or ("tmpfs",)), str(self.folder)]
        done = subprocess.run(call, capture_output=True, text=True)
        return " ".join(done.stderr.split()) if done.returncode else ""
