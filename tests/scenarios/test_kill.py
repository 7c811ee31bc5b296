"""kill -9 under load, again and again: every acknowledged payment stands, every repeat gets the first answer."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from shebao_harness import Line, Reply, Switch, bill_number, moment

KILLS = 20
IN_FLIGHT = 40  # per line, before the kill
AMOUNT = 48_000


class Teller:
    """One line's payments: what was sent, what was answered. Keys are STANs; every payment has a bill of its own."""

    def __init__(self, bank: str, first: int) -> None:
        self.bank, self.next = bank, first
        self.when = moment()
        self.sent: dict[str, str] = {}  # STAN -> bill
        self.answered: dict[str, Reply] = {}

    def open(self, switch: Switch) -> Line:
        return switch.line(self.bank).sign_on()

    def send(self, line: Line, count: int) -> None:
        for _ in range(count):
            stan, bill = f"{self.next:06d}", bill_number(self.next)
            self.next += 1
            self.sent[stan] = bill
            line.money("0200", stan, bill, AMOUNT, when=self.when)

    def receive(self, line: Line, count: int) -> None:
        for _ in range(count):
            reply = line.receive()
            assert reply.code == "00", reply
            self.answered[reply.fields[11]] = reply

    def repeat(self, line: Line, stans: list[str]) -> None:
        """As a bank does that does not know: each must get its first answer, or be done now."""
        for stan in stans:
            line.money("0201", stan, self.sent[stan], AMOUNT, when=self.when)
        for _ in stans:
            reply = line.receive()
            assert reply.code == "00", reply
            first = self.answered.setdefault(reply.fields[11], reply)
            assert reply.body == first.body


def kill_and_repeat(switch: Switch, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    banks = list(switch.banks)
    bills_each = kills * IN_FLIGHT + 100
    bills = {
        bill_number(n): AMOUNT for k in range(len(banks)) for n in range(k * bills_each + 1, (k + 1) * bills_each + 1)
    }
    switch.prepare(bills)
    tellers = [Teller(bank, k * bills_each + 1) for k, bank in enumerate(banks)]
    for _ in range(kills):
        switch.start()
        lines = [teller.open(switch) for teller in tellers]
        for teller, line in zip(tellers, lines, strict=True):
            unknown = [stan for stan in teller.sent if stan not in teller.answered]
            known = chance.sample(sorted(teller.answered), min(3, len(teller.answered)))
            teller.repeat(line, unknown + known)
        for teller, line in zip(tellers, lines, strict=True):
            teller.send(line, IN_FLIGHT)
        for teller, line in zip(tellers, lines, strict=True):
            teller.receive(line, chance.randint(0, IN_FLIGHT // 2))
        switch.kill()
        for line in lines:
            line.close()
    switch.start()
    for teller in tellers:
        with teller.open(switch) as line:
            teller.repeat(line, sorted(teller.sent))  # everything, acknowledged or not
    assert switch.stop() == 0
    done = sum(len(teller.sent) for teller in tellers)
    assert done == kills * IN_FLIGHT * len(banks)
    verify = switch.run("ledgerctl", "verify", check=False)
    assert verify.returncode == 0, verify.stdout + verify.stderr
    balance = {
        row["account"]: row["balance"] for row in json.loads(switch.run("ledgerctl", "balance", "--json").stdout)
    }
    assert balance["fund:390"] == done * AMOUNT
    receipts = [reply.tags.get("RN") for teller in tellers for reply in teller.answered.values()]
    assert len(set(receipts)) == done
    for k, teller in enumerate(tellers):
        serials = sorted(int(str(r.tags.get("RN"))[10:19]) for r in teller.answered.values())
        assert serials == list(range(1, len(serials) + 1)), f"receipts of {banks[k]} have a gap"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_sqlite(tmp_path: Path) -> None:
    with Switch(tmp_path / "s") as switch:
        kill_and_repeat(switch, KILLS, seed=1)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_postgres(tmp_path: Path, empty_postgres_url: str) -> None:
    with Switch(tmp_path / "s", database=empty_postgres_url) as switch:
        kill_and_repeat(switch, KILLS, seed=2)
