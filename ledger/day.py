"""Calendar and settlement dates: years for dates that come without, limits of age, cut-over.

Times are ints in China Standard Time (see `facts`). Nothing here reads a clock or knows a time zone of the
system: "now" is an argument. How a closed date becomes a file is not here (`reconcile.close`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Final

from shebao.codecs.errors import Code

from .facts import Book, Day, Decision, Effects, Facts, Request

CST: Final = timezone(timedelta(hours=8), "CST")

# States of a settlement date, in order (settlement.md section 3); in the last two the bank's file has been accepted.
OPEN, CLOSED, RECONCILED, SETTLED = STATES = ("OPEN", "CLOSED", "RECONCILED", "SETTLED")
AGREED: Final = frozenset({RECONCILED, SETTLED})

DAY_US: Final = 86_400_000_000
AGE_MAX_US: Final = DAY_US  # of a new request, in either direction
AGE_MAX_ADVICE_US: Final = 7 * DAY_US  # of advices and reversals, into the past
OTHER_DATES: Final = 7  # a bank's line and the ledger's are sought this many dates either side of one another

# No book gives out as many receipts of a date in 24 hours: 5,000 a second, all day long.
RECEIPTS_A_DAY: Final = 432_000_000
RECEIPTS_A_RESTORE: Final = 1_000_000  # beyond that pace, between two restores
RESTORES_APART: Final = 100  # and then no more, since a date has 10^9 - 1 numbers
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LEAP_SPAN: Final = 8  # years at most from one 29 February to the next


# -- arithmetic -------------------------------------------------------------------------------------------

def as_date(day: int) -> date:
    """YYYYMMDD to a date; ValueError if there is no such day."""
    return date(day // 10_000, day // 100 % 100, day % 100)


def as_int(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


@lru_cache(maxsize=1024)
def add_days(day: int, days: int) -> int:
    """A YYYYMMDD some days later (earlier: negative)."""
    return as_int(as_date(day) + timedelta(days=days))


def iso(day: int) -> str:
    """YYYYMMDD as people read it: YYYY-MM-DD."""
    return f"{day // 10_000:04d}-{day // 100 % 100:02d}-{day % 100:02d}"


def days_between(earlier: int, later: int) -> int:
    return (as_date(later) - as_date(earlier)).days


def time_of(now_us: int) -> datetime:
    """Microseconds since the epoch to an aware time in CST."""
    return (_EPOCH + timedelta(microseconds=now_us)).astimezone(CST)


def moment_of(now_us: int) -> int:
    """Microseconds since the epoch to YYYYMMDDhhmmss."""
    return int(time_of(now_us).strftime("%Y%m%d%H%M%S"))


@lru_cache(maxsize=64)  # a batch has one moment
def date_of(now_us: int) -> int:
    """Microseconds since the epoch to YYYYMMDD."""
    return as_int(time_of(now_us).date())


@lru_cache(maxsize=4096)
def us_of(moment: int) -> int:
    """YYYYMMDDhhmmss to microseconds since the epoch."""
    clock = moment % 1_000_000
    day = as_date(moment // 1_000_000)
    told = datetime(day.year, day.month, day.day, clock // 10_000, clock // 100 % 100, clock % 100, tzinfo=CST)
    return (told - _EPOCH) // timedelta(seconds=1) * 1_000_000


def mmdd(day: int) -> str:
    """A date as DE15 tells it."""
    return f"{day % 10_000:04d}"


# -- years ------------------------------------------------------------------------------------------------

def year_of(mmddhhmmss: str, near: datetime) -> int | None:
    """A DE7 with the year that puts it nearest to `near` (aware), as a moment (wire.md section 6, rule 3).

    None when no year has such a day or the day no such time. 29 February goes to the nearest leap year.
    """
    month, day, hour, minute, second = (int(mmddhhmmss[i : i + 2]) for i in range(0, 10, 2))
    here = near.astimezone(CST)
    best: tuple[timedelta, int] | None = None
    span = _LEAP_SPAN if (month, day) == (2, 29) else 1
    for year in range(here.year - span, here.year + span + 1):
        try:
            told = datetime(year, month, day, hour, minute, second, tzinfo=CST)
        except ValueError:
            continue
        away = abs(told - here)
        if best is None or away < best[0]:
            best = away, year
    if best is None:
        return None
    return best[1] * 10**10 + int(mmddhhmmss)


def date_near(text: str, near: datetime) -> int | None:
    """A DE13 or DE15 with the year that puts it nearest to `near`, as a date (wire.md section 6, rule 3)."""
    moment = year_of(text + "000000", near)
    return None if moment is None else moment // 1_000_000


# -- age --------------------------------------------------------------------------------------------------

def age_fault(request: Request, now_us: int) -> int:
    """The field by which a message is too old or too far ahead, else 0 (wire.md section 6, rule 3).

    New requests may be 1 day from now; advices and reversals up to 7 days old. DE13 is a date, so it is
    judged in whole days. A command's act has no MTI and no age.
    """
    if not request.mti:
        return 0
    oldest_us = AGE_MAX_ADVICE_US if request.mti[1] == "4" or request.mti[2] == "2" else AGE_MAX_US
    age_us = now_us - us_of(request.moment)
    if not -AGE_MAX_US <= age_us <= oldest_us:
        return 7
    if request.local_date:
        age_days = days_between(request.local_date, date_of(now_us))
        if not -AGE_MAX_US <= age_days * DAY_US <= oldest_us:
            return 13
    return 0


# -- cut-over ---------------------------------------------------------------------------------------------

def first_date(now_us: int, cutover: time) -> int:
    """The first settlement date of a new bank: today, after cut-over tomorrow (wire.md section 6, rule 10)."""
    here = time_of(now_us)
    today = as_int(here.date())
    return today if here.time() < cutover else add_days(today, 1)


def cutovers_due(open_date: int, now_us: int, cutover: time) -> tuple[int, ...]:
    """The new dates that the clock opens, oldest first (wire.md section 6, rule 10).

    A date is closed by the clock once `cutover` of that calendar day has come: so a date that was opened
    ahead by message is left alone, and however the clock jumps no date is closed twice.
    """
    last = first_date(now_us, cutover)
    return tuple(add_days(open_date, n + 1) for n in range(days_between(open_date, last)))


def cut_over(request: Request, facts: Facts) -> Decision:
    """Close the open date and open `request.date`, the next calendar day (wire.md section 6, rule 10).

    By message, clock or command alike: only to the day after the open date, and not beyond tomorrow. The
    date already open: 00 again, nothing changes. Any other: 30, DE44 015.
    """
    book = facts.books[request.book_id]
    if request.date == book.open_date:
        return Decision(Code.APPROVED, note=f"settlement date {iso(book.open_date)} is open already")
    tomorrow = add_days(date_of(facts.now_us), 1)
    after = add_days(book.open_date, 1)
    if request.date != after or request.date > tomorrow:
        note = f"the open date is {iso(book.open_date)}: only the day after it, {iso(after)}, can be opened"
        if request.date == after:
            note = f"{iso(book.open_date)} has not come yet; it can be closed from that day's 00:00 on"
        return Decision(Code.FORMAT, {44: "015"}, note=note)
    return Decision(Code.APPROVED, effects=_closing(book, facts))


def _closing(book: Book, facts: Facts) -> Effects:
    closing = facts.days[book.book_id, book.open_date]
    if closing is None:
        raise LookupError(f"book {book.book_id} has no row for its open date {book.open_date}")
    opened = add_days(book.open_date, 1)
    closed = closing._replace(state="CLOSED", closed_us=facts.now_us, last_seq=book.next_seq)
    fresh = Day(book.book_id, opened, "OPEN", facts.now_us, None, 0, 0, 0, 0, 0)
    after = book._replace(open_date=opened, next_receipt=first_receipt(book.next_receipt))
    return Effects(kind="cutover", days=(closed, fresh), book=after)


# -- restore ----------------------------------------------------------------------------------------------

def first_receipt(next_receipt: int) -> int:
    """The first receipt of a new date: 1, unless the book's gap after a restore reaches into it (`after_restore`)."""
    return max(1, next_receipt - RECEIPTS_A_DAY)


