"""A line's protocol, driven without socket or clock, on all four dialects."""

import pytest

from shebao.codecs.errors import Code
from shebao.codecs.framing import heartbeat
from shebao.codecs.settings import Limits
from shebao.ledger.facts import KeyClass
from shebao.switch.replies import plain
from shebao.switch.session import Reply, Session, State
from shebao.switch.tally import Tally


class Log:
    def __init__(self):
        self.events = []

    def __getattr__(self, level):
        return lambda event, **values: self.events.append((level, event, values))


class Line:
    """A session with a bank on its other end; time stands still unless a test turns it."""

    def __init__(self, bank, wire, now_us, **limits):
        self.bank, self.wire, self.now, self.now_us = bank, wire, 1000.0, now_us
        self.tally, self.log = Tally(), Log()
        self.session = Session(bank, Limits(**limits), self.tally, self, self.log, self.now)
        self.tickets, self.closed, self.raw = [], False, b""

    def carry(self, output):
        self.raw = output.send
        self.tickets += output.tickets
        self.closed = self.closed or output.close
        return self.wire.replies(output.send)

    def send(self, *frames):
        return self.carry(self.session.received(b"".join(frames), self.now, self.now_us))

    def ask(self, mti, fields):
        return self.send(self.wire.send(mti, fields))

    def sign_on(self, messages):
        ((mti, fields),) = self.ask("0800", messages.sign_on())
        assert (mti, fields[39]) == ("0810", "00")

    def answer(self, count=None, code=Code.NOT_FOUND):
        """The lane answers the oldest tickets."""
        count = len(self.tickets) if count is None else count
        taken, self.tickets = self.tickets[:count], self.tickets[count:]
        pairs = [(t, Reply(code, plain(self.bank.codec, t.request.mti, t.request.echo, code))) for t in taken]
        return self.carry(self.session.answered(pairs, self.now))

    def turn(self, seconds):
        self.now += seconds
        self.now_us += int(seconds * 1_000_000)
        return self.carry(self.session.tick(self.now))


@pytest.fixture
def line(bank, wire, messages):
    return Line(bank, wire, messages.now_us)


# -- sign-on (wire.md section 6, rule 11) --


def test_sign_on_is_per_line_and_again_is_00(line, messages):
    assert line.session.state is State.BEFORE_SIGN_ON
    line.sign_on(messages)
    line.sign_on(messages)
    assert line.session.state is State.SIGNED_ON
    ((mti, fields),) = line.ask("0801", messages.sign_on("301", "000009"))
    assert mti == "0810" and fields == {7: messages.de7, 11: "000009", 32: messages.bank, 39: "00", 70: "301"}


def test_before_sign_on_only_0800_and_0801_are_served(line, messages):
    for mti, fields, code in [
        ("0100", messages.counter(), "58"),
        ("0200", messages.payment(), "58"),
        ("0300", messages.counter(), "58"),
        ("0820", messages.sign_on("201") | {15: "1124"}, "58"),
        ("0800", messages.sign_on("301"), "00"),
        ("0800", messages.sign_on("999"), "12"),
        ("0800", messages.sign_on("101"), "40"),
    ]:
        ((_, reply),) = line.ask(mti, fields)
        assert reply[39] == code, (mti, fields.get(70))
        assert 48 not in reply and 44 not in reply


def test_sign_off_is_answered_after_all_earlier_requests_and_what_follows_waits(line, messages):
    line.sign_on(messages)
    assert line.ask("0200", messages.payment()) == []
    assert line.ask("0800", messages.sign_on("002", "000007")) == []
    assert line.session.state is State.SIGNING_OFF
    assert line.send(line.wire.send("0200", messages.payment("000103"))) == []
    assert len(line.tickets) == 1, "behind a sign-off nothing is taken yet"
    replies = line.answer()
    assert [(mti, f[11], f[39]) for mti, f in replies] == [
        ("0210", "000102", "25"), ("0810", "000007", "00"), ("0210", "000103", "58"),
    ]  # fmt: skip
    assert line.session.state is State.BEFORE_SIGN_ON


