"""R2 on real lines: what is reconciled, refunded or disposed of can't be reversed any more. Those states are two
people's doing; here they are put into the books by hand, so the seal is not asked afterwards (wire.md section 6,
rule 6)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from shebao_desk import FEN, Desk, today
from shebao_wire import Value, Wire

Fields = dict[int, Value]


@pytest.fixture(scope="module")
def desk(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Desk(prepared, tmp_path_factory.mktemp("desk") / "s") as opened:
        yield opened
        assert opened.switch.stop() == 0


def by_hand(desk: Desk, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(desk.switch.folder / "shebao.db", isolation_level=None, timeout=30)) as books:
        assert books.execute(statement, values).rowcount == 1, statement


def exceptions(desk: Desk, wire: Wire) -> float:
    return desk.metrics()[f'shebao_exceptions_open{{bank="{wire.bank}"}}']


def ok(wire: Wire, mti: str, asked: Fields) -> None:
    assert wire.ask(mti, asked).code == "00"


def r2(wire: Wire, mti: str, asked: Fields) -> None:
    reply = mti[:2] + str(int(mti[2]) + 1) + "0"
    first = wire.ask(mti, asked).fits(asked, "R2", reply, ["MS"] if 48 in asked else None)
    assert wire.ask(mti[:3] + "1", asked).tail == first.tail, "kept"


def test_a_refunded_bill_opens_an_exception(desk: Desk, wire: Wire) -> None:
    bill = desk.bill()
    asked = wire.payment(bill, FEN)
    ok(wire, "0200", asked)
    by_hand(desk, "UPDATE bill SET status = 'REFUNDED' WHERE number = ?", int(bill[:19]))
    before = exceptions(desk, wire)
    r2(wire, "0400", wire.reversal(asked))
    assert exceptions(desk, wire) == before + 1
    inquiry = wire.inquiry(("BN", bill))
    wire.ask("0100", inquiry).fits(inquiry, "B2", "0110", ["MS"])
    r2(wire, "0200", wire.void(asked, bill))
    assert exceptions(desk, wire) == before + 1, "a void opens none"


def test_a_reconciled_date_opens_an_exception(desk: Desk, wire: Wire) -> None:
    """Last in the module: it moves the bank's date."""
    paid, voided, undone, wrong = (desk.bill() for _ in range(4))
    payment, gone, back, advice = (wire.payment(bill, FEN) for bill in (paid, voided, undone, wrong))
    advice[4] = f"{FEN + 7:012d}"
    for asked in (payment, gone, back):
        ok(wire, "0200", asked)
    ok(wire, "0220", advice)
    void = wire.void(gone, voided)
    ok(wire, "0200", void)
    ok(wire, "0400", wire.reversal(back))
    ok(wire, "0800", wire.network("201", de15=today(1)))
    number = {"rcb": 100, "icbc": 200, "ccb": 300, "boc": 400}[wire.bank]
    for state in ("RECONCILED", "SETTLED"):
        by_hand(
            desk, "UPDATE day SET state = ? WHERE book_id = ? AND state IN ('CLOSED', 'RECONCILED')", state, number
        )
        before = exceptions(desk, wire)
        r2(wire, "0400", wire.reversal(payment))
        r2(wire, "0420", wire.reversal(void))
        r2(wire, "0420", wire.reversal(advice, "0220"))
        assert exceptions(desk, wire) == before + 3
        again = wire.reversal(back)
        wire.ask("0400", again).fits(again, "00", "0410", de15=today(1))  # reversed already
        amount = {**wire.reversal(payment), 4: "0" * 12}
        wire.ask("0400", amount).fits(amount, "13", "0410")
        r2(wire, "0200", wire.void(payment, paid))
        r2(wire, "0200", wire.void(gone, voided))
        assert exceptions(desk, wire) == before + 3
