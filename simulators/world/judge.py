"""The judge: follows every message as its bank saw it, and every batch as the store took it, and says what was wrong.

Each reply must be explained by a commit that came before it and by the model's answer to that message at that place
in the order of commits; repeats must bring the same bytes; 91 needs a store in trouble, silence a line that is gone or
a commit in doubt; a batch must share fairly. What is in the books at the end is `audit`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from shebao.codecs.message import Decoded
from shebao.codecs.tags import Tags, parse
from shebao.ledger.backend import CommitInDoubt
from shebao.ledger.facts import Request

from .. import messages
from .almanac import nearest_date
from .lines import BankLine, Transmission
from .model import Model
from .node import Node
from .said import VOID, Expected
from .timeline import Timeline

FAULTS_KEPT: Final = 20
STEPS: Final = {
    "01": "inquire", "020": "pay", "022": "advise", "04": "reverse", "05": "totals", "08": "network", "06": "pay",
}  # fmt: skip
LATE_S: Final = 0.1
AT_ONCE_S: Final = 0.5
NO_DATE: Final = 20260101  # the year of DE15, which the judge compares itself, does not matter to the form
QUIET_S: Final = 30.0  # a healthy switch answers in far less
SENT_S: Final = 10.0  # what is decided has come to the bank by then, however small the pieces
DRAIN_S: Final = 2.0  # a line that was closed may be reset after so long
MAY_RESET: Final = frozenset({"deaf", "room is needed", "refused"})


class Judge:
    """Of one world. It is told, and keeps `faults`; it never raises."""

    def __init__(
        self, model: Model, timeline: Timeline, story: Callable[[str], None], cutovers: dict[str, str],
        batch_max: int, in_flight_max: int, lines_max: int, deadline_s: int,
    ) -> None:  # fmt: skip
        self.model = model
        self.faults: list[str] = []
        self.codes: Counter[str] = Counter()
        self.sent: list[Transmission] = []
        self.stumbling = 0.0  # chance that deciding a request fails by a fault of our own
        self.chance: Callable[[], float] = lambda: 1.0
        self.latest_us: Callable[[], int] = lambda: 0
        self.lines: Callable[[], Sequence[BankLine]] = list
        self._timeline, self._story, self._cutovers = timeline, story, cutovers
        self._batch_max, self._in_flight_max, self.lines_max = batch_max, in_flight_max, lines_max
        self._deadline_s = deadline_s
        self.in_flight_ever = in_flight_max  # the most that a line was allowed at any time
        self._tails: dict[object, bytes] = {}
        self.failed_at: dict[str, float] = {}  # when a daemon's store failed last
        self._trouble: dict[str, float] = {}
        self._known: Counter[str] = Counter()  # failures in a row that a lane was told of
        self._away: dict[str, list[list[float]]] = {}  # from the second of them until the store was back
        self._troubles: dict[str, list[tuple[float, float]]] = {}
        self._stumbles: set[int] = set()

    def take_limits(self, batch_max: int, in_flight_max: int) -> None:
        """Those of a configuration that was read again. Each daemon takes them at its own time, so that no batch is
        blamed that some of them allow."""
        self._batch_max = max(self._batch_max, batch_max)
        self._in_flight_max = min(self._in_flight_max, in_flight_max)
        self.in_flight_ever = max(self.in_flight_ever, in_flight_max)

    def fault(self, text: str) -> None:
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(f"{self._timeline.now:8.3f} s: {text}")
        self._story(f"WRONG: {text}")

    # from the store

    def stumbles(self, request: Request) -> bool:
        number = int(request.echo.get(37, "-1")) if request.mti else -1
        if number < 0 or number in self._stumbles or self.chance() >= self.stumbling:
            return False
        self._stumbles.add(number)
        return True

    def began(self, node: object, requests: Sequence[Request]) -> None:
        assert isinstance(node, Node)
        mine = [self.sent[int(request.echo[37])] for request in requests if request.mti]
        for one in mine:
            one.began_at = self._timeline.now
        again = any(one.doubtful for one in mine)  # the same batch once more, whoever waits meanwhile
        if len(requests) >= self._batch_max >= 4 and not again:
            self._share_fairly(node, Counter(request.bank for request in requests))

    def _share_fairly(self, node: Node, served: Counter[str]) -> None:
        """A bank that has enough waiting gets its share of a full batch (rule 9)."""
        when = node.formed_at if node.state != "stopping" else min(node.formed_at, node.stopping_at)
        waiting = Counter(
            one.sent.said.bank
            for line in self.lines()
            if line.node is node and self._all_submitted(line, when)
            for one in line.outstanding.values()
            if one.began_at < 0 and not one.local and not one.ignored and self._was_there(one, when)
            if not one.wire.wrote_since(one.wire.arrived_at(one.end)[0])  # type: ignore[index]  # it was there
        )
        for bank, left in waiting.items():
            share = self._batch_max // len(self._cutovers)
            if left and served[bank] < share:
                self.fault(f"{bank} got {served[bank]} of a batch of {served.total()} with {left} more waiting")

    def _all_submitted(self, line: BankLine, when: float) -> bool:
        """Whether nothing of this line was held back then, behind a sign-off or the in-flight limit."""
        there = [one for one in line.messages if not 0 <= one.replied_at < when]
        return len(there) <= self._in_flight_max and not any(one.sent.network for one in there)

    @staticmethod
    def _was_there(one: Transmission, when: float) -> bool:
        arrived = one.wire.arrived_at(one.end)
        return arrived is not None and arrived[0] < when

    def committed(self, node: object, requests: Sequence[Request], now_us: int, stumbled: set[int]) -> None:
        for request in requests:
            if request.mti:
                self._apply(self.sent[int(request.echo[37])], now_us, id(request) in stumbled)
            else:
                self._act_of_the_switch(request)

    def _apply(self, one: Transmission, now_us: int, stumbled: bool) -> None:
        if one.local is not None or one.ignored:
            return self.fault(f"{self.name(one)} came into the books, though its line was to refuse it")
        if stumbled:
            one.stumbled = True
            return None
        arrived = one.wire.arrived_at(one.end)
        if arrived is None:
            return self.fault(f"{self.name(one)} was committed before its last byte had come")
        expected = self.model.apply(one.sent.said._replace(mti=one.mti), one.number, arrived[1], now_us)
        one.applied.append(expected)
        self._story(f"  committed {self.name(one)}: {expected.code}")
        return None

    def _act_of_the_switch(self, request: Request) -> None:
        if request.service == "cutover":
            day = nearest_date(f"{request.date % 10000:04d}", self.model.open[request.bank])
            self._story(f"  cut-over of {request.bank} to {day}")
            wrong = self.model.cut_over_by_clock(request.bank, day, self.latest_us(), self._cutovers[request.bank])
            if wrong:
                self.fault(wrong)
        else:
            self.fault(f"an act of the switch's own: {request.service}")

    def store_failed(self, node: object, requests: Sequence[Request], fault: BaseException) -> None:
        assert isinstance(node, Node)
        self._trouble.setdefault(node.name, self._timeline.now)
        self.failed_at[node.name] = self._timeline.now
        if isinstance(fault, CommitInDoubt):
            for request in requests:
                if request.mti:
                    self.sent[int(request.echo[37])].doubtful = True

    def store_worked(self, node: object, requests: Sequence[Request]) -> None:
        assert isinstance(node, Node)
        self.trouble_ended(node.name)
        for request in requests:
            if request.mti:
                self.sent[int(request.echo[37])].known_at = self._timeline.now

    def own_fault(self, node: object, requests: Sequence[Request]) -> None:
        """A fault of ours took a whole batch: of one alone it is that one's, unless it may be done already."""
        if len(requests) == 1 and requests[0].mti:
            one = self.sent[int(requests[0].echo[37])]
            one.stumbled = not one.doubtful

    def failure_known(self, node: object) -> None:
        assert isinstance(node, Node)
        self._known[node.name] += 1
        if self._known[node.name] == 2:
            self._away.setdefault(node.name, []).append([self._timeline.now, float("inf")])

    def _may_be_silent(self, one: Transmission) -> bool:
        """Nothing need come back: it was behind what ended the line, or in doubt until past the deadline (rule 5)."""
        if one.ignored:
            return True
        arrived = one.wire.arrived_at(one.end)
        in_time = arrived is not None and 0 <= one.known_at <= arrived[0] + self._deadline_s - LATE_S
        return one.doubtful and not in_time

    def trouble_ended(self, name: str) -> None:
        if self._known.pop(name, 0) >= 2:
            self._away[name][-1][1] = self._timeline.now
        since = self._trouble.pop(name, None)
        if since is not None:
            self._troubles.setdefault(name, []).append((since, self._timeline.now))

    def in_trouble(self, name: str, since: float) -> bool:
        """Whether the store of a daemon failed at any time since then."""
        return name in self._trouble or any(end >= since for _, end in self._troubles.get(name, ()))

    # from the banks

    def replied(self, one: Transmission, line: BankLine, decoded: Decoded, tail: bytes, written_at: float) -> str:
        """A reply came back; its code."""
        code = decoded.fields.get(39, "")
        one.replied, one.replied_at = code, self._timeline.now
        self.codes[f"{one.sent.said.mti[:2]}x{one.sent.said.mti[2]} {code}"] += 1
        self._story(f"{one.sent.said.bank} hears {self.name(one)}: {code}")
        expected = self._explained(one, code, written_at)
        if isinstance(expected, str):
            self.fault(f"{self.name(one)} was answered {code}: {expected}")
        elif expected is not None:
            self._compare(one, expected, decoded, tail)
        if one.sent.network == "002":
            self._signed_off(one, line)
        return code

    def _explained(self, one: Transmission, code: str, written_at: float) -> Expected | str | None:
        """What must come back; None: nothing more to say; or why the reply can't be."""
        assert isinstance(one.node, Node)
        arrived = one.wire.arrived_at(one.end)
        if one.ignored or arrived is None:
            return "nothing was to come back"
        if one.local is not None:
            return one.local
        if self._was_away(one, arrived[0]) and written_at - arrived[0] > AT_ONCE_S:
            return f"the store was known to be away, and it took {written_at - arrived[0]:.1f} s (rule 9: at once)"
        if code == "91":
            if one.applied:
                return f"it was done ({one.applied[0].code})"
            well = not self.in_trouble(one.node.name, arrived[0]) and not self._crowded(one, arrived[0])
            return "the store was well" if well else None
        if code == "96":
            done = any(expected.slot is not None for expected in one.applied)  # what is not kept may fail anew
            return None if one.stumbled and not done else "there was no fault of the switch's own"
        if not one.applied:
            return "no commit says so"
        if one.doubtful and written_at > arrived[0] + self._deadline_s + LATE_S:
            return "its commit was in doubt for longer than the deadline, and the switch was to stay silent"
        answers = {expected.code for expected in one.applied}
        if code not in answers:
            return f"right is {' or '.join(sorted(answers))}"
        return next(expected for expected in reversed(one.applied) if expected.code == code)

    def _crowded(self, one: Transmission, when: float) -> bool:
        """Whether as much of its bank's waited as all of its lines may have in flight: left behind by lines that are
        gone, while the store was locked. What comes then is not kept."""
        waiting = sum(
            other.sent.said.bank == one.sent.said.bank and other.wire.life is one.wire.life
            and other.local is None and not 0 <= other.began_at <= when
            and (self._was_there(other, when) or (other.line is one.line and other.end < one.end))
            for other in self.sent
        )  # fmt: skip
        return waiting >= self._in_flight_max * self.lines_max

    def _was_away(self, one: Transmission, when: float) -> bool:
        """Whether the daemon knew that its store is away when this came, and nothing held it back on its line."""
        assert isinstance(one.node, Node)
        known = any(since < when < end for since, end in self._away.get(one.node.name, ()))
        return known and self._all_submitted(one.line, when)

    def _compare(self, one: Transmission, expected: Expected, decoded: Decoded, tail: bytes) -> None:
        got = decoded.fields
        if got.get(39) != expected.code:
            return self.fault(f"{self.name(one)} was answered {got.get(39)}, right is {expected.code}")
        for text in [*self._form(one, expected, decoded), *self._content(expected, decoded)]:
            self.fault(f"the reply to {self.name(one)} ({expected.code}): {text}")
        if expected.slot is not None and self._tails.setdefault(expected.slot, tail) != tail:
            self.fault(f"the reply to {self.name(one)} has other bytes than the first one")
        one.sent.receipt = one.sent.receipt or (self.model.receipt_text(expected.receipt) if expected.receipt else "")
        return None

    def _form(self, one: Transmission, expected: Expected, decoded: Decoded) -> list[str]:
        """Fields given back, added, left out (section 5); a kept reply gives back its first request's."""
        said = one.sent.said
        step = next(step for head, step in STEPS.items() if said.mti.startswith(head))
        if said.proc == VOID:
            step = "void" if step == "pay" else "unvoid"
        fields = self.sent[expected.first].fields if expected.first >= 0 else one.fields
        found = messages.read_reply(step, said.mti, fields, decoded, NO_DATE).faults
        if expected.receipt is None:  # a void of what never was
            found = [text for text in found if text != "tag RN is missing"]
        if expected.amount is None and step == "inquire":  # more than one bill, or none
            found = [text for text in found if text != "field 4 is missing"]
        return found

    def _content(self, expected: Expected, decoded: Decoded) -> list[str]:
        got, wrong = decoded.fields, []
        if expected.de44 and got.get(44) != f"{expected.de44:03d}":
            wrong.append(f"DE44 is {got.get(44)}, right is {expected.de44:03d}")
        if expected.date is not None and got.get(15) != f"{expected.date:%m%d}":
            wrong.append(f"DE15 is {got.get(15)}, right is {expected.date:%m%d}")
        if expected.amount is not None and got.get(4) != f"{expected.amount:012d}":
            wrong.append(f"DE4 is {got.get(4)}, right is {expected.amount}")
        wrong += [f"DE{n} is {got.get(n)}, right is {v}" for n, v in expected.totals.items() if got.get(n) != v]
        tags = parse(bytes.fromhex(got[48])) if 48 in got else Tags()
        wanted = dict(expected.tags)
        if expected.receipt is not None and 48 in got:
            wanted["RN"] = (self.model.receipt_text(expected.receipt),)
        if expected.code not in ("00", "95") and 48 in got:
            shown = [tag for tag, _ in tags.pairs]
            right = [tag for tag in ("PB", "PT", "RN") if tag in wanted] + ["MS"]
            if shown != right:
                wrong.append(f"tags are {' '.join(shown)}, right is {' '.join(right)}")
        for name, values in wanted.items():
            found = tuple(value for tag, value in tags.pairs if tag == name)
            if found != values:
                wrong.append(f"{name} is {' '.join(found) or 'not there'}, right is {' '.join(values) or 'none'}")
        return wrong

    def _signed_off(self, one: Transmission, line: BankLine) -> None:
        """Sign-off is answered after all earlier requests of the line (rule 11)."""
        for other in line.outstanding.values():
            if other.number < one.number and not self._may_be_silent(other):
                self.fault(f"{one.sent.said.bank} was signed off while {self.name(other)} was not answered")

    def closed_by_switch(self, line: BankLine) -> None:
        """A line that the switch closes must have given a reason that the contract names; and before it closes one,
        it sends the replies of what it took in (section 1)."""
        if not line.wire.marks:
            self.fault(f"line {line.wire.number} was closed for no reason")
        wire = line.wire
        if not (wire.in_order or wire.marks & MAY_RESET or self._timeline.now - wire.shut_at >= DRAIN_S):
            self.fault(f"line {wire.number} was reset, and not closed after its replies")
        if wire.in_order:
            for one in line.outstanding.values():
                arrived = one.wire.arrived_at(one.end)
                if arrived is not None and arrived[0] < line.wire.shut_at and not self._may_be_silent(one):
                    self.fault(f"{self.name(one)} was not answered before its line was closed")

    def look_for_silence(self, healthy_since: float) -> None:
        """On a line that stands, with a daemon and a store that are well, nothing stays unanswered."""
        now = self._timeline.now
        for line in self.lines():
            self._look_for_its_end(line, max(healthy_since, line.ends_by, line.wire.heard_again_at))
            if not line.wire.open or line.wire.deaf or line.over or line.wire.marks:
                continue
            for one in line.outstanding.values():
                arrived = one.wire.arrived_at(one.end)
                assert isinstance(one.node, Node)
                if arrived is None or self._may_be_silent(one) or not one.node.alive:
                    continue
                waited = now - max(arrived[0], healthy_since)
                decided = one.known_at >= 0 and now - max(one.known_at, line.wire.heard_again_at) > SENT_S
                if decided or (waited > QUIET_S and not self.in_trouble(one.node.name, now - QUIET_S)):
                    self.fault(f"{self.name(one)} was never answered{', though decided' if decided else ''}")
                    one.ignored = True  # told once

    def _look_for_its_end(self, line: BankLine, since: float) -> None:
        """A line whose stream can't be trusted, that is silent or half closed, is closed (section 1)."""
        now = self._timeline.now
        assert isinstance(line.node, Node)
        if now - since > QUIET_S and line.wire.open and not line.wire.deaf and line.node.alive:
            if not self.in_trouble(line.node.name, since):
                self.fault(f"line {line.wire.number} was to be closed: {', '.join(sorted(line.wire.marks))}")
            line.ends_by = float("inf")

    @staticmethod
    def name(one: Transmission) -> str:
        said = one.sent.said
        what = f"DE3 {said.proc}" if said.proc else f"DE70 {one.sent.network}"
        return f"#{one.number} {said.bank} {one.mti} {what} {said.de7} {said.stan} {said.bill[-6:]} {said.amount}"