def test_sign_off_of_an_idle_line_is_answered_at_once(line, messages):
    line.sign_on(messages)
    ((_, fields),) = line.ask("0800", messages.sign_on("002"))
    assert fields[39] == "00" and line.session.state is State.BEFORE_SIGN_ON


def test_the_golden_frames_of_a_line_get_the_golden_replies(line, wire):
    golden = wire.golden()
    assert line.send(golden["sign-on"]) and line.raw == golden["sign-on reply"]
    assert line.send(golden["echo"])
    assert line.send(golden["payment"]) == [] and line.tickets[0].request.trace == 261123093015_000102
    assert line.send(golden["reversal advice"], golden["bank totals"], golden["cut-over by the bank"]) == []
    assert [t.request.service for t in line.tickets] == ["payment", "reversal", "totals", "cutover"]
    line.send(golden["phone binding"])
    assert not line.closed and not line.tally.mac_failures


# -- order of checks (rule 1): each message has every fault from its row on; the row's code answers --


def test_the_first_check_that_fails_decides(line, messages, wire):
    no_bill = messages.payment() | {48: messages.build([("CH", "01")]).hex().upper()}
    wrong_bank = {32: "99999999"}
    forbidden = {35: "6222020200112233445=4912101"}
    broken = messages.payment() | wrong_bank | forbidden | {3: "999999", 49: "840"}
    wrong_mac = bytearray(wire.body("0200", broken))
    wrong_mac[-1] ^= 1
    ((_, reply),) = line.send(wire.frame(bytes(wrong_mac)))
    assert reply[39] == "A0" and 44 not in reply and 48 not in reply and reply[32] == "99999999"
    ((_, reply),) = line.ask("0200", broken)
    assert (reply[39], reply[44]) == ("30", "035")
    ((_, reply),) = line.ask("0200", no_bill | wrong_bank | {3: "999999", 49: "840"})
    assert reply[39] == "31"
    ((_, reply),) = line.ask("0200", no_bill | {3: "999999", 49: "840"})
    assert reply[39] == "58"
    line.sign_on(messages)
    ((_, reply),) = line.ask("0200", no_bill | {3: "999999", 49: "840"})
    assert reply[39] == "12"
    ((_, reply),) = line.ask("0600", messages.counter("910000") | {48: "00"})
    assert reply[39] == "40"
    ((_, reply),) = line.ask("0200", no_bill | {49: "840"})
    assert (reply[39], reply[44]) == ("30", "048"), "the lowest field at fault"
    ((_, reply),) = line.ask("0200", messages.payment() | {49: "840"})
    assert (reply[39], reply[44]) == ("30", "049")
    assert line.ask("0200", messages.payment()) == [] and len(line.tickets) == 1


@pytest.mark.parametrize("missing", [4, 12, 13, 37, 41, 42, 48, 49])
def test_each_required_field_of_a_payment_is_named(line, messages, missing):
    line.sign_on(messages)
    fields = messages.payment()
    del fields[missing]
    ((mti, reply),) = line.ask("0201", fields)
    assert (mti, reply[39], reply[44]) == ("0210", "30", f"{missing:03d}")
    assert not line.tickets


@pytest.mark.parametrize("missing", [4, 37, 49, 90])
def test_each_required_field_of_a_reversal_is_named(line, messages, missing):
    line.sign_on(messages)
    fields = messages.reversal()
    del fields[missing]
    ((mti, reply),) = line.ask("0421", fields)
    assert (mti, reply[39], reply[44]) == ("0430", "30", f"{missing:03d}")


@pytest.mark.parametrize(
    "tags",
    [
        [("BN", "33011026112300000010")],  # no CH
        [("CH", "01")],  # neither BN nor ID nor DE2
        [("CH", "05"), ("BN", "33011026112300000010")],  # batch debit never comes over the wire
        [("CH", "01"), ("ID", "330110199001010089")],  # an id of neither kind
    ],
)
def test_a_faulty_de48_is_named(line, messages, tags):
    line.sign_on(messages)
    ((_, reply),) = line.ask("0100", messages.counter(tags=tags))
    assert (reply[39], reply[44]) == ("30", "048") and 48 not in reply


