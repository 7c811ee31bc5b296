"""Dates without a year where years meet, and repeats long after: a line's session over real books, with the clock
turned by hand (wire.md section 6, rules 2, 3 and 10)."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from shebao_desk import FEN, PLAIN
from shebao_harness import BANKS, CST, INSTITUTION, KEYS, Switch, dialect_of
from shebao_wire import Value, Wire

from shebao.codecs.compiled import Codec
from shebao.codecs.settings import Limits
from shebao.ledger.books import ensure_books
from shebao.ledger.config import read_settings
from shebao.ledger.store import Store, open_store
from shebao.switch.bank import Bank
from shebao.switch.keys import BankKeys
from shebao.switch.replies import decided
from shebao.switch.session import Reply, Session
from shebao.switch.tally import Tally

Fields = dict[int, Value]
PAID = ["RN", "NM", "MS"]
ALL = {f"de{n}": "*" for n in (74, 75, 76, 77, 86, 87, 88, 89, 97)}
QUIET = SimpleNamespace(debug=print, info=print, warning=print, error=print)


class Clocked(Wire):
    """A line without a socket: bytes go into a session, tickets straight into the store, at a time that is told."""

    def __init__(self, bank: str, store: Store, clock: datetime) -> None:
        self._know(bank)
        self.store, self.clock = store, clock
        dialect = dialect_of(bank)
        self.codec = Codec(dialect)
        keys = BankKeys(dialect.mac)
        keys.take(b"sealed", lambda: bytes.fromhex(KEYS[bank]))
        number, institution = BANKS[bank]
        served = Bank(bank, institution, int(number) * 100, INSTITUTION, dialect, self.codec, keys)
        self.session = Session(served, Limits(), Tally(), self, QUIET, 0.0)  # type: ignore[arg-type]
        asked = self.network("001")
        self.ask("0800", asked).fits(asked, "00", "0810")

    def now_us(self) -> int:
        return int(self.clock.timestamp()) * 1_000_000

    def raw(self, data: bytes) -> None:
        output = self.session.received(data, 0.0, self.now_us())
        self.buffer += output.send
        encode = lambda request, decision: decided(self.codec, request, decision)  # noqa: E731
        answers = self.store.transact([ticket.request for ticket in output.tickets], self.now_us, encode)
        told = [Reply(answer.code, answer.reply) for answer in answers]
        self.buffer += self.session.answered(list(zip(output.tickets, told, strict=True)), 0.0).send

    def answered(self, answers: object) -> None:
        raise AssertionError("answers are taken by hand")

    def _take(self, count: int) -> bytes:
        assert len(self.buffer) >= count, "no answer"
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def key_fields(self, when: str = "", stan: str = "") -> Fields:
        return super().key_fields(when or self.clock.strftime("%m%d%H%M%S"), stan)

    def at(self, clock: datetime | timedelta) -> None:
        self.clock = clock if isinstance(clock, datetime) else self.clock + clock

    def cut_over(self) -> None:
        """Opens the day after the clock's."""
        date = (self.clock + timedelta(days=1)).strftime("%m%d")
        asked = self.network("201", de15=date)
        self.ask("0800", asked).fits(asked, "00", "0810", de15=date)


def cst(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=CST)  # type: ignore[misc,arg-type]


@pytest.fixture(scope="module")
def books(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Switch, Iterator[str]]]:
    folder = tmp_path_factory.mktemp("years")
    (folder / "shebao.db").write_bytes((prepared / "shebao.db").read_bytes())
    switch = Switch(folder)
    store = open_store(switch.database)
    yield store, switch, iter(PLAIN)
    store.close()


