"""The special account's statement as ISO 20022 camt.053, of 2009 (.02) or 2019 (.08): booked entries, as texts.

What an entry's texts may be is judged in `account`. Others wrote this file: it is read in bounds, without DOCTYPE
(`codecs.xmlfile`), and the remittance text is the payer's, so one that makes no sense leaves an entry unassigned and
spoils no file.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from shebao.codecs.columns import LineFault, date_exists, showing
from shebao.codecs.xmlfile import DEPTH_MAX, Refused, feed, ill_formed, make_parser, place_of
from shebao.ledger.day import CST

SPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."
FILE_BYTES_MAX: Final = 64 * 1024**2
TEXT_CHARACTERS_MAX: Final = 10_000  # of one element that is looked at
DIRECTIONS: Final = {"CRDT": "credit", "DBIT": "debit"}
NOT_BOOKED: Final = ("PDNG", "INFO", "FUTR")


class Raw(NamedTuple):
    """One entry as its texts say, not judged yet."""

    line: int
    where: str  # "NtryRef 12"; empty in a CSV
    reference: str
    amount: str
    direction: str  # "credit" "debit", or what stands there instead
    received_on: str  # YYYY-MM-DD
    bank: str
    dates: list[str]  # each YYYY-MM-DD
    text: str


def _tree(status: object) -> dict[str, Any]:
    """What is looked at: an element is a dict of its own elements, or the name that its text is kept under."""
    return {
        "BkToCstmrStmt": {
            "Stmt": {
                "Acct": {"Id": {"IBAN": "account", "Othr": {"Id": "account"}}},
                "Ntry": {
                    "NtryRef": "entry",
                    "Amt": "amount",
                    "CdtDbtInd": "sign",
                    "Sts": status,
                    "BookgDt": {"Dt": "booked", "DtTm": "booked"},
                    "ValDt": {"Dt": "valued", "DtTm": "valued"},
                    "AcctSvcrRef": "reference",
                    "NtryDtls": {
                        "TxDtls": {
                            "Refs": {"AcctSvcrRef": "detail"},
                            "RmtInf": {"Ustrd": "text"},
                            "AddtlTxInf": "text",
                        }
                    },
                    "AddtlNtryInf": "text",
                },
            }
        }
    }


_TREES: Final = {f"{SPACE}08": _tree({"Cd": "status"}), f"{SPACE}02": _tree("status")}


class _Reader:
    """Gathers the texts of one entry; `found` holds what the caller has not taken yet."""

    def __init__(self) -> None:
        self.found: list[Raw | LineFault] = []
        self.head: dict[str, list[str]] = {}
        self.values = self.head
        self.path: list[Any] = []
        self.space = ""
        self.node: Any = None
        self.statement: Any = None
        self.statements = 0
        self.text: list[str] | None = None
        self.text_size = 0
        self.line = 0
        self.parser = make_parser()
        self.parser.StartElementHandler = self.on_start
        self.parser.EndElementHandler = self.on_end
        self.parser.CharacterDataHandler = self.on_text

    def on_start(self, tag: str, attributes: dict[str, str]) -> None:
        space, _, name = tag.rpartition(" ")
        if not self.path:
            if space not in _TREES or name != "Document":
                raise Refused(f"the root element is {showing(tag)}", f"write Document in namespace {SPACE}08 or .02")
            self.space = space
            self.statement = _TREES[space]["BkToCstmrStmt"]["Stmt"]
            node: Any = _TREES[space]
        else:
            node = self.node.get(name) if type(self.node) is dict and space == self.space else None
        if len(self.path) >= DEPTH_MAX:
            raise Refused("elements are nested too deeply", f"nest at most {DEPTH_MAX} deep")
        self.path.append(self.node)
        self.node = node
        if type(node) is str:
            self.text, self.text_size = [], 0
            if node == "amount":
                self.values.setdefault("currency", []).append(attributes.get("Ccy", ""))
        elif node is self.statement:
            self.statements += 1
        elif self.statement is not None and node is self.statement["Ntry"]:
            self.values, self.line = {}, self.parser.CurrentLineNumber

    def on_text(self, text: str) -> None:
        if self.text is not None:
            self.text_size += len(text)
            if self.text_size > TEXT_CHARACTERS_MAX:
                raise Refused("the text of an element is too long", f"write at most {TEXT_CHARACTERS_MAX} characters")
            self.text.append(text)

    def on_end(self, tag: str) -> None:
        node, self.node = self.node, self.path.pop()
        if type(node) is str:
            text, self.text = "".join(self.text or ()), None
            self.values.setdefault(node, []).append(re.sub("[ \t\r\n]+", " ", text).strip(" "))
        elif node is not None and node is self.statement["Ntry"]:
            self.found.extend(self.entry())
            self.values = self.head

    def entry(self) -> Iterator[Raw | LineFault]:
        """The entry that ends, if it is booked."""
        where = f"NtryRef {showing(self.one('entry'))[1:-1]}" if self.one("entry") else ""
        if self.one("status") in NOT_BOOKED:
            return
        for name, told in (("status", "Sts"), ("amount", "Amt"), ("sign", "CdtDbtInd")):
            if len(self.values.get(name, [])) != 1:
                number = len(self.values.get(name, []))
                yield LineFault(self.line, f"{number} times {told} in an entry", "write it once", where)
        if self.one("status") not in ("BOOK", ""):
            right = f"write BOOK, or {', '.join(NOT_BOOKED)}, which are left out"
            yield LineFault(self.line, f"status {showing(self.one('status'))}", right, where)
        if self.one("currency") != "CNY":
            yield LineFault(self.line, f"currency {showing(self.one('currency'))}", "write CNY", where)
        details = self.values.get("detail", [])
        reference = self.one("reference") or (details[0] if len(details) == 1 else "") or self.one("entry")
        text = " ".join(filter(None, self.values.get("text", [])))
        yield Raw(
            self.line, where, reference, self.one("amount"), DIRECTIONS.get(self.one("sign"), self.one("sign")),
            day_of(self.one("booked") or self.one("valued")), *assigned(text), text,
        )  # fmt: skip

    def one(self, name: str) -> str:
        return self.values.get(name, [""])[0]

    def end(self) -> None:
        """Judges the whole, when all of it has been read well."""
        if not self.statements:
            self.found.append(LineFault(0, "no Stmt", "write the statement of the special account"))
        accounts = sorted(set(self.head.get("account", [])))
        if len(accounts) > 1:
            wrong = f"statements of {len(accounts)} accounts, {showing(accounts[0])} and {showing(accounts[1])}"
            self.found.append(LineFault(0, wrong, "send one account's"))


def read_entries(source: bytes) -> Iterator[Raw | LineFault]:
    """Booked entries in the order of the file, and whatever is wrong with it as XML."""
    reader = _Reader()
    try:
        for _ in feed(reader.parser, io.BytesIO(source), FILE_BYTES_MAX, "64 MiB"):
            yield from reader.found
            reader.found.clear()
        reader.end()
    except expat.ExpatError as error:
        reader.found.append(LineFault(*ill_formed(error)))
    except Refused as refused:
        reader.found.append(LineFault(*place_of(refused, reader.parser)))
    yield from reader.found


_DATE: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


def day_of(text: str) -> str:
    """The day in China of an xsd:date or xsd:dateTime as YYYY-MM-DD; what is neither, as it is."""
    if found := _DATE.fullmatch(text):
        return found[1]
    if found := _TIME.fullmatch(text):
        try:
            moment = datetime.fromisoformat(found[1] + (found[2] or ""))
            return (moment if moment.tzinfo is None else moment.astimezone(CST)).date().isoformat()
        except (ValueError, OverflowError):
            pass
    return text


# The bank's key may have become capitals on its way, and the whole wide characters.
_TAG: Final = re.compile(
    r"(?<![A-Z0-9])SHEBAO +([A-Z][A-Z0-9]{0,7}) +([0-9]{8}(?: ?, ?[0-9]{8})*)(?! ?,|[A-Z0-9])", re.I | re.A
)


def assigned(text: str) -> tuple[str, list[str]]:
    """Bank and settlement dates that a remittance text names by `SHEBAO <bank> <YYYYMMDD>[,<YYYYMMDD>…]`.

    Nothing at all if it names none, more than one bank, or a date that is none: an operator assigns it then.
    """
    found = _TAG.findall(unicodedata.normalize("NFKC", text))
    banks = {bank.lower() for bank, _ in found}
    dates = sorted({date for _, listed in found for date in re.findall("[0-9]{8}", listed)})
    if len(banks) != 1 or not all(map(date_exists, dates)):
        return "", []
    return banks.pop(), [f"{date[:4]}-{date[4:6]}-{date[6:]}" for date in dates]
