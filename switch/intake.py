"""From a decoded message to a Request, or to the refusal that the order of checks demands.

The checks stand in the order of wire.md section 6, rule 1, each one line; the first that fails decides. What
comes before them (framing, MAC) is the line's affair; what comes after (key seen before, age, business) is
the ledger's. Nothing here looks anything up.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from shebao.codecs.errors import Code
from shebao.codecs.message import Decoded
from shebao.codecs.tags import TagError, Tags, parse
from shebao.ledger.day import date_near, time_of, us_of, year_of
from shebao.ledger.facts import KeyClass, Original, Request

from . import services
from .bank import Bank
from .replies import echo_of
from .services import Service

SKEW_ALLOWED_US: Final = 15 * 60 * 1_000_000  # a DE7 further off is counted (rule 3)
_HOUR_US: Final = 3_600_000_000
_NO_TAGS: Final = parse(b"")


class Refusal(NamedTuple):
    """An answer that needs no ledger; `field` is the lowest at fault, for code 30 only."""

    code: Code
    field: int = 0


class Moment(NamedTuple):
    """A DE7 with its year."""

    moment: int  # YYYYMMDDhhmmss
    epoch_us: int


def admit(bank: Bank, decoded: Decoded, signed_on: bool) -> Service | Refusal:
    """The checks between the MAC and the required fields (wire.md section 6, rule 1)."""
    if decoded.faults:
        return Refusal(Code.FORMAT, decoded.faults[0].field)
    if decoded.fields.get(32) != bank.institution:
        return Refusal(Code.BANK)
    if not signed_on and decoded.mti not in services.BEFORE_SIGN_ON:
        return Refusal(Code.NOT_SIGNED_ON)
    service = services.service_of(decoded.mti, decoded.fields)
    if service is services.UNKNOWN:
        return Refusal(Code.INVALID)
    if not service.enabled:
        return Refusal(Code.NOT_ENABLED)
    return service


def take_apart(decoded: Decoded, service: Service) -> Tags | Refusal:
    """The check of required fields and DE48 (wire.md section 6, rule 1): the tags, or 30 with the lowest field."""
    fields = decoded.fields
    at_fault = [field for field in service.required if field not in fields]
    if fields.get(49, services.CURRENCY) != services.CURRENCY:
        at_fault.append(49)
    tags = _NO_TAGS
    if 48 in fields:
        try:
            tags = parse(bytes.fromhex(fields[48]))
        except TagError:
            at_fault.append(48)
        else:
            if not _tags_suffice(tags, service, 2 in fields):
                at_fault.append(48)
    if 90 in service.required and 90 in fields and not fields[90].isdigit():
        at_fault.append(90)
    return Refusal(Code.FORMAT, min(at_fault)) if at_fault else tags


def request_of(bank: Bank, decoded: Decoded, service: Service, tags: Tags, received_us: int) -> Request | Refusal:
    """The Request for the ledger; years as wire.md section 6, rule 3, resolves them."""
    fields = decoded.fields
    told = moment_of(fields[7], received_us)
    if told is None:
        return Refusal(Code.FORMAT, 7)
    original = None
    if 90 in service.required:
        original = original_of(fields[90], told.epoch_us)
        if original is None:
            return Refusal(Code.FORMAT, 90)
    get = fields.get
    tag = tags.get
    return Request(
        service=service.asks,
        book_id=bank.book_id,
        bank=bank.key,
        mti=decoded.mti,
        key_class=service.key_class,
        trace=trace_of(told.moment, fields[11]),
        moment=told.moment,
        received_us=received_us,
        echo=echo_of(fields, service.echo),
        has_de48=48 in fields,
        proc=get(3, ""),
        amount=int(get(4, "0")),
        bill=tag("BN") or "",
        stan=fields[11],
        rrn=get(37, ""),
        terminal=get(41, ""),
        branch=get(42, ""),
        channel=tag("CH") or "",
        local_date=_date(get(13, ""), received_us),
        card=get(2, ""),
        person=(tag("ID") or "").upper(),
        page_after=tag("PG") or "",
        date=_date(fields[15], received_us) if services.SETTLEMENT_DATE in service.required else 0,
        original=original,
        original_text=get(90, "") if original is not None else "",
        totals={n: fields[n] for n in service.required if n >= 74} if service is services.TOTALS else {},
        operator=bank.key if service is services.CUT_OVER else "",
    )


def original_of(text: str, near_us: int) -> Original | None:
    """DE90 taken apart: MTI 4, STAN 6, DE7 10, DE32 11, DE33 11 (wire.md section 6, rule 6); DE33 is ignored.

    None: its DE7 is no date. An MTI that has no request key keeps class NONE: nothing will be found.
    """
    told = moment_of(text[10:20], near_us)
    if told is None:
        return None
    key_class = services.CLASS_OF_MTI.get(text[:4], KeyClass.NONE)
    return Original(key_class, trace_of(told.moment, text[4:10]), text[20:31].lstrip("0"))


def moment_of(mmddhhmmss: str, near_us: int) -> Moment | None:
    """A DE7 with the year that puts it nearest to a moment (wire.md section 6, rule 3)."""
    return _resolved(mmddhhmmss, near_us // _HOUR_US)


def trace_of(moment: int, stan: str) -> int:
    """YYMMDDhhmmss and the STAN as one number of at most 18 digits."""
    return moment % 10**12 * 10**6 + int(stan)


def is_skewed(told: Moment | None, received_us: int) -> bool:
    return told is None or abs(told.epoch_us - received_us) > SKEW_ALLOWED_US


@lru_cache(maxsize=4096)  # payments of one second share a DE7; the hour is near enough for half a year
def _resolved(mmddhhmmss: str, near_hour: int) -> Moment | None:
    moment = year_of(mmddhhmmss, time_of(near_hour * _HOUR_US))
    return None if moment is None else Moment(moment, us_of(moment))


def _date(mmdd: str, near_us: int) -> int:
    """A DE13 or DE15 with its year; 0 if there is none."""
    return _resolved_date(mmdd, near_us // _HOUR_US) if mmdd else 0


@lru_cache(maxsize=1024)
def _resolved_date(mmdd: str, near_hour: int) -> int:
    return date_near(mmdd, time_of(near_hour * _HOUR_US)) or 0


def _tags_suffice(tags: Tags, service: Service, card: bool) -> bool:
    if any(tags.get(name) is None for name in service.tags):
        return False
    return not service.any_of or card or any(tags.get(name) is not None for name in service.any_of)
