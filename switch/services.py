"""What a bank may ask: the table of wire.md section 5, one row a message, and what each row requires.

Here stands which MTI and DE3 (or DE70) make which service, what a request must hold, and which fields every
reply gives back. Not here: how a request is taken apart (`intake`), or what is answered (`ledger.decide`).
A function that is known but not enabled is a row with `enabled=False`: it is answered 40.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from shebao.ledger.facts import KeyClass

# Fields that every reply gives back as received, refusals too (wire.md section 5).
ECHO: Final = (2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70)
SETTLEMENT_DATE: Final = 15  # given back by totals and cut-over only
CURRENCY: Final = "156"

_COUNTER: Final = (12, 13, 37, 41, 42)  # what every message from a counter, kiosk or net bank holds
_TOTALS: Final = (74, 75, 76, 77, 86, 87, 88, 89, 97)


class Service(NamedTuple):
    """One row: what the switch makes of an MTI with its DE3 or DE70."""

    name: str  # closed list: the label of metrics
    asks: str  # service of a ledger.facts.Request; "" is answered by the line itself
    key_class: KeyClass = KeyClass.NONE
    required: tuple[int, ...] = ()  # beside DE7, 11, 32 and the MAC, ascending
    tags: tuple[str, ...] = ()  # of DE48
    any_of: tuple[str, ...] = ()  # one of these tags, or DE2
    enabled: bool = True
    echo: tuple[int, ...] = ECHO


def _payment(name: str, asks: str, key_class: KeyClass, *extra: int) -> Service:
    required = tuple(sorted((4, *_COUNTER, 48, 49, *extra)))
    return Service(name, asks, key_class, required, ("CH", "BN"))


def _later(name: str, *required: int) -> Service:
    return Service(name, "", KeyClass.REGISTRATION, tuple(sorted((2, *_COUNTER, 48, *required))), enabled=False)


_WITH_DATE: Final = tuple(sorted((*ECHO, SETTLEMENT_DATE)))

INQUIRY: Final = Service("inquiry", "inquiry", required=(*_COUNTER, 48), tags=("CH",), any_of=("BN", "ID"))
PERSON: Final = Service("person", "", enabled=False)
PAYMENT: Final = _payment("payment", "payment", KeyClass.PAYMENT)
VOID: Final = _payment("void", "void", KeyClass.PAYMENT, 90)
ADVICE: Final = _payment("advice", "advice", KeyClass.ADVICE)
REVERSAL: Final = Service("reversal", "reversal", KeyClass.REVERSAL, (4, 37, 49, 90))
ENROLMENT: Final = _later("enrolment")
MANDATE: Final = _later("mandate")
PHONE: Final = _later("phone")
TRANSFER: Final = _later("transfer")
CLAIM: Final = _later("claim", 4)
TOTALS: Final = Service("totals", "totals", required=(15, *_TOTALS), echo=_WITH_DATE)
SIGN_ON: Final = Service("sign-on", "")
SIGN_OFF: Final = Service("sign-off", "")
ECHO_TEST: Final = Service("echo", "")
KEY_EXCHANGE: Final = Service("key-exchange", "", enabled=False)
CUT_OVER: Final = Service("cut-over", "cutover", required=(15,), echo=_WITH_DATE)
UNKNOWN: Final = Service("other", "", enabled=False)  # answered 12

SERVICES: Final = (
    INQUIRY, PERSON, PAYMENT, VOID, ADVICE, REVERSAL, ENROLMENT, MANDATE, PHONE, TRANSFER, CLAIM, TOTALS,
    SIGN_ON, SIGN_OFF, ECHO_TEST, KEY_EXCHANGE, CUT_OVER, UNKNOWN,
)  # fmt: skip

# (MTI, DE3 or DE70) -> service. Totals have neither.
_ROWS: Final[tuple[tuple[str, str, Service], ...]] = (
    ("0100 0101", "390000", INQUIRY),
    ("0100 0101", "391000", PERSON),
    ("0200 0201", "500000", PAYMENT),
    ("0200 0201", "200000", VOID),
    ("0220 0221", "500000", ADVICE),
    ("0400 0401 0420 0421", "500000", REVERSAL),
    ("0400 0401 0420 0421", "200000", REVERSAL),
    ("0600 0601", "910000", ENROLMENT),
    ("0600 0601", "920000", MANDATE),
    ("0600 0601", "920001", MANDATE),
    ("0600 0601", "930000", PHONE),
    ("0600 0601", "940000", TRANSFER),
    ("0600 0601", "950000", CLAIM),
    ("0500 0501 0520 0521", "", TOTALS),
    ("0800 0801", "001", SIGN_ON),
    ("0800 0801", "002", SIGN_OFF),
    ("0800", "101", KEY_EXCHANGE),
    ("0800 0801 0820 0821", "201", CUT_OVER),
    ("0800 0801", "301", ECHO_TEST),
)
_TABLE: Final = {(mti, code): service for mtis, code, service in _ROWS for mti in mtis.split()}

# The field that tells messages of one MTI apart, by the MTI's second digit; the others go by DE3.
_TOLD_APART_BY: Final = {"8": 70, "5": 0}
BEFORE_SIGN_ON: Final = frozenset({"0800", "0801"})

# DE90's MTI -> class of the original's key; others have none, so nothing is found.
CLASS_OF_MTI: Final = {
    mti: service.key_class for (mti, _), service in _TABLE.items() if service.key_class is not KeyClass.NONE
}


def service_of(mti: str, fields: Mapping[int, str]) -> Service:
    """The row for a message; UNKNOWN when there is none."""
    field = _TOLD_APART_BY.get(mti[1], 3)
    return _TABLE.get((mti, fields.get(field, "")), UNKNOWN)


def is_reply(mti: str) -> bool:
    """Whether a message is itself a reply, or of a kind that no reply exists for: never answered."""
    return mti[2] in "13456789"


def reply_mti(mti: str) -> str:
    """The MTI that answers a request's: third digit plus one, last digit made even (repeats count as firsts)."""
    return mti[:2] + str(int(mti[2]) + 1) + str(int(mti[3]) & ~1)