@pytest.mark.parametrize("bank", BANKS)
def test_from_year_to_year(books: tuple[Store, Switch, Iterator[str]], bank: str) -> None:
    """One story a bank, since its dates only go forward: New Year, then repeats that come late."""
    store, switch, bills = books
    clock = datetime.now(CST).replace(hour=12)
    ensure_books(store, read_settings(switch.config), int(clock.timestamp()) * 1_000_000)
    wire = Clocked(bank, store, clock)
    year = clock.year
    while wire.clock.strftime("%m%d") != "1231":
        wire.cut_over()
        wire.at(timedelta(days=1))

    # DE7 of the other side, DE13 of either, DE90 and DE15 across it
    wire.at(cst(year, 12, 31, 23, 59, 50))
    bill = next(bills)
    ahead = {**wire.payment(bill, FEN), 7: "0101000010", 12: "000010", 13: "0101"}
    answer = wire.ask("0200", ahead).fits(ahead, "00", "0210", PAID, de15="1231", de38="*")
    assert answer.tag("RN")[:6] == f"{year % 100}1231"
    told = wire.ask("0100", wire.inquiry(("BN", bill)))
    assert (told.code, told.tag("PT")) == ("B1", f"{year + 1}0101000010")
    late = {**wire.payment(next(bills), FEN), 7: "1231235955", 12: "235955", 13: "1231"}
    wire.cut_over()
    wire.at(cst(year + 1, 1, 1, 0, 0, 5))
    answer = wire.ask("0200", late).fits(late, "00", "0210", PAID, de15="0101", de38="*")
    assert answer.tag("RN")[:6] == f"{(year + 1) % 100}0101", "31 December's evening counts for 1 January"
    assert wire.ask("0201", ahead).fields[15] == "1231"
    for asked in (ahead, late):
        reversal = wire.reversal(asked)
        wire.ask("0400", reversal).fits(reversal, "00", "0410", de15="0101")
    totals = wire.totals("1231", 1, FEN, 0, 0)
    wire.ask("0500", totals).fits(totals, "00", "0510", de15="1231", de66="1", **ALL)
    totals = wire.totals("0101", 1, FEN, 2, 2 * FEN)
    answer = wire.ask("0500", totals).fits(totals, "00", "0510", de15="0101", de66="1", **ALL)
    assert answer.fields[97] == f"D{FEN:016d}"
    for old in ("1230235959", "0102120000"):
        asked = {**wire.payment(next(bills), FEN), 7: old, 13: "0101"}
        wire.ask("0200", asked).fits(asked, "30", "0210", de44="007")
    asked = {**wire.payment(next(bills), FEN), 13: "1230"}
    wire.ask("0200", asked).fits(asked, "30", "0210", de44="013")

    first, refused, reversal = wire.payment(next(bills), FEN), wire.payment(next(bills), 1), wire.reversal(late)
    answer, kept, undone = wire.ask("0200", first), wire.ask("0200", refused), wire.ask("0420", reversal)
    for later in (timedelta(hours=25), timedelta(days=7), timedelta(days=160)):
        wire.at(later)
        assert wire.ask("0201", first).tail == answer.tail, "a repeat has no age"
        assert wire.ask("0201", refused).tail == kept.tail
        assert wire.ask("0421", reversal).tail == undone.tail
        fresh = {**first, 11: "999999"}
        wire.ask("0200", fresh).fits(fresh, "30", "0210", de44="007")

    for march in (cst(n, 3, 1, 0, 0, 10) for n in range(year + 2, year + 6)):
        wire.at(march)
        _the_29th_of_february(wire, bills)


def _the_29th_of_february(wire: Clocked, bills: Iterator[str]) -> None:
    """It is there in a leap year; else it is a year away. 10 seconds after the month's end."""
    year, leap = wire.clock.year, isleap(wire.clock.year)
    day = "0229" if leap else "0228"
    bill = next(bills)
    asked = {**wire.payment(bill, FEN), 7: day + "235950", 13: day}
    wire.ask("0200", asked).fits(asked, "00", "0210", PAID, de15="0101", de38="*")
    assert wire.ask("0100", wire.inquiry(("BN", bill))).tag("PT") == f"{year}{day}235950"
    if not leap:
        asked = {**wire.payment(next(bills), FEN), 7: "0229235950", 13: "0301"}
        wire.ask("0200", asked).fits(asked, "30", "0210", de44="007")
        asked = {**wire.payment(next(bills), FEN), 13: "0229"}
        wire.ask("0200", asked).fits(asked, "30", "0210", de44="013")
    for no_date in ("0230120000", "1301000000", "0001000000", "0431120000", "0301240000", "0301235960"):
        asked = {**wire.payment(next(bills), FEN), 7: no_date}
        wire.ask("0200", asked).fits(asked, "30", "0210", de44="007")
