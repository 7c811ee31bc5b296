"""A course as a picture: payments (bars) and yuan (line), per quarter of an hour or per date, as one SVG element.

Drawn here, since a page that stands alone can load nothing. The page styles its classes; paper, which has no page
around it, takes `STYLE` along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from .figures import QUARTER_MIN

WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 64, 18, 34
BASE: Final = HEIGHT - BOTTOM
TALL: Final = BASE - TOP
STEPS: Final = 4  # lines of the grid
QUARTERS_A_LABEL: Final = 8
LABELS_MAX: Final = 16
DOTTED_MAX: Final = 31  # points of the line that are marked each
BAR_MAX: Final = 40.0
STYLE: Final = (
    "<style>.grid{stroke:#d9dfe5}.bar{fill:#2f6f9f}.line{fill:none;stroke:#c8742b;stroke-width:2}.dot{fill:#c8742b}"
    # dark, since a variable font is drawn at its thinnest here
    ".tick{font-size:13px;fill:#1d2733;font-family:'Noto Sans CJK SC'}.yuan{fill:#8f4d12}</style>"
)


class Point(NamedTuple):
    label: str
    payments: int
    fen: int


def chart(quarters: Sequence[tuple[int, int]], start_min: int) -> str:
    """`quarters`: payments and fen; the first begins at minute `start_min` of the day."""
    points = [Point(clock(start_min, q), number, fen) for q, (number, fen) in enumerate(quarters)]
    return draw(points, QUARTERS_A_LABEL, points[0].label)


def draw(points: Sequence[Point], every: int = 0, end: str = "") -> str:
    """A label under every so many points; `end`: a last one where the last point ends."""
    every = every or -(-len(points) // LABELS_MAX) or 1
    most = nice(max((one.payments for one in points), default=0))
    most_yuan = nice(max((one.fen // 100 for one in points), default=0))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(points))
    wide, middle = min(BAR_MAX, max(1.0, step - 1.6)), 0.0 if end else step / 2
    label = "笔数与金额 payments and yuan"
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">', *_grid(most, most_yuan)]
    for n, one in enumerate(points):
        high = TALL * max(0, one.payments) / most
        x, y = LEFT + (n + 0.5) * step - wide / 2, BASE - high
        box = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"'
        title = f"{one.label} {one.payments:,} 笔 {one.fen // 100:,} 元"
        parts.append(f'<rect class="bar" {box}><title>{title}</title></rect>')
    line = [
        (f"{LEFT + (n + 0.5) * step:.1f}", f"{BASE - TALL * max(0, one.fen // 100) / most_yuan:.1f}")
        for n, one in enumerate(points)
    ]
    parts.append(f'<polyline class="line" points="{" ".join(map(",".join, line))}"/>')
    if len(points) <= DOTTED_MAX:  # a line of one point is none
        parts += [f'<circle class="dot" cx="{x}" cy="{y}" r="4"/>' for x, y in line]
    for n, told in enumerate([*(one.label for one in points), end]):
        if n % every == 0 and told:
            parts.append(_text(LEFT + n * step + middle, HEIGHT - 14, told, "tick", "middle"))
    return "".join([*parts, "</svg>"])


def alone(svg: str) -> str:
    """The picture as a file of its own."""
    size = f'xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
    head, _, rest = svg.partition(">")
    return f"{head.replace('<svg', f'<svg {size}', 1)}>{STYLE}{rest}"


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
    """An axis label: 12,000 is 1.2万, 150,000,000 1.5亿."""
    for size, name in ((100_000_000, "亿"), (10_000, "万")):
        if value >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"
