"""A bureau whose days, bank files and decisions are drawn from one seed: what must hold then, holds after every step.

Days of two banks with payments, advices, voids, reversals of anything; files with planted discrepancies, late ones and
replaced ones; then whatever two people may ask for, sensible or not. The same seed is the same story on any database.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from shebao_sums import check, due, received
from sqlalchemy import select, update

from shebao.codecs.columns import StatementLine
from shebao.ledger import schema
from shebao.ledger.bills import parse_parts
from shebao.ledger.day import add_days, us_of
from shebao.ledger.facts import KeyClass, Original, Request
from shebao.ledger.rulings import ALLOWED
from shebao.reconcile.close import write_day
from shebao.reconcile.commands import desk_of
from shebao.reconcile.cutover import cut_over
from shebao.reconcile.decisions import Office, Who, approve, ask, propose, reject
from shebao.reconcile.inbox import NotThere
from shebao.reconcile.run import Refused, Result, run

BANKS = {"rcb": 100, "icbc": 200}
PEOPLE = ("经办甲", "复核乙", "丙")
MINUTE_US = 60_000_000
PARTS = ("170:9000 390:3000", "170:12000", "310:5000 390:4000", "390:3000")
SENSIBLE = {
    "BANK_ONLY": ("pay", "suspense", "return", "carry", "accept"),
    "LEDGER_ONLY": ("reverse", "reverse", "carry", "accept"),
    "DUPLICATE": ("return", "suspense", "accept"),
    "AMOUNT_DIFFERS": ("suspense", "reverse", "accept"),
    "STATE_DIFFERS": ("pay", "reverse", "reverse", "suspense", "accept"),
    "SUSPENSE": ("pay", "pay", "return"),
    "LATE_REVERSAL": ("reverse", "reverse", "accept"),
}


class Story:
    """One seed's bureau. `say` is told every step, so that a failure can be read."""

    def __init__(self, bureau: Any, seed: int, say: Callable[[str], None] = print) -> None:
        self.bureau, self.random, self._say = bureau, Random(seed), say
        self.desk = desk_of(bureau.store, bureau.state, lambda: bureau.now_us)
        self.office = Office(bureau.store, self.desk, {book_id: bank for bank, book_id in BANKS.items()})
        self.sent: list[Request] = []
        self.bills: list[str] = []
        self.surplus: dict[str, list[StatementLine]] = {bank: [] for bank in BANKS}  # to be taken back, perhaps
        self.late: dict[str, list[StatementLine]] = {bank: [] for bank in BANKS}  # lines for a later file
        self._later: dict[str, list[StatementLine]] = {}
        self.refused: dict[str, list[Request]] = {bank: [] for bank in BANKS}  # reversals answered R2
        self.files: dict[tuple[str, int], list[StatementLine]] = {}
        self.detail: dict[tuple[str, int], bytes] = {}
        self.bank_stan = 900_000
        self.reference = 0
        self.done = {"booked": 0, "refused": 0}
        say(f"seed {seed}")

    def say(self, text: str) -> None:
        self._say(f"{self.bureau.date} {text}")

    # -- the story -------------------------------------------------------------------------------------------------

    def live(self, days: int, steps: int) -> None:
        """Whole days, then the end: everything can be settled."""
        for _ in range(days):
            self.trade(self.random.randint(12, 24))
            for _ in range(steps):
                self.step()
            self.evening()
        for _ in range(steps):
            self.step()
        self.settle()

    def step(self) -> None:
        """Something happens; then all sums are worked out anew."""
        self.bureau.now_us += MINUTE_US
        act = self.random.choices(
            (self.trade, self.run_one, self.deliver, self.propose, self.judge, self.fund, self.replace),
            (2, 2, 1, 9, 9, 3, 1),
        )[0]
        act()
        check(self.bureau)

    def evening(self) -> None:
        """Both banks' dates are closed, one earlier than the other; then it is the next morning."""
        self.bureau.now_us = us_of(self.bureau.date * 1_000_000 + 230000)
        banks = list(BANKS)
        self.random.shuffle(banks)
        for bank in banks:
            self.close(bank, self.bureau.date)
            self.trade(self.random.randint(0, 2))
        self.bureau.next_day()
        self.say("morning")
        for bank in BANKS:
            if self.random.random() < 0.75:
                self.give_file(bank, add_days(self.bureau.date, -1))
        self.run(*self.random.choice(list(self.detail)))
        check(self.bureau)

    # -- the wire --------------------------------------------------------------------------------------------------

    def trade(self, messages: int = 2) -> None:
        for _ in range(messages):
            bank = self.random.choice(list(BANKS))
            kinds = (self._pays, self._advises, self._undoes, self._repeats, self._tells_again, self._withdraws)
            request = self.random.choices(kinds, (10, 3, 4, 2, 3, 1))[0](bank)
            if request is None:
                continue
            (answer,) = self.bureau.store.transact([request], lambda: self.bureau.now_us, lambda one, decision: b"")
            assert answer.decision is not None, (request, answer.fault)
            self.say(f"{request.bank} {request.service} {request.trace} {request.bill} {request.amount}: {answer.code}")
            if request.book_id:
                self.sent.append(request)
            if answer.code == "R2" and request.service == "reversal":
                self.refused[request.bank].append(request)

    def a_bill(self) -> str:
        """A new bill; now and then one whose last day is today."""
        parts = self.random.choice(PARTS)
        number = self.bureau.bill(sum(fen for _, fen in parse_parts(parts)), parts)
        if self.random.random() < 0.15:
            with self.bureau.store.writing() as conn:
                same = schema.bill.c.number == int(number[:19])
                conn.execute(update(schema.bill).where(same).values(last_day=self.bureau.date))
        self.bills.append(number)
        return str(number)

    def some_bill(self) -> str:
        known = self.bills and self.random.random() < 0.5
        return self.random.choice(self.bills) if known else self.a_bill()

    def amount_of(self, number: str) -> int:
        with self.bureau.store.reading() as conn:
            same = schema.bill.c.number == int(number[:19])
            return int(conn.execute(select(schema.bill.c.amount).where(same)).scalar() or 777)

    def _pays(self, bank: str) -> Request:
        bill = self.some_bill()
        return self.bureau.request(bank, "payment", "0200", bill, self.amount_of(bill))  # type: ignore[no-any-return]

    def _advises(self, bank: str) -> Request:
        bill = self.some_bill()
        fen = self.random.choice((self.amount_of(bill), 4321))
        if self.random.random() < 0.3:
            bill = "33011026110109999999"  # there is no such bill
        return self.bureau.request(bank, "advice", "0220", bill, fen)  # type: ignore[no-any-return]

    def _undoes(self, bank: str) -> Request | None:
        """A void, a reversal, the reversal of a void, of anything that was ever sent, or stands in the bank's file."""
        mine = [one for one in self.sent if one.bank == bank and one.service != "reversal"]
        lines = [line for (whose, _), file in self.files.items() if whose == bank for line in file if line.kind == "P"]
        if lines and self.random.random() < 0.25:
            line = self.random.choice(lines)
            told = self.of_line(bank, line)
        elif mine:
            told = self.random.choice(mine[-12:] if self.random.random() < 0.7 else mine)
        else:
            return None
        service = "reversal" if told.service == "void" else self.random.choice(("void", "reversal", "reversal"))
        return self.bureau.undoing(told, service)  # type: ignore[no-any-return]

    def _repeats(self, bank: str) -> Request | None:
        mine = [one for one in self.sent if one.bank == bank]
        return self.random.choice(mine) if mine else None

    def _tells_again(self, bank: str) -> Request | None:
        """A payment told as an advice, or the other way round, with DE7 and DE11 of a message or of a bank's line."""
        lines = [line for (whose, _), file in self.files.items() if whose == bank for line in file if line.kind == "P"]
        told: list[Request] = [one for one in self.sent if one.bank == bank and one.service in ("payment", "advice")]
        told += [self.of_line(bank, line) for line in lines if not line.original_stan]
        if not told:
            return None
        one = self.random.choice(told)
        if self.random.random() < 0.6:
            return one._replace(service="advice", mti="0220", key_class=KeyClass.ADVICE)
        return one._replace(service="payment", mti="0200", key_class=KeyClass.PAYMENT)

    def _withdraws(self, bank: str) -> Request | None:
        if not self.bills:
            return None
        plain = self.bureau.request(bank, "payment", "0200", self.random.choice(self.bills), 0)
        return plain._replace(  # type: ignore[no-any-return]
            service="withdraw", book_id=0, mti="", key_class=KeyClass.NONE, trace=0, proc="", stan="", operator="zhang",
            reason="printed twice",
        )

    def of_line(self, bank: str, line: StatementLine) -> Request:
        """The payment that a line of a bank's file tells of."""
        plain = self.bureau.request(bank, "payment", "0200", line.bill, line.amount, line.moment)
        return plain._replace(trace=int(line.moment[2:] + line.stan), stan=line.stan, rrn=line.rrn)  # type: ignore[no-any-return]

    # -- files -----------------------------------------------------------------------------------------------------

    def close(self, bank: str, date: int) -> None:
        one = type("Bank", (), {"key": bank, "book_id": BANKS[bank]})
        assert cut_over(self.bureau.store, self.desk, one, date, False)  # type: ignore[arg-type]
        self.detail[bank, date] = self.written(bank, date)
        self.say(f"{bank} {date} closed")

    def written(self, bank: str, date: int) -> bytes:
        spec = self.bureau.dialect(bank).statement
        told = write_day(self.desk.read, self.bureau.state, spec, "33011000", bank, BANKS[bank], date)
        return b"".join((told.folder / name).read_bytes() for name in told.files)

    def deliver(self) -> None:
        """A file that is late."""
        missing = [key for key in self.detail if key not in self.files]
        if missing:
            self.give_file(*self.random.choice(missing))

    def give_file(self, bank: str, date: int) -> None:
        lines = self.planted(bank, date)
        self.files[bank, date] = lines
        self.bureau.deliver(bank, date, lines=lines)
        self.say(f"{bank} {date} file of {len(lines)} lines")

    def planted(self, bank: str, date: int) -> list[StatementLine]:
        """Our lines as a bank might list them."""
        told: list[StatementLine] = []
        ours = self.bureau.our_lines(bank, date)
        netted = {one.original_stan for one in ours if one.kind != "P" and self.random.random() < 0.2}
        for line in ours:
            if line.stan in netted or line.original_stan in netted:
                continue
            told += self._as_told(bank, line)
        told += [line._replace(date=date) for line in self.late[bank]]
        self.late[bank] = self._later.pop(bank, [])
        for _ in range(self.random.choice((0, 1, 1, 2))):
            told.append(self.strange(bank, date))
        told += self._taken_back(bank, date)
        if self.random.random() < 0.3:
            self.random.shuffle(told)
        return told

    def _as_told(self, bank: str, line: StatementLine) -> list[StatementLine]:
        later = self._later.setdefault(bank, [])
        what = self.random.random()
        if self.random.random() < 0.3:
            line = line._replace(rrn="", receipt="")
        if line.kind != "P" or line.original_stan:
            if what < 0.1:
                return []
            if what < 0.2:
                later.append(line)
                return []
            return [line, line] if what > 0.95 else [line]
        if what < 0.06:
            return []
        if what < 0.12:
            later.append(line)
            return []
        if what < 0.17:
            self.surplus[bank].append(line)
            return [line, line]
        if what < 0.23:
            return [line._replace(amount=max(1, line.amount + self.random.choice((-100, 5, 1000))))]
        if what < 0.29:
            return [line, self.undoing(line, line.date)]
        return [line]

    def strange(self, bank: str, date: int) -> StatementLine:
        """A payment that the ledger does not know."""
        bill = self.random.choice((self.a_bill, self.some_bill, lambda: "33011026110108888881"))()
        self.bank_stan += 1
        line = StatementLine(
            date, f"{date}10{self.bank_stan % 60:02d}00", f"{self.bank_stan}", "", "T9", "", "P", bill,
            self.random.choice((self.amount_of(bill), self.amount_of(bill), 555)), "", "01",
        )  # fmt: skip
        self.surplus[bank].append(line)
        return line

    def undoing(self, line: StatementLine, date: int) -> StatementLine:
        self.bank_stan += 1
        return line._replace(
            date=date, kind="R", stan=f"{self.bank_stan}", rrn="", moment=f"{date}15{self.bank_stan % 60:02d}00",
            original_moment=line.moment, original_stan=line.stan,
        )  # fmt: skip

    def _taken_back(self, bank: str, date: int) -> list[StatementLine]:
        told = []
        for line in list(self.surplus[bank]):
            if line.date < date and self.random.random() < 0.25:
                self.surplus[bank].remove(line)
                told.append(self.undoing(line, date))
        for request in list(self.refused[bank]):
            original: Original | None = request.original
            if original is None or self.random.random() < 0.5:
                continue
            self.refused[bank].remove(request)
            kind, trace = ("P" if request.proc == "200000" else "R"), f"{original.trace:018d}"
            told.append(StatementLine(
                date, str(request.moment), request.stan, request.rrn, "", "", kind, request.bill, request.amount, "",
                "01", f"20{trace[:12]}", trace[12:],
            ))  # fmt: skip
        return told

    def run_one(self) -> None:
        if self.detail:
            self.run(*self.random.choice(list(self.files or self.detail)))

    def run(self, bank: str, date: int) -> None:
        """A date against its file; a run that changes nothing the second time."""
        spec = self.bureau.dialect(bank).statement

        def again(dry_run: bool = False) -> Result:
            return run(self.desk, bank, BANKS[bank], spec, date, dry_run)

        before = self.all_rows()
        try:
            foreseen = again(dry_run=True)
            self.unchanged_since(before)
            found = again()
        except (Refused, NotThere) as error:
            self.unchanged_since(before)
            self.say(f"run {bank} {date}: {error}")
            return
        self.say(f"run {bank} {date}: {found.state} {found.classes} open {found.exceptions_open}")
        assert (foreseen.state, foreseen.classes, foreseen.exceptions_open) == (
            found.state, found.classes, found.exceptions_open,
        )  # fmt: skip
        check(self.bureau)
        after = self.all_rows()
        same = again()
        assert (same.state, same.classes, same.exceptions_open, same.new) == (
            found.state, found.classes, found.exceptions_open, 0,
        )  # fmt: skip
        self.unchanged_since(after)

    def replace(self) -> None:
        """Another file for a date: what was delivered, with one line less, more, or changed."""
        if not self.files:
            return
        bank, date = self.random.choice(list(self.files))
        lines = list(self.files[bank, date])
        at = self.random.randrange(len(lines)) if lines else 0
        what = self.random.choice(("gone", "amount", "more", "back", "shuffled"))
        if lines and what == "gone":
            del lines[at]
        elif lines and what == "amount":
            lines[at] = lines[at]._replace(amount=lines[at].amount + 100)
        elif what == "more":
            lines.append(self.strange(bank, date))
        elif lines and what == "back" and lines[at].kind == "P":
            lines.append(self.undoing(lines[at], date))
        else:
            self.random.shuffle(lines)
        path = self.bureau.deliver(bank, date, lines=lines)
        self.files[bank, date] = lines
        digest = path.with_name(path.name + ".sm3").read_text()
        self.say(f"{bank} {date} another file, {what}: {digest[:8]}")
        self.ask(BANKS[bank], "replace", dates=str(date), reference=digest)

    # -- the desk --------------------------------------------------------------------------------------------------

    def attempt(self, what: str, act: Callable[[], Any]) -> Any:
        """An act that may be refused; and then nothing has changed."""
        before = self.all_rows()
        try:
            found = act()
        except Refused as error:
            self.unchanged_since(before)
            self.done["refused"] += 1
            self.say(f"{what}: refused: {error}")
            assert "fault of our own" not in str(error), error
            return None
        self.done["booked"] += 1
        self.say(f"{what}: {found if isinstance(found, int) else 'done'}")
        return found

    def ask(self, book_id: int, action: str, **content: Any) -> None:
        who = Who(self.random.choice(PEOPLE), "随机", "here")
        told = f"{self.office.banks[book_id]}: {who.name} proposes {action} {content}"
        self.attempt(told, lambda: propose(self.office, ask(self.office, book_id, who, action, **content)))

    def propose(self) -> None:
        cases = self.bureau.rows(
            "SELECT book_id, id, item_class, state, amount FROM exception ORDER BY book_id, id"
        )
        if not cases:
            return
        waiting = [case for case in cases if case[3] in ("OPEN", "CARRIED")]
        often = waiting if waiting and self.random.random() < 0.8 else cases
        book_id, number, item_class, state, amount = self.random.choice(often)
        if state == "DECIDED" and self.random.random() < 0.7:
            action = "undo"
        elif self.random.random() < 0.85:
            action = self.random.choice(SENSIBLE.get(item_class, ("accept",)))
        else:
            action = self.random.choice(list(ALLOWED))
        onto = reference = ""
        if action == "pay" and self.random.random() < 0.5:
            onto = self.bill_of_amount(amount)
        if action == "return" and self.random.random() < 0.4:
            reference = self.new_reference()
        self.ask(book_id, action, exception_id=number, bill=onto, reference=reference)

    def bill_of_amount(self, amount: int) -> str:
        """A bill that this amount could pay, by its amount."""
        with self.bureau.store.reading() as conn:
            right = schema.bill.c.amount == amount, schema.bill.c.status == "OUTSTANDING"
            found = sorted(conn.execute(select(schema.bill.c.number).where(*right)).scalars())
        known = {number[:19]: number for number in self.bills}
        numbers = [known[str(short)] for short in found if str(short) in known]
        return self.random.choice(numbers) if numbers else self.a_bill()

    def judge(self) -> None:
        """Whatever waits is approved or rejected, by whoever."""
        found = self.bureau.rows("SELECT book_id, id, maker, state FROM proposal ORDER BY book_id, id")
        waiting = [one for one in found if one[3] == "WAITING"]
        if not found:
            return
        often = waiting if waiting and self.random.random() < 0.95 else found
        book_id, number, maker, _ = self.random.choice(often)
        others = PEOPLE if self.random.random() < 0.1 else [name for name in PEOPLE if name != maker]
        who = Who(self.random.choice(others), "复核", "there")
        act = approve if self.random.random() < 0.85 else reject
        told = f"{self.office.told(book_id, number)} {act.__name__} by {who.name}"
        self.attempt(told, lambda: act(self.office, book_id, number, who))

    # -- funds -----------------------------------------------------------------------------------------------------

    def new_reference(self) -> str:
        """Mostly a new one; now and then one that was used before."""
        if not self.reference or self.random.random() < 0.85:
            self.reference += 1
        return f"REF-{self.random.randint(1, self.reference) if self.random.random() < 0.1 else self.reference}"

    def fund(self) -> None:
        bank, book_id = self.random.choice(list(BANKS.items()))
        closed = [date for whose, date in self.detail if whose == bank]
        action = self.random.choice(("receive", "receive", "payback", "cancel", "refund", "refund-paid", "sweep"))
        amount = self.random.choice((100, 5000, 12000, 60000))
        content: dict[str, Any] = {"reference": self.new_reference()}
        if action == "receive":
            dates = self.random.sample(closed, self.random.randint(1, len(closed))) if closed else [self.bureau.date]
            content |= {"amount": amount, "dates": " ".join(map(str, sorted(dates))), "received_on": self.bureau.date}
        elif action == "payback":
            date = self.random.choice(closed) if closed else self.bureau.date
            content |= {"amount": amount, "dates": str(date), "received_on": self.bureau.date}
        elif action == "sweep":
            content |= {"amount": amount, "parts": f"170:{amount}", "received_on": self.bureau.date}
        elif action in ("refund", "refund-paid"):
            content |= {"bill": self.random.choice(self.bills), "received_on": 0}
            if action == "refund":
                content["reference"] = ""
            content["amount"] = self.amount_of(content["bill"])
        self.ask(book_id, action, **content)

    # -- the end ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Nothing is stuck: what waits can be rejected, what is open accepted or given back, and every date settles."""
        for key in list(self.detail):
            if key not in self.files:
                self.give_file(*key)
        for book_id, number in self.bureau.rows("SELECT book_id, id FROM proposal WHERE state = 'WAITING'"):
            reject(self.office, book_id, number, Who("末", "清理", ""))
        check(self.bureau)
        for bank, date in self.detail:
            self._run_at_last(bank, date)
        check(self.bureau)
        for book_id, number, item_class in self.bureau.rows(
            "SELECT book_id, id, item_class FROM exception WHERE state IN ('OPEN', 'CARRIED') ORDER BY book_id, id"
        ):
            self.decide(book_id, "return" if item_class == "SUSPENSE" else "accept", exception_id=number)
        check(self.bureau)
        for (bank, date), before in self.detail.items():
            self._run_at_last(bank, date)
            self._money_comes(BANKS[bank], date)
            assert self.written(bank, date) == before, "a detail file changed after its date was closed"
        check(self.bureau)
        states = self.bureau.rows("SELECT DISTINCT state FROM day WHERE state <> 'OPEN'")
        assert states == [("SETTLED",)], states

    def _run_at_last(self, bank: str, date: int) -> None:
        lines = self.files[bank, date]
        replaced = self.bureau.rows(
            f"SELECT digest, replaced_by FROM bank_file WHERE book_id = {BANKS[bank]} AND date = {date}"
        )
        path = self.bureau.deliver(bank, date, lines=lines)
        digest = path.with_name(path.name + ".sm3").read_text()
        if replaced and digest != (replaced[0][1] or replaced[0][0]):
            self.decide(BANKS[bank], "replace", dates=str(date), reference=digest)
        run(self.desk, bank, BANKS[bank], self.bureau.dialect(bank).statement, date)

    def _money_comes(self, book_id: int, date: int) -> None:
        missing = due(self.bureau, book_id, date) - received(self.bureau, book_id, date)
        self.reference += 1
        content = {"dates": str(date), "reference": f"END-{self.reference}", "received_on": self.bureau.date}
        if missing:
            self.decide(book_id, "receive" if missing > 0 else "payback", amount=abs(missing), **content)

    def decide(self, book_id: int, action: str, **content: Any) -> None:
        one = ask(self.office, book_id, Who("甲", "清理", ""), action, **content)
        approve(self.office, book_id, propose(self.office, one), Who("乙", "清理", ""))

    # -- what stands -----------------------------------------------------------------------------------------------

    def all_rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, so that it shows whether anything changed."""
        with self.bureau.store.reading() as conn:
            return {
                table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key.columns))]
                for table in schema.metadata.sorted_tables
            }

    def unchanged_since(self, before: dict[str, list[tuple[Any, ...]]]) -> None:
        after = self.all_rows()
        told = {name: (set(before[name]) ^ set(after[name])) for name in after if before[name] != after[name]}
        assert not told, told
