"""Which tables a report has, and what stands in them: figures in, tables out, in the order of reading.

Those with payments, reversals, corrections and net all add up the same rows (`cube`). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from shebao.ledger.day import iso, time_of

from ..terms import ACTION_WORDS
from ..worklist import CHINESE, FROM_THE_WIRE, PROPOSALS, Row, marks
from . import money_tables, words
from .chart import clock
from .cube import SUSPENSE, Line, corrections, lines, total
from .figures import Figures
from .money_tables import SHOWN, bank_text
from .periods import DAY, YEAR
from .sheet import CODE, COUNT, DATE, MONEY, NONE, Column, Table, Text
from .verdict import checks

BRANCHES: Final = 20  # the busiest, the rest as one row
MEASURES: Final = (
    Column("payments", "缴费笔数", "no.", COUNT), Column("payments_fen", "缴费金额", "payments", MONEY),
    Column("reversals", "冲正笔数", "no.", COUNT), Column("reversals_fen", "冲正金额", "reversals", MONEY),
    Column("corrections", "更正笔数", "no.", COUNT), Column("corrections_fen", "更正金额", "corrections", MONEY),
    Column("net", "净额", "net", MONEY, sums=((1, 2), (-1, 4), (1, 6))),
)  # fmt: skip
NONE_OF_IT: Final = (None,) * len(MEASURES)
PARTS: Final = "笔数按险种分项计，一张缴费单可有多项。 Counts are insurance parts: a bill has one or more."


def tables(figures: Figures) -> list[Table]:
    """All of them."""
    f = figures
    course, owed = ([], []) if f.period.unit == DAY else ([_course(f)], [money_tables.owed(f)])
    return [
        _by_bank(f), *course, _quarters(f), _by_type(f), _by_bank_and_type(f), _by_channel(f), _by_branch(f),
        _by_office(f), _corrections(f), _decisions(f), _results(f), _worklist(f), _exceptions(f), *owed,
        money_tables.money(f), money_tables.statement(f), money_tables.differences(f), _comparison(f), _accounts(f),
        _checks(f), _seals(f),
    ]  # fmt: skip


def _measured(
    key: str, chinese: str, english: str, first: Column, rows: Iterable[tuple[Text, Line]], note: str = "",
    shown: int = 0,
) -> Table:  # fmt: skip
    cells = [(name, *line, line.net) for name, line in rows]
    return Table(key, chinese, english, (first, *MEASURES), cells, total=True, note=note, shown=shown)


def _named(names: Mapping[str, tuple[str, str]], key: str) -> Text:
    """`170 城乡居民养老` and its English; of what is no digits, only the words."""
    chinese, english = names.get(key, ("", ""))
    return Text(f"{key} {chinese}".strip() if key.isdigit() or not chinese else chinese, english)


# -- payments, reversals, corrections, net ---------------------------------------------------------------------------


def _by_bank(f: Figures) -> Table:
    found = lines(f.cube, "bank")
    rows = [(bank_text(one), found.get((one.bank,), Line())) for one in f.banks]
    note = "净额 = 缴费 - 冲正 + 更正；更正由双人决定：补记、入账、退回、冲回、退费。 Decided by two people."
    again = f.cube.filter(pl.col("kind") == "unvoid")["acts"].sum()
    if again:
        note += f" 缴费笔数含撤销的冲正 {again:,} 笔。 Payments with {again:,} reversed voids."
    return _measured("bank", "各银行", "By bank, yuan", Column("bank", "银行", "bank"), rows, note)


def _course(f: Figures) -> Table:
    """The period's dates, of a year its months."""
    cube = f.cube.with_columns(part=f.cube["date"] // (100 if f.period.unit == YEAR else 1))
    found = lines(cube, "part")
    parts = sorted({f.period.part_of(day.date) for one in f.banks for day in one.days})
    name = words.month if f.period.unit == YEAR else iso
    rows = [(Text(name(part)), found.get((part,), Line())) for part in parts]
    if f.period.unit == YEAR:
        table = _measured("course", "各月", "By month, yuan", Column("month", "月份", "month"), rows)
    else:
        table = _measured("course", "各日", "By settlement date, yuan", Column("date", "结算日", "date"), rows)
    return table._replace(drawn="above")


def _by_type(f: Figures) -> Table:
    found = {(SUSPENSE,): Line(), **lines(f.cube, "type", counted="parts")}
    rows = [(_named(words.TYPES, kind), found[kind,]) for (kind,) in sorted(found)]
    return _measured("type", "各险种", "By insurance type, yuan", Column("type", "险种", "type"), rows, PARTS)


def _by_bank_and_type(f: Figures) -> Table:
    order = {one.bank: one for one in f.banks}
    found = lines(f.cube, "bank", "type", counted="parts")
    rows = []
    for bank, kind in sorted(found, key=lambda key: (list(order).index(key[0]), key[1])):
        name = _named(words.TYPES, kind)
        rows.append((Text(f"{bank} · {name.chinese}", name.english), found[bank, kind]))
    return _measured("bank_type", "各银行各险种", "By bank and insurance type, yuan",
                     Column("bank_type", "银行 · 险种", "bank, type"), rows, PARTS)  # fmt: skip


def _by_channel(f: Figures) -> Table:
    found = lines(f.cube, "channel")
    rows = [(_named(words.CHANNELS, key) if key else Text("未注明", "not told"), found[key,]) for (key,) in found]
    return _measured("channel", "各渠道", "By channel, yuan", Column("channel", "渠道", "channel"), rows)


def _by_branch(f: Figures) -> Table:
    """The busiest first; what is beyond 20 is one row, in the workbook too."""
    found = sorted(lines(f.cube, "bank", "branch").items(), key=lambda item: (-item[1].payments_fen, item[0]))
    rows = [(Text(branch.strip() or "未注明", bank), line) for (bank, branch), line in found[:BRANCHES]]
    if rest := [line for _, line in found[BRANCHES:]]:
        rows.append((Text(f"其余 {len(rest):,} 个网点", "all others"), total(rest)))
    column = Column("branch", "网点", "branch")
    return _measured("branch", "各网点", f"By branch, the {BRANCHES} largest, yuan", column, rows)


def _by_office(f: Figures) -> Table:
    found = sorted(
        lines(f.cube, "office").items(), key=lambda item: (item[0][0] == SUSPENSE, -item[1].payments_fen, item[0])
    )
    names = {SUSPENSE: Text("挂账，无缴费单", "suspense, no bill"), "": Text("未注明", "not told")}
    rows = [(names.get(office) or Text(office), line) for (office,), line in found]
    column = Column("office", "机构", "office")
    return _measured("office", "各开单机构", "By issuing office, yuan", column, rows, shown=SHOWN)


def _corrections(f: Figures) -> Table:
    columns = (
        Column("kind", "更正种类", "kind"), Column("number", "笔数", "no.", COUNT),
        Column("funds_fen", "基金", "funds", MONEY), Column("suspense_fen", "挂账", "suspense", MONEY),
        Column("net", "净额", "net", MONEY, sums=((1, 2), (1, 3))),
    )  # fmt: skip
    rows = [
        (Text(*words.KINDS.get(kind, (kind, ""))), number, funds, aside, funds + aside)
        for kind, (number, funds, aside) in corrections(f.cube).items()
    ]
    return Table("correction", "更正明细", "Corrections by kind, yuan", columns, rows, total=True)


def _decisions(f: Figures) -> Table:
    """Who asked and who approved: names beside the sum above, and the decisions that move no money."""
    columns = (
        Column("id", "编号", "id", CODE), Column("action", "处理", "action"),
        Column("amount", "所涉金额", "concerned", MONEY, adds_up=False),
        Column("funds", "记入基金", "to funds", MONEY, adds_up=False),
        Column("suspense", "记入挂账", "to suspense", MONEY, adds_up=False),
        Column("date", "记账日", "booked on", DATE),
        Column("maker", "经办", "maker", aside=True),
        Column("checker", "复核", "checker", aside=True), Column("time", "复核时间", "approved", CODE, aside=True),
        Column("reason", "经办理由／复核理由", "reasons of both", aside=True),
    )  # fmt: skip
    rows = [
        (
            f"{part.bank}-{one.exception_id or one.proposal_id}", _action(one.action),
            one.fen, one.funds, one.suspense, one.date, Text(one.maker), Text(one.checker), words.moment(one.at_us)[5:],
            Text(f"{one.maker_reason}／{one.checker_reason}"),
        )
        for part in f.banks for one in part.decisions
    ]  # fmt: skip
    note = "本期记账的全部双人处理，含结转、认账与收付款；以及对本期差异的处理，无论何日记账。"
    note += "金额不符者，所涉金额为两方之差。记账日在本期者，记入基金、挂账之和即更正明细。"
    note += " All that two people decided in the period, or later about its exceptions."
    note += " What is booked on dates of the period adds up to the corrections by kind."
    if len(rows) > SHOWN + 1:
        note += f" 只列前 {SHOWN} 笔，全部见 XLSX。 The first {SHOWN}; the workbook has all {len(rows):,}."
    return Table("decision", "双人处理明细", "Decisions by two people, yuan", columns, rows, note=note, shown=SHOWN)


def _action(action: str) -> Text:
    """As screens and the worklist call it."""
    chinese, _, english = ACTION_WORDS.get(action, action).partition(" ")
    return Text(chinese, english)


def _quarters(f: Figures) -> Table:
    columns = (
        Column("quarter", "时刻", "from"), Column("payments", "笔数", "payments", COUNT),
        Column("fen", "金额", "yuan", MONEY),
    )  # fmt: skip
    rows = [(Text(clock(f.start_min, q)), number, fen) for q, (number, fen) in enumerate(f.quarters)]
    minute, most = f.peak
    note = f"最忙一分钟 peak minute: {minute}，{most:,} 笔 payments。" if most else ""
    return Table(
        "quarter", "每刻钟缴费", "Payments and yuan per quarter of an hour, by transaction time", columns, rows,
        total=True, note=note, drawn="instead",
    )  # fmt: skip


# -- reconciliation and exceptions -----------------------------------------------------------------------------------


def state_of(f: Figures, bank: str) -> Text:
    """Of one date its state, of a longer time the least advanced, in the words of `money_tables`."""
    states = [due.told_state for due in f.dues if due.bank == bank and due.date >= f.period.since]
    return Text(*words.STATES[min(states, key=list(words.STATES).index) if states else ""])


def _results(f: Figures) -> Table:
    classes = [Column(key, *names, COUNT) for key, names in words.CLASSES.items()]
    columns = (
        Column("bank", "银行", "bank"), Column("state", "状态", "state"), Column("cutover", "日切", "cut-over", CODE),
        Column("files", "文件", "files", COUNT), *classes,
    )  # fmt: skip
    rows = []
    for one, found in zip(f.banks, f.statements, strict=True):
        closed = one.days[-1].closed_us if one.days else None
        told = [found.classes.get(key, 0) if found.accepted else None for key in words.CLASSES]
        rows.append((
            bank_text(one), state_of(f, one.bank),
            time_of(closed).strftime("%m-%d %H:%M:%S") if closed else NONE, found.accepted, *told,
        ))  # fmt: skip
    complete = all(one.accepted == one.dates for one in f.statements)
    note = "" if complete else "银行对账文件未到齐。 Not every file of the banks is here yet."
    return Table("result", "对账结果", "Reconciliation, items by class", columns, rows, total=True, note=note)


def _worklist(f: Figures) -> Table:
    columns = (
        Column("bank", "银行", "bank"), Column("new", "本期新增", "new", COUNT),
        Column("solved", "其中已了", "of these solved", COUNT), Column("decided", "本期处理", "decided", COUNT),
        Column("open", "未了", "open", COUNT), Column("carried", "结转", "carried", COUNT),
        Column("suspense", "挂账", "suspense", COUNT), Column("older", "往期未了", "older", COUNT),
        Column("oldest", "最早", "oldest", DATE),
        Column("oldest_days", "天数", "days", COUNT, adds_up=False, aside=True),
    )  # fmt: skip
    rows = []
    for one in f.banks:
        *counts, oldest, days = one.worklist
        rows.append((bank_text(one), *counts, one.older, oldest, days if oldest else None))
    return Table("worklist", "差异概况", "Exceptions: new, solved, open, oldest", columns, rows, total=True)


def _exceptions(f: Figures) -> Table:
    columns = (
        Column("id", "编号", "id", CODE), Column("class", "类别", "class", aside=True),
        Column("state", "状态", "state"), Column("bill", "缴费单", "bill", CODE, aside=True),
        Column("time", "交易时间", "time", CODE, aside=True),
        Column("ledger", "账上", "ledger", MONEY, adds_up=False), Column("bank", "银行", "bank", MONEY, adds_up=False),
        Column("proposal", "建议", "proposal", aside=True),
    )  # fmt: skip
    rows = [
        (
            f"{one.bank}-{row.id}", _class(row),
            words.state_of_exception(row.item_class, row.state), row.bill, words.time_text(row.trace), *sides(row),
            Text(words.full_width(PROPOSALS[row.item_class][1]), PROPOSALS[row.item_class][2]),
        )
        for one in f.banks for row in one.exceptions
    ]  # fmt: skip
    name = Text("未了差异（含结转、挂账）", "Exceptions not closed: open, carried, suspense; yuan")
    return Table("exception", *name, columns, rows, shown=SHOWN)


def _class(row: Row) -> Text:
    """With what the two amounts do not tell: which side is undone, or there twice."""
    chinese, english = marks(row.item_class, *(json.loads(side or "{}") for side in (row.ledger_json, row.bank_json)))
    return Text("，".join(filter(None, (CHINESE[row.item_class], chinese))),
                ", ".join(filter(None, (row.item_class, english))))  # fmt: skip


def sides(row: Row) -> tuple[int | None, int | None]:
    """The two sides' amounts, None where a side has no line. What the wire opened is the ledger's own."""
    if row.item_class in FROM_THE_WIRE:
        return row.amount, None
    ledger, bank = (int(json.loads(side)["amount"]) if side else None for side in (row.ledger_json, row.bank_json))
    return ledger, bank


# -- the whole -------------------------------------------------------------------------------------------------------


def _comparison(f: Figures) -> Table:
    columns = (
        Column("span", "期间", "period"), Column("since", "自", "from", DATE), Column("until", "至", "to", DATE),
        *(c._replace(sums=tuple((sign, n + 2) for sign, n in c.sums)) for c in MEASURES),
    )  # fmt: skip
    rows = [
        (Text(span.chinese, span.english), span.since, span.until, *((*line, line.net) if line else NONE_OF_IT))
        for span, line in f.comparisons
    ]  # fmt: skip
    note = "“—”：无此结算日。 A dash: there is no such date." if any(line is None for _, line in f.comparisons) else ""
    return Table("comparison", "比较", "Comparison, yuan", columns, rows, note=note)


def _accounts(f: Figures) -> Table:
    """试算平衡表: debit and credit balances before, movements, balances after; each pair has one total."""
    pairs = (("opening", "期初", "opening"), ("moved", "本期", "period"), ("closing", "期末", "closing"))
    columns = [Column("account", "科目", "account")]
    for key, chinese, english in pairs:
        columns.append(Column(f"{key}_debit", f"{chinese}借方", f"{english} Dr", MONEY))
        columns.append(Column(f"{key}_credit", f"{chinese}贷方", f"{english} Cr", MONEY))
    rows = []
    for a in f.accounts:
        name = words.ACCOUNTS.get(a.account.split(":")[0], (a.account, ""))[0]
        opening, closing = ((max(0, fen), max(0, -fen)) for fen in (a.opening, a.closing))
        rows.append((Text(name, a.account), *opening, a.debit, a.credit, *closing))
    return Table("account", "科目余额", "Trial balance, yuan", tuple(columns), rows, total=True)


def _checks(f: Figures) -> Table:
    columns = (
        Column("check", "核对项", "check"), Column("left", "一方", "one side", MONEY, adds_up=False),
        Column("right", "另一方", "other side", MONEY, adds_up=False),
        Column("gap", "相差", "difference", MONEY, sums=((1, 1), (-1, 2)), adds_up=False),
        Column("same", "结论", "result"),
    )  # fmt: skip
    right, wrong = Text("相符", "agrees"), Text("不符", "WRONG")
    rows = [
        (Text(c.chinese, c.english), c.left, c.right, c.left - c.right, right if c.same else wrong)
        for c in checks(f)
    ]  # fmt: skip
    return Table("check", "核对", "Totals that stand in two places, yuan", columns, rows)


def _seals(f: Figures) -> Table:
    columns = (
        Column("bank", "银行", "bank"), Column("seq", "末笔事件", "last event", COUNT, adds_up=False),
        Column("date", "结算日", "date", DATE), Column("seal", "封印", "seal", CODE),
    )  # fmt: skip
    rows = [(bank_text(one), one.last, one.seal_date, one.seal or NONE) for one in f.banks]
    return Table("seal", "账簿封印", "Seal of the books after the period's last event", columns, rows)