def test_an_inquiry_by_card_needs_neither_bill_nor_id(line, messages):
    line.sign_on(messages)
    assert line.ask("0100", messages.counter(tags=[("CH", "01")]) | {2: "6217001234567890123"}) == []
    assert line.tickets[0].request.card == "6217001234567890123"


def test_unknown_messages_get_12_with_the_right_mti(line, messages):
    line.sign_on(messages)
    for mti, answer in [("0300", "0310"), ("0302", "0312"), ("0203", "0212"), ("0120", "0130"), ("0840", None)]:
        replies = line.ask(mti, messages.counter())
        assert [(m, f[39]) for m, f in replies] == ([(answer, "12")] if answer else [])


# -- what a request becomes --


def test_a_payment_becomes_a_request_with_its_year(line, messages):
    line.sign_on(messages)
    line.ask("0200", messages.payment() | {22: "011", 48: messages.build(
        [("CH", "03"), ("BN", messages.bill), ("ID", "33011019900101008x")]).hex().upper()})
    request = line.tickets[0].request
    assert (request.service, request.book_id, request.key_class) == ("payment", 100, KeyClass.PAYMENT)
    assert (request.moment, request.trace) == (20261123093015, 261123093015_000102)
    assert (request.amount, request.bill, request.channel) == (1578000, messages.bill, "03")
    assert request.person == "33011019900101008X"
    assert request.local_date == 20261123 and request.has_de48
    assert 22 not in request.echo and 48 not in request.echo and request.echo[49] == "156"
    assert request.received_us == messages.now_us


def test_de90_is_taken_apart(line, messages):
    line.sign_on(messages)
    line.ask("0420", messages.reversal())
    request = line.tickets[0].request
    assert request.original == (KeyClass.PAYMENT, 261123093015_000102, messages.bank.lstrip("0"))
    assert len(request.original_text) == 42 and not request.has_de48


def test_a_de90_without_a_date_is_named(line, messages):
    line.sign_on(messages)
    fields = messages.reversal()
    fields[90] = fields[90][:10] + "1301000000" + fields[90][20:]
    ((_, reply),) = line.ask("0400", fields)
    assert (reply[39], reply[44]) == ("30", "090")


def test_totals_and_cut_over_give_de15_back_and_others_do_not(line, messages):
    line.sign_on(messages)
    ((_, reply),) = line.ask("0500", {7: messages.de7, 11: "000107", 15: "1123", 32: messages.bank})
    assert (reply[39], reply[44], reply[15]) == ("30", "074", "1123")
    ((_, reply),) = line.ask("0200", messages.payment() | {15: "1123", 49: "840"})
    assert 15 not in reply
    ((_, reply),) = line.ask("0800", messages.sign_on("201"))
    assert (reply[39], reply[44]) == ("30", "015")
    assert line.ask("0820", messages.sign_on("201") | {15: "0101"}) == []
    assert line.tickets[0].request.date == 20270101 and line.tickets[0].service.name == "cut-over"


def test_a_de7_far_off_is_counted(line, messages):
    line.ask("0800", messages.sign_on() | {7: "1123091516"})
    assert line.tally.skewed == 0
    line.ask("0800", messages.sign_on() | {7: "1123091514"})
    assert line.tally.skewed == 1


def test_unknown_tags_are_skipped_and_counted(line, messages):
    line.sign_on(messages)
    tags = [("CH", "01"), ("ZZ", "1"), ("BN", messages.bill), ("ZZ", "2")]
    assert line.ask("0100", messages.counter(tags=tags)) == []
    assert len(line.tickets) == 1 and line.tally.unknown_tags == 2


# -- MAC (section 3; C39) --


def tampered(wire, mti, fields):
    body = bytearray(wire.body(mti, fields))
    body[-1] = ord("0") if wire.dialect.mac.hex and body[-1] != ord("0") else body[-1] ^ 1
    return wire.frame(bytes(body))


