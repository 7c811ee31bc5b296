"""A PostgreSQL server in trouble under a live daemon: the answer to a COMMIT is lost on its way, the server is stopped
and started, frozen and thawed. The daemon is never restarted (wire.md section 6, rules 5 and 9)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from shebao_harness import Line, Switch, bill_number, moment

from shebao.simulators.proxy import Proxy

AMOUNT = 48_000
ROUNDS_MAX = 20_000  # of a loop that waits for something to be seen
BILLS = [bill_number(n) for n in range(1, 60)]

pytestmark = pytest.mark.postgres


@pytest.fixture
def own(postgres_servers: Any) -> Iterator[Any]:
    """A server that the test may hurt."""
    server = postgres_servers()
    try:
        server.start()
        server.execute("CREATE DATABASE books")
        yield server
    finally:
        server.remove()


def echo(line: Line, n: int = 0) -> None:
    assert line.ask("0800", {7: moment(), 11: f"{n % 1_000_000:06d}", 70: "301"}).code == "00"


def until(line: Line, stan: str, bill: str, when: str, code: str) -> None:
    """Repeats until this is the answer; echo is served all the while."""
    for n in range(ROUNDS_MAX):
        line.money("0201", stan, bill, AMOUNT, when=when)
        reply = line.receive()
        if reply.code == code:
            return
        assert reply.code in ("91", "00")
        echo(line, n)
    raise AssertionError(f"never {code}")


def payments(server: Any) -> int:
    with psycopg.connect(host="127.0.0.1", port=server.port, user="shebao", dbname="books") as connection:
        row = connection.execute("SELECT count(*) FROM payment").fetchone()
    assert row is not None
    return int(row[0])


# -- the answer to COMMIT is lost ------------------------------------------------------------------------------


@pytest.fixture
def proxied(own: Any, tmp_path: Path) -> Iterator[tuple[Switch, Proxy]]:
    with closing(Proxy(own.port)) as proxy:
        url = f"postgresql+psycopg://shebao@127.0.0.1:{proxy.here}/books"
        limits = "reply_deadline_s = 1"
        with Switch(tmp_path / "s", database=url, banks=("rcb", "boc"), limits=limits) as switch:
            yield switch.prepare(dict.fromkeys(BILLS, AMOUNT)).start(), proxy
            assert switch.stop() == 0
            verify = switch.run("ledgerctl", "verify", check=False)
            assert verify.returncode == 0, verify.stdout + verify.stderr


@pytest.mark.slow
def test_a_commit_whose_answer_is_lost_is_told_by_the_store(proxied: tuple[Switch, Proxy], own: Any) -> None:
    """Done or not done, the daemon asks again; the bank gets the truth, and a repeat gets the same bytes."""
    switch, proxy = proxied
    when = moment()
    with switch.line().sign_on() as line:
        for n, lose in enumerate(["answer", "question"] * 4):
            proxy.lost.clear()
            proxy.lose = lose
            first = line.pay(f"{n + 1:06d}", BILLS[n], AMOUNT, when=when)
            assert first.code == "00" and proxy.lost.is_set()
            assert line.pay(f"{n + 1:06d}", BILLS[n], AMOUNT, "0201", when=when).body == first.body
            assert line.pay(f"{n + 101:06d}", BILLS[n], AMOUNT, when=when).code == "B1"
        assert payments(own) == 8
        assert sum(entry["event"] == "commit in doubt" for entry in list(switch.log)) >= 8


@pytest.mark.slow
def test_while_the_store_can_not_tell_the_bank_hears_nothing_and_its_repeat_gets_the_truth(
    proxied: tuple[Switch, Proxy], own: Any
) -> None:
    switch, proxy = proxied
    when, bills = moment(), iter(BILLS)
    with switch.line().sign_on() as line, switch.line("boc").sign_on() as other:
        for n, lose in enumerate(["answer", "question"], 1):
            doubtful, asked, later, proxy.shut_after = f"00010{n}", next(bills), next(bills), True
            proxy.lost.clear()
            proxy.lose = lose
            line.money("0200", doubtful, asked, AMOUNT, when=when)
            assert proxy.lost.wait(30)
            assert "91" in in_doubt_rounds(other, later), "others hear at once that nothing can be done"
            proxy.opened.set()
            until(other, f"00090{n}", later, when, "00")
            line.money("0201", doubtful, asked, AMOUNT, when=when)
            reply = line.receive()  # the first one: nothing was said while it was in doubt, nor past the deadline
            assert (reply.fields[11], reply.code) == (doubtful, "00")
            assert line.pay(doubtful, asked, AMOUNT, "0201", when=when).body == reply.body
            assert payments(own) == 2 * n


def in_doubt_rounds(line: Line, bill: str) -> list[str]:
    """What another bank is answered until the first payment's deadline (a second) is over."""
    codes, began, until = [], moment(), time.monotonic() + 1.2
    for n in range(ROUNDS_MAX):
        codes.append(line.pay(f"{5000 + n:06d}", bill, AMOUNT, when=began).code)
        echo(line, n)
        if "91" in codes and time.monotonic() > until:
            return codes
    raise AssertionError(f"never 91, or the clock stands still: {set(codes)}")


