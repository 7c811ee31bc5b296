"""Two operators and a third decide by command: they propose, approve, reject, undo, receive, refund, sweep; at random.

What they may, and what they may not; sometimes one person twice, sometimes twice the same. Their stores fail and their
processes die, and then they ask again. Before each command the model says whether it must be done; after it the tables
must show it done once, or not at all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date as Date
from datetime import datetime
from typing import Final

from shebao.ledger.backend import CommitInDoubt, StoreError
from shebao.ledger.bills import parts_text
from shebao.reconcile import decisions
from shebao.reconcile.decisions import Office, Who
from shebao.reconcile.run import Refused

from .almanac import as_int, cst
from .bureau import Bureau
from .cases import Asked, Case
from .decided import ALLOWED
from .reactor import ProcessDied
from .stage import TYPES
from .terminal import Terminal

PEOPLE: Final = ("沈秀英", "王建国", "Li Ming")
ALIASES: Final = {"Li Ming": (" li ming", "ＬＩ ＭＩＮＧ"), "沈秀英": ("沈秀英 ",)}
WHERE: Final = "1000 desk@bureau"
TROUBLE: Final = 0.25


def act(world: Bureau) -> bool:
    """One command of somebody's."""
    _act(world, during_a_run=False)
    return True


def while_a_run_writes(world: Bureau) -> None:
    if world.random.random() < 0.4:
        world.model.ways["decided while a run writes"] += 1
        _act(world, during_a_run=True)


def _act(world: Bureau, during_a_run: bool) -> None:
    dice, bank = world.random.random(), world.random.choice(world.plan.banks)
    for each in world.plan.banks:
        world.cases.read(each, during_a_run)
    waiting = [one for one in world.purse.asked.values() if one.bank == bank and one.state == "WAITING"]
    if waiting and dice < 0.5:
        one = world.random.choice(waiting)
        judge = world.random.choice((approve_it, approve_it, approve_it, approve_it, reject_it))
        judge(world, bank, one.case or one.number, _checker(world, one.maker))
    elif dice < 0.53:
        known = [one for one in world.purse.asked.values() if one.bank == bank]
        number = world.random.choice(known).number if known else 7
        world.random.choice((approve_it, reject_it))(world, bank, number, world.random.choice(PEOPLE))
    elif dice < 0.86:
        _about_a_case(world, bank)
    else:
        _about_funds(world, bank)
    for each in world.plan.banks:
        world.cases.read(each, during_a_run)


def other_than(world: Bureau, maker: str) -> str:
    return world.random.choice([name for name in PEOPLE if _folded(name) != _folded(maker)])


def _checker(world: Bureau, maker: str) -> str:
    """Mostly another; sometimes the same person, under whichever spelling."""
    if world.random.random() < 0.88:
        return other_than(world, maker)
    return world.random.choice((maker, *ALIASES.get(maker, ())))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


# -- what is proposed ------------------------------------------------------------------------------------

def _about_a_case(world: Bureau, bank: str) -> None:
    """An exception and an action; mostly one that is open, and allowed."""
    known = world.cases.of(bank)
    open_ = [case for case in known if case.state in ("OPEN", "CARRIED")]
    decided = [case for case in known if case.decision is not None]
    if not known:
        return
    case = world.random.choice(open_ if open_ and world.random.random() < 0.8 else known)
    action = _rather_rare(world, case.kind)
    if decided and world.random.random() < 0.3:
        case, action = world.random.choice(decided), "undo"
    elif world.random.random() < 0.08:
        action = world.random.choice(list(ALLOWED))
    asked = Asked(bank, 0, action, world.random.choice(PEOPLE), case=case.number)
    if action == "pay" and world.random.random() < 0.5:
        asked.bill = _bill_for(world, case)
    if action == "return" and world.random.random() < 0.5:
        asked.reference = _fresh(world)
    propose_it(world, asked)


def _rather_rare(world: Bureau, kind: str) -> str:
    """Of the actions for such a case one that was not taken yet in this world, half the time."""
    allowed = [name for name in ALLOWED if kind in ALLOWED[name] and name != "undo"]
    new = [name for name in allowed if not world.model.ways[f"{name} {kind}"]]
    return world.random.choice((new if world.random.random() < 0.5 else []) or allowed or ["pay"])


