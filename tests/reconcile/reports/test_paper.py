"""The PDF is made whatever names there are: rare characters, emoji, markup, words without end."""

from __future__ import annotations

from typing import Any

import pytest
from shebao_made_day import everything, report

from shebao.reconcile.reports import chart, glyphs, page, paper
from shebao.reconcile.reports.report import Change


def test_a_day_with_odd_names_is_a_pdf_of_a_few_pages(bureau: Any) -> None:
    everything(bureau, spread=6)
    made = report(bureau)
    data = paper.render(made)
    assert data.startswith(b"%PDF-") and data == paper.render(made)
    assert b"NotoSansCJK" in data.replace(b" ", b"") and b"DejaVu" not in data
    assert 2 <= len(paper.images(made, 30)) <= 8


@pytest.mark.parametrize(
    "name",
    ["#import \"x\"", "*粗* _斜_ $x^2$ \\ @a <b> `c` //d", "𠮷" * 500, "W" * 4000, "😀🏳️‍🌈", "\u202e右", "", "نص"],
)
def test_no_name_stops_it(bureau: Any, name: str) -> None:
    bureau.pay("rcb")
    with bureau.store.writing() as conn:
        conn.exec_driver_sql("UPDATE bill SET office = ?", (name,))
    made = report(bureau)
    assert paper.render(made).startswith(b"%PDF-")
    assert "<b>" not in page.render(made).replace("<b>结算", "").split("开单机构")[-1].split("</section>")[0]


def test_no_column_of_words_is_squeezed_to_nothing(bureau: Any) -> None:
    """What changed: names in front, and states that fill the width behind."""
    everything(bureau)
    long = "已对平，款未结清 reconciled, not settled, and some more words of this kind"
    changes = [Change("result", f"第 {n} 家银行", "state", long, long) for n in range(20)]
    made = report(bureau)._replace(version=2, changes=changes)
    table = made.sheets[-2]
    assert table.key == "change" and paper.shares(table)[3] == paper.shares(table)[4] == paper.WIDE_MAX
    plain = len(paper.images(made._replace(changes=[]), 30))
    assert len(paper.images(made, 30)) <= plain + 1, "not a page for each few rows, of one character a line"


def test_its_first_page_says_that_figures_changed_and_where(bureau: Any) -> None:
    made = report(bureau)
    assert "不同" not in page.render(made)
    made = made._replace(version=2, changes=[Change("bank", "rcb", "net", 1, 2)])
    text = page.render(made)
    assert text.index("第 2 版：1 项数字与第 1 版不同，见后「第 2 版的变动」") < text.index("各银行")
    assert text.index("各银行") < text.index("第 2 版的变动<span") < text.index("账簿封印")


def test_a_single_point_is_seen() -> None:
    svg = chart.draw([chart.Point("11月", 5, 700)])
    assert svg.count("<circle") == 1 and "<circle" not in chart.chart([(1, 100)] * 96, 0)


def test_what_the_font_has_not_is_told_by_its_code() -> None:
    assert glyphs.told("𠮷野家 abc ¥〓é") == "𠮷野家 abc ¥〓é"
    assert glyphs.told("笑😀") == "笑[U+1F600]"
    assert glyphs.told("a\u200db\ufe0f\x07") in ("ab", "a\u200db"), "what draws nothing is left out"
    assert glyphs.told("\U0002ebf0") in ("\U0002ebf0", "[U+2EBF0]")


def test_the_font_is_the_one_that_we_ship() -> None:
    assert glyphs.PACKAGE in str(glyphs.font()) and glyphs.FAMILY in paper.TEMPLATE.read_text() + glyphs.FAMILY
