"""The XML layout: valid against the public schema, golden bytes of an entry, and every refusal with its line."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from shebao.codecs import camt, xmlfile
from shebao.codecs.camtout import NAMESPACE
from shebao.codecs.statement import read, totals_of, write

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent.parent / "data" / "camt.053.001.08.xsd"))


def is_valid(document):
    SCHEMA.assertValid(etree.fromstring(document))
    return True


def told(kit, document):
    """The faults of a document, which has some."""
    faults = kit.reading("boc", document)[1]
    assert faults and all(isinstance(fault.line, int) for fault in faults)
    return [str(fault) for fault in faults]


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_day_is_valid(kit, data):
    assert is_valid(kit.written("boc", data.draw(kit.days))[0])


def test_an_empty_day_is_valid(kit):
    document = kit.written("boc", [])[0]
    assert is_valid(document)
    assert kit.reading("boc", document) == ([], [])


def test_the_head_to_the_byte(kit):
    head = kit.written("boc", [kit.VOID])[0].partition(b"<Ntry>")[0]
    assert head == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">\n<BkToCstmrStmt>\n'
        b"<GrpHdr><MsgId>33011000-boc-20261123</MsgId><CreDtTm>2026-11-23T23:00:00+08:00</CreDtTm></GrpHdr>\n"
        b"<Stmt>\n<Id>33011000-boc-20261123</Id>\n<ElctrncSeqNb>20261123</ElctrncSeqNb>\n"
        b"<CreDtTm>2026-11-23T23:00:00+08:00</CreDtTm>\n"
        b"<FrToDt><FrDtTm>2026-11-22T23:00:00+08:00</FrDtTm><ToDtTm>2026-11-23T23:00:00+08:00</ToDtTm></FrToDt>\n"
        b"<Acct><Id><Othr><Id>boc</Id></Othr></Id><Ccy>CNY</Ccy></Acct>\n"
        b'<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">0.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        b"<Dt><Dt>2026-11-23</Dt></Dt></Bal>\n"
        b'<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">1234.50</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        b"<Dt><Dt>2026-11-23</Dt></Dt></Bal>\n"
        b"<TxsSummry><TtlNtries><NbOfNtries>1</NbOfNtries><Sum>1234.50</Sum></TtlNtries>"
        b"<TtlCdtNtries><NbOfNtries>0</NbOfNtries><Sum>0.00</Sum></TtlCdtNtries>"
        b"<TtlDbtNtries><NbOfNtries>1</NbOfNtries><Sum>1234.50</Sum></TtlDbtNtries></TxsSummry>\n"
    )


def test_an_entry_to_the_byte(kit):
    line = kit.VOID._replace(rrn="R&D  ", branch="<1>")
    document = kit.written("boc", [line])[0]
    assert is_valid(document)
    assert document[document.index(b"<Ntry>") :] == (
        b'<Ntry><NtryRef>1</NtryRef><Amt Ccy="CNY">1234.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><RvslInd>true</RvslInd>'
        b"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-23</Dt></BookgDt>"
        b"<BkTxCd><Prtry><Cd>V</Cd><Issr>SHEBAO</Issr></Prtry></BkTxCd><NtryDtls><TxDtls><Refs>"
        b"<AcctSvcrRef>26112301000000000015</AcctSvcrRef><InstrId>20261123094500-000002</InstrId>"
        b"<EndToEndId>33011026110100000019</EndToEndId><TxId>R&amp;D</TxId>"
        b"<Prtry><Tp>TERMINAL</Tp><Ref>T0000001</Ref></Prtry><Prtry><Tp>BRANCH</Tp><Ref>&lt;1&gt;</Ref></Prtry>"
        b"<Prtry><Tp>CHANNEL</Tp><Ref>01</Ref></Prtry><Prtry><Tp>ORIGINAL</Tp><Ref>20261123093000-000001</Ref></Prtry>"
        b"</Refs></TxDtls></NtryDtls></Ntry>\n</Stmt>\n</BkToCstmrStmt>\n</Document>\n"
    )


def test_the_reversal_of_a_void_is_a_credit_with_its_original(kit):
    document = kit.written("boc", [kit.UNVOID])[0]
    assert b"<CdtDbtInd>CRDT</CdtDbtInd><Sts>" in document
    assert b"<Tp>ORIGINAL</Tp><Ref>20261123094500-000002</Ref>" in document
    assert b"RvslInd" not in document and b"TxId" not in document


def test_another_writers_habits(kit):
    """Prefixes, white space, comments, extra elements and a byte-order mark mean the same document."""
    document = kit.written("boc", kit.DAY)[0]
    tree = etree.fromstring(document)
    prefixed = etree.Element(tree.tag, nsmap={"c": NAMESPACE})
    prefixed.extend(tree)
    for entry in prefixed.iter("{*}Ntry"):
        entry.append(etree.Comment("Ntry"))
        etree.SubElement(entry, f"{{{NAMESPACE}}}AddtlNtryInf").text = "备注"
    etree.indent(prefixed)
    pretty = b"\xef\xbb\xbf" + etree.tostring(prefixed, encoding="UTF-8", xml_declaration=True)
    assert b"<c:Ntry>\n" in pretty
    assert kit.reading("boc", pretty) == (kit.DAY, [])


# Refusals


@pytest.mark.parametrize(
    ("old", "new", "line", "wanted"),
    [
        (b">1234.50</Amt><CdtDbtInd>CRDT<", b">1.5</Amt><CdtDbtInd>CRDT<", 14, "NtryRef 1, line 14: amount '1.5'"),
        (b">0.05</Amt>", b">-0.05</Amt>", 17, "NtryRef 4, line 17: amount"),
        (b'Ccy="CNY">0.05', b'Ccy="USD">0.05', 17, "currency 'USD'"),
        (b"<Amt Ccy=\"CNY\">0.05", b"<Amt>0.05", 17, "currency ''"),
        (b"DBIT</CdtDbtInd><RvslInd>", b"CRDT</CdtDbtInd><RvslInd>", 15, "CdtDbtInd 'CRDT' with kind 'V'"),
        (b"<RvslInd>true</RvslInd>", b"<RvslInd>false</RvslInd>", 15, "RvslInd 'false' with kind 'V'"),
        (b"<RvslInd>true</RvslInd>", b"", 15, "RvslInd '' with kind 'V'"),
        (b"<Cd>V</Cd>", b"<Cd>X</Cd>", 15, "kind 'X'"),
        (b"<RvslInd>true</RvslInd><Sts><Cd>BOOK", b"<RvslInd>true</RvslInd><Sts><Cd>PDNG", 15, "status 'PDNG'"),
        (b"20261123094500-000002</InstrId>", b"20261123094500000002</InstrId>", 15, "transaction_time"),
        (b"<Ref>20261123093000-000001", b"<Ref>20261123093000", 15, "ORIGINAL '20261123093000'"),
        (b"<NtryRef>2<", b"<NtryRef><", 15, "without NtryRef"),
        (b"<NtryRef>2</NtryRef>", b"<NtryRef>2</NtryRef><NtryRef>3</NtryRef>", 15, "a second NtryRef"),
        (b"<Prtry><Tp>CHANNEL</Tp><Ref>03", b"<Prtry><Tp>BRANCH</Tp><Ref>03", 17, "a second reference 'BRANCH'"),
    ],
)  # fmt: skip
def test_bad_entries(kit, old, new, line, wanted):
    document = kit.written("boc", kit.DAY)[0]
    assert old in document
    faults = kit.reading("boc", document.replace(old, new, 1))[1]
    assert any(wanted in str(fault) and fault.line == line for fault in faults), faults
    assert {fault.line for fault in faults} == {line}


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (b"<MsgId>33011000-boc-20261123", b"<MsgId>33011000-boc-20261122", "MsgId '33011000-boc-20261122'"),
        (b"<Id>33011000-boc-20261123", b"<Id>33011000-ccb-20261123", "Stmt/Id '33011000-ccb-20261123'"),
        (b"<ElctrncSeqNb>20261123", b"<ElctrncSeqNb>20261124", "ElctrncSeqNb '20261124'"),
        (b"<ElctrncSeqNb>20261123</ElctrncSeqNb>", b"", "ElctrncSeqNb is missing"),
        (b"<Ccy>CNY", b"<Ccy>USD", "Acct/Ccy 'USD'"),
        (b">OPBD<", b">PRCD<", "no balance OPBD"),
        (b">CLBD<", b">OPBD<", "a second balance OPBD"),
        (b'CNY">0.00<', b'CNY">0.01<', "balance OPBD is not 0.00"),
        (b'CNY">1234.55<', b'CNY">1234.56<', "net amount is told as 1234.56 yuan; the lines add up to 1234.55"),
        (b"CRDT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal>\n<Txs", b"DBIT</CdtDbtInd></Bal>\n<Txs", "-1234.55 yuan"),
        (b"<NbOfNtries>4<", b"<NbOfNtries>5<", "entries 5; the entries add up to 4"),
        (b"<Sum>3703.55<", b"<Sum>3703.56<", "gross 3703.56; the entries add up to 3703.55"),
        (b"<NbOfNtries>3<", b"<NbOfNtries>2<", "number of payments is told as 2"),
        (b"<Sum>1234.50<", b"<Sum>1234.51<", "amount of reversals is told as 1234.51"),
        (b"<Sum>1234.50</Sum>", b"", "TxsSummry: reversals_fen ''"),
    ],
)
def test_bad_heads(kit, old, new, wanted):
    document = kit.written("boc", kit.DAY)[0]
    assert old in document
    assert any(wanted in fault for fault in told(kit, document.replace(old, new, 1)))


def test_a_second_statement(kit):
    document = kit.written("boc", [])[0]
    statement = document[document.index(b"<Stmt>") : document.index(b"</BkToCstmrStmt>")]
    assert "a second Stmt" in told(kit, document.replace(statement, statement * 2))[-1]


LAUGHS = b'<!DOCTYPE Document [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (name, b"&%c;" % (name - 1) * 10) for name in b"bcdefghij"
)


@pytest.mark.parametrize(
    "doctype",
    [
        b"<!DOCTYPE Document>",
        b'<!DOCTYPE Document SYSTEM "file:///etc/hostname">',
        b'<!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        LAUGHS + b"]>",
        b"<!-- " + b"x" * (xmlfile.CHUNK_BYTES - 70) + b" -->\n<!DOCTYPE Document>",
    ],
)
def test_a_doctype_is_refused_whatever_it_holds(kit, doctype):
    document = kit.written("boc", [kit.PAYMENT])[0].replace(b"?>\n", b"?>\n" + doctype, 1)
    document = document.replace(b"T0000001", b"&j;")
    lines, faults = kit.reading("boc", document)
    assert lines == [] and len(faults) == 1
    line = document[: document.index(b"<!DOCTYPE")].count(b"\n") + 1
    assert str(faults[0]) == f"line {line}: the XML has a DOCTYPE; write the document without DOCTYPE and entities"


@pytest.mark.parametrize("offset", range(10))
def test_a_doctype_across_two_reads_is_refused(kit, offset):
    declaration = b'<?xml version="1.0"?>'
    filler = b"\n" * (xmlfile.CHUNK_BYTES - len(declaration) - offset)
    assert "DOCTYPE" in told(kit, declaration + filler + b"<!DOCTYPE Document><Document/>")[0]


@pytest.mark.parametrize("step", [1, 2, 3, 8, 9, 10])
def test_a_doctype_is_refused_however_few_bytes_a_read_gives(kit, step):
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(step)

    source = Slow(b'<?xml version="1.0"?>\n\n<!DOCTYPE Document [<!ENTITY a "ha">]><Document/>')
    faults = kit.split(read(kit.SPECS["boc"], "boc", kit.DATE, source))[1]
    assert [str(fault) for fault in faults] == [
        "line 3: the XML has a DOCTYPE; write the document without DOCTYPE and entities"
    ]


def test_a_nul_has_its_line(kit):
    document = kit.written("boc", [kit.PAYMENT])[0]
    line = document[: document.index(b"T0000001")].count(b"\n") + 1
    assert told(kit, document.replace(b"T0000001", b"T\x00")) == [
        f"line {line}: bytes that are no XML text in UTF-8; write the document in UTF-8"
    ]


def test_entities_without_a_doctype(kit):
    document = kit.written("boc", [kit.PAYMENT])[0].replace(b"T0000001", b"&j;")
    assert "undefined entity" in told(kit, document)[0]


class Stream(io.RawIOBase):
    """A file that begins with `head` and then repeats `unit` without end; notes how much was asked of it."""

    def __init__(self, head, unit):
        self.waiting = head
        self.unit = unit
        self.given = 0

    def read(self, size=-1):
        assert size > 0
        while len(self.waiting) < size:
            self.waiting += self.unit * (size // len(self.unit) + 1)
        chunk, self.waiting = self.waiting[:size], self.waiting[size:]
        self.given += size
        return chunk


@pytest.mark.parametrize(
    ("head", "unit", "wanted"),
    [
        (b"<BkToCstmrStmt><GrpHdr><MsgId>", b"x", "text of an element is too long"),
        (b"<BkToCstmrStmt><!--", b"x", "tag or comment is too long"),
        (b"<BkToCstmrStmt x='", b"x", "tag or comment is too long"),
        (b"", b"<a>", "nested too deeply"),
    ],
)
def test_what_never_ends_is_refused_early(kit, head, unit, wanted):
    stream = Stream(f'<Document xmlns="{NAMESPACE}">'.encode() + head, unit)
    faults = kit.split(read(kit.SPECS["boc"], "boc", kit.DATE, stream))[1]
    assert wanted in str(faults[-1])
    assert stream.given < 1 << 22


def test_ever_new_names_are_refused(kit):
    names = b"".join(b"<a%d/>" % number for number in range(20000))
    assert "too many different" in told(kit, f'<Document xmlns="{NAMESPACE}">'.encode() + names)[0]


def test_a_file_above_2_gib(kit, monkeypatch):
    monkeypatch.setattr(camt, "FILE_BYTES_MAX", 1000)
    assert "larger than 2 GiB" in told(kit, kit.written("boc", kit.DAY)[0])[0]


def test_a_long_text_that_is_not_looked_at_is_skipped(kit):
    document = kit.written("boc", [kit.PAYMENT])[0].replace(
        b"</Ntry>", b"<AddtlNtryInf>" + b"x" * 3_000_000 + b"</AddtlNtryInf></Ntry>"
    )
    assert kit.reading("boc", document) == ([kit.PAYMENT], [])


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        (b"<a/>", "the root element is 'a'"),
        (b"<Document/>", "the root element is 'Document'"),
        (b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.02'/>", "camt.053.001.02"),
        (b"not xml", "no well-formed XML"),
        (b'<?xml version="1.0" encoding="GB18030"?><Document/>', "declared as 'GB18030'"),
        ("<!DOCTYPE a><a/>".encode("utf-16"), "no XML text in UTF-8"),
        ("<!DOCTYPE a><a/>".encode("utf-16-be"), "no XML text in UTF-8"),
        ("<Document/>é".encode("latin-1"), "the root element is"),
    ],
)
def test_other_documents(kit, document, wanted):
    assert wanted in told(kit, document)[0]


def test_a_cut_or_longer_file(kit):
    document = kit.written("boc", kit.DAY)[0]
    for size in range(0, len(document) - 1, 7):
        assert told(kit, document[:size])
    assert "junk after document element" in told(kit, document + b"<Ntry/>")[0]


@pytest.mark.slow
def test_lines_beyond_65535_are_counted(kit):
    lines = [kit.PAYMENT] * 70_000
    chunks = write(kit.SPECS["boc"], kit.context("boc"), totals_of(lines), lines)
    document = b"".join(chunks).replace(b"<NtryRef>70000</NtryRef>", b"<NtryRef>70000</NtryRef><!---->")
    document = document[::-1].replace(b"P>dC<", b"X>dC<", 1)[::-1]
    fault = kit.reading("boc", document)[1][0]
    assert (fault.line, fault.where) == (70_013, "NtryRef 70000")
