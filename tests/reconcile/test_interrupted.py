"""A run that is killed between any two of its transactions, or overtaken by another: the next one mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from shebao.reconcile import shelf, staged
from shebao.reconcile.commands import desk_of
from shebao.reconcile.run import Desk, Result
from shebao.reconcile.run import run as run_date

BANKS = {"rcb": 100, "icbc": 200, "ccb": 300, "boc": 400}
D = 20261123
each_bank = pytest.mark.parametrize("bank", BANKS)


class Killed(Exception):
    """In the place of a process that ends at once."""


AHEAD = """
    SELECT day.date FROM day JOIN exception USING (book_id, date)
    WHERE day.state IN ('RECONCILED', 'SETTLED') AND exception.state = 'OPEN' AND item_class <> 'SUSPENSE'
"""  # a state that its exceptions do not allow


def locking(desk: Desk, before: Callable[[int], None], after: Callable[[int], None]) -> Desk:
    """The desk; `before` and `after` are told of each of its transactions, by number, at either end."""
    numbers = iter(range(1000))

    @contextmanager
    def lock(book_id: int) -> Iterator[Connection]:
        number = next(numbers)
        before(number)
        with desk.lock(book_id) as conn:
            yield conn
        after(number)

    return desk._replace(lock=lock)


def prepared(bureau: Any, bank: str, monkeypatch: Any) -> tuple[Desk, Callable[[Desk], Result]]:
    """Six payments; the bank lists two of them twice, and forgets one. Every transaction is small."""
    monkeypatch.setattr(staged, "BLOCK_LINES", 2)
    monkeypatch.setattr(shelf, "chunks", lambda rows: ([row] for row in rows))
    for _ in range(6):
        bureau.pay(bank)
    bureau.close(bank)
    bureau.deliver(bank, D, lambda lines: [*lines[1:], *lines[1:3]])
    desk = desk_of(bureau.store, bureau.state, lambda: bureau.now_us)
    spec = bureau.dialect(bank).statement
    return desk, lambda one: run_date(one, bank, BANKS[bank], spec, D)


def check(bureau: Any, bank: str) -> None:
    """All is there, and all of it once."""
    told = bureau.told("run", "--bank", bank, "--date", str(D), code=1)
    assert told["classes"] == {
        "DUPLICATE": 2, "AMOUNT_DIFFERS": 0, "STATE_DIFFERS": 0, "OTHER_DATE": 0, "MATCHED": 5, "BANK_ONLY": 0,
        "LEDGER_ONLY": 1,
    }  # fmt: skip
    listed = sorted(one["class"] for one in bureau.told("exceptions", "--bank", bank))
    assert listed == ["DUPLICATE", "DUPLICATE", "LEDGER_ONLY"]
    kept = "SELECT lines FROM bank_block NATURAL JOIN (SELECT book_id, staged_us FROM bank_file) ORDER BY block"
    assert [staged.unpacked(block).height for (block,) in bureau.rows(kept)] == [2, 2, 2, 1]
    assert bureau.rows("SELECT count(*) FROM bank_file") == [(1,)]


@each_bank
@pytest.mark.parametrize("committed", [False, True], ids=["before it", "after its commit"])
def test_killed_at_every_transaction_in_turn(bureau: Any, bank: str, monkeypatch: Any, committed: bool) -> None:
    """Each run gets one transaction further than the last; until one accepts the file, nothing is seen of them."""
    desk, run = prepared(bureau, bank, monkeypatch)
    days, kills = f"SELECT state FROM day WHERE date = {D} AND book_id = {BANKS[bank]}", 0
    while True:
        def kill(number: int, at: int = kills) -> None:
            if number == at:
                raise Killed

        accepted = bureau.rows("SELECT count(*) FROM bank_file") == [(1,)]
        bureau.now_us += 1
        try:
            run(locking(desk, *((lambda n: None, kill) if committed else (kill, lambda n: None))))
        except Killed:
            kills += 1
            assert accepted or bureau.rows(days) == [("CLOSED",)]
            assert bureau.rows(AHEAD) == []
        else:
            break
    assert kills > 4
    check(bureau, bank)


@each_bank
@pytest.mark.parametrize("at", [0, 2, 4, 7])
def test_overtaken_by_another_run_of_the_same_file(bureau: Any, bank: str, monkeypatch: Any, at: int) -> None:
    """Two people type the same command; one has done all of it while the other stands at some transaction."""
    desk, run = prepared(bureau, bank, monkeypatch)
    done: list[Result] = []

    def other(number: int) -> None:
        if number == at:
            bureau.now_us += 1
            done.append(run(desk))

    run(locking(desk, other, lambda n: None))
    assert len(done) == 1
    check(bureau, bank)


@each_bank
def test_every_line_sent_twice(bureau: Any, bank: str) -> None:
    """Two runs of the bank's own program in one file: right in itself, so each second line is a duplicate."""
    for _ in range(3):
        bureau.pay(bank)
    bureau.undo(bureau.pay(bank))
    bureau.close(bank)
    bureau.deliver(bank, D, lambda lines: [*lines, *lines])
    told = bureau.told("run", "--bank", bank, code=1)
    assert {name: n for name, n in told["classes"].items() if n} == {"MATCHED": 4, "DUPLICATE": 3}
    assert bureau.told("run", "--bank", bank, code=1) == told
