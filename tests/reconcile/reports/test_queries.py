"""Every query that docs/figures.md shows runs on both databases as it stands there, and gives the report's figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from shebao_bureau import BANKS
from shebao_made_day import D, bank_file, everything, report
from sqlalchemy import text

from shebao.reconcile.reports.queries import QUERIES

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "figures.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"## (\w+)\n.*?```sql\n(.*?)\n```", DOCUMENT, re.DOTALL))
ROLL_UP = re.search(r"```sql\n(SELECT <key>.*?)\n```", DOCUMENT, re.DOTALL)
BOOKS = {bank: int(number) * 100 for bank, number in BANKS.items()}


class Auditor:
    """Runs what the document shows, with the values that it names."""

    def __init__(self, bureau: Any) -> None:
        self.bureau = bureau

    def ask(self, name: str, bank: str, sql: str = "", **more: int) -> list[Any]:
        values = {"book": BOOKS[bank], "since": D, "until": D, **more}
        if name != "span":
            (span,) = self.ask("span", bank)
            values |= {"first": span.first, "last": span.last}
        sql = sql or SHOWN[name]
        with self.bureau.store.reading() as conn:
            return list(conn.execute(text(sql), {k: v for k, v in values.items() if re.search(rf":{k}\b", sql)}))

    def rolled_up(self, key: str, count: str, bank: str) -> dict[Any, tuple[int, ...]]:
        assert ROLL_UP
        sql = ROLL_UP[1].replace("<key>", key).replace("<count>", count).replace("<cube>", SHOWN["cube"])
        sql = sql.replace("GROUP BY 1\n", "") if key == "1" else sql
        return {row[0]: tuple(int(n) for n in row[1:]) for row in self.ask("cube", bank, sql)}


@pytest.fixture
def auditor(any_bureau: Any) -> Auditor:
    everything(any_bureau, spread=6)
    return Auditor(any_bureau)


def test_the_document_shows_the_queries_to_the_letter() -> None:
    assert {name: query.sql.strip() for name, query in QUERIES.items()} == SHOWN
    for name in QUERIES:
        assert f"`{name}`" in DOCUMENT


def test_every_figure_can_be_had_again(auditor: Auditor) -> None:
    told = auditor.bureau.told("report", "--date", "2026-11-23")
    tables = told["tables"]
    _payments(auditor, tables)
    _money(auditor, tables)
    quarters: dict[str, list[int]] = {}
    for bank in BANKS:
        for row in auditor.ask("minutes", bank):
            hour, minute = divmod(row.minute % 10000, 100)
            one = quarters.setdefault(f"{hour:02d}:{minute // 15 * 15:02d}", [0, 0])
            one[0], one[1] = one[0] + row.payments, one[1] + row.fen
    assert quarters == {q["from"]: [q["payments"], q["fen"]] for q in told["quarters"]}
    seals = {row["bank"].split()[-1]: (row["seq"], row["seal"]) for row in tables["seal"]}
    found = {bank: auditor.ask("seal", bank)[0] for bank in BANKS}
    assert seals == {bank: (row.seq, bytes(row.seal).hex()) for bank, row in found.items()}
    assert all(not auditor.ask("restores", bank) for bank in BANKS)


def _payments(auditor: Auditor, tables: dict[str, Any]) -> None:
    """Each table of payments, reversals, corrections: the documented grouping, added up over the books."""
    measures = ("payments", "payments_fen", "reversals", "reversals_fen", "corrections", "corrections_fen")
    for key, count, table in (
        ("type", "parts", "type"), ("channel", "acts", "channel"), ("office", "acts", "office"),
    ):  # fmt: skip
        found: dict[Any, tuple[int, ...]] = {}
        for bank in BANKS:
            for name, line in auditor.rolled_up(key, count, bank).items():
                found[name] = tuple(map(sum, zip(found.get(name, (0,) * 6), line, strict=True)))
        told = {row[table]: tuple(row[m] for m in measures) for row in tables[table]}
        names = {key: name for key in found for name in told if _names(name, key)}
        assert {names[key]: line for key, line in found.items()} == told, table
    for bank in BANKS:
        (line,) = auditor.rolled_up("1", "acts", bank).values()
        (row,) = (row for row in tables["bank"] if row["bank"].endswith(bank))
        assert tuple(row[m] for m in measures) == line
        (day,) = auditor.ask("days", bank)
        assert line == tuple(day[3:9]), "the counters of the date, and what was ruled on it"
    (this,) = (row for row in tables["comparison"] if row["span"].startswith("本日"))
    assert this["net"] == sum(row["net"] for row in tables["bank"])
    branches = [line for bank in BANKS for line in auditor.rolled_up("branch", "acts", bank).values()]
    shown = [tuple(row[m] for m in measures) for row in tables["branch"]]
    assert [sum(n) for n in zip(*branches, strict=True)] == [sum(n) for n in zip(*shown, strict=True)]


def _names(name: str, key: str) -> bool:
    return name.startswith(f"{key} ") or name == key or (key == "suspense" and name.startswith("挂账"))


def _money(auditor: Auditor, tables: dict[str, Any]) -> None:
    for bank in BANKS:
        for row in auditor.ask("dues", bank):
            (told,) = (one for one in tables["money"] if one["bank"].endswith(bank) and one["date"] == row.date)
            assert (told["file_net"], told["moved"], told["corrections"]) == (row.net, row.moved, row.corrections)
            assert told["due"] == row.net + row.moved + row.corrections and told["received"] == row.received
        lines = [(f"{bank}-{row.id}", row.fen) for row in auditor.ask("differences", bank)]
        files = auditor.ask("files", bank)
        told_lines = [(row["id"], row["fen"]) for row in tables["difference"] if row["id"].startswith(bank)]
        assert told_lines == (lines if files else [])
        decided = [(f"{bank}-{row.exception_id or row.proposal_id}", *row[4:9])
                   for row in auditor.ask("decisions", bank)]  # fmt: skip
        told_decisions = [
            tuple(row[key] for key in ("id", "amount", "funds", "suspense", "maker", "checker"))
            for row in tables["decision"] if row["id"].startswith(f"{bank}-")
        ]  # fmt: skip
        assert told_decisions == decided != []
        (work,) = (row for row in tables["worklist"] if row["bank"].endswith(bank))
        assert work["new"] == sum(row.number for row in auditor.ask("exceptions", bank) if row.date == D)
    sides: dict[str, list[int]] = {}
    vouchers = 0
    for bank in BANKS:
        for row in auditor.ask("accounts", bank):
            for account, n in ((row.debit, 0), (row.credit, 1)):
                sides.setdefault(account, [0, 0])[n] += row.moved
        vouchers += sum(row.fen for row in auditor.ask("vouchers", bank))
    told = {row["account"].split()[-1]: [row["moved_debit"], row["moved_credit"]] for row in tables["account"]}
    assert told == sides and vouchers == sum(debit for debit, _ in sides.values())


def test_what_the_verdict_tells_of_suspense_is_the_querys(auditor: Auditor) -> None:
    for bank in BANKS:
        (due,) = auditor.ask("dues", bank)
        between = sum(row.fen for row in auditor.ask("differences", bank))
        bank_file(auditor.bureau, bank, due.net + due.moved + due.corrections + between)
    held = [
        row for bank in BANKS for row in auditor.ask("exceptions", bank)
        if row.item_class == "SUSPENSE" and row.state in ("OPEN", "PROPOSED") and row.date == D
    ]  # fmt: skip
    number, fen = sum(row.number for row in held), sum(row.fen for row in held)
    made = report(auditor.bureau)
    assert number and f"挂账 {number} 笔 {fen // 100}.{fen % 100:02d} 元" in made.verdict.chinese, made.verdict


def test_files_are_the_other_side_of_the_statement(auditor: Auditor) -> None:
    bank_file(auditor.bureau, "rcb", 12345)
    (row,) = auditor.ask("files", "rcb")
    told = auditor.bureau.told("report", "--date", "2026-11-23")["tables"]["statement"]
    (line,) = (one for one in told if one["bank"].endswith("rcb"))
    assert row.net == line["bank_net"] == 12345 and json.loads(row.classes_json)["MATCHED"] == 7
