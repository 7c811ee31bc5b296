"""A day's figures as one HTML page: Chinese first, English beside it; it prints, and needs nothing beside itself.

Only how it looks: what it tells comes from `figures`, the picture from `chart`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from shebao.codecs.statement import format_yuan
from shebao.ledger.day import time_of
from shebao.ledger.desk import blocks

from .chart import chart, clock
from .close import DiskFiles, publish
from .figures import BankDay, Figures
from .worklist import CHINESE, FROM_THE_WIRE, PROPOSALS, Row, difference, iso

TEMPLATE: Final = Path(__file__).with_name("templates") / "settlement.html"
EXCEPTIONS_SHOWN_MAX: Final = 200

TYPES: Final = {
    "110": ("企业职工养老", "enterprise pension"), "120": ("机关事业养老", "public-institution pension"),
    "170": ("城乡居民养老", "resident pension"), "210": ("失业", "unemployment"),
    "310": ("职工医疗", "employee medical"), "390": ("城乡居民医疗", "resident medical"),
    "410": ("工伤", "work injury"), "510": ("生育", "maternity"), "suspense": ("挂账", "suspense"),
}  # fmt: skip
CHANNELS: Final = {
    "01": ("柜面", "counter"), "02": ("自助终端", "kiosk"), "03": ("网上银行", "net bank"),
    "04": ("手机银行", "mobile bank"), "05": ("批量代扣", "batch debit"),
}  # fmt: skip
STATES: Final = {
    "OPEN": ("未日切", "open"), "CLOSED": ("未对账", "closed"), "DIFFERS": ("有差异", "exceptions"),
    "RECONCILED": ("已对平,待划款", "reconciled"), "SETTLED": ("已结清", "settled"), "": ("无此日", "no such date"),
}  # fmt: skip
SHORT: Final = {  # classes as heads of narrow columns
    "MATCHED": ("相符", "matched"), "OTHER_DATE": ("跨日", "other date"), "BANK_ONLY": ("长款", "bank only"),
    "LEDGER_ONLY": ("短款", "ledger only"), "AMOUNT_DIFFERS": ("金额不符", "amount"),
    "STATE_DIFFERS": ("状态不符", "state"), "DUPLICATE": ("重复", "duplicate"),
}  # fmt: skip


class Verdict(NamedTuple):
    level: str  # "good" "wait" "bad": colour and sign
    chinese: str
    english: str


def verdict(figures: Figures) -> Verdict:
    """Right or not, how much is open, whom to call; one line."""
    if not figures.agrees:
        return Verdict(
            "bad", "账目不符:各银行合计与各险种合计不一致,请立即运行 ledgerctl verify 并联系系统管理员",
            "NOT RIGHT: totals by bank and by type differ. Run ledgerctl verify and call the administrator",
        )  # fmt: skip
    differing = {one.bank: [r for r in one.exceptions if blocks(r)] for one in figures.banks}
    if number := sum(len(rows) for rows in differing.values()):
        fen = sum(difference(row) for rows in differing.values() for row in rows)
        names = [one for one in figures.banks if differing[one.bank]]
        return Verdict(
            "bad", f"未平:{number} 笔差异,涉及 {money(fen)} 元,请联系 {'、'.join(one.name for one in names)}",
            f"not balanced: {number} open, {money(fen)} yuan; call {', '.join(one.bank for one in names)}",
        )  # fmt: skip
    open_ = [one for one in figures.banks if one.day is None or one.day.state == "OPEN"]
    if open_:
        return Verdict(
            "wait", f"尚未日切:{'、'.join(one.name for one in open_)},数字未定",
            f"interim: {', '.join(one.bank for one in open_)} not closed yet",
        )  # fmt: skip
    waiting = [one for one in figures.banks if one.file is None]
    if waiting:
        return Verdict(
            "wait", f"等待对账文件:{'、'.join(one.name for one in waiting)}",
            f"not compared yet: the file of {', '.join(one.bank for one in waiting)} is awaited",
        )  # fmt: skip
    return Verdict("good", "账平:各银行逐笔相符,无待处理差异", "balanced: every item agrees with every bank")


def money(fen: int) -> str:
    """Yuan with two decimals and thousands separators: -1234567 is `-12,345.67`."""
    whole, _, cents = format_yuan(abs(fen)).partition(".")
    return f"{'-' if fen < 0 else ''}{int(whole):,}.{cents}"


def render(figures: Figures, as_of: datetime, identity: str, version: str) -> str:
    """The page. `as_of`: aware; `identity`: how operators are told apart ("declared" is said on the page)."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(money=money, number=lambda n: f"{n:,}", iso=iso)
    listed = [(one, row) for one in figures.banks for row in one.exceptions]
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        f=figures, verdict=verdict(figures), chart=Markup(chart(figures.quarters, figures.start_min)),
        as_of=as_of, version=version, state_of=state_of, short=SHORT,
        declared=identity == "declared", types=TYPES, channels=CHANNELS, classes=CHINESE,
        proposals=PROPOSALS, listed=listed[:EXCEPTIONS_SHOWN_MAX], unlisted=max(0, len(listed) - EXCEPTIONS_SHOWN_MAX),
        closed_at=closed_at, moment=moment, sides=sides, time_text=time_text,
    )  # fmt: skip
    return text + "\n"


