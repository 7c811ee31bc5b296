"""A PostgreSQL primary with a synchronous standby dies under load: nothing acknowledged is lost, and the daemon finds
the new primary by itself."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from shebao_harness import Line, Reply, Switch, bill_number, moment

BEFORE, AFTER = 300, 100
AMOUNT = 48_000


def pair(servers: Any) -> tuple[Any, Any]:
    primary = servers()
    primary.start(synchronous_standby_names="*", fsync="on")
    primary.execute("SET synchronous_commit = local", "CREATE DATABASE books")
    standby = servers(initdb=False)
    standby.follow(primary)
    standby.start(fsync="on")
    return primary, standby


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_nothing_acknowledged_is_lost(tmp_path: Path, postgres_servers: Any) -> None:
    primary, standby = pair(postgres_servers)
    hosts = f"host=127.0.0.1:{primary.port}&host=127.0.0.1:{standby.port}"
    url = f"postgresql+psycopg://shebao@/books?{hosts}&target_session_attrs=read-write&connect_timeout=2"
    bills = {bill_number(n): AMOUNT for n in range(1, BEFORE + AFTER + 1)}
    try:
        with Switch(tmp_path / "s", database=url, banks=("rcb",)) as switch:
            switch.prepare(bills).start()
            when = moment()
            with switch.line("rcb").sign_on() as line:
                for n, bill in enumerate(list(bills)[:BEFORE], 1):
                    line.money("0200", f"{n:06d}", bill, AMOUNT, when=when)
                answered = {r.fields[11]: r for r in (line.receive() for _ in range(BEFORE // 3))}
                primary.stop(signal.SIGKILL)
                standby.promote()
                first = dict(answered)
                for n, bill in enumerate(bills, 1):  # whatever became of the first, a bank repeats until it knows
                    reply = persist(line, switch, f"{n:06d}", bill, when, answered)
                    assert reply.code == "00", reply
                for stan, reply in first.items():
                    line.money("0201", stan, bill_number(int(stan)), AMOUNT, when=when)
                    again = receive(line, stan)
                    assert again.body == reply.body, f"acknowledged before the failover, other now: {stan}"
            assert switch.stop() == 0
            verify = switch.run("ledgerctl", "verify", check=False)
            assert verify.returncode == 0, verify.stdout + verify.stderr
    finally:
        primary.remove()
        standby.remove()


def receive(line: Line, stan: str) -> Reply:
    while True:
        reply = line.receive()
        if reply.fields[11] == stan:
            return reply


def persist(line: Line, switch: Switch, stan: str, bill: str, when: str, answered: dict[str, Reply]) -> Reply:
    """Repeats while the answer is 91 (store away), as a bank does; bounded by the test's own time limit."""
    while True:
        line.money("0201", stan, bill, AMOUNT, when=when)
        reply = receive(line, stan)
        if reply.code != "91":
            if reply.code == "00":
                known = answered.setdefault(stan, reply)
                assert known.body == reply.body
            return reply
