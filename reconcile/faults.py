"""The faults of a file that is refused whole, as they are met, in bounds; and the lines that tell them.

What only a few lines have is told line by line. What a whole file has, as one of another date, is told once, with the
numbers of all its lines: a hundred lines that say the same hide the one that says why.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from shebao.codecs.statement import LineFault

SHOWN_MAX: Final = 100  # lines that tell faults; and runs of line numbers in one of them
EACH_MAX: Final = 10  # equal faults that are told each by itself
_ENTRY: Final = re.compile("NtryRef ([0-9]{1,18})")


class _Run(NamedTuple):
    """Lines, or entries of XML, one after another."""

    first: LineFault
    last: LineFault
    begins: int  # numbers of the two
    to: int


class _Equal:
    """Faults that differ in their place only."""

    def __init__(self) -> None:
        self.met: list[tuple[int, LineFault]] = []  # the first few, with when they were met
        self.runs: list[_Run] = []  # all but the very first
        self.number = 0


class Faults:
    """At most SHOWN_MAX different ones are kept, and of each at most SHOWN_MAX runs of lines; all are counted."""

    def __init__(self) -> None:
        self.number = 0
        self._equal: dict[tuple[str, str, str], _Equal] = {}

    def add(self, fault: LineFault) -> None:
        """In the file's order."""
        self.number += 1
        entry = _ENTRY.fullmatch(fault.where)
        key = fault.wrong, fault.right, "NtryRef" if entry else fault.where
        if key not in self._equal and len(self._equal) == SHOWN_MAX:
            return
        equal = self._equal.setdefault(key, _Equal())
        equal.number += 1
        if len(equal.met) <= EACH_MAX:
            equal.met.append((self.number, fault))
        if equal.number > 1:
            self._run(equal, fault, int(entry[1]) if entry else fault.line)

    def _run(self, equal: _Equal, fault: LineFault, place: int) -> None:
        if equal.runs and equal.runs[-1].to + 1 == place:
            equal.runs[-1] = equal.runs[-1]._replace(last=fault, to=place)
        elif len(equal.runs) < SHOWN_MAX:
            equal.runs.append(_Run(fault, fault, place, place))

    def told(self) -> tuple[list[str], int]:
        """The lines that tell them, in the file's order, and how many faults these cover."""
        lines: list[tuple[int, str, int]] = []
        for equal in self._equal.values():
            if equal.number <= EACH_MAX:
                lines += [(when, str(fault), 1) for when, fault in equal.met]
                continue
            when, fault = equal.met[0]
            covered = sum(run.to - run.begins + 1 for run in equal.runs)
            lines += [(when, str(fault), 1), (when, f"{_places(equal.runs)}: the same", covered)]
        lines.sort(key=lambda line: line[0])
        return [text for _, text, _ in lines[:SHOWN_MAX]], sum(covers for *_, covers in lines[:SHOWN_MAX])


def _places(runs: list[_Run]) -> str:
    """`lines 3–106, 110`, or `NtryRef 2–104, lines 40–3200`."""
    first, last = runs[0].first, runs[-1].last
    numbers = ", ".join(_span(run.first.line, run.last.line) for run in runs)
    if not first.where:
        return f"lines {numbers}"
    if not _ENTRY.fullmatch(first.where):
        return f"{first.where}, lines {numbers}"
    entries = ", ".join(_span(run.begins, run.to) for run in runs)
    return f"NtryRef {entries}, lines {_span(first.line, last.line)}"


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"
