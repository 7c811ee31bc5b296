"""What the demo shows: a line a step, a progress bar on a terminal, plain lines without one."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

PLAIN_EVERY: Final = 0.2  # of the whole, without a terminal


class Screen:
    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._began = monotonic()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._told = 0.0

    def step(self, text: str) -> None:
        """What was just done, and when."""
        self.console.print(f"[dim]{monotonic() - self._began:5.1f} s[/dim]  {text}")

    def say(self, text: str) -> None:
        self.console.print(f"         {text}", markup=False)

    def begin(self, title: str, total: int) -> None:
        self._told = 0.0
        if self.console.is_terminal:
            self._progress = Progress(
                TextColumn(f"         {title}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                console=self.console, auto_refresh=False, transient=True,
            )  # fmt: skip
            self._progress.start()
            self._task = self._progress.add_task(title, total=total)

    def advance(self, done: int, total: int) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, refresh=True)
        elif total and done / total >= self._told + PLAIN_EVERY:
            self._told = done / total
            self.say(f"{done:,} of {total:,}")

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def table(self, title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))  # narrow: 80 columns
        for place, name in enumerate(columns):
            table.add_column(name, justify="right" if place else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self.console.print(table)
