"""The XML layout of a statement file, ISO 20022 camt.053.001.08, read as a stream of events; `camtout` writes it.

Contract: settlement.md section 4. Reading uses expat without building a tree: memory is bounded whatever the file
holds, and each fault knows its line. A DOCTYPE is refused before the parser sees it, so there are no entities to
expand or fetch (`xmlfile`). Only what the layout names is looked at; other elements of the schema are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO, Final
from xml.parsers import expat

from .camtout import NAMESPACE
from .columns import (
    FILE_BYTES_MAX,
    LineFault,
    RowReader,
    StatementLine,
    StatementSpec,
    Totals,
    format_yuan,
    parse_fen,
    parse_yuan,
    showing,
    totals_faults,
)
from .textfile import SEPARATOR
from .xmlfile import DEPTH_MAX, Refused, feed, ill_formed, make_parser, place_of

TEXT_CHARACTERS_MAX: Final = 1000  # of one element that is looked at

_REFS: Final = {
    "AcctSvcrRef": "receipt",
    "InstrId": "key",
    "EndToEndId": "bill",
    "TxId": "rrn",
    "Prtry": {"Tp": "tp", "Ref": "ref"},
}
# What is looked at: an element is a dict of its own elements, or the name that its text is kept under
_LAYOUT: Final = {
    "Document": {
        "BkToCstmrStmt": {
            "GrpHdr": {"MsgId": "message"},
            "Stmt": {
                "Id": "statement",
                "ElctrncSeqNb": "date",
                "Acct": {"Id": {"Othr": {"Id": "bank"}}, "Ccy": "currency"},
                "Bal": {"Tp": {"CdOrPrtry": {"Cd": "balance"}}, "Amt": "amount", "CdtDbtInd": "sign"},
                "TxsSummry": {
                    "TtlNtries": {"NbOfNtries": "entries", "Sum": "gross"},
                    "TtlCdtNtries": {"NbOfNtries": "payments", "Sum": "payments_fen"},
                    "TtlDbtNtries": {"NbOfNtries": "reversals", "Sum": "reversals_fen"},
                },
                "Ntry": {
                    "NtryRef": "entry",
                    "Amt": "amount",
                    "CdtDbtInd": "sign",
                    "RvslInd": "reversal",
                    "Sts": {"Cd": "status"},
                    "BookgDt": {"Dt": "date"},
                    "BkTxCd": {"Prtry": {"Cd": "kind", "Issr": "issuer"}},
                    "NtryDtls": {"TxDtls": {"Refs": _REFS}},
                },
            },
        }
    }
}
_ROOT: Final = f"{NAMESPACE} Document"
_PLAIN: Final = str.maketrans("", "", "-")


def _qualified(tree: dict[str, Any]) -> dict[str, Any]:
    return {f"{NAMESPACE} {tag}": _qualified(sub) if isinstance(sub, dict) else sub for tag, sub in tree.items()}


_TREE: Final = _qualified(_LAYOUT)


class _Reader:
    """Gathers the texts of one entry, or of the statement's head, and judges them when it ends.

    `found` holds lines and faults until the caller takes them: a chunk's worth at most.
    """

    def __init__(self, spec: StatementSpec, bank: str, date: int, known: Totals | None = None) -> None:
        """known: what the entries add up to, where somebody else has read them."""
        self.bank, self.date, self.known = bank, date, known
        self.rows = RowReader(spec, date, SEPARATOR)
        self.found: list[StatementLine | LineFault] = []
        self.head: dict[str, str] = {}
        self.balances: dict[str, int] = {}
        self.statements = 0
        self.values = self.head
        self.references: dict[str, str] = {}
        self.path: list[Any] = []
        self.node: Any = _TREE
        self.text: list[str] | None = None
        self.text_size = 0
        self.started = 0  # line of the entry or balance being read
        self.parser = make_parser()
        self.parser.StartElementHandler = self.on_start
        self.parser.EndElementHandler = self.on_end
        self.parser.CharacterDataHandler = self.on_text

    def fault(self, wrong: str, right: str, line: int = 0) -> None:
        entry = f"NtryRef {showing(self.values['entry'])[1:-1]}" if "entry" in self.values else ""
        self.found.append(LineFault(line or self.parser.CurrentLineNumber, wrong, right, entry))

    def on_start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.path and tag != _ROOT:
            raise Refused(f"the root element is {showing(tag)}", f"write Document in namespace {NAMESPACE}")
        if len(self.path) >= DEPTH_MAX:
            raise Refused("elements are nested too deeply", f"nest at most {DEPTH_MAX} deep")
        self.path.append(self.node)
        self.node = self.node.get(tag) if type(self.node) is dict else None
        if type(self.node) is str:
            self.text, self.text_size = [], 0
            if self.node == "amount" and attributes.get("Ccy") != "CNY":
                self.fault(f"currency {showing(attributes.get('Ccy', ''))}", "write CNY")
        elif self.node is _ENTRY or self.node is _BALANCE:
            self.values, self.references, self.started = {}, {}, self.parser.CurrentLineNumber
        elif self.node is _STATEMENT:
            self.statements += 1
            if self.statements > 1:
                raise Refused("a second Stmt", "write one statement a file")

    def on_text(self, text: str) -> None:
        if self.text is not None:
            self.text_size += len(text)
            if self.text_size > TEXT_CHARACTERS_MAX:
                raise Refused("the text of an element is too long", f"write at most {TEXT_CHARACTERS_MAX} characters")
            self.text.append(text)

    def on_end(self, tag: str) -> None:
        node, self.node = self.node, self.path.pop()
        if node is None:
            return
        if type(node) is str:
            text, self.text = "".join(self.text or ()), None
            if node in self.values:
                self.fault(f"a second {tag.rpartition(' ')[2]}", "write it once")
            self.values[node] = text
        elif node is _REFERENCE:
            self.end_reference()
        elif node is _ENTRY:
            self.end_entry()
            self.values = self.head
        elif node is _BALANCE:
            self.end_balance()
            self.values = self.head

    def end_reference(self) -> None:
        kind, text = self.values.pop("tp", ""), self.values.pop("ref", "")
        if kind in self.references:
            self.fault(f"a second reference {showing(kind)}", "write it once")
        if kind in _REFERENCES:  # others are the bank's own and skipped
            self.references[kind] = text

    def end_balance(self) -> None:
        values = self.values
        code, fen = values.get("balance", ""), parse_yuan(values.get("amount", ""))
        if code not in ("OPBD", "CLBD"):
            return  # other balances are the bank's own
        if fen is None or values.get("sign") not in ("CRDT", "DBIT"):
            self.fault(f"balance {code} does not parse", "write yuan with two decimals, CRDT or DBIT", self.started)
        elif code in self.balances:
            self.fault(f"a second balance {code}", "write it once", self.started)
        else:
            self.balances[code] = fen if values["sign"] == "CRDT" else -fen

    def end_entry(self) -> None:
        values, references, line = self.values, self.references, self.started
        get = values.get
        kind = get("kind", "")
        before = len(self.found)
        sign = "CRDT" if kind == "P" else "DBIT"
        if get("sign") != sign:
            self.fault(f"CdtDbtInd {showing(get('sign', ''))} with kind {showing(kind)}", f"write {sign}", line)
        if get("reversal", "false").strip() not in (("false", "0") if kind == "P" else ("true", "1")):
            right = "leave RvslInd out" if kind == "P" else "write true"
            self.fault(f"RvslInd {showing(get('reversal', ''))} with kind {showing(kind)}", right, line)
        if get("status") != "BOOK":
            self.fault(f"status {showing(get('status', ''))}", "write BOOK: only booked entries stand in it", line)
        moment, _, stan = get("key", "").partition("-")
        first, dash, first_stan = references.get("ORIGINAL", "").partition("-")
        if "ORIGINAL" in references and not dash:
            self.fault(f"ORIGINAL {showing(first)}", "write time-STAN of the original", line)
        booked = get("date", "")
        columns = [
            booked.translate(_PLAIN) if len(booked) == 10 and booked[4] == booked[7] == "-" else booked,
            moment, stan, get("rrn", ""), references.get("TERMINAL", ""), references.get("BRANCH", ""), kind,
            get("bill", ""), get("amount", ""), get("receipt", ""), references.get("CHANNEL", ""), first, first_stan,
        ]  # fmt: skip
        if not get("entry"):
            self.fault("an entry without NtryRef", "number the entries", line)
        for item in self.rows.read(line, SEPARATOR.join(columns)):
            if isinstance(item, LineFault):
                self.fault(item.wrong, item.right, line)
            elif len(self.found) == before:
                self.found.append(item)
            else:
                self.rows.failed += 1

    def end(self) -> None:
        """Judges the head and the totals, when the whole document has been read well."""
        suffix = f"-{self.bank}-{self.date}"
        place = f"this is the place of {self.bank}'s file of {self.date}"
        head = self.head
        for name, tag, right in (
            ("message", "MsgId", suffix),
            ("statement", "Stmt/Id", suffix),
            ("date", "ElctrncSeqNb", str(self.date)),
            ("bank", "Acct/Id/Othr/Id", self.bank),
            ("currency", "Acct/Ccy", "CNY"),
        ):
            value = head.get(name, "")
            if not (value.endswith(right) if right is suffix else value == right):
                self.fault(f"{tag} {showing(value)}" if value else f"{tag} is missing", place)
        if self.balances.get("OPBD") != 0:
            self.fault("balance OPBD is not 0.00" if "OPBD" in self.balances else "no balance OPBD", "write 0.00")
        self.end_totals()

    def end_totals(self) -> None:
        told: dict[str, int] = {}
        for name, parse in _TOTALS.items():
            value = parse(self.head.get(name, ""))
            if value is None:
                self.fault(f"TxsSummry: {name} {showing(self.head.get(name, ''))}", "write all numbers and sums")
            else:
                told[name] = value
        if "CLBD" in self.balances:
            told["net"] = self.balances["CLBD"]
        else:
            self.fault("no balance CLBD", "write the net amount")
        if self.rows.failed:  # an entry that was not read explains a difference itself
            return
        counted, line = self.known or self.rows.tally.totals(), self.parser.CurrentLineNumber
        for name, right in (
            ("entries", counted.payments + counted.reversals),
            ("gross", counted.payments_fen + counted.reversals_fen),
        ):
            if told.pop(name, right) != right:
                shown = right if name == "entries" else format_yuan(right)
                self.fault(f"TtlNtries: {name} {self.head[name]}", f"the entries add up to {shown}", line)
        self.found.extend(totals_faults(counted, told, line))


_STATEMENT: Final = _TREE[_ROOT][f"{NAMESPACE} BkToCstmrStmt"][f"{NAMESPACE} Stmt"]
_ENTRY: Final = _STATEMENT[f"{NAMESPACE} Ntry"]
_BALANCE: Final = _STATEMENT[f"{NAMESPACE} Bal"]
_REFERENCE: Final = _ENTRY[f"{NAMESPACE} NtryDtls"][f"{NAMESPACE} TxDtls"][f"{NAMESPACE} Refs"][f"{NAMESPACE} Prtry"]
_REFERENCES: Final = frozenset({"TERMINAL", "BRANCH", "CHANNEL", "ORIGINAL"})
_TOTALS: Final = {
    "entries": parse_fen,
    "gross": parse_yuan,
    "payments": parse_fen,
    "payments_fen": parse_yuan,
    "reversals": parse_fen,
    "reversals_fen": parse_yuan,
}


def read_camt(
    spec: StatementSpec, bank: str, date: int, source: BinaryIO, control: bytes | None
) -> Iterator[StatementLine | LineFault]:
    return _read(_Reader(spec, bank, date), source)


def around_camt(
    spec: StatementSpec, bank: str, date: int, head: bytes, tail: bytes, control: bytes | None, details: int,
    totals: Totals,
) -> Iterator[StatementLine | LineFault]:  # fmt: skip
    """What is read of a document of which all entries but the first, that `head` ends with, are left out."""
    return _read(_Reader(spec, bank, date, totals), BytesIO(head + tail))


def _read(reader: _Reader, source: BinaryIO) -> Iterator[StatementLine | LineFault]:
    try:
        for _ in feed(reader.parser, source, FILE_BYTES_MAX, "2 GiB"):
            yield from reader.found
            reader.found.clear()
        reader.end()
    except expat.ExpatError as error:
        reader.found.append(LineFault(*ill_formed(error)))
    except Refused as refused:
        reader.found.append(LineFault(*place_of(refused, reader.parser)))
    yield from reader.found
