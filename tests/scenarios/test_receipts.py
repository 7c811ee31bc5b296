"""Receipts count per bank and date without a gap and without a twin, whoever gives them out: four lines of one bank on
two daemons, one payment in twenty declined, and one daemon killed in the middle."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from shebao_harness import Line, Reply, Switch, bill_number, moment

LINES = 4
EACH = 400  # payments on a line
DECLINED = 20  # every so many-th asks for another amount
AMOUNT = 48_000


class Ask(NamedTuple):
    stan: str
    bill: str
    amount: int


def asks(line: int) -> list[Ask]:
    numbers = range(line * EACH + 1, (line + 1) * EACH + 1)
    return [Ask(f"{n:06d}", bill_number(n), AMOUNT + (n % DECLINED == 0)) for n in numbers]


def tell(line: Line, mti: str, some: list[Ask], when: str) -> None:
    for ask in some:
        line.money(mti, ask.stan, ask.bill, ask.amount, when=when)


def hear(line: Line, count: int) -> dict[str, Reply]:
    return {reply.fields[11]: reply for reply in (line.receive() for _ in range(count))}


def pair(tmp_path: Path, url: str) -> tuple[Switch, Switch]:
    first, second = (Switch(tmp_path / name, database=url, banks=("rcb",)) for name in "ab")
    first.prepare({bill_number(n): AMOUNT for n in range(1, LINES * EACH + 1)})
    (second.folder / "master.key").write_bytes((first.folder / "master.key").read_bytes())
    (second.folder / "master.key").chmod(0o600)
    return first.start(), second.start()


@pytest.mark.slow
@pytest.mark.postgres
def test_no_gap_and_no_twin(tmp_path: Path, empty_postgres_url: str) -> None:
    first, second = pair(tmp_path, empty_postgres_url)
    with first, second:
        when, lines = moment(), [switch.line().sign_on() for switch in (first, first, second, second)]
        asked = [asks(n) for n in range(LINES)]
        for k in range(0, EACH, 100):
            for line, some in zip(lines, asked, strict=True):
                tell(line, "0200", some[k : k + 100], when)
        seen: dict[str, Reply] = {}
        for line in lines[2:]:
            seen |= hear(line, EACH // 4)
        second.kill()
        for line in lines[:2]:
            seen |= hear(line, EACH)
        again: dict[str, Reply] = {}
        for line, some in zip([lines[0], lines[0], lines[1], lines[1]], asked, strict=True):
            tell(line, "0201", some, when)
            again |= hear(line, EACH)
        assert len(again) == LINES * EACH
        assert all(again[stan].body == reply.body for stan, reply in seen.items()), "told once, told for ever"
        good = [reply for reply in again.values() if reply.code == "00"]
        assert len(good) == LINES * EACH * (DECLINED - 1) // DECLINED
        assert {reply.code for reply in again.values()} == {"00", "13"}
        receipts = [str(reply.tags.get("RN")) for reply in good]
        by_date: dict[str, list[int]] = {}
        for receipt in receipts:
            by_date.setdefault(receipt[:10], []).append(int(receipt[10:19]))
        for date, serials in by_date.items():  # two, if midnight's cut-over fell into the test
            assert sorted(serials) == list(range(1, len(serials) + 1)), date
        assert first.stop() == 0
        verify = first.run("ledgerctl", "verify", check=False)
        assert verify.returncode == 0, verify.stdout + verify.stderr


@pytest.mark.slow
@pytest.mark.postgres
def test_a_reversal_on_one_daemon_and_its_original_on_the_other(tmp_path: Path, empty_postgres_url: str) -> None:
    """Before it, after it, or at once: in the end the bill is unpaid and the bank may keep its customer's money."""
    first, second = pair(tmp_path, empty_postgres_url)
    with first, second:
        when, here, there = moment(), first.line().sign_on(), second.line().sign_on()
        for n in range(1, 61):
            stan, bill = f"{n:06d}", bill_number(n)
            back = {"original": ("0200" if n % 2 else "0201", when, stan)}

            def pay(stan: str = stan, bill: str = bill, n: int = n) -> None:
                here.money(("0200", "0201", "0220")[n % 3], stan, bill, AMOUNT, when=when)

            def undo(n: int = n, back: dict[str, tuple[str, str, str]] = back) -> None:
                there.money("0400", f"{n + 1000:06d}", "", AMOUNT, when=when, **back)  # type: ignore[arg-type]

            for act in (pay, undo) if n % 4 < 2 else (undo, pay):
                act()
            paid, undone = here.receive(), there.receive()
            assert (paid.code, undone.code) in {("00", "00"), ("R1", "25")}, n
            other = there.pay(f"{n + 2000:06d}", bill, AMOUNT)
            assert other.code == "00", "the bill is free again"
        assert first.stop() == 0 and second.stop() == 0
        verify = first.run("ledgerctl", "verify", check=False)
        assert verify.returncode == 0, verify.stdout + verify.stderr
