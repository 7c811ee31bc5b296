"""A report has another version when a figure changed, says which, and keeps the one before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shebao_bureau import BANKS
from shebao_made_day import everything

from shebao.reconcile.reports.versions import changes

FILES = ("settlement.html", "settlement.xlsx", "settlement.pdf", "vouchers.csv", "figures.json")


def written(bureau: Any, *words: str) -> tuple[dict[str, Any], Path]:
    told = bureau.told("report", *(words or ("--date", "2026-11-23")))
    return told, Path(told["file"]).parent


def test_the_same_figures_are_the_same_version(bureau: Any) -> None:
    everything(bureau)
    first, folder = written(bureau)
    before = {name: (folder / name).read_bytes() for name in FILES}
    again, _ = written(bureau)
    assert first["version"] == again["version"] == 1 and not again["changes"]
    assert before == {name: (folder / name).read_bytes() for name in FILES}
    bureau.next_day()  # time passes, money is later still
    bureau.next_day()
    later, _ = written(bureau)
    assert later["version"] == 1 and sorted(p.name for p in folder.iterdir()) == sorted(FILES)


def test_another_figure_is_another_version_that_says_so(bureau: Any) -> None:
    desk = everything(bureau)
    _, folder = written(bureau)
    before = {name: (folder / name).read_bytes() for name in FILES}
    desk.exception("boc", "LEDGER_ONLY", "OPEN", 88000)
    told, _ = written(bureau)
    assert told["version"] == 2
    change = {"table": "worklist", "row": "boc银行 boc", "column": "open", "before": 0, "after": 1}
    assert change in told["changes"]
    for name in FILES:
        stem, _, ending = name.partition(".")
        assert (folder / f"{stem}.v1.{ending}").read_bytes() == before[name]
    text = (folder / "settlement.html").read_text(encoding="utf-8")
    assert "第 2 版的变动" in text and text.index("第 2 版") < text.index("各银行")
    kept, _ = written(bureau)
    assert kept["version"] == 2 and kept["changes"] == told["changes"], "written again it still says what changed"
    desk.exception("boc", "LEDGER_ONLY", "OPEN", 99)
    assert written(bureau)[0]["version"] == 3 and (folder / "settlement.v2.pdf").exists()
    assert (folder / "settlement.v1.html").read_bytes() == before["settlement.html"]


def test_each_version_tells_when_it_was_made_and_what_it_saw(bureau: Any) -> None:
    everything(bureau)
    _, folder = written(bureau)
    record = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    seen = {bank: seq for bank, seq in bureau.rows("SELECT bank, next_seq - 1 FROM book WHERE book_id > 0")}
    assert record["version"] == 1 and record["seen"] == seen and record["as_of"].startswith("2026-11-23 23:00")
    text = (folder / "settlement.html").read_text(encoding="utf-8")
    assert f"rcb {seen['rcb']:,}" in text and "第 1 版" in text and "经办人身份为自报" in text
    assert f"version 1, as of {record['as_of']} CST" in text


def test_a_write_that_was_cut_off_is_made_whole(bureau: Any) -> None:
    """New files without their record: the older version's copies, made before, are not written over."""
    desk = everything(bureau)
    _, folder = written(bureau)
    first, record = (folder / "settlement.html").read_bytes(), (folder / "figures.json").read_bytes()
    desk.exception("boc", "LEDGER_ONLY", "OPEN", 88000)
    written(bureau)
    (folder / "figures.json").write_bytes(record)
    told, _ = written(bureau)
    assert told["version"] == 2 and (folder / "settlement.v1.html").read_bytes() == first


