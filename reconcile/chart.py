"""The day as a picture: payments (bars) and yuan (line) per quarter of an hour, as one SVG element.

Drawn here, since a page that stands alone can load nothing. Classes are styled by the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .figures import QUARTER_MIN

WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 64, 18, 34
BASE: Final = HEIGHT - BOTTOM
TALL: Final = BASE - TOP
STEPS: Final = 4  # lines of the grid
LABEL: Final = "每刻钟笔数与金额 payments and yuan per quarter of an hour"


def chart(quarters: Sequence[tuple[int, int]], start_min: int) -> str:
    """`quarters`: payments and fen; the first begins at minute `start_min` of the day."""
    numbers = [number for number, _ in quarters]
    yuan = [fen // 100 for _, fen in quarters]
    most, most_yuan = nice(max(numbers, default=0)), nice(max(yuan, default=0))
    step = (WIDTH - LEFT - RIGHT) / len(quarters)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{LABEL}">', *_grid(most, most_yuan)]
    for q, number in enumerate(numbers):
        high = TALL * number / most
        x, y = LEFT + q * step + 0.8, BASE - high
        title = f"{clock(start_min, q)} {number:,} 笔 {yuan[q]:,} 元"
        box = f'x="{x:.1f}" y="{y:.1f}" width="{step - 1.6:.1f}" height="{high:.1f}"'
        parts.append(f'<rect class="bar" {box}><title>{title}</title></rect>')
    points = (f"{LEFT + (q + 0.5) * step:.1f},{BASE - TALL * fen / most_yuan:.1f}" for q, fen in enumerate(yuan))
    parts.append(f'<polyline class="line" points="{" ".join(points)}"/>')
    for q in range(0, len(quarters) + 1, 8):
        parts.append(_text(LEFT + q * step, HEIGHT - 14, clock(start_min, q), "tick", "middle"))
    return "".join([*parts, "</svg>"])


def _grid(most: float, most_yuan: float) -> list[str]:
    parts = []
    for n in range(STEPS + 1):
        y = BASE - TALL * n / STEPS
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(LEFT - 6, y + 4, short(most * n / STEPS), "tick", "end"))
        parts.append(_text(WIDTH - RIGHT + 6, y + 4, short(most_yuan * n / STEPS), "tick yuan", "start"))
    return parts


def _text(x: float, y: float, text: str, style: str, anchor: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def clock(start_min: int, quarter: int) -> str:
    """When a quarter begins, hh:mm."""
    minute = (start_min + quarter * QUARTER_MIN) % (24 * 60)
    return f"{minute // 60:02d}:{minute % 60:02d}"


def nice(most: float) -> float:
    """The top of an axis: the next of 4, 8, 20, 40, 80, 200 and so on, whose quarters are plain numbers."""
    size = 1
    while True:
        for factor in (4, 8, 20):
            if most <= size * factor:
                return size * factor
        size *= 10


def short(value: float) -> str:
    """An axis label: 12,000 is 1.2万."""
    return f"{value / 10_000:g}万" if value >= 10_000 else f"{value:g}"