def test_the_fifth_wrong_mac_in_a_row_is_answered_and_closes(line, messages, wire):
    line.sign_on(messages)
    wrong = tampered(wire, "0200", messages.payment())
    for _ in range(4):
        assert [f[39] for _, f in line.send(wrong)] == ["A0"]
    assert [f[39] for _, f in line.ask("0800", messages.sign_on("301"))] == ["00"], "a right one ends the row"
    for _ in range(4):
        line.send(wrong)
    assert not line.closed
    replies = line.send(wrong, wire.send("0800", messages.sign_on("301")))
    assert [f[39] for _, f in replies] == ["A0"], "after the fifth nothing is taken"
    assert line.closed and line.tally.mac_failures == 9


def test_wrong_macs_of_two_lines_are_not_added(bank, wire, messages):
    one, two = Line(bank, wire, messages.now_us), Line(bank, wire, messages.now_us)
    wrong = tampered(wire, "0800", messages.sign_on())
    for _ in range(3):
        one.send(wrong)
    for _ in range(2):
        two.send(wrong)
    assert not one.closed and not two.closed


def test_lower_case_hex_is_a_wrong_mac(line, messages, wire):
    body = wire.body("0800", messages.sign_on())
    if wire.dialect.mac.hex:
        ((_, reply),) = line.send(wire.frame(body[:-16] + body[-16:].lower()))
        assert reply[39] == "A0"
        ((_, reply),) = line.send(wire.frame(body[:-16] + b"Z" * 16))
        assert reply[39] == "A0"


def test_a_byte_after_the_mac_is_A0_and_a_right_mac_over_more_than_the_fields_is_30(line, messages, wire):
    """C07."""
    from shebao.codecs.mac import wire_mac

    for extra in (b"0", b"0" * 8, b"0" * 200):
        body = wire.body("0800", messages.sign_on()) + extra
        ((_, reply),) = line.send(wire.frame(body))
        assert reply[39] == "A0"
        covered = wire.body("0800", messages.sign_on()) + extra
        sealed = covered + wire_mac(wire.key.compute(covered), wire.dialect.mac.hex)
        ((_, reply),) = line.send(wire.frame(sealed))
        assert (reply[39], reply[44]) == ("30", "128")


# -- streams that can't be trusted (section 1; C01, C05, C13) --


def test_every_way_to_cut_the_stream_is_the_same(line, messages, wire):
    stream = wire.send("0800", messages.sign_on()) + heartbeat(wire.dialect.framing)
    stream += wire.send("0800", messages.sign_on("301", "000002")) * 50
    replies = []
    for at in range(len(stream)):
        replies += line.send(stream[at : at + 1])
    assert [f[11] for _, f in replies] == ["000001"] + ["000002"] * 50
    assert len(line.send(stream)) == 51


def test_a_frame_error_closes_after_what_was_taken_in_is_answered(line, messages, wire):
    line.sign_on(messages)
    garbage = b"\xff\xff\xff\xff" * 20
    replies = line.send(wire.send("0200", messages.payment()), wire.send("0800", messages.sign_on("301")), garbage)
    assert [f[70] for _, f in replies] == ["301"]
    assert not line.closed and not line.session.reading
    assert line.ask("0800", messages.sign_on()) == [], "nothing more is taken"
    assert [f[39] for _, f in line.answer()] == ["25"]
    assert line.closed and sum(line.tally.rejected.values()) == 1


def test_an_unreadable_message_closes_and_is_not_answered(line, wire, messages):
    body = bytearray(wire.body("0800", messages.sign_on()))
    start = wire.dialect.mti_size
    body[start : start + wire.dialect.bitmap_size] = bytes(wire.dialect.bitmap_size)
    assert line.send(wire.frame(bytes(body))) == []
    assert line.closed and sum(line.tally.rejected.values()) == 1
    assert line.tally.rejected["bitmap"] + line.tally.rejected["de7"] == 1


