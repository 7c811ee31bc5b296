"""Files beside the database that must outlive a power cut: what a rename needs to last, and one writer at a time.

Used by whoever writes such files (`secrets`, `anchor`, the statement files of `reconcile`). Who uses a folder for long
says so by `in_use`, so that nobody who wants it `unused` takes it from under him. Knows no file's content.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file that was synced can still be lost with its name. Raises OSError."""
    with _opened(folder) as descriptor:
        os.fsync(descriptor)


def replace(path: Path, data: bytes) -> None:
    """The file has these bytes, whole and durable, or is as it was. Two processes may do so at once. Raises OSError."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """The folder for this writer alone, among those that ask like this, in whatever process; others wait."""
    with _opened(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # let go when the descriptor is closed
        yield


@contextmanager
def in_use(lock: Path) -> Iterator[None]:
    """Use what the lock file stands for, beside others who do so. BlockingIOError while somebody has it alone."""
    with _held(lock, fcntl.LOCK_SH):
        yield


@contextmanager
def unused(lock: Path) -> Iterator[None]:
    """Have what the lock file stands for alone. BlockingIOError while it is in use."""
    with _held(lock, fcntl.LOCK_EX):
        yield


@contextmanager
def _held(lock: Path, how: int) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)  # let go when the descriptor is closed, or the process dies
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