def _bill_for(world: Bureau, case: Case) -> str:
    """Another bill, if there is one of that amount."""
    fitting = [bill.number for bill in world.model.bills.values() if bill.amount == case.amount]
    return world.random.choice(fitting or list(world.model.bills))


def _fresh(world: Bureau) -> str:
    return f"REF{len(world.purse.asked) + 1:04d}{world.random.randint(0, 9)}"


def _about_funds(world: Bureau, bank: str) -> None:
    """Receipts in parts, pay-backs, cancellations, refunds and sweeps."""
    asked = Asked(bank, 0, "", world.random.choice(PEOPLE))
    drawn = world.random.choice((_receive, _receive, _receive, _pay_back, _cancel, _refund, _refund, _paid, _sweep))
    known = [one for one in world.purse.asked.values() if one.bank == bank and not one.case and one.reference]
    known = [one for one in known if one.action not in ("cancel", "replace")]
    if not drawn(world, asked):
        return
    if known and world.random.random() < 0.15 and asked.action in ("receive", "payback", "sweep"):
        first = world.random.choice(known)  # the same once more, or other content under the same reference
        if world.random.random() < 0.6:
            asked.action, asked.bill, asked.amount = first.action, first.bill, first.amount
            asked.dates, asked.parts = first.dates, first.parts
        asked.reference = first.reference
    propose_it(world, asked)


def _closed(world: Bureau, bank: str) -> list[Date]:
    return sorted(world.model.dates[bank] - {world.model.open[bank]})


