"""Three Patroni nodes and an etcd on the loopback, from `etc/patroni/node.yml`; for the opt-in test of a failover."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from shebao_harness import ROOT, free_ports

from shebao.simulators.postgres import NOBODY, unpack

LOOKS = 900
LOOK_S = 0.1
PASSWORD = "loopback"


class Node:
    def __init__(self, name: str, folder: Path, etcd: str, programs: Path) -> None:
        self.name, self.folder = name, folder / name
        self.folder.mkdir(mode=0o700)
        self.port, rest = free_ports(2)
        values = {
            "NAME": name, "ADDRESS": "127.0.0.1", "PORT": self.port, "REST_PORT": rest, "ETCD": etcd,
            "DATA": self.folder / "data", "BIN": programs, "NETWORK": "127.0.0.1/32",
            "SUPERUSER_PASSWORD": PASSWORD, "REPLICATION_PASSWORD": PASSWORD, "REWIND_PASSWORD": PASSWORD,
        }  # fmt: skip
        text = (ROOT / "etc" / "patroni" / "node.yml").read_text(encoding="utf-8")
        for word, value in values.items():
            text = text.replace(f"@{word}@", str(value))
        self.config = self.folder / "node.yml"
        self.config.write_text(text, encoding="utf-8")
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            for path in (self.folder, self.config):
                os.chown(path, NOBODY, NOBODY)
            self._as = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, patroni: Path) -> None:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder)}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(patroni), str(self.config)], cwd=self.folder, env=environment, stdout=log, stderr=log, **self._as
            )

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        address = f"host=127.0.0.1 port={self.port} user=postgres password={PASSWORD} dbname=postgres connect_timeout=2"
        with psycopg.connect(address, autocommit=True) as connection:
            done = connection.execute(sql)  # type: ignore[arg-type]
            return done.fetchall() if done.description else []

    def leads(self) -> bool:
        """It can be written, and a synchronous standby follows it."""
        with suppress(psycopg.Error):
            if self.ask("SELECT pg_is_in_recovery()") == [(False,)]:
                return any(row == ("sync",) for row in self.ask("SELECT sync_state FROM pg_stat_replication"))
        return False

    def kill(self) -> None:
        """As a machine dies: Patroni and PostgreSQL at once."""
        if self.process is not None:
            self.process.kill()
        with suppress(OSError, ValueError):
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(30)


class Cluster:
    def __init__(self, patroni: Path, etcd: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="shebao-patroni-"))
        self.folder.chmod(0o755)
        client, peer = free_ports(2)
        clients, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        call = [
            etcd, "--data-dir", str(self.folder / "etcd"), "--listen-client-urls", clients, "--advertise-client-urls",
            clients, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster",
            f"default={peers}",
        ]  # fmt: skip
        with (self.folder / "etcd.log").open("wb") as log:
            self.etcd = subprocess.Popen(call, cwd=self.folder, stdout=log, stderr=log)
        programs = unpack(self.folder)
        self.nodes = [Node(name, self.folder, f"127.0.0.1:{client}", programs) for name in ("a", "b", "c")]
        try:
            for node in self.nodes:
                node.start(patroni)
        except OSError:
            self.close()
            raise

    def leader(self) -> Node:
        """Waits until there is one with a synchronous standby."""
        for _ in range(LOOKS):
            for node in self.nodes:
                if node.leads():
                    return node
            assert self.etcd.poll() is None, (self.folder / "etcd.log").read_text()[-2000:]
            with suppress(subprocess.TimeoutExpired):
                self.etcd.wait(LOOK_S)
        raise AssertionError("no leader: " + "\n".join((n.folder / "log").read_text()[-1500:] for n in self.nodes))

    def url(self, database: str) -> str:
        hosts = "&".join(f"host=127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql+psycopg://postgres:{PASSWORD}@/{database}?{hosts}&target_session_attrs=read-write&connect_timeout=2"

    def close(self) -> None:
        for node in self.nodes:
            node.kill()
        self.etcd.kill()
        self.etcd.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
