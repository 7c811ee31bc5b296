"""The first line of a report: right or not, how much is open, whom to call (settlement.md section 7).

Pure. Before anything is called right, every total that can be had from two sides is held against the other side.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from shebao.ledger.desk import NOT_BLOCKING, UNDECIDED

from ..words import money
from ..worklist import difference
from .cube import CORRECTIONS, Line, lines
from .figures import Figures, blocking

Said: TypeAlias = tuple[str, str]  # Chinese, English
AND: Final = "；"


class Check(NamedTuple):
    """One amount from two sides, in fen. `same` looks at the counts as well."""

    chinese: str
    english: str
    left: int
    right: int
    same: bool


class Verdict(NamedTuple):
    """`said`, the gravest first: that is written large, the others smaller behind it."""

    level: str  # "good" "wait" "bad": colour and sign
    said: tuple[Said, ...]

    @property
    def chinese(self) -> str:
        return AND.join(chinese for chinese, _ in self.said)

    @property
    def english(self) -> str:
        return "; ".join(english for _, english in self.said)

    @property
    def first(self) -> Said:
        """In Chinese what is written large, and all in English."""
        return self.said[0][0], self.english

    @property
    def also(self) -> str:
        return AND.join(chinese for chinese, _ in self.said[1:])


def checks(figures: Figures) -> list[Check]:
    """What must agree, whatever the day was like."""
    by_bank = {bank: line for (bank,), line in lines(figures.cube, "bank").items()}
    days = {one.bank: one for one in figures.banks}
    found = []
    for bank, part in days.items():
        line, told = by_bank.get(bank, Line()), part.totals
        found.append(
            Check(f"{bank} 缴费减冲正 = 明细文件合计", f"{bank}: payments less reversals = its detail files' totals",
                  line.payments_fen - line.reversals_fen, told.net, line[:4] == tuple(told))
        )  # fmt: skip
    ruled = [one.line for part in figures.banks for one in part.days]
    number, fen = sum(one.corrections for one in ruled), sum(one.corrections_fen for one in ruled)
    all_ = figures.total
    found.append(
        Check("更正合计 = 双人处理的分录", f"{CORRECTIONS} = entries of what two people decided",
              all_.corrections_fen, fen, (all_.corrections, all_.corrections_fen) == (number, fen))
    )  # fmt: skip
    moved = sum(a.credit - a.debit for a in figures.accounts if a.account.startswith(("fund:", "suspense:")))
    found.append(
        Check("净额 = 基金与挂账科目发生额", "net = movement of the funds and of suspense", all_.net, moved,
              all_.net == moved)
    )  # fmt: skip
    booked, debits = sum(v.fen for v in figures.vouchers), sum(a.debit for a in figures.accounts)
    found.append(Check("凭证合计 = 借方发生额", "vouchers = debits of the period", booked, debits, booked == debits))
    for one in figures.statements:
        if one.accepted:
            explained = one.net - one.rest
            found.append(
                Check(f"{one.bank} 应划加差异 = 银行净额", f"{one.bank}: due and differences = the bank's net",
                      explained, one.net, one.rest == 0)
            )  # fmt: skip
    return found


def verdict(figures: Figures) -> Verdict:
    """One line, the gravest first; nothing grave hides what else matters."""
    if wrong := [check for check in checks(figures) if not check.same]:
        first = wrong[0]
        told = (
            f"账目不符：{first.chinese} 不成立（相差 {money(first.left - first.right)} 元），"
            "请立即运行 ledgerctl verify 并联系系统管理员",
            f"NOT RIGHT: {first.english} does not hold; run ledgerctl verify and call the administrator",
        )
        return Verdict("bad", (told,))
    open_, waits, (moves, due) = _open(figures), _waiting(figures), _money(figures)
    level = "bad" if open_ else "wait" if waits or moves else "good"
    balanced = [("账平：与各银行逐笔核对，无待处理差异", "balanced: compared item by item, nothing is open")]
    return Verdict(level, (*(open_ + waits or balanced), *_aside(figures), *due))


def _open(figures: Figures) -> list[Said]:
    """What somebody has to decide."""
    rows = blocking(figures)
    number = sum(len(one) for one in rows.values())
    if not number:
        return []
    fen = sum(difference(row) for one in rows.values() for row in one)
    call = [one for one in figures.banks if rows[one.bank]]
    chinese = f"未平：{number} 笔差异，涉及 {money(fen)} 元，请联系{'、'.join(one.name for one in call)}"
    return [(chinese, f"not balanced: {number} open, {money(fen)} yuan; call {', '.join(one.bank for one in call)}")]


def _waiting(figures: Figures) -> list[Said]:
    """Banks whose period is not over, and those closed whose file is still to come."""
    told: list[Said] = []
    if open_ := [one for one in figures.banks if one.is_open]:
        told.append((f"尚未日切：{'、'.join(one.name for one in open_)}，数字未定",
                     f"interim: {', '.join(one.bank for one in open_)} not closed yet"))  # fmt: skip
    pairs = zip(figures.banks, figures.statements, strict=True)
    if waiting := [part for part, one in pairs if one.accepted < sum(day.state != "OPEN" for day in part.days)]:
        told.append((f"等待对账文件：{'、'.join(one.name for one in waiting)}",
                     f"not compared yet: the file of {', '.join(one.bank for one in waiting)} is awaited"))  # fmt: skip
    return told


def _aside(figures: Figures) -> list[Said]:
    """What blocks nothing and must not be forgotten: carried, left unbooked, in suspense."""
    told: list[Said] = []
    lines = [line for one in figures.statements for line in one.differences]
    if left := [one.fen for one in lines if one.state not in UNDECIDED or one.item_class == NOT_BLOCKING]:
        net, gross = sum(left), sum(map(abs, left))
        chinese, english = (f"（绝对额 {money(gross)} 元）", f" ({money(gross)} gross)") if net != gross else ("", "")
        told.append((f"结转或未入账差异 {len(left)} 笔，合计净额 {money(net)} 元{chinese}",
                     f"{len(left)} carried or left unbooked, {money(net)} yuan net{english}"))  # fmt: skip
    if held := [row.amount for part in figures.banks for row in part.exceptions if row.item_class == NOT_BLOCKING]:
        told.append((f"挂账 {len(held)} 笔 {money(sum(held))} 元",
                     f"{len(held)} in suspense, {money(sum(held))} yuan"))  # fmt: skip
    return told


def _money(figures: Figures) -> tuple[bool, list[Said]]:
    """Whether money of closed dates asks for something to be done; and what is on its way, late, or too much."""
    of_period = [one for one in figures.dues if one.date >= figures.period.since and one.state != "OPEN"]
    names = {one.bank: one.name for one in figures.banks}
    told: list[Said] = []
    late = list(dict.fromkeys(one.bank for one in of_period if one.missing > 0 and one.days_late > 0))
    if missing := sum(max(0, one.missing) for one in of_period):
        chinese, english = f"待划款 {money(missing)} 元", f"{money(missing)} yuan still to come"
        if late:
            chinese += f"，已逾期，请联系{'、'.join(names[bank] for bank in late)}"
            english += f", late; call {', '.join(late)}"
        told.append((chinese, english))
    over = [one for one in of_period if one.missing < 0]
    if over:
        fen, banks = -sum(one.missing for one in over), list(dict.fromkeys(one.bank for one in over))
        told.append((f"多划 {money(fen)} 元，应退还{'、'.join(names[bank] for bank in banks)}",
                     f"{money(fen)} yuan too much, to be paid back to {', '.join(banks)}"))  # fmt: skip
    return bool(late or over), told