def _receive(world: Bureau, asked: Asked) -> bool:
    closed = _closed(world, asked.bank)
    days = closed if closed and world.random.random() < 0.95 else [world.model.open[asked.bank]]
    asked.dates = tuple(sorted(world.random.sample(days, min(len(days), world.random.choice((1, 1, 2, 3))))))
    missing = sum(world.purse.due(asked.bank, day) - world.purse.received[asked.bank, day] for day in asked.dates)
    amount = world.random.choice((missing, missing, missing, missing // 2, missing + 100, 12_345))
    asked.action, asked.amount, asked.reference = "receive", max(amount, 1), _fresh(world)
    return True


def _pay_back(world: Bureau, asked: Asked) -> bool:
    closed = _closed(world, asked.bank)
    if not closed:
        return False
    asked.dates = (world.random.choice(closed),)
    over = world.purse.received[asked.bank, asked.dates[0]] - world.purse.due(asked.bank, asked.dates[0])
    asked.action, asked.amount, asked.reference = "payback", over if over > 0 else 1_000, _fresh(world)
    return True


def _cancel(world: Bureau, asked: Asked) -> bool:
    known = [one.reference for one in world.purse.booked if one.bank == asked.bank and one.reference]
    asked.action, asked.reference = "cancel", world.random.choice(known) if known else "REF9"
    return True


def _refund(world: Bureau, asked: Asked) -> bool:
    """Of a bill that a bank took the money for; or of one that is not paid."""
    paid = [one for one, status in world.model.status.items() if status == "PAID"]
    bill = world.random.choice(paid if paid and world.random.random() < 0.9 else list(world.model.bills))
    taken = world.model.paid_by.get(bill)
    asked.bank = taken.bank if taken is not None else asked.bank
    asked.action, asked.bill, asked.amount = "refund", bill, world.model.bills[bill].amount
    return asked.bank in world.plan.banks


def _paid(world: Bureau, asked: Asked) -> bool:
    """The refund has been paid out."""
    refunded = [one for one in world.purse.booked if one.action == "refund"]
    if not refunded:
        return False
    first = world.random.choice(refunded)
    asked.bank, asked.action, asked.bill, asked.amount = first.bank, "refund-paid", first.bill, first.amount
    asked.reference = _fresh(world)
    return True


def _sweep(world: Bureau, asked: Asked) -> bool:
    held = world.model.special[asked.bank]
    amount = world.random.choice((held, held // 2, held + 100))
    kinds = world.random.sample(TYPES, 2)
    asked.action, asked.amount, asked.reference = "sweep", max(amount, 2), _fresh(world)
    asked.parts = ((kinds[0], 1), (kinds[1], asked.amount - 1))
    return True


# -- commands --------------------------------------------------------------------------------------------

def _command(world: Bureau, do: Callable[[Office], object], trouble: bool) -> tuple[str, object, Terminal]:
    """"done", "refused", "failed" or "died"; what came of it; and the terminal, which knows what took effect."""
    terminal = Terminal(world, trouble)
    try:
        return "done", do(terminal.office), terminal
    except Refused as why:
        return "refused", str(why), terminal
    except (StoreError, CommitInDoubt) as why:
        if not terminal.troubled:
            world.judge.fault(f"a command failed by itself: {why}")
        return "failed", str(why), terminal
    except ProcessDied:
        return "died", "", terminal
    finally:
        terminal.close()


def _now(world: Bureau) -> datetime:
    return cst(world.wall.now_us())


def propose_it(world: Bureau, asked: Asked) -> None:
    """`reconcile propose`, `receive`, `refund`...; asked again if it is not known what came of it."""
    purse = world.purse
    case = world.cases.all.get((asked.bank, asked.case)) if asked.case else None
    known, wrong = purse.known_as(asked)
    if not known and not wrong:
        wrong = world.bench.foresee(asked, case, is_new=True) if asked.case else purse.foresee(asked)
    who = Who(asked.maker, "as the bank wrote", WHERE)
    content: dict[str, object] = {
        "exception_id": asked.case, "bill": asked.bill, "amount": asked.amount, "reference": asked.reference,
        "dates": " ".join(str(as_int(day)) for day in asked.dates), "parts": parts_text(asked.parts),
    }  # fmt: skip
    book_id = world.scene.settings.banks[asked.bank].book_id

    def do(office: Office) -> int:
        return decisions.propose(office, decisions.ask(office, book_id, who, asked.action, **content))

    told, came, _ = _command(world, do, world.random.random() < TROUBLE)
    what = f"{asked.maker} proposes {asked.action} {asked.bank}-{asked.case or asked.reference or asked.bill}"
    world.tell(f"{what}: {told} {came}, expected {known or wrong or 'done'}")
    new = _new_proposal(world, asked.bank)
    if told == "refused":
        other = wrong.startswith("the reference stands")
        world.model.ways["receive again, other content" if other else "proposal refused"] += 1
    if told in ("done", "refused") and (told == "refused") != bool(wrong):
        world.judge.fault(f"{what}: {told} {came}; by the model {wrong or 'it was to be done'}")
    if known and told == "done":
        world.model.ways["receive again, no effect"] += 1
    if (told == "done" and (came != (known or new) or not came)) or (new and (known or wrong)):
        world.judge.fault(f"{what}: {told} as {came}, kept as {new}, known as {known}")
    if new:
        asked.number = new
        asked.about = world.bench.about(asked, case) if case is not None else purse.about(asked)
        purse.asked[asked.bank, new] = asked
        if case is not None:
            for one in purse.asked.values():
                if (one.bank, one.case, one.state) == (asked.bank, asked.case, "WAITING") and one is not asked:
                    one.state = "LAPSED"
            asked.before, case.state = case.state, "PROPOSED"


def _new_proposal(world: Bureau, bank: str) -> int:
    """The number of the proposal that the tables have and the model has not; 0: none."""
    book_id = world.scene.settings.banks[bank].book_id
    with world.operator.reading() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM proposal WHERE book_id = ?", (book_id,)).fetchall()
    new = [number for (number,) in rows if (bank, number) not in world.purse.asked]
    if len(new) > 1:
        world.judge.fault(f"one proposal was kept as {new}")
    return new[0] if new else 0


def _waiting(world: Bureau, bank: str, number: int) -> Asked | None:
    mine = [one for one in world.purse.asked.values() if one.bank == bank and number in (one.number, one.case)]
    return next((one for one in mine if one.state == "WAITING"), None)


def approve_it(world: Bureau, bank: str, number: int, checker: str, again: bool = False) -> None:
    """`reconcile approve`, and once more if it is not known what came of it."""
    one, purse = _waiting(world, bank, number), world.purse
    case = world.cases.all.get((bank, one.case)) if one is not None and one.case else None
    wrong = "nothing waits"
    if one is not None and _folded(one.maker) == _folded(checker):
        wrong = "the same person"
        world.model.ways["the same person refused"] += 1
    elif one is not None:
        wrong = world.bench.foresee(one, case, is_new=False) if one.case else purse.foresee(one, is_new=False)
    elif any(number in (other.number, other.case) for other in purse.asked.values() if other.bank == bank):
        world.model.ways["judged twice refused"] += 1
    book_id, who = world.scene.settings.banks[bank].book_id, Who(checker, "checked", WHERE)
    told, came, terminal = _command(
        world, lambda office: decisions.approve(office, book_id, number, who),
        not again and world.random.random() < TROUBLE,
    )  # fmt: skip
    what = f"{checker} approves {one.action if one else ''} {bank}-{number}"
    world.tell(f"{what}: {told} {came if told != 'done' else ''}, expected {wrong or 'done'}")
    if told in ("done", "refused") and (told == "refused") != bool(wrong):
        world.judge.fault(f"{what}: {told} {came}; by the model {wrong or 'it was to be done'}")
    if told == "refused":
        world.model.ways["approval refused"] += 1
    if one is None:
        return
    is_booked = not wrong and (told == "done" or terminal.mishap.done > 0)
    times = _times_booked(world, one)
    if times != is_booked:
        world.judge.fault(f"{what}: {told}, and booked {times} times, right is {int(is_booked)}")
    if is_booked:
        world.model.ways["decided in doubt"] += terminal.troubled
        _book(world, one, case)
    if told in ("died", "failed") and not again:
        world.model.ways["decided again after a death"] += told == "died"
        approve_it(world, bank, number, checker, again=True)


def _book(world: Bureau, one: Asked, case: Case | None) -> None:
    one.state = "APPROVED"
    now = _now(world)
    if case is None:
        world.purse.book(one, now)
        return
    undone = case.decision if one.action == "undo" else None
    taken_back = case.answer < 0 and case.kind != "LATE_REVERSAL"  # since then, by the bank: on the date of that line
    day = case.due_date if undone is None or taken_back else undone.date
    fen = world.bench.book(one, case, now)
    if undone is None:
        case.made[-1].date = day
    world.purse.corrected[case.bank, day, case.number] += fen


def _times_booked(world: Bureau, one: Asked) -> int:
    book_id = world.scene.settings.banks[one.bank].book_id
    with world.operator.reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT COUNT(*) FROM ruling WHERE book_id = ? AND proposal_id = ?", (book_id, one.number)
        ).fetchall()
    return int(rows[0][0])


def reject_it(world: Bureau, bank: str, number: int, checker: str) -> None:
    """`reconcile reject`."""
    one = _waiting(world, bank, number)
    case = world.cases.all.get((bank, one.case)) if one is not None and one.case else None
    wrong = "nothing waits" if one is None else ""
    if one is not None and _folded(one.maker) == _folded(checker):
        wrong = "the same person"
    book_id, who = world.scene.settings.banks[bank].book_id, Who(checker, "not as it is", WHERE)
    told, came, _ = _command(
        world, lambda office: decisions.reject(office, book_id, number, who), world.random.random() < TROUBLE
    )
    what = f"{checker} rejects {bank}-{number}: {told}"
    world.tell(f"{what} {came if told != 'done' else ''}, expected {wrong or 'done'}")
    if told in ("done", "refused") and (told == "refused") != bool(wrong):
        world.judge.fault(f"{what} {came}; by the model {wrong or 'it was to be done'}")
    if one is None:
        return
    with world.operator.reading() as connection:
        ((state,),) = connection.exec_driver_sql(
            "SELECT state FROM proposal WHERE book_id = ? AND id = ?", (book_id, one.number)
        ).fetchall()
    if (told == "done") > (state == "REJECTED") or (wrong and state != "WAITING"):
        world.judge.fault(f"{what}, and it is {state}")
    if state == "REJECTED":
        one.state = state
        world.model.ways["rejected"] += 1
        if case is not None and case.state == "PROPOSED":
            case.state = one.before
