"""What a bank of this world thinks of to say: pay, ask again, take back, tell late, and all of it wrongly too.

Unlike `simulators.bank`, which behaves, it says whatever a bank might, in whatever order. One function a deed, and the
table of them at the end; how often each is drawn is the plan's affair.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from shebao.codecs.tags import build

from .. import messages
from ..messages import Key, Order
from .almanac import as_int
from .core import Core
from .lines import Sent
from .questions import totals_of
from .said import PAY, VOID, Said
from .stage import PrintedBill

TWICE_WRONG: Final = {"0200": "0220", "0220": "0200"}


def act(core: Core) -> None:
    """One deed, drawn by the plan's weights."""
    deeds = core.place.plan.deeds
    deed = core.random.choices(list(deeds), list(deeds.values()))[0]
    core.place.counted(f"deed: {deed}")
    DEEDS[deed](core)


def burst(core: Core, count: int) -> None:
    """Many at once on one line."""
    ready = [line for line in core.standing() if line.on]
    if ready:
        line = core.random.choice(ready)
        for _ in range(count):
            core.offer(_payment(core, _bill(core)), line)


def crowd(core: Core, count: int) -> None:
    """Many of the shortest that go into the books, as one piece, on each of the bank's lines."""
    found = core.some(lambda said: said.proc == PAY and said.mti[:2] == "02")
    if found is None:
        return
    for line in core.standing():
        for _ in range(count if line.on else 0):
            core.offer(_undo(core, found, "0400", found.said.proc, "", found.said.amount), line)


def _bill(core: Core) -> tuple[str, int, PrintedBill | None]:
    """A bill number, what is to be paid for it, and the bill, if there is one."""
    dice, scene = core.random.random(), core.place.scene
    if scene.half and dice < 0.2:
        hidden = core.random.choice(scene.half)
        return hidden.number, hidden.amount, None
    if dice < 0.05:
        return scene.unknown_bill(), 48000, None
    bill = core.random.choice(core.hot if dice < 0.35 else scene.bills)
    if dice > 0.97:
        return f"{bill.number[:-1]}{(int(bill.number[-1]) + 1) % 10}", bill.amount, None
    off = core.random.choice((-100, 1)) if core.random.random() < 0.08 else 0
    return bill.number, max(1, bill.amount + off), bill


def _moment(core: Core, days: int = 1) -> datetime:
    """Mostly now; now and then old, ahead, or just at the edge."""
    now, dice = core.now(), core.random.random()
    if dice < 0.86:
        return now - timedelta(seconds=core.random.choice((0, 0, 1, 30)))
    if dice < 0.93:
        return now - timedelta(days=days * core.random.random())
    edge = timedelta(days=days if dice < 0.97 else -1)
    return now - edge + timedelta(seconds=core.random.choice((-3600, -1, 0, 1, 3600)))


def _payment(core: Core, what: tuple[str, int, PrintedBill | None], mti: str = "0200", moment: datetime | None = None,
    key: Key | None = None,
) -> Sent:  # fmt: skip
    number, amount, bill = what
    moment = moment or _moment(core, 7 if mti == "0220" else 1)
    key = key or core.key(moment)
    payer, card = "", ""
    if core.random.random() < 0.3:
        someone = core.random.choice((*core.place.scene.payers, core.place.scene.strangers))
        someone = bill.payer if bill is not None and core.random.random() < 0.6 else someone
        payer = someone.id if core.random.random() < 0.6 else ""
        card = someone.card if core.random.random() < 0.5 else ""
    order = Order(number, amount, key.moment, core.random.choice(("01", "02", "03", "04")), payer=payer)
    fields = messages.payment(core.pen.identity, order, key)
    if card:
        fields[2] = card
    if core.random.random() < 0.04:
        other = moment + timedelta(days=core.random.choice((-8, -2, -1, 1, 2)))
        fields[13] = f"{other:%m%d}"
    said = Said(core.bank, mti, PAY, key.de7, key.stan, amount, number, payer, card, de13=fields[13])
    return Sent(said._replace(channel=order.channel), fields)


def _pay(core: Core) -> None:
    if core.early and core.random.random() < 0.5:
        core.offer(core.early.pop(0))
    else:
        core.offer(_payment(core, _bill(core)))


def _advice(core: Core) -> None:
    core.offer(_payment(core, _bill(core), "0220"))


