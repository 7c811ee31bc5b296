"""A bank's own books of this world: what it believes to have taken and given back, as its statement file says it.

Made of what the bank sent and what it was told, never of the switch's tables. Where a reply was lost the two honestly
differ; and a bank errs now and then: a line in the neighbouring date, twice, of another amount, or left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date as Date
from datetime import timedelta
from random import Random
from typing import Final

from shebao.codecs.statement import StatementLine

from .almanac import as_int, due_date, nearest, nearest_date, written
from .core import Core
from .lines import Sent
from .said import PAY, VOID

TERMINAL, BRANCH = "T0000001", "330110000BR0001"  # of every message (`messages.Order`)
CUT_OVER: Final = "23:00:00"
Content = tuple[str, str, str, str, int, str, str]


class Passbook:
    """Of one bank. It grows with what the bank says and hears; `lines` of a date may be asked at any time."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._slips: dict[int, str] = {}  # by message: how the clerk who wrote it down erred
        self._random = Random(f"passbook {core.bank} {core.place.plan.seed}")
        self.careless = self._random.choice((0.0, 0.05, 0.2, 0.5))  # share of lines with a slip

    def lines(self, day: Date) -> list[StatementLine]:
        """What the bank says of that settlement date."""
        found: list[StatementLine] = []
        for date, line, slip in self._all():
            if slip == "late":
                date += timedelta(days=1)
            elif slip == "early":
                date -= timedelta(days=1)
            if date != day or slip == "left out":
                continue
            if slip == "amount":
                line = line._replace(amount=line.amount + 100)
            found += [line._replace(date=as_int(day))] * (2 if slip == "twice" else 1)
        return found

    def _all(self) -> list[tuple[Date, StatementLine, str]]:
        """Every line that it has, in the order of its messages: a payment first, then what undid it."""
        found: list[tuple[Date, StatementLine, str]] = []
        money: dict[tuple[str, str, str], StatementLine] = {}  # payments, by time, STAN and bill
        undone: dict[tuple[str, str], StatementLine] = {}  # by their voids
        live: set[tuple[str, str, str]] = set()
        for number, sent in enumerate(self._core.sent):
            if sent.flaw or not sent.tries or sent.network:
                continue
            said, moment = sent.said, self._moment(sent)
            if said.proc == PAY and said.mti in ("0200", "0220"):
                key = moment, said.stan, said.bill
                if key in money or not self._has_taken(number, sent):
                    continue
                line = self._line("P", moment, sent, said.bill, said.amount, said.channel or "01")
                money[key] = line
                live.add(key)
                found.append((self._day(sent), line, self._slip(number)))
                continue
            if said.mti not in ("0200", "0400", "0420") or sent.answer not in ("00", "R2"):
                continue
            root = self._root(sent)
            if said.proc == VOID and said.mti != "0200":  # a void's own reversal: the money is there again
                first = undone.pop(root, None)
                if first is not None and self._does(number, sent):
                    line = self._line("P", moment, sent, first.bill, first.amount, first.channel, root)
                    live.add((first.moment, first.stan, first.bill))
                    found.append((self._day(sent), line, self._slip(number)))
                continue
            mine = next((key for key in money if key[:2] == root and key in live), None)
            if mine is None or not self._does(number, sent):
                continue
            first, is_void = money[mine], said.mti == "0200"
            line = self._line("V" if is_void else "R", moment, sent, first.bill, first.amount, first.channel, root)
            live.discard(mine)
            if is_void:
                undone[moment, said.stan] = first
            found.append((self._day(sent), line, self._slip(number)))
        return found

    def _has_taken(self, number: int, sent: Sent) -> bool:
        """Approved; or an advice, which is of money that it has; or not known, and this bank took it for done."""
        if sent.answer in ("", "91", "96", "68"):
            return sent.said.mti == "0220" or self._habit(number) < 0.3
        return sent.answer == "00"

    def _does(self, number: int, sent: Sent) -> bool:
        """Too late at the switch: most banks have paid the money out all the same, by reversal."""
        return sent.answer == "00" or (sent.said.mti != "0200" and self._habit(number) < 0.7)

    def _habit(self, number: int) -> float:
        return Random(f"habit {self._core.bank} {number} {self._core.place.plan.seed}").random()

    def _slip(self, number: int) -> str:
        if number not in self._slips:
            slips = ("late", "early", "late", "twice", "amount", "left out", "left out")
            careless = self._random.random() < self.careless
            self._slips[number] = self._random.choice(slips) if careless else ""
        return self._slips[number]

    def _moment(self, sent: Sent) -> str:
        near = sent.said_at
        moment = nearest(sent.said.de7, near)
        assert moment is not None
        return f"{moment:%Y%m%d%H%M%S}"

    def _root(self, sent: Sent) -> tuple[str, str]:
        """Time and STAN of what DE90 speaks of."""
        near = written(self._moment(sent))
        moment = nearest(sent.said.de90[10:20], near)
        assert moment is not None
        return f"{moment:%Y%m%d%H%M%S}", sent.said.de90[4:10]

    @staticmethod
    def _day(sent: Sent) -> Date:
        """As the switch told it (DE15); without that by the bank's own clock."""
        own = due_date(sent.said_at, CUT_OVER)
        return nearest_date(sent.day, own) if sent.day else own

    @staticmethod
    def _line(
        kind: str, moment: str, sent: Sent, bill: str, amount: int, channel: str, original: tuple[str, str] = ("", "")
    ) -> StatementLine:
        rrn = sent.tries[0].fields[37]
        return StatementLine(
            0, moment, sent.said.stan, rrn, TERMINAL, BRANCH, kind, bill, amount, "", channel, *original
        )


def content(lines: Sequence[StatementLine]) -> Counter[Content]:
    """What two files say, whatever their order, RRNs and receipts."""
    return Counter(
        (one.kind, one.moment, one.stan, one.bill, one.amount, one.original_moment, one.original_stan) for one in lines
    )
