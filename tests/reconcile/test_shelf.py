"""What the shelf reads a million rows at a time, against the same read one by one."""

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
