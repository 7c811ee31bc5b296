"""Two daemons on one PostgreSQL: the same banks on both, the same bills at once, one winner each."""

from __future__ import annotations

from pathlib import Path

import pytest
from shebao_harness import Switch, bill_number, moment

ROUNDS = 120
AMOUNT = 1_530_000


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(120)
def test_one_winner_each(tmp_path: Path, empty_postgres_url: str) -> None:
    bills = {bill_number(n): AMOUNT for n in range(1, ROUNDS + 1)}
    with (
        Switch(tmp_path / "a", database=empty_postgres_url) as first,
        Switch(tmp_path / "b", database=empty_postgres_url) as second,
    ):
        first.prepare(bills)
        (second.folder / "master.key").write_bytes((first.folder / "master.key").read_bytes())
        (second.folder / "master.key").chmod(0o600)
        first.start()
        second.start()
        when = moment()
        lines = {(switch, bank): switch.line(bank).sign_on() for switch in (first, second) for bank in ("rcb", "icbc")}  # type: ignore[misc]
        for n, bill in enumerate(bills, 1):
            # rcb pays on the first daemon and its twin request arrives on the second; icbc wants the same bill
            lines[first, "rcb"].money("0200", f"{n:06d}", bill, AMOUNT, when=when)  # type: ignore[index]
            lines[second, "icbc"].money("0200", f"{n:06d}", bill, AMOUNT, when=when)  # type: ignore[index]
            lines[second, "rcb"].money("0201", f"{n:06d}", bill, AMOUNT, when=when)  # type: ignore[index]
        won = {"rcb": 0, "icbc": 0}
        answers = {where: {} for where in lines}  # type: ignore[var-annotated]
        for where in ((first, "rcb"), (second, "icbc"), (second, "rcb")):
            for _ in bills:
                reply = lines[where].receive()  # type: ignore[index]
                answers[where][reply.fields[11]] = reply
        for n in range(1, ROUNDS + 1):
            stan = f"{n:06d}"
            one, two, twin = (answers[w][stan] for w in ((first, "rcb"), (second, "icbc"), (second, "rcb")))
            assert sorted((one.code, two.code)) == ["00", "B1"], (one, two)
            assert twin.body == one.body, "a repeat on another daemon gets the same bytes"
            won["rcb" if one.code == "00" else "icbc"] += 1
        assert first.stop() == 0 and second.stop() == 0
        verify = first.run("ledgerctl", "verify", check=False)
        assert verify.returncode == 0, verify.stdout + verify.stderr
        assert sum(won.values()) == ROUNDS
