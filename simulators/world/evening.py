"""An operator's evening in this world: a bank's statement file comes, as its own books have it, and is reconciled.

It comes late, cut, with a wrong digest, without its totals, with a line of another date, again, or otherwise than the
one that was accepted; and the run over it dies, fails, and meets people who decide while it writes. What a matching
must find is not foretold but where two files are equal but for a line; what must hold after any run, always is.
"""

from __future__ import annotations

from collections import Counter
from datetime import date as Date
from datetime import timedelta
from pathlib import Path
from typing import Final

from shebao.codecs.statement import StatementLine, file_names
from shebao.ledger.backend import StoreError
from shebao.reconcile import run as reconcile
from shebao.reconcile.inbox import BadFile, NotThere

from .. import statements
from . import clerks
from .almanac import as_int
from .audit import as_written
from .bureau import Bureau
from .cases import Asked
from .passbook import content
from .purse import File, Purse
from .reactor import ProcessDied
from .terminal import Terminal

BAD: Final = ("cut", "digest", "no control", "foreign line", "not there yet")
LATE_DATES: Final = 5


def bank_file(world: Bureau) -> bool:
    """A file of one closed date into the inbox, and the run over it."""
    model = world.model
    ready = [
        (bank, day) for bank in world.plan.banks for day in sorted(model.dates[bank] - {model.open[bank]})[-LATE_DATES:]
    ]
    if not ready:
        return False
    busy = [one for one in ready if model.lines.get(one)]
    bank, day = world.random.choice(busy if busy and world.random.random() < 0.8 else ready)
    how, lines = _draw(world, bank, day)
    path = _deliver(world, bank, day, how, lines)
    world.counted(f"bank's file {how}")
    world.tell(f"a file of {bank} for {day} comes: {how}, {len(lines)} lines")
    run(world, bank, day, lines, path, how in BAD)
    if (bank, day) in world.purse.files and how == "other" and world.random.random() < 0.8:
        replace(world, bank, day, lines, path)
    return True


def _draw(world: Bureau, bank: str, day: Date) -> tuple[str, list[StatementLine]]:
    """What comes, and its lines."""
    known = world.purse.files.get((bank, day))
    ledger = [as_written(world, day, one) for one in world.model.lines.get((bank, day), [])]
    own = world.passbooks[bank].lines(day)
    if known is not None and (bank, day) not in world.purse.replacing:
        how = world.random.choice(("again", "again", "other", "other", "other", "cut"))
        if how != "other":
            return how, known.lines
        return how, list(world.random.choice((own, own, ledger, *world.versions.get((bank, day), []))))
    how = world.random.choice(("own", "own", "own", "own", "ledger", "ledger", "line lost", *BAD))
    if (bank, day) in world.purse.replacing:
        return "other", list(world.random.choice(world.versions[bank, day]))
    if how == "line lost":
        single = [line for line in ledger if sum(other.bill == line.bill for other in ledger) == 1]
        lost = world.random.choice(single) if single else None
        return how, [line for line in ledger if line is not lost]
    lines = ledger if how == "ledger" else own
    if world.random.random() < 0.3:
        world.random.shuffle(lines)
    return how, lines


def _deliver(world: Bureau, bank: str, day: Date, how: str, lines: list[StatementLine]) -> Path:
    """Into the inbox, as the bank spoils it."""
    if how == "foreign line":
        neighbour = as_int(day + timedelta(days=world.random.choice((-1, 1))))
        lines = [*lines, _never_was(neighbour)]
    pen = world.scene.wires[bank]
    path = statements.write_day(world.scene.folder, pen, as_int(day), lines)
    world.versions.setdefault((bank, day), [])
    if how == "cut":
        path.write_bytes(path.read_bytes()[: -world.random.randint(1, 40)])
    elif how == "digest":
        path.with_name(f"{path.name}.sm3").write_text("0" * 64, encoding="ascii")
    elif how == "no control":
        control = file_names(pen.dialect.statement, bank, as_int(day))[1]
        (path.with_name(control) if control else path.with_name(f"{path.name}.sm3")).unlink()
    elif how == "not there yet":
        path.with_name(f"{path.name}.ok").unlink()
    elif how != "foreign line":  # that one is spoiled in its lines
        world.versions[bank, day].append(lines)
    return path


def _never_was(date: int) -> StatementLine:
    """A line of a payment that never was."""
    return StatementLine(
        date, f"{date}120000", "999999", "000000999999", "T0000001", "330110000BR0001", "P", "33011026010100000014",
        100, "", "01", "", "",
    )  # fmt: skip


def digest_of(path: Path) -> str:
    return path.with_name(f"{path.name}.sm3").read_text(encoding="ascii")


# -- the run ---------------------------------------------------------------------------------------------

def run(world: Bureau, bank: str, day: Date, lines: list[StatementLine], path: Path, bad: bool) -> None:
    """The run, whatever happens to it, and once more if it came to no end."""
    purse, key = world.purse, (bank, day)
    world.cases.read(bank, False)
    digest = "" if bad else digest_of(path)
    good = not bad and _is_taken(purse, key, digest)
    told = _run(world, bank, day, world.random.random() < 0.35)
    if told in ("died", "failed"):
        world.model.ways["run died" if told == "died" else "run in trouble"] += 1
        world.tell(f"the run over {bank} {day} {told}")
        world.cases.read(bank, True)
        again = _run(world, bank, day, False)
        told = again if again != "failed" else told
    still = not bad and _is_taken(purse, key, digest)
    if still != good:  # somebody approved a replacement meanwhile, and the run saw it or saw it not
        world.model.ways["run overtaken by a replacement"] += 1
        good = told != "refused"
    elif (told == "refused") == good and told != "failed":
        right = "good" if good else "not to be taken"
        world.judge.fault(f"a file of {bank} for {day} was {right}: the run said {told}")
    accepted, replaced_by = _accepted(world, bank, day)
    if good and accepted == digest and not replaced_by:
        purse.files[key] = File(digest, lines)
        purse.replacing.pop(key, None)
    known = purse.files[key].digest if key in purse.files else ""
    if accepted != known or replaced_by != purse.replacing.get(key, ""):
        world.judge.fault(f"accepted for {bank} {day} is {accepted[:8]}, right is {known[:8]}")
    if told == "refused":
        world.model.ways["run refused"] += 1
    _hold(world, bank, day, told)