def state_of(one: BankDay) -> tuple[str, str]:
    """Chinese and English: the date's state; of one that was run and does not agree, that it differs."""
    state = one.day.state if one.day else ""
    return STATES["DIFFERS" if state == "CLOSED" and one.file else state]


def sides(row: Row) -> tuple[str, str]:
    """The two sides' amounts; a side that has no line is a dash. What the wire opened is the ledger's own."""
    if row.item_class in FROM_THE_WIRE:
        return money(row.amount), "—"
    told = (json.loads(side)["amount"] if side else None for side in (row.ledger_json, row.bank_json))
    ledger, bank = ("—" if fen is None else money(fen) for fen in told)
    return ledger, bank


def closed_at(one: BankDay) -> str:
    if one.day is None or one.day.closed_us is None:
        return ""
    return time_of(one.day.closed_us).strftime("%m-%d %H:%M:%S")


def moment(at_us: int) -> str:
    return time_of(at_us).strftime("%Y-%m-%d %H:%M:%S")


def time_text(trace: int) -> str:
    """When a line was made, from its trace: MM-DD hh:mm:ss."""
    t = f"{trace:018d}"
    return f"{t[2:4]}-{t[4:6]} {t[6:8]}:{t[8:10]}:{t[10:12]}"


# -- files ----------------------------------------------------------------------------------------------------------


def save(state_dir: Path, figures: Figures, text: str) -> Path:
    """Writes `<state_dir>/reports/<YYYY-MM-DD>/settlement.html`, whole or not at all."""
    folder = state_dir / "reports" / iso(figures.date)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "settlement.html"
    publish(path, [text.encode("utf-8", "replace")], DiskFiles())
    return path


def summary(figures: Figures) -> dict[str, Any]:
    """The same figures for `reconcile report --json`; amounts in fen."""
    def told(lines: Iterable[tuple[str, Any]]) -> dict[str, dict[str, int]]:
        return {key: {**line._asdict(), "net": line.net} for key, line in lines}

    return {
        "date": iso(figures.date),
        "verdict": verdict(figures)._asdict(),
        "total": {**figures.total._asdict(), "net": figures.total.net},
        "banks": told((one.bank, one.totals) for one in figures.banks),
        "types": told(figures.by_type.items()),
        "channels": told(figures.by_channel.items()),
        "due": {one.bank: one.due for one in figures.banks},
        "exceptions_open": sum(blocks(r) for one in figures.banks for r in one.exceptions),
        "quarters": [
            {"from": clock(figures.start_min, q), "payments": n, "fen": fen}
            for q, (n, fen) in enumerate(figures.quarters)
            if n
        ],
    }  # fmt: skip