def test_a_reply_type_message_is_counted_and_the_line_kept(line, messages, wire):
    for mti in ("0210", "0810", "0840", "0870", "0890"):
        assert line.send(tampered(wire, mti, messages.sign_on())) == []
    assert not line.closed and line.tally.rejected["reply"] == 5
    line.sign_on(messages)


def test_no_value_of_a_refused_message_is_logged(line, messages, wire):
    """C15."""
    pan = "6222020200112233445"
    line.sign_on(messages)
    line.ask("0200", messages.payment() | {35: pan + "=4912101"})
    line.send(tampered(wire, "0200", messages.payment() | {35: pan + "=4912101"}))
    line.send(b"\xff" * 20)
    assert line.log.events and pan[:8] not in repr(line.log.events)


# -- timers (section 1; C45) --


def test_heartbeats_leave_after_silence_of_our_own(line, messages, wire):
    line.turn(59)
    assert line.raw == b""
    line.turn(1)
    assert line.raw == heartbeat(wire.dialect.framing)
    line.turn(59)
    assert line.raw == b""
    line.sign_on(messages)
    line.turn(59)
    assert line.raw == b"", "a reply is a sign of life too"


def test_a_line_that_is_silent_is_closed_and_heartbeats_keep_it(line, wire):
    line.turn(179)
    line.send(heartbeat(wire.dialect.framing))
    line.turn(179)
    assert not line.closed
    line.turn(1)
    assert line.closed


def test_a_frame_must_be_complete_30_s_after_its_first_byte(line, messages, wire):
    frame = wire.send("0800", messages.sign_on())
    for byte in frame[:6]:  # dripping does not put the limit off
        line.send(bytes([byte]))
        line.turn(4.9)
    assert not line.closed
    line.turn(1)
    assert line.closed and line.tally.rejected["incomplete"] == 1


def test_one_and_a_half_frames_and_the_rest_20_s_later(line, messages, wire):
    """C05 (d)."""
    frame = wire.send("0800", messages.sign_on())
    assert len(line.send(frame + frame[:-5])) == 1
    line.turn(20)
    assert len(line.send(frame[-5:] + frame[:3])) == 1
    line.turn(29)
    assert not line.closed


# -- overload and end (rule 9; C33, C43) --


def test_past_the_in_flight_limit_nothing_is_read_and_nothing_dropped(bank, wire, messages):
    line = Line(bank, wire, messages.now_us, in_flight_per_line=10)
    line.sign_on(messages)
    frames = [wire.send("0200", messages.payment(f"{n:06d}")) for n in range(1, 26)]
    line.send(*frames[:9])
    assert line.session.reading
    line.send(*frames[9:])
    assert len(line.tickets) == 10 and not line.session.reading and line.session.in_flight == 10
    line.turn(600)  # whoever does not read can't complain of silence
    assert not line.closed
    seen = []
    while line.tickets:
        seen += [f[11] for _, f in line.answer(4)]
    assert seen == [f"{n:06d}" for n in range(1, 26)]
    assert line.session.reading and line.session.in_flight == 0


def test_a_half_closed_line_gets_all_its_replies_then_is_closed(bank, wire, messages):
    line = Line(bank, wire, messages.now_us, in_flight_per_line=2)
    line.sign_on(messages)
    line.send(*[wire.send("0200", messages.payment(f"{n:06d}")) for n in range(5)])
    line.carry(line.session.end(line.now))
    seen = []
    while line.tickets:
        assert not line.closed
        seen += line.answer()
    assert len(seen) == 5 and line.closed


def test_a_line_that_ends_idle_is_closed_at_once(line):
    line.carry(line.session.end(line.now))
    assert line.closed and not line.log.events and not sum(line.tally.rejected.values())


def test_a_request_that_gets_no_answer_is_let_go(line, messages):
    line.sign_on(messages)
    line.ask("0200", messages.payment())
    (ticket,) = line.tickets
    assert line.carry(line.session.answered([(ticket, None)], line.now)) == []
    assert line.session.in_flight == 0
    assert line.tally.requests["payment", "other"] == 1
