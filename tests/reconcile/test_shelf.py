"""What the shelf reads a million rows at a time, against the same read one by one; and what it sweeps away."""

from __future__ import annotations

from typing import Any

import pytest

from shebao.ledger import reading
from shebao.ledger.reading import detail_lines
from shebao.reconcile import shelf
from shebao.reconcile.items import frame

D = 20261123


@pytest.mark.parametrize("at_once", [reading.TEXT_LINES, 2])
def test_the_books_lines_at_once_are_the_detail_lines(any_bureau: Any, monkeypatch: Any, at_once: int) -> None:
    """Of a closed date and of the open one after it; voids and their reversals, blanks at ends, columns left empty."""
    monkeypatch.setattr(reading, "TEXT_LINES", at_once)
    bureau = any_bureau
    for date in (D, D + 1):
        _, first, second = (bureau.pay("icbc") for _ in range(3))
        void = bureau.undo(second, "void")
        bureau.undo(first)
        bureau.undo(void)
        odd = bureau.request("icbc", "payment", "0200", bureau.bill(), 12000)
        assert bureau.ask(odd._replace(rrn=" 1 2        ", terminal="A|,\"  ", branch="")) == ["00"]
        if date == D:
            bureau.close("icbc")
            bureau.next_day()
        with bureau.store.reading() as conn:
            found = shelf.ledger_lines(conn, 200, date)
            told = frame(
                (one.date, n, one.kind, one.moment, one.stan, *(text.rstrip() for text in one[3:6]), *one[7:13])
                for n, one in enumerate(detail_lines(conn, 200, date), 1)
            )
        assert found.height == 7 and found.equals(told) and found.schema == told.schema
    with bureau.store.reading() as conn:
        assert shelf.ledger_lines(conn, 200, D + 2).equals(frame([]))


def test_what_was_staged_and_never_accepted_goes_in_pieces(bureau: Any, monkeypatch: Any) -> None:
    """A day later, and not the lines of accepted files, nor what another run stages now."""
    monkeypatch.setattr(shelf, "STAGED", 2)
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D)
    bureau.told("run", "--bank", "icbc")
    one = ("P", "20261123090000", "000001", "", "", "", "3" * 20, 1, "", "01", "", "")
    lines = frame((D, n, *one) for n in range(7))
    day = 86_400_000_000
    with bureau.store.writing() as conn:
        for staged_us in (5, bureau.now_us - 2 * day, bureau.now_us - 7):
            shelf.stage(conn, shelf.staged_rows(200, staged_us, lines))
    with bureau.store.reading() as conn:
        assert shelf.abandoned(conn, 200, bureau.now_us) == [5, bureau.now_us - 2 * day]
    more = []
    for _ in range(4):
        with bureau.store.writing() as conn:
            more.append(shelf.unstage(conn, 200, 5))
    assert more == [True, True, True, False]
    assert bureau.rows("SELECT count(*) FROM bank_line WHERE staged_us = 5") == [(0,)]
    bureau.next_day()
    bureau.close("icbc")
    bureau.deliver("icbc", D + 1)
    bureau.told("run", "--bank", "icbc", "--date", str(D + 1))
    left = bureau.rows("SELECT DISTINCT staged_us FROM bank_line WHERE line < 7 AND bill LIKE '333%'")
    assert left == []
    assert bureau.rows("SELECT count(*) FROM bank_line") == [(1,)]
