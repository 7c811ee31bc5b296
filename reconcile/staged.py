"""The lines of banks' files in the store: staged in blocks that nobody reads until the file is accepted.

A block is some thousand lines in columns (`items.LINE_SCHEMA`), as an Arrow IPC file packed by zstd, which any Arrow
library reads: a row of the table for each line would cost ten times as much, and no one asks the store for one line.
Not what was found in them, nor which file is accepted: that is `shelf`.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Final, NamedTuple

import polars as pl
from sqlalchemy import Connection, and_, delete, func, insert, select

from shebao.ledger.day import DAY_US
from shebao.ledger.schema_day import bank_block, bank_file

from .items import frame

BLOCK_LINES: Final = 20_000  # under 1 MB packed, so that no transaction is held for long
WRITTEN_DAYS: Final = 1  # a staging that was never accepted is swept away after so many days


class Block(NamedTuple):
    """A row of `bank_block` without the keys of its file."""

    block: int  # from 0, in the file's order
    lines: bytes


def blocks(lines: pl.DataFrame) -> Iterator[Block]:
    """Lines packed, before any lock is taken; one block at least, which takes the file's number."""
    for number, start in enumerate(range(0, max(lines.height, 1), BLOCK_LINES)):
        packed = BytesIO()
        part = lines.slice(start, BLOCK_LINES)
        part.write_ipc(packed, compression="zstd", compat_level=pl.CompatLevel.oldest())
        yield Block(number, packed.getvalue())


def unpacked(block: bytes) -> pl.DataFrame:
    """The lines of a block, as a frame of lines."""
    return pl.read_ipc(BytesIO(block))


def bank_lines(conn: Connection, book_id: int, first: int, last: int, but: int, bills: pl.Series) -> pl.DataFrame:
    """Lines of accepted files of a span, `but` one date, of some bills only."""
    of_it = and_(bank_file.c.book_id == bank_block.c.book_id, bank_file.c.staged_us == bank_block.c.staged_us)
    query = (
        select(bank_block.c.lines)
        .join(bank_file, of_it)
        .where(bank_file.c.book_id == book_id, bank_file.c.date.between(first, last), bank_file.c.date != but)
        .order_by(bank_file.c.date, bank_block.c.block)
        .execution_options(yield_per=1)
    )
    wanted = pl.col("bill").is_in(bills.implode())
    return pl.concat([frame([]), *(unpacked(block).filter(wanted) for block in conn.execute(query).scalars())])


def lines_of(conn: Connection, book_id: int, staged_us: int) -> pl.DataFrame:
    """All lines of one file."""
    of_it = and_(bank_block.c.book_id == book_id, bank_block.c.staged_us == staged_us)
    query = select(bank_block.c.lines).where(of_it).order_by(bank_block.c.block).execution_options(yield_per=1)
    return pl.concat([frame([]), *map(unpacked, conn.execute(query).scalars())], rechunk=True)


# -- writing: the caller holds the book's lock -----------------------------------------------------------------------


def fresh_number(conn: Connection, book_id: int, now_us: int) -> int:
    """A number for blocks to be staged under."""
    used = [
        conn.execute(select(func.max(table.c.staged_us)).where(table.c.book_id == book_id)).scalar() or 0
        for table in (bank_block, bank_file)
    ]
    return max(now_us, *(number + 1 for number in used))


def stage(conn: Connection, book_id: int, staged_us: int, block: Block) -> None:
    conn.execute(insert(bank_block).values(book_id=book_id, staged_us=staged_us, **block._asdict()))


def abandoned(conn: Connection, book_id: int, now_us: int) -> list[int]:
    """Numbers of what was staged long ago for a file that never was accepted. Only this one needs no lock."""
    known = select(bank_file.c.staged_us).where(bank_file.c.book_id == book_id)
    old = bank_block.c.staged_us < now_us - WRITTEN_DAYS * DAY_US
    found = select(bank_block.c.staged_us).where(bank_block.c.book_id == book_id, old)
    return sorted(conn.execute(found.where(bank_block.c.staged_us.not_in(known)).distinct()).scalars())


def unstage(conn: Connection, book_id: int, staged_us: int) -> bool:
    """Forgets the last block of an abandoned staging; gives whether there are more."""
    of_it = and_(bank_block.c.book_id == book_id, bank_block.c.staged_us == staged_us)
    last: int | None = conn.execute(select(func.max(bank_block.c.block)).where(of_it)).scalar()
    conn.execute(delete(bank_block).where(of_it, bank_block.c.block == last))
    return bool(last)
