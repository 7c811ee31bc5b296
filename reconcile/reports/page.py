"""A report as one HTML page: Chinese first, English beside it; it prints, and needs nothing beside itself.

Only how it looks: what it tells comes from `tables`, the pictures from `chart`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from . import chart
from .periods import YEAR
from .report import Report
from .sheet import NUMBERS, Column, Text, shown

TEMPLATE: Final = Path(__file__).with_name("templates") / "settlement.html"


def render(report: Report) -> str:
    """The page's text."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(shown=lambda value, column: shown(column, value))
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        r=report, tables=[(table, table.folded()) for table in report.sheets], style_of=_style_of,
        is_text=lambda value: isinstance(value, Text),
        pictures={key: Markup(svg) for key, svg in pictures(report).items()},
    )  # fmt: skip
    return text + "\n"


def pictures(report: Report) -> dict[str, str]:
    """SVG by the key of its table."""
    figures = report.figures
    found = {"quarter": chart.chart(figures.quarters, figures.start_min)}
    for table in report.tables:
        if table.key == "course":
            month = "月" if figures.period.unit == YEAR else ""
            points = [chart.Point(f"{row[0].chinese[5:]}{month}", row[1], row[2]) for row in table.rows]
            found["course"] = chart.draw(points)
    return found


def _style_of(column: Column) -> str:
    return "n" if column.kind in NUMBERS else column.kind
