"""Patroni with etcd, as docs/patroni.md says: the primary's machine dies under load, and nothing acknowledged is lost.

Opt-in: it needs etcd and Patroni, which no extra of ours brings.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from shebao_harness import Line, Reply, Switch, bill_number, moment
from shebao_patroni import Cluster

PATRONI = os.environ.get("SHEBAO_TEST_PATRONI", "")
HOW = (
    "opt-in; type: apt-get install etcd-server python3-venv; /usr/bin/python3 -m venv /tmp/patroni; "
    "/tmp/patroni/bin/pip install 'patroni[etcd3,psycopg3]'; "
    "SHEBAO_TEST_PATRONI=/tmp/patroni/bin/patroni bin/test tests/scenarios/test_patroni.py -s"
)
BEFORE, AFTER = 600, 200
AMOUNT = 48_000

pytestmark = [
    pytest.mark.skipif(not PATRONI, reason=HOW),
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.timeout(400),
]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    etcd = shutil.which("etcd")
    assert etcd is not None, HOW
    with closing(Cluster(Path(PATRONI), etcd)) as made:
        yield made


def receive(line: Line, stan: str) -> Reply:
    while True:
        reply = line.receive()
        if reply.fields[11] == stan:
            return reply


def test_nothing_acknowledged_is_lost(tmp_path: Path, cluster: Cluster) -> None:
    primary = cluster.leader()
    primary.ask("CREATE DATABASE books")
    bills = {f"{n:06d}": bill_number(n) for n in range(1, BEFORE + AFTER + 1)}
    with Switch(tmp_path / "s", database=cluster.url("books"), banks=("rcb",)) as switch:
        switch.prepare(dict.fromkeys(bills.values(), AMOUNT)).start()
        when = moment()
        with switch.line("rcb").sign_on() as line:
            for stan, bill in list(bills.items())[:BEFORE]:
                line.money("0200", stan, bill, AMOUNT, when=when)
            first = {reply.fields[11]: reply for reply in (line.receive() for _ in range(BEFORE // 2))}
            assert {reply.code for reply in first.values()} == {"00"}
            primary.kill()
            died, back_s, refused = time.monotonic(), 0.0, 0
            answered = dict(first)
            for stan, bill in bills.items():  # whatever became of the first, a bank repeats until it knows
                while True:
                    line.money("0201", stan, bill, AMOUNT, when=when)
                    reply = receive(line, stan)
                    if reply.code == "00":
                        break
                    assert reply.code in ("91", "68"), reply
                    refused += 1
                back_s = back_s or time.monotonic() - died
                assert answered.setdefault(stan, reply).body == reply.body, f"acknowledged, and other now: {stan}"
        assert switch.stop() == 0
        successor = cluster.leader()
        assert successor is not primary
        print(f"\n{primary.name} died, {successor.name} took over: {back_s:.1f} s without service, {refused} times 91; "
              f"{len(first)} acknowledged before it and {len(answered)} in all, 0 lost")  # fmt: skip
        verify = switch.run("ledgerctl", "verify", check=False)
        assert verify.returncode == 0, verify.stdout + verify.stderr
        receipts = {reply.tags.get("RN") for reply in answered.values()}
        assert len(receipts) == len(bills)
