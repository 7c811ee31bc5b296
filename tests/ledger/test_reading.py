"""Detail lines: whose values each kind of line bears, and which events never become one."""

from typing import Any

from shebao.ledger.reading import detail_lines


def lines(till: Any, date: int = 20261123) -> list[Any]:
    with till.store.reading() as connection:
        return list(detail_lines(connection, 100, date))


def test_the_day_line_by_line(till: Any) -> None:
    one, two, three = till.add_bills(3)
    paid, voided = till.request("payment", one, stan="000101"), till.request("payment", two, stan="000102")
    declined = till.request("payment", one, bank="rcb", amount=1)
    till.ask(paid, voided, declined)
    till.now_us += 60_000_000
    void = till.undo("void", voided, stan="000103", terminal="T9", branch="elsewhere", channel="02")
    reversal = till.undo("reversal", paid, stan="000104")
    again = till.undo("reversal", paid, stan="000105")
    unvoid = till.undo("reversal", void, stan="000106")
    advice = till.request("advice", three, mti="0220", amount=7, stan="000107")
    assert till.codes(void, reversal, again, unvoid, advice) == ["00", "00", "00", "00", "00"]
    found = lines(till)
    receipts = {line.receipt for line in found}
    assert [(line.kind, line.moment, line.stan, line.original_moment, line.original_stan) for line in found] == [
        ("P", "20261123120000", "000101", "", ""),
        ("P", "20261123120000", "000102", "", ""),
        ("V", "20261123120100", "000103", "20261123120000", "000102"),
        ("R", "20261123120100", "000104", "20261123120000", "000101"),
        ("P", "20261123120100", "000106", "20261123120100", "000103"),
        ("P", "20261123120100", "000107", "", ""),
    ]
    assert [line.amount for line in found] == [12000] * 5 + [7]
    assert len(receipts) == 3 and found[2].receipt == found[4].receipt == found[1].receipt
    assert (found[2].terminal, found[2].branch, found[2].channel, found[2].bill) == ("T1", "余杭01", "01", two)
    with till.store.reading() as connection:
        net = connection.exec_driver_sql("SELECT credits_fen - reversals_fen FROM day WHERE book_id = 100").scalar()
        assert net == sum(x.amount * (1 if x.kind == "P" else -1) for x in found)


def test_each_date_has_its_own(till: Any) -> None:
    one, two = till.add_bills(2)
    till.ask(till.request("payment", one), till.act("cutover", date=20261124), till.request("payment", two))
    assert [line.bill for line in lines(till)] == [one]
    assert [line.bill for line in lines(till, 20261124)] == [two]
    assert lines(till, 20261125) == []
