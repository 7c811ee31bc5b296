"""The nouns of the functional core: a Request, the Facts it is decided against, the Decision.

This module is the vocabulary that `decide`, the store and the lane share. It holds no rule (those live
in `decide`, `payment`, `reversal`, `day`) and does no I/O. All types are frozen; only `Facts` changes,
and only through `journal.apply`, after a decision and its reply are complete: a fault while deciding one
request therefore leaves no trace in the batch (wire.md section 6, rule 1).

Units: money is int fen; a `moment` is an int YYYYMMDDhhmmss in China Standard Time; a `date` is an int
YYYYMMDD; `*_us` is microseconds since the Unix epoch; a `trace` is an int of at most 18 digits,
YYMMDDhhmmss followed by the 6-digit STAN: DE7 with its year and DE11, in one sortable number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from shebao.codecs.settings import Limits

from .desk_facts import DateMoney, Proposal, Ruling, Share


class KeyClass(IntEnum):
    """Class of a request key (wire.md section 6, rule 2). NONE: the message has no key."""

    NONE = 0
    PAYMENT = 1  # 0200, 0201: payment and void
    ADVICE = 2  # 0220, 0221
    REVERSAL = 3  # 0400, 0401, 0420, 0421
    REGISTRATION = 4  # 0600, 0601
    BOOKED = 9  # an item that an operator booked from a bank's file; twins take 10, 11, ...


REPLY_DEADLINE_US: Final = Limits.reply_deadline_s * 1_000_000  # unless the configuration says otherwise
BUREAU_BOOK_ID: Final = 0  # the book of what is no bank's: withdrawals


class Original(NamedTuple):
    """DE90 taken apart, its year resolved: the message that a reversal or void speaks of."""

    key_class: KeyClass  # by its MTI
    trace: int
    institution: str  # DE32 without its zero fill


class Request(NamedTuple):
    """One thing asked of the ledger: a bank's message after intake, or a command's act."""

    service: str  # "inquiry" "payment" "void" "advice" "reversal" "totals" "cutover" "withdraw"
    book_id: int
    bank: str
    mti: str
    key_class: KeyClass
    trace: int  # 0 where key_class is NONE and the sender is no bank
    moment: int  # DE7 with its year
    received_us: int
    echo: Mapping[int, str]  # the fields that every reply gives back, as received
    has_de48: bool = False
    proc: str = ""  # DE3
    amount: int = 0  # DE4
    bill: str = ""  # BN, 20 digits as received
    stan: str = ""
    rrn: str = ""
    terminal: str = ""
    branch: str = ""
    channel: str = ""
    local_date: int = 0  # DE13 with its year, else 0
    card: str = ""  # DE2
    person: str = ""  # ID, its final x upper-cased
    page_after: str = ""  # PG: a bill number
    date: int = 0  # DE15 with its year (totals, cut-over), else 0
    original: Original | None = None
    original_text: str = ""  # DE90 as received: part of the content that a repeat may not change
    totals: Mapping[int, str] = {}  # 74-77 86-89 97 of an 0500
    operator: str = ""  # of a command's act (of a proposal the checker), "clock" or the bank's key for a cut-over
    reason: str = ""
    operator_from: str = ""  # the checker's user id and host
    proposal: Proposal | None = None  # what the checker approves, as he saw it


class Bill(NamedTuple):
    """A row of `bill`. `number` is the 20-digit text; parts are (insurance type, fen) in file order."""

    number: str
    payer_id: str
    payer_name: str
    office: str
    period_from: int
    period_to: int
    issued: int
    due: int
    last_day: int
    owner_only: bool
    amount: int
    parts: tuple[tuple[str, int], ...]
    status: str  # OUTSTANDING PAID WITHDRAWN EXPIRED REFUNDED, as stored: see bills.status_on
    paid_book: int | None = None  # (book, seq) of the live payment
    paid_seq: int | None = None


class Payment(NamedTuple):
    """A row of `payment`: money taken in, by payment, advice or an operator's booking."""

    book_id: int
    seq: int  # of the event that took it
    date: int
    kind: str  # "payment" "advice" "booked"
    receipt: str
    trace: int
    moment: int
    stan: str
    rrn: str
    terminal: str
    branch: str
    channel: str
    bill: str  # 20 digits as received, of a bill that need not exist
    amount: int
    suspense: bool  # the amount stands in suspense, not on the bill; a void's reversal may set it
    state: str  # LIVE REVERSED VOIDED REFUNDED
    undone_seq: int | None = None  # event that undid it and holds now: a void reversed since is not it
    on_bill: str = ""  # the bill that it pays, where an operator put it onto another than `bill`

    @property
    def pays(self) -> str:
        """The bill that it stands on, unless it is in suspense."""
        return self.on_bill or self.bill


