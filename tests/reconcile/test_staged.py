"""Lines of bank files in blocks: what is packed comes back as it was, and what nobody accepted is swept away."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from shebao.reconcile import staged
from shebao.reconcile.items import LINE_SCHEMA, frame

D = 20261123
ONE = ("P", "20261123090000", "000001", "", "柜面 7", "", "3" * 20, 1, "", "01", "", "")
DAY_US = 86_400_000_000


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_blocks_hold_the_lines_in_their_order(monkeypatch: Any, count: int) -> None:
    monkeypatch.setattr(staged, "BLOCK_LINES", 2)
    lines = frame((D, n, *ONE) for n in range(count))
    packed = list(staged.blocks(lines))
    assert [block.block for block in packed] == list(range(max(1, (count + 1) // 2)))
    back = pl.concat([staged.unpacked(block.lines) for block in packed])
    assert back.equals(lines) and dict(back.schema) == LINE_SCHEMA


def test_what_was_staged_and_never_accepted_goes_in_pieces(any_bureau: Any, monkeypatch: Any) -> None:
    """A day later, and not the lines of accepted files, nor what another run stages now."""
    bureau = any_bureau
    monkeypatch.setattr(staged, "BLOCK_LINES", 2)
    bureau.pay("icbc")
    bureau.close("icbc")
    bureau.deliver("icbc", D)
    bureau.told("run", "--bank", "icbc")
    lines = frame((D, n, *ONE) for n in range(7))
    with bureau.store.writing() as conn:
        for staged_us in (5, bureau.now_us - 2 * DAY_US, bureau.now_us - 7):
            for block in staged.blocks(lines):
                staged.stage(conn, 200, staged_us, block)
    with bureau.store.reading() as conn:
        assert staged.abandoned(conn, 200, bureau.now_us) == [5, bureau.now_us - 2 * DAY_US]
    more = []
    for _ in range(4):
        with bureau.store.writing() as conn:
            more.append(staged.unstage(conn, 200, 5))
    assert more == [True, True, True, False]
    assert bureau.rows("SELECT count(*) FROM bank_block WHERE staged_us = 5") == [(0,)]
    bureau.next_day()
    bureau.close("icbc")
    bureau.deliver("icbc", D + 1)
    bureau.told("run", "--bank", "icbc", "--date", str(D + 1))
    left = bureau.rows("SELECT staged_us, lines FROM bank_block ORDER BY staged_us")
    assert [staged.unpacked(block).height for _, block in left] == [1, 0]
    assert {number for number, _ in left} == {number for (number,) in bureau.rows("SELECT staged_us FROM bank_file")}