# -- stopped, frozen -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_server_that_is_away_is_91_and_back_without_a_restart(tmp_path: Path, own: Any) -> None:
    limits = "commit_deadline_s = 1\nready_after_s = 1"
    with Switch(tmp_path / "s", database=own.url("books"), banks=("rcb", "boc"), limits=limits) as switch:
        switch.prepare(dict.fromkeys(BILLS, AMOUNT)).start()
        line, bills = switch.line().sign_on(), iter(BILLS)
        for n, (go, come) in enumerate(ways_to_be_away(own), 1):
            away_and_back(switch, line, n, [next(bills) for _ in range(3)], go, come)
            assert payments(own) == 3 * n
        assert switch.stop() == 0
        ours = [entry for entry in switch.log if "fault" in entry and entry["level"] == "error"]
        assert not ours, "a store that is away is no fault of ours"
        verify = switch.run("ledgerctl", "verify", check=False)
        assert verify.returncode == 0, verify.stdout + verify.stderr


def ways_to_be_away(own: Any) -> list[tuple[Callable[[], None], Callable[[], None]]]:
    return [
        (lambda: own.stop(signal.SIGINT), own.start),
        (own.freeze, own.thaw),
        (lambda: own.stop(signal.SIGQUIT), own.start),
    ]


def away_and_back(
    switch: Switch, line: Line, n: int, bills: list[str], go: Callable[[], None], come: Callable[[], None]
) -> None:
    when = moment()
    first = line.pay(f"00{n}001", bills[0], AMOUNT, when=when)
    assert first.code == "00"
    go()
    until(line, f"00{n}002", bills[1], when, "91")
    for k in range(10, 30):
        assert line.pay(f"00{n}0{k}", bills[1], AMOUNT, when=when).code == "91"
    assert line.pay(f"00{n}001", bills[0], AMOUNT, "0201", when=when).code == "91", "its truth is in the store"
    echo(line)
    with switch.line("boc").sign_on() as late:
        assert late.pay("000001", bills[2], AMOUNT).code == "91"
        until_ready(switch, line, 503)
        assert switch.get("/healthz")[0] == 200
        come()
        until(line, f"00{n}002", bills[1], when, "00")
        until_ready(switch, line, 200)
        assert line.pay(f"00{n}001", bills[0], AMOUNT, "0201", when=when).body == first.body
        assert late.pay("000002", bills[2], AMOUNT).code == "00"


def until_ready(switch: Switch, line: Line, code: int) -> None:
    for n in range(ROUNDS_MAX):
        if switch.get("/readyz")[0] == code:
            return
        echo(line, n)
    raise AssertionError(f"/readyz is never {code}")
