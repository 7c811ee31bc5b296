"""The soak's database: an SQLite file, or a PostgreSQL primary that can be hurt in every way and taken over.

The daemon reaches PostgreSQL through two proxies whose ports never change: the primary is behind one of them, and after
a takeover behind the other. Blocking: to be called in a thread.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from .children import CommandFailed
from .postgres import USER, PostgresServer, unpack
from .proxy import Proxy

SYNC_WITHIN_S: Final = 60.0
POLL_S: Final = 0.05
NOBODYS_PORT: Final = 1
SETTINGS: Final = {"fsync": "on", "max_wal_size": "256MB", "shared_buffers": "64MB"}


class SqliteBook:
    engine = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "shebao.db"
        self.url = f"sqlite:///{self._path}"
        self._other: sqlite3.Connection | None = None

    def lock(self) -> None:
        """By another process's transaction."""
        self._other = sqlite3.connect(self._path, isolation_level=None, timeout=30, check_same_thread=False)
        self._other.execute("BEGIN IMMEDIATE")

    def unlock(self) -> None:
        if self._other is not None:
            self._other.execute("ROLLBACK")
            self._other.close()
            self._other = None

    def come_back(self) -> None:
        """Nothing to do: there is no server."""

    def close(self) -> None:
        self.unlock()


class PostgresBook:
    engine = "postgresql"

    def __init__(self, under: Path | None, host: str) -> None:
        """under: where its data are to lie, if not in the system's folder for what passes."""
        self._home = Path(tempfile.mkdtemp(prefix="shebao-soak-"))
        self._home.chmod(0o755)
        self._under, self._host = under, host
        self._programs = unpack(self._home)
        self.server = self._server(True)
        self.server.start(**SETTINGS)
        self.server.execute("CREATE DATABASE books")
        self._standby: PostgresServer | None = None
        self.proxies = [Proxy(self.server.port, host), Proxy(NOBODYS_PORT, host)]
        first, second = (f"host=127.0.0.1:{proxy.here}" for proxy in self.proxies)
        self.url = f"postgresql+psycopg://{USER}@/books?{first}&{second}&target_session_attrs=read-write"

    def _server(self, initdb: bool) -> PostgresServer:
        return PostgresServer(initdb, under=self._under, programs=self._programs, host=self._host)

    def come_back(self) -> None:
        """Whatever was done to the server: it runs and takes connections."""
        self.server.thaw()
        if not self.server.lives:
            self.server.start(**SETTINGS)
        self.server.run_until_ready()

    def mend(self) -> None:
        for proxy in self.proxies:
            proxy.mend()

    def read_only(self, on: bool) -> None:
        setting = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
        self.server.execute(f"ALTER SYSTEM {setting}", "SELECT pg_reload_conf()")

    def pair_up(self) -> None:
        """A standby joins the primary, which from now on waits for it at each commit."""
        standby = self._standby = self._server(False)
        standby.follow(self.server)
        standby.start(**SETTINGS)
        self.server.execute("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        until = monotonic() + SYNC_WITHIN_S
        while self.server.ask("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
            if monotonic() > until:
                raise CommandFailed("the standby does not become a synchronous one")
            sleep(POLL_S)

    def take_over(self) -> None:
        """The primary is gone; its standby is the primary now, alone, behind the other proxy."""
        if self._standby is None:
            raise CommandFailed("no standby could take over")
        gone, self.server, self._standby = self.server, self._standby, None
        self.proxies.reverse()
        self.proxies[0].port, self.proxies[1].port = self.server.port, NOBODYS_PORT
        self.server.promote()
        gone.remove()

    def close(self) -> None:
        for proxy in self.proxies:
            proxy.close()
        for server in (self._standby, self.server):
            if server is not None:
                with suppress(OSError):
                    server.remove()
        shutil.rmtree(self._home, ignore_errors=True)


Book = SqliteBook | PostgresBook
