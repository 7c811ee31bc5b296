"""What a bank says to the switch and what it expects to hear back: messages built, replies checked. Pure.

Fields are as in `codecs.message.Message`, DE48 as hex. A reply's faults come back as sentences, not as
exceptions: a simulator counts them and goes on. Contract: wire.md sections 4 to 6.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from shebao.codecs import tags
from shebao.codecs.message import Decoded
from shebao.codecs.numbers import bill_ok

from .wire import Identity

PAY_PROC: Final = "500000"
VOID_PROC: Final = "200000"
INQUIRE_PROC: Final = "390000"
ECHOED: Final = (2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70)
APPROVED: Final = "00"


class Order(NamedTuple):
    """What a customer wants of the bank: a bill paid, and by which way it shall go (`bank.FATES`)."""

    bill: str
    amount: int  # fen
    moment: int  # YYYYMMDDhhmmss, CST: the transaction time
    channel: str = "01"
    terminal: str = "T0000001"  # 8 characters
    branch: str = "330110000BR0001"  # 15 characters
    fate: str = "plain"
    payer: str = ""  # id, given to the switch where not empty
    contested: bool = False  # another bank has the same order: B1 is as good as 00


class Key(NamedTuple):
    """DE7 with its year, and DE11: how a bank knows its own message again."""

    moment: int
    stan: str

    @property
    def de7(self) -> str:
        return str(self.moment)[4:]


def rrn(key: Key) -> str:
    """A retrieval reference number, 12 characters: last digit of the year, MMDD, hour without its tens, STAN."""
    text = str(key.moment)
    return f"{text[3:8]}{text[9]}{key.stan}"


def payment(who: Identity, order: Order, key: Key) -> dict[int, str]:
    """Of a payment and of an advice."""
    pairs = [("CH", order.channel), ("BN", order.bill)]
    if order.payer:
        pairs.insert(1, ("ID", order.payer))
    return {
        3: PAY_PROC,
        4: f"{order.amount:012d}",
        **_at_the_counter(who, order, key),
        22: "011",
        25: "00",
        48: _de48(pairs),
        49: "156",
    }


def inquiry(who: Identity, order: Order, key: Key) -> dict[int, str]:
    return {3: INQUIRE_PROC, **_at_the_counter(who, order, key), 48: _de48([("CH", order.channel), ("BN", order.bill)])}


def void(who: Identity, order: Order, key: Key, original: Key) -> dict[int, str]:
    fields = payment(who, order._replace(payer=""), key)
    return {**fields, 3: VOID_PROC, 90: de90(who, "0200", original)}


def reversal(who: Identity, order: Order, key: Key, original: Key, proc: str, mti: str = "0200") -> dict[int, str]:
    """Of a payment, an advice (`mti` 0220) or a void (`proc` 200000)."""
    return {
        3: proc,
        4: f"{order.amount:012d}",
        7: key.de7,
        11: key.stan,
        32: who.institution,
        37: rrn(key),
        49: "156",
        90: de90(who, mti, original),
    }


def de90(who: Identity, mti: str, original: Key) -> str:
    return f"{mti}{original.stan}{original.de7}{who.institution:0>11}{'0' * 11}"


def network(who: Identity, key: Key, code: str, date: int = 0) -> dict[int, str]:
    """Sign-on 001, sign-off 002, cut-over 201 (with the new settlement date), echo 301."""
    fields = {7: key.de7, 11: key.stan, 32: who.institution, 70: code}
    return {**fields, 15: _mmdd(date)} if date else fields


def totals(
    who: Identity, key: Key, date: int, credits: tuple[int, int], reversals: tuple[int, int]
) -> dict[int, str]:
    """An 0500: numbers and fen of credits and of their reversals; debits are none."""
    net = credits[1] - reversals[1]
    return {
        7: key.de7,
        11: key.stan,
        15: _mmdd(date),
        32: who.institution,
        **{74: f"{credits[0]:010d}", 75: f"{reversals[0]:010d}", 76: "0" * 10, 77: "0" * 10},
        **{86: f"{credits[1]:016d}", 87: f"{reversals[1]:016d}", 88: "0" * 16, 89: "0" * 16},
        97: f"{'D' if net < 0 else 'C'}{abs(net):016d}",
    }


def repeat_mti(mti: str) -> str:
    return mti[:3] + "1"


def reply_mti(mti: str) -> str:
    return f"{mti[:2]}{int(mti[2]) + 1}{'0' if mti[3] in '01' else '2'}"


def date_near(mmdd: str, near: int) -> int:
    """The date YYYYMMDD of that month and day which is nearest to another date."""
    year = near // 10000
    wanted = int(mmdd)
    return min(((year + n) * 10000 + wanted for n in (-1, 0, 1)), key=lambda day: abs(_serial(day) - _serial(near)))


# What a reply may add when it says 00: (fields, tags that must be there, tags that may).
ADDS: Final[dict[str, tuple[frozenset[int], frozenset[str], frozenset[str]]]] = {
    "inquire": (frozenset({4, 48}), frozenset({"NB"}), frozenset({"NM", "BL", "IN", "PG", "MS"})),
    "pay": (frozenset({15, 38, 48}), frozenset({"RN"}), frozenset({"NM", "MS"})),
    "void": (frozenset({15, 48}), frozenset({"RN"}), frozenset({"MS"})),
    "advise": (frozenset({15, 48}), frozenset({"RN", "MS"}), frozenset()),
    "reverse": (frozenset({15}), frozenset(), frozenset()),
    "unvoid": (frozenset({15}), frozenset(), frozenset()),
    "totals": (frozenset({66, 74, 75, 76, 77, 86, 87, 88, 89, 97}), frozenset(), frozenset()),
    "network": (frozenset(), frozenset(), frozenset()),
}
_WITHOUT_DE48: Final = frozenset({"12", "30", "31", "40", "58", "68", "91", "94", "96", "A0"})
_NO_TAGS: Final = tags.Tags()


class Reply(NamedTuple):
    code: str  # DE39, "" when it has none
    tags: tags.Tags
    date: int  # DE15 with its year, 0 without
    faults: list[str]  # what is wrong with it, empty when it is as the contract says


def read_reply(step: str, mti: str, fields: dict[int, str], decoded: Decoded, today: int) -> Reply:
    """The reply to a message of that step, and what is wrong with it. `today`: the date that DE15 is near to."""
    got = decoded.fields
    code = got.get(39, "")
    faults = [f"field {fault.field}: {fault.reason}" for fault in decoded.faults]
    if decoded.mti != reply_mti(mti):
        faults.append(f"MTI {decoded.mti} answers {mti}")
    tagged = _NO_TAGS
    if 48 in got:
        try:
            tagged = tags.parse(bytes.fromhex(got[48]))
        except tags.TagError as fault:
            faults.append(str(fault))
    adds, required, allowed = ADDS[step]
    date_echoed = 15 in fields
    may = {39, decoded.mac_field}
    for number in ECHOED:
        if number in fields:
            may.add(number)
            if got.get(number) != fields[number] and not (number == 4 and step == "inquire"):
                faults.append(f"field {number} is not given back")
    if date_echoed:
        may.add(15)
        if got.get(15) != fields[15]:
            faults.append("field 15 is not given back")
    if code in (APPROVED, "95"):
        faults += _approved_faults(got, adds, may, tagged, required, allowed if code == APPROVED else frozenset())
    else:
        faults += _refused_faults(got, code, may, 48 in fields)
    date = date_near(got[15], today) if 15 in got else 0
    return Reply(code, tagged, date, faults)


def _approved_faults(
    got: dict[int, str],
    adds: frozenset[int],
    may: set[int],
    tagged: tags.Tags,
    required: frozenset[str],
    allowed: frozenset[str],
) -> list[str]:
    faults = [f"field {number} is missing" for number in sorted(adds - got.keys())]
    faults += [f"field {number} should not be there" for number in sorted(got.keys() - may - adds)]
    names = {name for name, _ in tagged.pairs}
    faults += [f"tag {name} is missing" for name in sorted(required - names)]
    faults += [f"tag {name} should not be there" for name in sorted(names - required - allowed)]
    return faults


def _refused_faults(got: dict[int, str], code: str, may: set[int], had_de48: bool) -> list[str]:
    if code == "30":
        may.add(44)
    elif had_de48 and code not in _WITHOUT_DE48:
        may.add(48)
    faults = [f"field {number} should not be there with {code}" for number in sorted(got.keys() - may)]
    if code == "30" and 44 not in got:
        faults.append("field 44 is missing with 30")
    return faults


def receipt_faults(receipt: str, bank_number: str, date: int) -> list[str]:
    """What is wrong with a receipt number of a payment of that settlement date."""
    if not bill_ok(receipt):  # the same MOD 11,10 check digit over 19
        return [f"receipt {receipt}: check digit"]
    if not receipt.startswith(f"{date % 1_000_000:06d}{bank_number}"):
        return [f"receipt {receipt} is not of {date} and bank {bank_number}"]
    return []


def _at_the_counter(who: Identity, order: Order, key: Key) -> dict[int, str]:
    de7 = key.de7
    return {
        7: de7,
        11: key.stan,
        12: de7[4:],
        13: de7[:4],
        32: who.institution,
        37: rrn(key),
        41: order.terminal,
        42: order.branch,
    }


def _de48(pairs: list[tuple[str, str]]) -> str:
    return tags.build(pairs).hex().upper()


def _mmdd(date: int) -> str:
    return f"{date % 10000:04d}"


def _serial(day: int) -> int:
    """Days in months of 31: good enough to tell the nearest year."""
    return day // 10000 * 372 + day // 100 % 100 * 31 + day % 100
