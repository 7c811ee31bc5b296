"""What a customer's order goes through at a bank, as tables; and how each step's message is made. Pure.

`FATES` says which steps an order takes, `AFTER_TIMEOUT` what a step that was not answered leads to, `MTI` what
each step sends. Time, lines and replies are `bank`'s and `outcomes`' affair.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from shebao.codecs.message import Decoded

from . import messages
from .hours import later
from .messages import Key, Order, Reply
from .wire import Identity

# "lost": the reply never arrives; "late": it arrives after the time-out. "sure": asked again with its own key, as often
# as it takes, instead of being reversed.
FATES: Final[dict[str, tuple[str, ...]]] = {
    "plain": ("pay",),
    "inquire": ("inquire", "pay"),
    "repeat": ("pay", "repeat"),
    "void": ("pay", "void", "pay"),  # the teller's mistake: voided, and paid again at once
    "undone": ("pay", "void"),
    "lost": ("pay lost",),
    "late": ("pay late",),
    "unvoid": ("pay", "void lost"),  # the void times out; its reversal makes the payment stand again
    "advice": ("advise",),
    "advice repeat": ("advise", "repeat"),
    "sure": ("pay sure",),
    "sure void": ("pay sure", "void sure"),
    "back": ("pay sure", "reverse"),  # the customer changed his mind
}
AFTER_TIMEOUT: Final[dict[str, tuple[str, ...]]] = {
    "inquire": ("inquire",),
    "pay": ("reverse", "pay"),  # the customer still stands at the counter
    "repeat": ("repeat",),
    "void": ("unvoid",),
    "network": (),
    "totals": (),
}
GIVEN_UP: Final = frozenset({"void"})  # what was to follow it assumed that it worked
FORWARDED: Final = frozenset({"advise", "reverse", "unvoid"})  # sent again until answered: never given up
MTI: Final = {
    "inquire": "0100",
    "pay": "0200",
    "void": "0200",
    "advise": "0220",
    "reverse": "0420",
    "unvoid": "0420",
    "totals": "0500",
    "network": "0800",
}

Answer = Callable[[Reply | None, Decoded | None], None]  # None: not answered in time


class Case:
    """An order on its way through its steps."""

    __slots__ = ("body", "date", "late", "order", "paid", "paid_mti", "receipt", "todo", "tries", "voided")

    def __init__(self, order: Order, steps: tuple[str, ...]) -> None:
        self.order = order
        self.todo = deque(steps)
        self.tries = 0  # payments sent, one after another
        self.paid: Key | None = None  # the payment or advice sent last
        self.paid_mti = MTI["pay"]
        self.voided: Key | None = None
        self.receipt = ""
        self.date = 0
        self.body = b""  # of the reply that a repeat has to bring again, without MTI and MAC
        self.late: Reply | None = None  # a reply that came after the time-out


class Sent:
    """A message that waits for its reply."""

    __slots__ = ("answer", "at", "case", "fields", "key", "line", "mode", "mti", "step", "wire_key")

    def __init__(self, step: str, mode: str, key: Key, mti: str, fields: dict[int, str], case: Case | None) -> None:
        self.step, self.mode, self.key, self.mti, self.fields, self.case = step, mode, key, mti, fields, case
        self.wire_key = (key.de7, key.stan)  # how a reply names it
        self.line = 0
        self.at = 0.0
        self.answer: Answer | None = None


    @property
    def forwarded(self) -> bool:
        """Sent again, the same, until it is answered."""
        return self.step in FORWARDED or self.mode == "sure"


NewKey = Callable[[int], Key]  # of a transaction time


def make(step: str, mode: str, case: Case, who: Identity, new_key: NewKey) -> Sent:
    """The message of a case's step; the case remembers what later steps refer to."""
    return _MAKERS[step](step, mode, case, who, new_key)


def _inquire(step: str, mode: str, case: Case, who: Identity, new_key: NewKey) -> Sent:
    key = new_key(case.order.moment)
    return Sent(step, mode, key, MTI[step], messages.inquiry(who, case.order, key), case)


def _pay(step: str, mode: str, case: Case, who: Identity, new_key: NewKey) -> Sent:
    key = new_key(later(case.order.moment, 60 * case.tries))
    case.tries += 1
    case.paid, case.paid_mti, case.receipt, case.late = key, MTI[step], "", None
    return Sent(step, mode, key, MTI[step], messages.payment(who, case.order, key), case)


def _repeat(step: str, mode: str, case: Case, who: Identity, new_key: NewKey) -> Sent:
    key = _known(case.paid)
    fields = messages.payment(who, case.order, key)
    return Sent(step, mode, key, messages.repeat_mti(case.paid_mti), fields, case)


def _void(step: str, mode: str, case: Case, who: Identity, new_key: NewKey) -> Sent:
    original = _known(case.paid)
    key = new_key(later(original.moment, 30))
    case.voided = key
    return Sent(step, mode, key, MTI[step], messages.void(who, case.order, key, original), case)


def _reverse(step: str, mode: str, case: Case, who: Identity, new_key: NewKey) -> Sent:
    original = _known(case.paid)
    key = new_key(later(original.moment, 31))
    fields = messages.reversal(who, case.order, key, original, messages.PAY_PROC, case.paid_mti)
    return Sent(step, mode, key, MTI[step], fields, case)


def _unvoid(step: str, mode: str, case: Case, who: Identity, new_key: NewKey) -> Sent:
    original = _known(case.voided)
    key = new_key(later(original.moment, 31))
    fields = messages.reversal(who, case.order, key, original, messages.VOID_PROC)
    return Sent(step, mode, key, MTI[step], fields, case)


def _known(key: Key | None) -> Key:
    if key is None:
        raise AssertionError("a step that follows a payment came before it: see FATES")
    return key


_MAKERS: Final[dict[str, Callable[[str, str, Case, Identity, NewKey], Sent]]] = {
    "inquire": _inquire,
    "pay": _pay,
    "advise": _pay,
    "repeat": _repeat,
    "void": _void,
    "reverse": _reverse,
    "unvoid": _unvoid,
}