class Event(NamedTuple):
    """A row of `event`: one act that the book remembers, and the reply that was given to it.

    `seq` counts from 1 without gap per book; `seal` chains over all events of the book.
    """

    book_id: int
    seq: int
    date: int  # settlement date, as given at commit
    at_us: int
    kind: str  # payment advice void reversal unvoid (a void's reversal) cutover withdraw restored refused noop; and
    # of decisions those of desk.KINDS
    key_class: int
    trace: int
    mti: str
    proc: str
    amount: int
    bill: str  # as received; of a reversal its original's, if there is one
    original_text: str
    stan: str
    rrn: str
    code: str
    # payment of a void or reversal; void of an unvoid; payment retold by an advice; of a decision the payment that it
    # moves, of one that undoes a decision that decision
    origin_seq: int | None
    bill_move: str  # "OUTSTANDING>PAID", or empty
    operator: str
    reason: str
    reply: bytes  # body without MTI and MAC
    seal: bytes


class Transfer(NamedTuple):
    book_id: int
    seq: int
    line: int  # from 1 within its event
    date: int
    debit: str
    credit: str
    amount: int


class Book(NamedTuple):
    """A row of `book`: what a batch locks first."""

    book_id: int
    bank: str
    open_date: int
    next_seq: int
    next_receipt: int  # serial within open_date
    next_exception: int
    seal: bytes


class Day(NamedTuple):
    """A row of `day`: one settlement date of one book, with the running totals of its detail file."""

    book_id: int
    date: int
    state: str  # OPEN CLOSED RECONCILED SETTLED
    opened_us: int
    closed_us: int | None
    credits: int  # number of P lines
    credits_fen: int
    reversals: int  # number of V and R lines
    reversals_fen: int
    last_seq: int  # last event of a closed date, 0 while open


class Early(NamedTuple):
    """A reversal that came before its original (wire.md section 6, rule 6)."""

    book_id: int
    trace: int  # of the original
    proc: str
    seq: int  # of the reversal's event


class Suspense(NamedTuple):
    book_id: int
    seq: int  # of the payment that went to suspense
    amount: int
    state: str  # OPEN REVERSED APPLIED RETURNED
    exception_id: int


class ExceptionItem(NamedTuple):
    """A row of `exception`. The wire opens and closes its own; the rest is a run's, or a decision's, to fill in."""

    book_id: int
    id: int  # 0: not stored yet
    date: int
    item_class: str
    state: str  # OPEN PROPOSED CARRIED DECIDED CLOSED
    seq: int  # of the event that opened it, 0: none
    trace: int
    bill: str
    amount: int
    opened_us: int
    proposal: str = ""
    ledger_json: str = ""
    bank_json: str = ""
    item_key: str = ""
    ledger_date: int = 0
    moved_fen: int = 0
    gap_fen: int = 0  # the bank's net less the ledger's, in `date`
    answer_date: int = 0  # where a later line of the bank answers it
    answer_fen: int = 0
    corrected_fen: int = 0  # of the due, by its decisions
    left_fen: int = 0  # of the gap, knowingly, by the last decision
    decided_seq: int = 0
    decided_date: int = 0
    payment_seq: int = 0  # that its decision booked

    @property
    def remaining_fen(self) -> int:
        """What is still between the bank's net and the due, by this exception."""
        return self.gap_fen + self.answer_fen - self.corrected_fen

    @property
    def due_date(self) -> int:
        """Where its corrections count (settlement.md section 6)."""
        return self.answer_date or self.date


class ToldTotals(NamedTuple):
    """A row of `told_totals`: what a bank's 0500 told of a date, beside what the ledger had at that very moment."""

    book_id: int
    date: int
    at_us: int
    payments: int
    payments_fen: int
    reversals: int
    reversals_fen: int
    ledger_payments: int
    ledger_payments_fen: int
    ledger_reversals: int
    ledger_reversals_fen: int


class Person(NamedTuple):
    id: str
    name: str
    card: str


class Effects(NamedTuple):
    """All that a decision changes. Rows are complete but for what only the encoded reply can tell."""

    kind: str = "refused"
    date: int = 0  # of the event where it is not the book's open date (the bureau's book has none)
    bill_number: str = ""  # of the original, where the request itself names no bill
    origin_seq: int | None = None
    bill_before: Bill | None = None
    bill_after: Bill | None = None
    payment: Payment | None = None  # new row
    payment_after: Payment | None = None  # changed row
    transfers: tuple[Transfer, ...] = ()
    early: Early | None = None
    suspense: Suspense | None = None  # new, or changed (same key)
    exception: ExceptionItem | None = None  # new, or changed (same key)
    other_suspense: Suspense | None = None  # a changed one beside a new one
    other_exception: ExceptionItem | None = None  # likewise
    days: tuple[Day, ...] = ()  # changed or new, whole rows
    book: Book | None = None  # changed by more than the counters that `apply` advances
    told: Request | None = None  # as the event tells it, where an operator books what a bank's line tells
    other_after: Payment | None = None  # a second changed row
    case: ExceptionItem | None = None  # the exception that was decided, changed
    ruling: Ruling | None = None
    shares: tuple[Share, ...] = ()
    proposal: Proposal | None = None  # changed
    replaced: tuple[int, str] | None = None  # date and digest of the file that the next run takes