SPOILT = {
    "empty": "", "cut off": "{", "a list": "[]", "lacks": '{"version": 1}', "deep": "[" * 100_000 + "]" * 100_000,
    "figures a list": '{"version":1,"figures":[],"changes":[]}',
    "a table a list": '{"version":1,"figures":{"bank":[1]},"changes":[]}',
    "a row a list": '{"version":1,"figures":{"bank":{"a":[1]}},"changes":[]}',
    "a cell a list": '{"version":1,"figures":{"bank":{"a":{"net":[1]}}},"changes":[]}',
    "a cell no number": '{"version":1,"figures":{"bank":{"a":{"net":1e999}}},"changes":[]}',
    "a cell no text": '{"version":1,"figures":{"bank":{"a":{"net":"\\ud800"}}},"changes":[]}',
    "a name no text": '{"version":1,"figures":{"bank":{"\\u0000":{"net":1}}},"changes":[]}',
    "changes a number": '{"version":1,"figures":{},"changes":7}',
    "a change a number": '{"version":1,"figures":{},"changes":[7]}',
    "a change lacks": '{"version":1,"figures":{},"changes":[{"table":"bank"}]}',
    "a change names a list": '{"version":1,"figures":{},"changes":[{"table":["a"],"row":"a","column":"net",'
                             '"before":1,"after":2}]}',
    "version a text": '{"version":"1","figures":{},"changes":[]}',
    "version none": '{"version":null,"figures":{},"changes":[]}',
    "version below": '{"version":-5,"figures":{},"changes":[]}',
    "version beyond": f'{{"version":{10**30},"figures":{{}},"changes":[]}}',
    "version endless": f'{{"version":{"9" * 5000},"figures":{{}},"changes":[]}}',
}  # fmt: skip


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
def test_a_record_that_somebody_spoilt_is_written_anew_under_a_number_of_its_own(bureau: Any, spoilt: str) -> None:
    bureau.pay("rcb")
    _, folder = written(bureau)
    first = (folder / "settlement.html").read_bytes()
    (folder / "figures.json").write_text(spoilt)
    told, _ = written(bureau)
    assert (told["version"], told["changes"]) == (2, [])
    assert (folder / "settlement.v1.html").read_bytes() == first
    assert written(bureau)[0]["version"] == 2


@pytest.mark.parametrize("what", ["spoilt", "gone", "from before"])
def test_a_version_number_is_never_given_twice(bureau: Any, what: str) -> None:
    _, folder = written(bureau)
    record = (folder / "figures.json").read_bytes()
    for version in (2, 3):
        bureau.pay("rcb")
        assert written(bureau)[0]["version"] == version
    third = (folder / "settlement.pdf").read_bytes()
    (folder / "figures.json").unlink()
    if what != "gone":
        (folder / "figures.json").write_bytes(record if what == "from before" else b"{")
    bureau.pay("rcb")
    assert written(bureau)[0]["version"] == 4
    assert (folder / "settlement.v3.pdf").read_bytes() == third
    bureau.pay("rcb")
    assert written(bureau)[0]["version"] == 5


def test_months_and_years_have_their_folders(bureau: Any) -> None:
    everything(bureau)
    for words, name in ((("--month", "2026-11"), "2026-11"), (("--year", "2026"), "2026")):
        told, folder = written(bureau, *words)
        assert folder == bureau.state / "reports" / name and told["period"] == name
        assert all((folder / one).stat().st_size for one in FILES)


TOLD = st.dictionaries(
    st.sampled_from("ab"),
    st.dictionaries(st.sampled_from("rs"), st.dictionaries(st.sampled_from("xy"), st.integers(0, 2))),
)


@settings(deadline=None)
@given(TOLD, TOLD)
def test_changes_are_what_leads_from_one_to_the_other(before: Any, now: Any) -> None:
    def flat(told: Any) -> dict[tuple[str, str, str], int]:
        return {(t, r, c): v for t, rows in told.items() for r, cells in rows.items() for c, v in cells.items()}

    found = flat(before)
    for one in changes(before, now):
        assert one.before == found.get((one.table, one.row, one.column)) != one.after
        if one.after is None:
            del found[one.table, one.row, one.column]
        else:
            found[one.table, one.row, one.column] = one.after
    assert found == flat(now)


def test_all_banks_are_there(bureau: Any) -> None:
    bureau.pay("rcb")
    assert set(written(bureau)[0]["banks"]) == set(BANKS)