def _advice_of_a_payment(core: Core) -> None:
    """The same DE7, DE11 and bill as a payment, or the other way round."""
    found = core.some(lambda said: said.mti in TWICE_WRONG and said.proc == PAY)
    if found is not None:
        other = found.said._replace(mti=TWICE_WRONG[found.said.mti])
        core.offer(Sent(other, dict(found.fields)))


def _repeat(core: Core) -> None:
    found = core.some(lambda said: bool(said.mti))
    if found is not None:
        core.send(found, again=core.random.random() < 0.8)


def _changed_repeat(core: Core) -> None:
    """The same key with other content: 94, or the first that comes."""
    found = core.some(lambda said: said.proc in (PAY, VOID) and said.mti[:2] == "02")
    if found is None:
        return
    number, amount, _ = _bill(core)
    if core.random.random() < 0.5:
        said, fields = found.said._replace(amount=amount), {**found.fields, 4: f"{amount:012d}"}
    else:
        pairs = [("CH", "01"), ("BN", number)]
        fields = {**found.fields, 48: build(pairs).hex().upper()}
        said = found.said._replace(bill=number, person="", channel="01")
    core.offer(Sent(said, fields))


def _void(core: Core) -> None:
    found = core.some(lambda said: said.proc == PAY and said.mti[:2] == "02")
    if found is None:
        return
    number, amount = found.said.bill, found.said.amount
    if core.random.random() < 0.1:
        number, amount, _ = _bill(core)
    core.offer(_undo(core, found, "0200", VOID, number, amount))


def _reversal(core: Core, fits: Callable[[Said], bool] | None = None) -> None:
    found = core.some(fits or (lambda said: said.proc == PAY and said.mti[:2] == "02"))
    if found is not None:
        off = 100 if core.random.random() < 0.06 else 0
        mti = core.random.choice(("0400", "0420"))
        core.offer(_undo(core, found, mti, found.said.proc, "", found.said.amount + off))


def _void_reversed(core: Core) -> None:
    _reversal(core, lambda said: said.proc == VOID and said.mti == "0200")


def _reversal_before(core: Core) -> None:
    """Of a payment, advice or void that is sent only later, or never."""
    late = _payment(core, _bill(core), core.random.choice(("0200", "0200", "0220")))
    paid = core.some(lambda said: said.proc == PAY and said.mti == "0200")
    if paid is not None and core.random.random() < 0.3:
        late = _undo(core, paid, "0200", VOID, paid.said.bill, paid.said.amount)
    core.early.append(late)
    core.offer(_undo(core, late, core.random.choice(("0400", "0420")), late.said.proc, "", late.said.amount))


def _odd_reversal(core: Core) -> None:
    """Of another bank, with the MTI of the other class, of no class, or with another DE3."""
    found = core.some(lambda said: said.mti[:2] == "02")
    if found is None:
        return
    undo = _undo(core, found, "0400", found.said.proc, "", found.said.amount)
    de90, oddity = undo.fields[90], core.random.choice(("bank", "class", "no class", "proc"))
    if oddity == "bank":
        de90 = f"{de90[:20]}{'99999999':0>11}{de90[31:]}"
    elif oddity == "class":
        de90 = TWICE_WRONG.get(de90[:4], "0220") + de90[4:]
    elif oddity == "no class":
        de90 = "0400" + de90[4:]
    proc = (VOID if undo.said.proc == PAY else PAY) if oddity == "proc" else undo.said.proc
    fields = {**undo.fields, 3: proc, 90: de90}
    core.offer(Sent(undo.said._replace(proc=proc, de90=de90), fields))


def _undo(core: Core, found: Sent, mti: str, proc: str, number: str, amount: int) -> Sent:
    """A void (mti 0200) or reversal of a message."""
    key = core.key(_moment(core, 1 if mti == "0200" else 7))
    original = Key(int(f"2000{found.said.de7}"), found.said.stan)
    order = Order(number, amount, key.moment)
    if mti == "0200":
        fields = messages.void(core.pen.identity, order, key, original)
    else:
        fields = messages.reversal(core.pen.identity, order, key, original, proc)
    fields[90] = found.said.mti + fields[90][4:]
    said = Said(core.bank, mti, proc, key.de7, key.stan, amount, number, de90=fields[90], de13=fields.get(13, ""))
    return Sent(said, fields)