def after_restore(book: Book, now_us: int, earlier: int) -> int:
    """The first receipt that a restored book gives: beyond all that it may have given since its backup was made.

    What it gave is lost, so this rests on the clock: a date is opened on its day before at the earliest, and from
    then on gave out fewer than RECEIPTS_A_DAY in any 24 hours, on whatever copy of the books. It holds for the dates
    that follow as well, by `first_receipt`. earlier: restores that are known of; a later one always begins higher.
    """
    since_us = max(0, now_us - us_of(add_days(book.open_date, -1) * 1_000_000))
    beyond = RECEIPTS_A_RESTORE * min(1 + earlier, RESTORES_APART)
    return max(since_us * RECEIPTS_A_DAY // DAY_US + beyond, book.next_receipt + RECEIPTS_A_RESTORE)


def restored(request: Request, facts: Facts) -> Decision:
    """Begin a restored book anew: one event, and with it the gap in its receipts, up to `request.original_text`.

    The bureau's book gives no receipts; its event only records the restore.
    """
    book = facts.books[request.book_id]
    if not book.open_date:
        return Decision(Code.APPROVED, effects=Effects(kind="restored", date=date_of(facts.now_us)))
    gap_end = int(request.original_text)
    return Decision(Code.APPROVED, effects=Effects(kind="restored", book=book._replace(next_receipt=gap_end)))