class Decision(NamedTuple):
    """The outcome of one request: what to answer, and what to change.

    `replay` is the stored reply of the same key: it is sent as it is, nothing changes.
    `effects` None: nothing is remembered either (wire.md rule 2: codes that are decided anew).
    """

    code: str
    fields: Mapping[int, str] = {}  # what the reply adds: DE4, 15, 38, 44, 66, 74...
    tags: tuple[tuple[str, str], ...] = ()  # DE48 of the reply, in order
    replay: bytes | None = None
    effects: Effects | None = None
    note: str = ""  # why, in one English line, for an operator's command
    told: ToldTotals | None = None  # of an 0500: worth remembering, and no reply waits for it


@dataclass(slots=True)
class Facts:
    """Everything that one batch may read, loaded under the batch's locks, and what it has decided so far.

    A lookup of a key that was not loaded is a bug and raises KeyError: absence must have been loaded too
    (None, an empty list). What must be there, for each request:

    - `books`: its book. `banks`: the bank of every book there is (a paid bill may be another bank's).
    - `days`: its book's open date; `request.date` if there is one; the date of each payment below.
    - `events`: (book, own trace) if it has a key; (book, original trace) if it names an original.
    - `early`: (book, own trace, own DE3) if it has a key; (book, original trace, own DE3) of a reversal.
    - `payments`: of every loaded event its own, (book, seq), and its original's, (book, origin_seq), if there
      is one (of a reversal of a void, two steps away, it is not needed); of every PAID bill its live one.
    - `bills`: by `request.bill` where its check digit holds (not of a totals or cut-over), and by the bill of
      every payment above; for an inquiry the bills of the payer.
    - `by_payer`, `people`: the person asked for by `ID`, or found by card; `cards`: DE2 of inquiry and payment.
    - `suspense`, `exceptions`: of every payment above that is in suspense, or was once.
    - of a proposal what `load_desk` says.
    """

    now_us: int
    books: dict[int, Book]
    reply_deadline_us: int = REPLY_DEADLINE_US  # wire.md section 6, rule 9
    banks: dict[int, str] = field(default_factory=dict)  # book -> bank
    days: dict[tuple[int, int], Day | None] = field(default_factory=dict)
    events: dict[tuple[int, int], list[Event]] = field(default_factory=dict)  # (book, trace) -> any class
    early: dict[tuple[int, int, str], Early | None] = field(default_factory=dict)
    payments: dict[tuple[int, int], Payment] = field(default_factory=dict)  # (book, seq)
    bills: dict[str, Bill | None] = field(default_factory=dict)  # by 20-digit number
    by_payer: dict[str, tuple[str, ...]] = field(default_factory=dict)  # payer id -> ascending bill numbers
    people: dict[str, Person | None] = field(default_factory=dict)  # by id
    cards: dict[str, Person | None] = field(default_factory=dict)  # by card
    suspense: dict[tuple[int, int], Suspense] = field(default_factory=dict)
    exceptions: dict[tuple[int, int], ExceptionItem] = field(default_factory=dict)
    proposals: dict[tuple[int, int], Proposal] = field(default_factory=dict)  # (book, id)
    acts: dict[tuple[int, int], Event] = field(default_factory=dict)  # (book, seq): what a proposal speaks of
    entries: dict[tuple[int, int], list[Transfer]] = field(default_factory=dict)  # of those events
    shares: dict[tuple[int, int], list[Share]] = field(default_factory=dict)  # of those events
    decided: dict[tuple[int, int], list[Ruling]] = field(default_factory=dict)  # (book, exception), in order
    referred: dict[tuple[int, str], list[Ruling]] = field(default_factory=dict)  # (book, reference or bill), in order
    special: dict[int, int] = field(default_factory=dict)  # book -> fen that its bank's special account holds
    money: dict[tuple[int, int], DateMoney] = field(default_factory=dict)  # (book, date)
    # what the batch has decided, in order, for the store to write
    new_events: list[Event] = field(default_factory=list)
    new_transfers: list[Transfer] = field(default_factory=list)
    new_payments: dict[tuple[int, int], Payment] = field(default_factory=dict)
    changed_payments: dict[tuple[int, int], Payment] = field(default_factory=dict)
    changed_bills: dict[str, tuple[str, Bill]] = field(default_factory=dict)  # number -> (stored status, bill)
    new_early: list[Early] = field(default_factory=list)
    changed_suspense: dict[tuple[int, int], Suspense] = field(default_factory=dict)
    changed_exceptions: dict[tuple[int, int], ExceptionItem] = field(default_factory=dict)
    changed_days: dict[tuple[int, int], Day] = field(default_factory=dict)
    changed_books: dict[int, Book] = field(default_factory=dict)
    new_rulings: list[Ruling] = field(default_factory=list)
    new_shares: list[Share] = field(default_factory=list)
    changed_proposals: dict[tuple[int, int], Proposal] = field(default_factory=dict)
    replaced_files: list[tuple[int, int, str]] = field(default_factory=list)  # book, date, digest of the new one

    def bank_of(self, book_id: int) -> str:
        """The bank whose book this is; its own batch need not hold that book."""
        book = self.books.get(book_id)
        return self.banks[book_id] if book is None else book.bank
