"""A checked reader of TOML tables, shared by `switch.toml` and the dialect files.

A `Section` hands out values by key and type; whatever is missing, of the wrong type or left over is a
`SettingsError` that names file, key, what is wrong and what would be right (operations.md, Configuration).
It knows no key of its own and reads no file: text comes in as an argument.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Collection, Mapping
from typing import Any, Final

SHOWN_CHARACTERS_MAX: Final = 60  # of a wrong value in an error line
SHOWN_KEYS_MAX: Final = 12  # of the keys that would be right
KEY_PARTS_MAX: Final = 20  # of a dotted key or the name of a table; reading it takes time with the square of them

_TYPE_NAMES: Final = {
    str: "text",
    bool: "a boolean",
    int: "a whole number",
    float: "a number with a fraction",
    list: "a list",
    dict: "a table",
}
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
# Possessive, so that looking for it takes no longer than the text is. It finds one inside of a text or comment too.
_KEY_PART: Final = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_LONG_KEY: Final = re.compile(
    rf"(?<![A-Za-z0-9_\\-]){_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{{KEY_PARTS_MAX}}}"
)


class SettingsError(Exception):
    """A setting that can't be used; `str()` is one line for the operator, exit status 2.

    source: the file; key: dotted path inside it, or "line N"; wrong, right: half sentences.
    """

    def __init__(self, source: str, key: str, wrong: str, right: str) -> None:
        self.source, self.key, self.wrong, self.right = source, key, wrong, right
        place = f"{source}: {key}" if key else source
        super().__init__(f"{place}: {wrong}; {right}")


def show(value: object) -> str:
    """A value for an error line: printable, one line, bounded."""
    if isinstance(value, str):
        text = '"' + repr(value)[1:-1] + '"'
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, datetime.date | datetime.time):  # a datetime is a date too
        text = value.isoformat()
    else:
        try:
            text = repr(value)
        except ValueError:  # a whole number of more digits than Python writes
            text = "a number of very many digits"
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"


def type_name(value: object) -> str:
    return _TYPE_NAMES.get(type(value), "a date or time")


def _no_date(value: object) -> str:
    return "no date without a time" if isinstance(value, datetime.date | datetime.time) else type_name(value)


def _one_of(names: Collection[str]) -> str:
    listed = [str(name) for name in names]
    more = "" if len(listed) <= SHOWN_KEYS_MAX else f" and {len(listed) - SHOWN_KEYS_MAX} more"
    return ", ".join(listed[:SHOWN_KEYS_MAX]) + more


class Section:
    """One table of a TOML file.

    Each accessor notes the key as known; `finish()` refuses the keys that nobody asked for. An accessor without
    a default refuses a missing key. `right` is what the error says would be right.
    """

    def __init__(self, table: Mapping[str, Any], source: str, path: str = "") -> None:
        self.table = table
        self.source = source
        self.path = path
        self._known: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.table

    def keys(self) -> list[str]:
        return list(self.table)

    def where(self, key: str = "") -> str:
        """Dotted path of a key of this table, as it would be written in the file."""
        parts = [self.path] if self.path else []
        if key:
            parts.append(key if _BARE_KEY.fullmatch(key) else show(key))
        return ".".join(parts)

    def error(self, key: str, wrong: str, right: str) -> SettingsError:
        """A refusal of one key of this table, for the caller to raise. key "" is the table itself."""
        return SettingsError(self.source, self.where(key), wrong, right)

    def text(
        self,
        key: str,
        default: str | None = None,
        *,
        choices: Collection[str] = (),
        pattern: str = "",
        right: str = "",
    ) -> str:
        """Text; one of `choices`, or wholly matching `pattern` when given."""
        if default is not None and self._absent(key):
            return default
        expected = right or (f"write one of {_one_of(choices)}" if choices else "write text in quotes")
        value: str = self._typed(key, str, expected)
        if (choices and value not in choices) or (pattern and not re.fullmatch(pattern, value)):
            raise self.error(key, f"{show(value)} can't be used", expected)
        return value

    def integer(
        self, key: str, default: int | None = None, *, least: int = 0, most: int = 2**31 - 1, right: str = ""
    ) -> int:
        """A whole number from `least` to `most`."""
        if default is not None and self._absent(key):
            return default
        expected = right or f"write a whole number from {least} to {most}"
        value: int = self._typed(key, int, expected)
        if not least <= value <= most:
            raise self.error(key, f"{show(value)} is out of range", expected)
        return value

    def boolean(self, key: str, default: bool | None = None) -> bool:
        if default is not None and self._absent(key):
            return default
        value: bool = self._typed(key, bool, "write true or false")
        return value

    def texts(
        self, key: str, default: list[str] | None = None, *, choices: Collection[str] = (), right: str = ""
    ) -> list[str]:
        """A list of texts, each one of `choices` when given."""
        if default is not None and self._absent(key):
            return default
        expected = right or (f"write a list of {_one_of(choices)}" if choices else 'write a list such as ["a", "b"]')
        values: list[Any] = self._typed(key, list, expected)
        for value in values:
            if not isinstance(value, str):
                raise self.error(key, f"{show(value)} in the list is {type_name(value)}", expected)
            if choices and value not in choices:
                raise self.error(key, f"{show(value)} in the list can't be used", expected)
        return values

    def dates(self, key: str, default: list[datetime.date] | None = None, *, right: str = "") -> list[datetime.date]:
        """A list of dates without a time, none of them twice."""
        if default is not None and self._absent(key):
            return default
        expected = right or "write a list of dates without quotes, such as [2026-10-01, 2026-10-02]"
        values: list[Any] = self._typed(key, list, expected)
        for number, value in enumerate(values):
            if type(value) is not datetime.date:  # exactly: a date with a time is one too
                raise self.error(key, f"{show(value)} in the list is {_no_date(value)}", expected)
            if value in values[:number]:
                raise self.error(key, f"{show(value)} stands in the list twice", "write each date once")
        return values

    def section(self, key: str, *, optional: bool = False, right: str = "") -> Section:
        """A table below this one; an empty one if `optional` and not there."""
        if optional and self._absent(key):
            return Section({}, self.source, self.where(key))
        table: dict[str, Any] = self._typed(key, dict, right or f"write a table [{self.where(key)}]")
        return Section(table, self.source, self.where(key))

    def sections(self) -> dict[str, Section]:
        """Every key of this table as a table of its own, in the order of the file."""
        return {key: self.section(key) for key in self.table}

    def finish(self) -> None:
        """Refuses the first key that no accessor asked for."""
        for key in self.table:
            if key not in self._known:
                there = _one_of(sorted(self._known))
                raise self.error(key, "unknown key", f"known here: {there}" if there else "this table takes no keys")

    def _absent(self, key: str) -> bool:
        self._known[key] = None
        return key not in self.table

    def _typed(self, key: str, kind: type, right: str) -> Any:
        if self._absent(key):
            raise self.error(key, "is missing", right)
        value = self.table[key]
        if type(value) is not kind:  # exactly: true is no whole number
            raise self.error(key, f"{show(value)} is {type_name(value)}", right)
        return value


def read_toml(text: str, source: str) -> Section:
    """The whole file as a Section. Raises SettingsError with the line for what is no TOML."""
    if long_key := _LONG_KEY.search(text):
        place = f"line {text.count(chr(10), 0, long_key.start()) + 1}"
        wrong = f"a key of more than {KEY_PARTS_MAX} parts"
        raise SettingsError(source, place, wrong, "write tables a few levels deep")
    try:
        return Section(tomllib.loads(text), source)
    except RecursionError:
        raise SettingsError(source, "", "nested too deeply", "write tables and lists a few levels deep") from None
    except ValueError as error:  # TOMLDecodeError, and a number of more digits than Python reads
        message = repr(str(error))[1:-1]
        found = re.search(r" \(at (line \d+), (column \d+)\)$| \(at end of document\)$", message)
        wrong = message[: found.start()] if found else message
        line = found.group(1) if found and found.group(1) else f"line {text.count(chr(10)) + 1}" if found else ""
        column = f" at {found.group(2)}" if found and found.group(2) else ""
        wrong = wrong[:1].lower() + wrong[1:SHOWN_CHARACTERS_MAX * 2]
        raise SettingsError(source, line, f"not TOML: {wrong}{column}", 'write lines such as key = "text"') from None
