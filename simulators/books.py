"""A bank's own books: what it believes to have collected and given back, by settlement date. Pure.

The lines are those of its statement file (settlement.md section 4). A payment whose reply never came and whose
reversal was answered 00 is booked with its reversal: had the switch not known the payment, it would have
answered 25. Its receipt stays empty then, which a bank's own file may.
"""

from __future__ import annotations

from collections import Counter

from shebao.codecs.statement import StatementLine, Totals, totals_of

from .messages import Key, Order, rrn


class Books:
    def __init__(self) -> None:
        self._lines: dict[int, list[StatementLine]] = {}
        self._receipts: set[str] = set()
        self.twice: Counter[str] = Counter()  # receipt numbers that two payments were given

    def payment(self, order: Order, key: Key, date: int, receipt: str) -> None:
        if receipt in self._receipts:
            self.twice[receipt] += 1
        elif receipt:
            self._receipts.add(receipt)
        self._add(_line(order, key, date, "P", receipt))

    def void(self, order: Order, key: Key, date: int, receipt: str, original: Key) -> None:
        self._add(_line(order, key, date, "V", receipt, original))

    def reversal(self, order: Order, key: Key, date: int, receipt: str, original: Key) -> None:
        self._add(_line(order, key, date, "R", receipt, original))

    def void_reversal(self, order: Order, key: Key, date: int, receipt: str, void: Key) -> None:
        """The payment stands again: a P line that names the void as its original."""
        self._add(_line(order, key, date, "P", receipt, void))

    def dates(self) -> list[int]:
        return sorted(self._lines)

    def lines(self, date: int) -> list[StatementLine]:
        """In the order in which the bank booked them."""
        return list(self._lines.get(date, ()))

    def totals(self, date: int) -> Totals:
        return totals_of(self._lines.get(date, ()))

    def _add(self, line: StatementLine) -> None:
        self._lines.setdefault(line.date, []).append(line)


def _line(
    order: Order, key: Key, date: int, kind: str, receipt: str, original: Key | None = None
) -> StatementLine:
    return StatementLine(
        date=date,
        moment=str(key.moment),
        stan=key.stan,
        rrn=rrn(key),
        terminal=order.terminal.rstrip(" "),
        branch=order.branch.rstrip(" "),
        kind=kind,
        bill=order.bill,
        amount=order.amount,
        receipt=receipt,
        channel=order.channel,
        original_moment=str(original.moment) if original else "",
        original_stan=original.stan if original else "",
    )