def _is_taken(purse: Purse, key: tuple[str, Date], digest: str) -> bool:
    """Whether a run has to take a file of this digest."""
    return digest == (purse.replacing.get(key) or (purse.files[key].digest if key in purse.files else digest))


def _hold(world: Bureau, bank: str, day: Date, told: str) -> None:
    """What must hold after a run, of every date of the bank."""
    purse, model = world.purse, world.model
    world.cases.read(bank, True)  # what was carried may be open again, whatever became of the file
    if told not in ("refused", "failed", "died"):
        if told != purse.state(bank, day):
            world.judge.fault(f"{day} of {bank} is {told} after its run, by the model {purse.state(bank, day)}")
        same = content(purse.files[bank, day].lines) == _ledgers(world, bank, day)
        model.ways["run of equal files" if same else "run of other files"] += 1
    for (of_bank, date), file in purse.files.items():
        if of_bank == bank and (bank, date) not in purse.replacing:
            due, between = purse.due(bank, date), purse.between(bank, date)
            if file.net != due + between:
                mine = [c for c in world.cases.of(bank) if date in (c.date, c.answer_date, c.ledger_date)]
                sums = f"the bank's net is {file.net}, due {due} and between {between}"
                world.judge.fault(f"{date} of {bank}: {sums}: {'; '.join(map(str, mine))}")
    for wrong in _plainly_wrong(world, bank):
        world.judge.fault(wrong)


def _plainly_wrong(world: Bureau, bank: str) -> list[str]:
    """While a bank's files are the ledger's but for lines that are lost, what is found is just those."""
    expected: Counter[tuple[str, Date, str, int]] = Counter()
    for (of_bank, day), versions in world.versions.items():
        if of_bank != bank or (bank, day) not in world.purse.files:
            continue
        ledger = _ledgers(world, bank, day)
        if len(versions) > 1 or any(content(lines) - ledger for lines in versions):
            return []
        lost = ledger - content(world.purse.files[bank, day].lines)
        bills = Counter(line[3] for line in ledger.elements())
        if any(bills[line[3]] > 1 for line in lost):
            return []
        for kind, _, _, bill, amount, _, original in lost:
            is_payment = kind == "P" and not original
            expected["LEDGER_ONLY" if is_payment else "STATE_DIFFERS", day, bill, amount] += 1
    mine = [case for case in world.cases.of(bank) if case.item is None]
    if any(one.case and one.state == "APPROVED" for one in world.purse.asked.values() if one.bank == bank):
        return []
    found = Counter((case.kind, case.date, case.bill, case.amount) for case in mine if case.state != "CLOSED")
    return [] if found == expected else [f"{bank}: found {found - expected}, not found {expected - found}"]


def _ledgers(world: Bureau, bank: str, day: Date) -> Counter[tuple[str, str, str, str, int, str, str]]:
    return content([as_written(world, day, one) for one in world.model.lines.get((bank, day), [])])


def _run(world: Bureau, bank: str, day: Date, trouble: bool) -> str:
    """The date's state afterwards, "refused", "failed" or "died"."""
    terminal = Terminal(world, trouble)
    spec, book_id = world.scene.dialects[bank].statement, world.scene.settings.banks[bank].book_id
    if world.plan.rates.get("clerks") and world.random.random() < 0.3:
        terminal.between = lambda: clerks.while_a_run_writes(world)
    try:
        return reconcile.run(terminal.desk, bank, book_id, spec, as_int(day)).state
    except (BadFile, NotThere, reconcile.Refused):
        return "refused"
    except StoreError as fault:
        if not terminal.troubled:
            world.judge.fault(f"the run over {bank} {day} failed by itself: {fault}")
        return "failed"
    except ProcessDied:
        return "died"
    finally:
        terminal.close()


def _accepted(world: Bureau, bank: str, day: Date) -> tuple[str, str]:
    book_id = world.scene.settings.banks[bank].book_id
    with world.operator.reading() as connection:
        found = connection.exec_driver_sql(
            "SELECT digest, replaced_by FROM bank_file WHERE book_id = ? AND date = ?", (book_id, as_int(day))
        ).fetchall()
    return (str(found[0][0]), str(found[0][1])) if found else ("", "")


def replace(world: Bureau, bank: str, day: Date, lines: list[StatementLine], path: Path) -> None:
    """`reconcile run --replace`: one asks for the file in the inbox to take the place of the accepted one."""
    if (bank, day) in world.purse.replacing or digest_of(path) == world.purse.files[bank, day].digest:
        return
    asked = Asked(bank, 0, "replace", world.random.choice(clerks.PEOPLE), dates=(day,), reference=digest_of(path))
    clerks.propose_it(world, asked)
    if world.random.random() < 0.7:
        waiting = [one for one in world.purse.asked.values() if one.reference == asked.reference]
        if waiting and waiting[-1].state == "WAITING":
            clerks.approve_it(world, bank, waiting[-1].number, clerks.other_than(world, waiting[-1].maker))
    if (bank, day) in world.purse.replacing and world.random.random() < 0.8:
        run(world, bank, day, lines, path, bad=False)