def _about_a_booking(core: Core) -> None:
    """What an operator booked by the bank's file: told again, in the other class, or taken back."""
    booked = {(one.key[1], one.bill) for one in core.place.model.taken if one.bank == core.bank and one.booked}
    found = core.some(lambda said: said.proc == PAY and (said.stan, said.bill) in booked)
    if found is None:
        return
    said, how = found.said, core.random.choice(("again", "other class", "void", "reversal"))
    if how == "again":
        core.send(found, again=core.random.random() < 0.8)
    elif how == "other class":
        core.offer(Sent(said._replace(mti=TWICE_WRONG[said.mti]), dict(found.fields)))
    elif how == "void":
        core.offer(_undo(core, found, "0200", VOID, said.bill, said.amount))
    else:
        core.offer(_undo(core, found, core.random.choice(("0400", "0420")), PAY, "", said.amount))


def _inquiry(core: Core) -> None:
    number, _, bill = _bill(core)
    key = core.key(_moment(core))
    fields = messages.inquiry(core.pen.identity, Order(number, 0, key.moment), key)
    said = Said(core.bank, "0100", "390000", key.de7, key.stan, 0, number, de13=fields[13])
    someone = bill.payer if bill is not None else core.place.scene.strangers
    how = core.random.choice(("number", "id", "card", "page"))
    if how in ("id", "page"):
        page = number if how == "page" else ""
        pairs = [("CH", "01"), ("ID", someone.id), *([("PG", page)] if page else [])]
        fields[48] = build(pairs).hex().upper()
        said = said._replace(bill="", person=someone.id, page=page)
    elif how == "card":
        fields[48] = build([("CH", "01")]).hex().upper()
        fields[2] = someone.card
        said = said._replace(bill="", card=someone.card)
    core.offer(Sent(said, fields))


def _totals(core: Core) -> None:
    model = core.place.model
    day = core.random.choice((*sorted(model.dates[core.bank]), model.open[core.bank] + timedelta(days=3)))
    told = totals_of(model, core.bank, day)
    if core.random.random() < 0.3:
        told = {**told, 74: f"{int(told[74]) + 1:010d}"}
    key = core.key(_moment(core))
    fields = {7: key.de7, 11: key.stan, 15: f"{day:%m%d}", 32: core.pen.identity.institution, **told}
    mti = core.random.choice(("0500", "0520"))
    said = Said(core.bank, mti, "", key.de7, key.stan, de15=fields[15], totals=told)
    core.offer(Sent(said, dict(sorted(fields.items()))))


def _cut_over(core: Core) -> None:
    day = core.place.model.open[core.bank] + timedelta(days=core.random.choice((0, 1, 1, 2, -1)))
    key = core.key(_moment(core))
    fields = messages.network(core.pen.identity, key, "201", as_int(day))
    said = Said(core.bank, core.random.choice(("0800", "0820")), "", key.de7, key.stan, de15=fields[15])
    core.offer(Sent(said, fields, network="201"))


def _echo(core: Core) -> None:
    core.on_some_line("301")


def _sign_off(core: Core) -> None:
    core.on_some_line("002")


def _flawed(core: Core) -> None:
    sent = _payment(core, _bill(core))
    sent.flaw = flaw = core.random.choice(
        ("mac", "mac", "pin", "institution", "unknown", "not enabled", "no terminal", "currency", "tags")
    )
    fields = sent.fields
    if flaw == "pin":
        fields[52] = "0123456789ABCDEF"
    elif flaw == "institution":
        fields[32] = "99999999"
    elif flaw == "unknown":
        fields[3] = "777777"
    elif flaw == "not enabled":
        sent.said = sent.said._replace(mti="0600")
        fields[3] = "910000"
    elif flaw == "no terminal":
        del fields[41]
    elif flaw == "currency":
        fields[49] = "840"
    elif flaw == "tags":
        fields[48] = fields[48][:-2]
    core.offer(sent)


DEEDS: Final[dict[str, Callable[[Core], None]]] = {
    "pay": _pay,
    "repeat": _repeat,
    "changed repeat": _changed_repeat,
    "void": _void,
    "reversal": _reversal,
    "reversal before": _reversal_before,
    "advice": _advice,
    "advice of a payment": _advice_of_a_payment,
    "void reversed": _void_reversed,
    "inquiry": _inquiry,
    "totals": _totals,
    "cut over": _cut_over,
    "echo": _echo,
    "sign off": _sign_off,
    "flawed": _flawed,
    "odd reversal": _odd_reversal,
    "about a booking": _about_a_booking,
}
