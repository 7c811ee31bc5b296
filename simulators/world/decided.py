"""What two people may decide about an exception, and what it does: the contract's table once more (settlement.md
section 5), in the words of the model. It shares no code with the desk's rules.

`foresee` says why something must be refused, or nothing; `book` does it. Funds are in `purse`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from .almanac import written
from .cases import Asked, Case, Cases, Made
from .model import Model
from .said import Taken

ALLOWED: Final = {
    "pay": ("BANK_ONLY", "STATE_DIFFERS", "SUSPENSE"),
    "suspense": ("BANK_ONLY", "STATE_DIFFERS", "DUPLICATE", "AMOUNT_DIFFERS"),
    "reverse": ("LEDGER_ONLY", "STATE_DIFFERS", "LATE_REVERSAL", "AMOUNT_DIFFERS"),
    "return": ("SUSPENSE", "DUPLICATE", "BANK_ONLY"),
    "carry": ("BANK_ONLY", "LEDGER_ONLY"),
    "accept": ("BANK_ONLY", "LEDGER_ONLY", "DUPLICATE", "AMOUNT_DIFFERS", "STATE_DIFFERS", "LATE_REVERSAL"),
    "undo": ("BANK_ONLY", "LEDGER_ONLY", "DUPLICATE", "AMOUNT_DIFFERS", "STATE_DIFFERS", "SUSPENSE", "LATE_REVERSAL"),
}  # fmt: skip
Key = tuple[datetime, str]


class Line(NamedTuple):
    """What money is booked by."""

    key: Key
    bill: str
    amount: int
    channel: str


class Bench:
    """Decisions over one model and its exceptions."""

    def __init__(self, model: Model, cases: Cases) -> None:
        self._model, self._cases = model, cases

    # -- may it be done --------------------------------------------------------------------------------------

    def foresee(self, asked: Asked, case: Case | None, is_new: bool) -> str:
        """Why it must be refused; is_new: it is being proposed, not approved."""
        if case is None:
            return "no such exception"
        wrong = self._wrong_state(asked, case, is_new) or self._wrong_action(asked, case)
        if not wrong and not is_new and asked.about is not self.about(asked, case):
            return "it is about something else since"
        return wrong

    def about(self, asked: Asked, case: Case) -> object:
        """The payment or decision that it would dispose of."""
        if asked.action == "undo":
            return case.decision
        if asked.action == "reverse":
            return self.spoken_of(case)
        return self._held(case) if case.kind == "SUSPENSE" and asked.action in ("pay", "return") else None

    def _wrong_state(self, asked: Asked, case: Case, is_new: bool) -> str:
        if not is_new:
            return "" if case.state == "PROPOSED" else f"it is {case.state}"
        if asked.action == "undo" and case.state != "PROPOSED":
            return "" if case.decision is not None else "nothing to undo"
        return "" if case.state in ("OPEN", "CARRIED") else f"it is {case.state}"

    def _wrong_action(self, asked: Asked, case: Case) -> str:
        action = asked.action
        if case.kind not in ALLOWED[action]:
            return f"{action} is not for {case.kind}"
        if action == "pay":
            return self._no_pay(asked, case)
        if action == "suspense":
            return self._came_meanwhile(case) if case.remaining > 0 else "the bank has no more than the ledger"
        if action == "reverse":
            return self._no_reverse(case)
        if action == "return" and case.kind == "SUSPENSE":
            return "" if self._held(case).held == "OPEN" else "nothing is held"
        return self._no_undo(case) if action == "undo" else ""

    def _no_pay(self, asked: Asked, case: Case) -> str:
        if case.kind == "SUSPENSE":
            taken = self._held(case)
            if taken.held != "OPEN":
                return "nothing is held"
            return self._not_payable(asked.bill or taken.bill, taken.moment, taken.amount)
        line = self.line(case)
        if case.remaining != line.amount:
            return "the bank's side is not live, or it is booked"
        return self._came_meanwhile(case) or self._not_payable(asked.bill or line.bill, line.key[0], line.amount)

    def _came_meanwhile(self, case: Case) -> str:
        """Whether a message has brought the money that the ledger had not."""
        taken = self._brought(case, live=True) if case.kind in ("BANK_ONLY", "STATE_DIFFERS") else None
        return "the ledger has it since" if taken is not None and taken.live else ""

    def _not_payable(self, number: str, moment: datetime, amount: int) -> str:
        bill = self._model.bills.get(number)
        if bill is None or not self._model.payable(bill, moment.date()):
            return f"bill {number} can't be paid"
        return "" if bill.amount == amount else f"bill {number} is of {bill.amount}"

    def _no_reverse(self, case: Case) -> str:
        taken = self.spoken_of(case)
        if case.item is not None and case.item.void is not None:
            if taken is None or taken.stands or taken.undone_by != "V":
                return "it stands already, or was undone otherwise"
            if taken.suspense:
                return ""
            return self._not_payable(taken.pays, taken.moment, taken.amount)
        if taken is None or not taken.live:
            return "no live payment"
        if case.kind == "STATE_DIFFERS" and case.remaining > 0:
            return "the bank's side is live"
        if any(own.live and own is not taken for own in case.owns):
            return "it was booked in parts"
        if taken.held == "RETURNED":
            return "it was returned"
        other = taken.item if taken.suspense else None
        if other is not None and other is not case.item and other.state == "PROPOSED":
            return "another proposal about its suspense item waits"
        return ""

    def _no_undo(self, case: Case) -> str:
        made = case.decision
        if made is None:
            return "nothing to undo"
        if made.kind == "booked":
            assert made.own is not None
            return "" if made.own.live else "its payment is not live"
        if made.kind == "parked":
            return self._is_moved(made.own)
        if made.kind == "applied":
            assert made.origin is not None
            return "" if made.origin.live else "its payment is not live"
        if made.kind == "reversed":
            return self._no_standing_again(made)
        if made.kind == "stood":
            assert made.origin is not None
            if made.suspended and made.origin.live:
                return self._is_moved(made.origin)
            return "" if made.origin.live else "its payment is not live"
        return ""

    @staticmethod
    def _is_moved(own: Taken | None) -> str:
        assert own is not None and own.item is not None
        free = own.held == "OPEN" and own.item.state in ("OPEN", "CARRIED")
        return "" if free else f"its suspense item is {own.held}, {own.item.state}"

    def _no_standing_again(self, made: Made) -> str:
        origin = made.origin
        assert origin is not None
        if origin.undone_by is not made:
            return "the payment was undone, or stands, by something else"
        if origin.suspense:
            return self._is_moved(made.own) if made.own is not None else ""
        wrong = self._not_payable(origin.pays, origin.moment, origin.amount)
        return wrong or (self._is_moved(made.own) if made.own is not None else "")

    # -- what it speaks of -----------------------------------------------------------------------------------

    @staticmethod
    def _held(case: Case) -> Taken:
        assert case.item is not None and case.item.taken is not None
        return case.item.taken

    def line(self, case: Case) -> Line:
        """The bank's line; where it has none the payment that the bank still counts."""
        if case.theirs:
            one = case.theirs
            key = written(one["moment"]), one["stan"]
            return Line(key, one["bill"], one["amount"], one["channel"])
        taken = self.spoken_of(case, live=False)
        assert taken is not None, f"exception {case.number} speaks of nothing"
        return Line(taken.key, taken.bill, taken.amount, taken.channel)

    def spoken_of(self, case: Case, live: bool = True) -> Taken | None:
        """The ledger's payment that it is about: a message's, or what was booked for the bank's line."""
        if case.item is not None:
            return case.item.taken
        standing = [own for own in case.owns if own.live]
        if case.owns and case.ledger_date is None:
            return (standing or case.owns)[-1]
        known = self._brought(case, live)
        return standing[-1] if standing and (known is None or (live and not known.live)) else known

    def _brought(self, case: Case, live: bool) -> Taken | None:
        """What a message brought by the key of one of its lines."""
        told = self._by_receipt(case.ledger.get("receipt", ""))
        if told is not None and told not in case.owns:
            return told
        keys = set()
        for side in (case.ledger, case.theirs):
            for moment, stan in (("moment", "stan"), ("original_moment", "original_stan")):
                if side.get(moment) and side.get(stan):
                    keys.add((written(side[moment]), side[stan]))
        found = [t for t in self._model.taken if t.bank == case.bank and t.bill == case.bill and t.key in keys]
        found += [v.taken for v in self._model.voids if v.bank == case.bank and v.key in keys
                  and v.taken is not None and v.taken.bill == case.bill and v.taken not in found]  # fmt: skip
        found = [t for t in found if t not in case.owns]
        found.sort(key=lambda t: (t.live != live, t.key))
        return found[0] if found else None

    def _by_receipt(self, receipt: str) -> Taken | None:
        if not receipt:
            return None
        return next((t for t in self._model.taken if self._model.receipt_text(t.receipt) == receipt), None)

    # -- what it does ----------------------------------------------------------------------------------------

    def book(self, asked: Asked, case: Case, now: datetime) -> int:
        """Does it; gives what it changes of the due, in the case's `due_date`."""
        before = self._model.clearing[case.bank]
        if asked.action == "undo":
            made = case.decision
            assert made is not None
            self._undo(case, made, now)
            case.made.pop()
            while case.made and case.made[-1].kind == "noted":
                case.made.pop()
            case.state = "OPEN"
            self._model.ways[f"undo {made.kind}"] += 1
        else:
            made = self._do(asked, case, now)
            made.reference = asked.reference
            case.made.append(made)
            case.state = "CARRIED" if asked.action == "carry" else "DECIDED"
            self._model.ways[self._way(asked, case)] += 1
        fen = self._model.clearing[case.bank] - before
        case.corrected += fen
        case.left = 0 if asked.action in ("undo", "carry") else case.remaining
        return fen

    @staticmethod
    def _way(asked: Asked, case: Case) -> str:
        if asked.action == "reverse" and case.item is not None and case.item.void is not None:
            return "reverse of a void, late"
        by_transfer = " by transfer" if asked.action == "return" and asked.reference and case.kind == "SUSPENSE" else ""
        return f"{asked.action} {case.kind}{by_transfer}"

    def _do(self, asked: Asked, case: Case, now: datetime) -> Made:
        if asked.action == "pay":
            return self._apply(asked, case) if case.kind == "SUSPENSE" else self._pay(asked, case)
        if asked.action == "suspense":
            return Made("parked", own=self._park(case, case.remaining))
        if asked.action == "reverse":
            return self._reverse(case, now)
        if asked.action == "return" and case.kind == "SUSPENSE":
            taken = self._held(case)
            taken.held = "RETURNED"
            self._give_up(taken, bool(asked.reference))
            return Made("returned", origin=taken)
        return Made("noted")

    def _pay(self, asked: Asked, case: Case) -> Made:
        line = self.line(case)
        own = self._take_in(case, line, line.amount)
        self._onto(own, asked.bill)
        return Made("booked", own=own)

    def _take_in(self, case: Case, line: Line, amount: int) -> Taken:
        """By a line of the bank's file: a receipt of the open date, and no line in the switch's own file."""
        model, bank = self._model, case.bank
        day = model.open[bank]
        model.serials[bank, day] += 1
        serial = model.serials[bank, day]
        taken = Taken(
            bank, line.key, False, line.bill, amount, day, serial, line.key[0], channel=line.channel, booked=True
        )
        model.taken.append(taken)
        case.owns.append(taken)
        model.clearing[bank] += amount
        return taken

    def _give_up(self, taken: Taken, by_transfer: bool, back: bool = False) -> None:
        """Money in suspense goes back to the bank, which holds it still, or out of the special account; or `back`."""
        sign = -1 if back else 1
        self._model.in_suspense[taken.bank] -= sign * taken.amount
        (self._model.special if by_transfer else self._model.clearing)[taken.bank] -= sign * taken.amount

    def _onto(self, taken: Taken, bill: str) -> None:
        taken.onto = bill if bill and bill != taken.bill else ""
        self._model.ways["pay onto another bill"] += bool(taken.onto)
        self._model.status[taken.pays], self._model.paid_by[taken.pays] = "PAID", taken

    def _apply(self, asked: Asked, case: Case) -> Made:
        taken = self._held(case)
        taken.suspense, taken.held = False, "APPLIED"
        self._model.in_suspense[case.bank] -= taken.amount
        self._onto(taken, asked.bill)
        return Made("applied", origin=taken)

    def _park(self, case: Case, fen: int) -> Taken:
        line = self.line(case)
        own = self._take_in(case, line, fen)
        own.suspense = True
        self._model.in_suspense[case.bank] += fen
        self._model.opens(own, case.due_date)
        return own

    def _reverse(self, case: Case, now: datetime) -> Made:
        taken = self.spoken_of(case)
        assert taken is not None
        if case.item is not None and case.item.void is not None:  # the payment of a void stands again
            case.item.void.undone, taken.live, taken.undone_by = True, True, None
            self._model.clearing[case.bank] += taken.amount
            if taken.suspense:
                self._hold(taken, 1)
            else:
                self._onto(taken, taken.onto)
            return Made("stood", origin=taken, suspended=taken.suspense)
        made = Made("reversed", origin=taken)
        beyond = case.remaining + taken.amount
        taken.live, taken.undone_by = False, made
        self._model.clearing[case.bank] -= taken.amount
        if taken.suspense:
            self._model.in_suspense[case.bank] -= taken.amount
            taken.held = "REVERSED"
            if taken.item is not None and taken.item is not case.item:
                made.closed, taken.item.state = taken.item, "CLOSED"
        else:
            self._model.release(taken.pays, now)
        if case.kind == "AMOUNT_DIFFERS" and beyond > 0:
            made.own = self._park(case, beyond)
        return made

    def _hold(self, taken: Taken, sign: int) -> None:
        """Money in suspense, with its item: it is there again, or is not any more."""
        self._model.in_suspense[taken.bank] += sign * taken.amount
        taken.held = "OPEN" if sign > 0 else "REVERSED"
        assert taken.item is not None
        taken.item.state = "OPEN" if sign > 0 else "CLOSED"

    def _undo(self, case: Case, made: Made, now: datetime) -> None:
        model, own, origin = self._model, made.own, made.origin
        if made.kind == "stood":
            assert origin is not None and case.item is not None and case.item.void is not None
            case.item.void.undone, origin.live, origin.undone_by = False, False, "V"
            model.clearing[case.bank] -= origin.amount
            if made.suspended:
                self._hold(origin, -1)
            else:
                model.release(origin.pays, now)
            return
        if made.kind == "returned":
            assert origin is not None
            origin.held = "OPEN"
            self._give_up(origin, bool(made.reference), back=True)
        elif made.kind == "applied":
            assert origin is not None
            model.release(origin.pays, now)
            origin.suspense, origin.held, origin.onto = True, "OPEN", ""
            model.in_suspense[case.bank] += origin.amount
        elif made.kind == "reversed":
            assert origin is not None
            origin.live, origin.undone_by = True, None
            model.clearing[case.bank] += origin.amount
            if origin.suspense:
                model.in_suspense[case.bank] += origin.amount
                origin.held = "OPEN"
                if made.closed is not None:
                    made.closed.state = "OPEN"
            else:
                self._onto(origin, origin.onto)
        if own is None:
            return
        own.live = False
        model.clearing[case.bank] -= own.amount
        if own.suspense:
            model.in_suspense[case.bank] -= own.amount
            assert own.item is not None
            own.held, own.item.state = "REVERSED", "CLOSED"
        else:
            model.release(own.pays, now)
