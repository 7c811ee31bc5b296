"""The daemon: everything wired once, on one screen; how it starts, reloads and ends.

What a part does stands in its own module. Here stands only who is given what, and in which order: the keys from the
store, then the cut-overs that were missed, then the ports, then READY; at the end the same way back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool

from shebao.codecs.compiled import Codec
from shebao.codecs.dialect import Dialect
from shebao.codecs.settings import Listen, SettingsError, SwitchSettings
from shebao.codecs.tags import build, parse
from shebao.ledger.anchor import AnchorError
from shebao.ledger.facts import Decision, Request
from shebao.ledger.secrets import Master, SecretsError
from shebao.ledger.store import Reading, StoreError

from .admin import AdminSite
from .bank import Bank
from .endofday import EndOfDay
from .keys import Keyring
from .lane import Lane, Store
from .line import Post
from .logs import LogWriter
from .memo import Keep, Memo
from .metrics import Metrics, read_store_facts
from .nightfall import RETRY_S, Nightfall, Works
from .replies import decided
from .tally import Tally

TICK_S: Final = 1.0
STOP_LOOK_S: Final = 0.02  # between looks whether all lines are gone
BACKLOG: Final = 512
KEYS_WAIT_S: Final = 1.0  # a line waits no longer for its keys to be read again; then those known will do
FACTS_WAIT_S: Final = 2.0  # a scrape waits no longer for the store; then it gets the last known facts

# limits that are read once, at the start
READ_ONCE: Final = (
    "reply_deadline_s", "anchor_every_s", "admin_timeout_s", "admin_connections_max", "log_lines_queued_max",
)  # fmt: skip

Read = Callable[[], tuple[SwitchSettings, Mapping[str, Dialect]]]  # reads configuration and dialects again


class Writer(Protocol):
    """Where the lane's work is done, one piece after another: `writer.Writer`."""

    def run(self, work: Callable[[], object], done: Callable[[object], None]) -> None: ...
    def stop(self) -> None: ...


class Daemon:
    """The running switch. `start` once; `reload` and `stop` on signals. All on the reactor's thread."""

    def __init__(
        self,
        reactor: Any,
        settings: SwitchSettings,
        dialects: Mapping[str, Dialect],
        master: Master,
        store: Store,
        writer: Writer,
        end_of_day: EndOfDay,
        reading: Reading,
        keep_told: Keep,
        now_us: Callable[[], int],
        log: Any,
        logs: LogWriter,
    ) -> None:
        self._reactor, self._settings, self._log = reactor, settings, log
        self._limits = settings.limits  # as read last; `_settings` are those of the start
        self._dialects, self._end_of_day, self._reading = dialects, end_of_day, reading
        self.exit_code, self.why_stopped = 0, ""
        self.unanswered, self.forced = 0, False  # forced: something still hangs in a thread
        self.stopped: Deferred[None] = Deferred()  # fires when all is answered, or shutdown_s is over
        self.ports: dict[str, Any] = {}
        self._threads = reactor.getThreadPool()
        self._writer = writer
        self._codecs = {bank: warmed(Codec(dialect)) for bank, dialect in dialects.items()}
        self._keyring = Keyring(((bank, dialect.mac) for bank, dialect in dialects.items()), master, reading)
        self._lane = Lane(store, self._writer.run, reactor, now_us, self._encode, settings.limits, log)
        self.posts = {bank: self._post(bank, now_us) for bank in settings.banks}
        self._metrics = Metrics(self.posts, self._lane, logs)
        works = Works(end_of_day.open_dates, end_of_day.close, self._anchor)
        self._nightfall = Nightfall(settings.banks, self._lane, works, self.in_thread, reactor, now_us, log)
        self._lane.when_cut_over = self._nightfall.closed
        self._memo, self._keep_told = Memo(keep_told, self.in_thread, log), keep_told
        self._lane.when_told = self._memo.take
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = reactor
        self._anchoring = LoopingCall(self._anchor)
        self._anchoring.clock = reactor
        self._waiting_for_keys: list[Callable[[], None]] = []
        self._keys_running = self._keys_were_read = False
        self._facts_running = False
        self._anchor_running = self._anchor_again = False
        self._is_stopping = False

    def _post(self, bank: str, now_us: Callable[[], int]) -> Post:
        settings = self._settings.banks[bank]
        served = Bank(
            key=bank,
            institution=settings.institution,
            book_id=settings.book_id,
            station=self._settings.institution,
            dialect=self._dialects[bank],
            codec=self._codecs[bank],
            keys=self._keyring.of(bank),
        )
        limits, lane = self._limits, self._lane
        return Post(served, settings, limits, Tally(), lane, self._reactor, now_us, self.refresh_keys, self._log)

    def _encode(self, request: Request, decision: Decision) -> bytes:
        """A decided request's reply, without MTI and MAC; an act of the switch's own has none."""
        return decided(self._codecs[request.bank], request, decision) if request.mti else b""

    # starting

    def start(self, ready: Callable[[], None]) -> None:
        """Admin port; keys; missed cut-overs; the banks' ports; `ready`. Raises CannotListenError."""
        limits = self._limits
        site = AdminSite(
            self.scrape, self.why_not_ready, self._reactor, limits.admin_timeout_s, limits.admin_connections_max
        )
        self._listen("admin", self._settings.admin_listen, site)
        self._ticking.start(TICK_S, now=False)
        self._first_keys(lambda: self._nightfall.start(lambda: self._open(ready)))

    def _first_keys(self, then: Callable[[], None]) -> None:
        """Without its keys a daemon would refuse every line and blame the operator: it waits until they were read."""

        def look() -> None:
            if self._is_stopping:
                return
            if self._keys_were_read:
                then()
            else:
                self._reactor.callLater(RETRY_S, self._first_keys, then)

        self.refresh_keys(look)

    def _open(self, ready: Callable[[], None]) -> None:
        if self._is_stopping:
            return
        for bank in self._keyring.missing():
            self._log.warning("no MAC key: lines are refused until one is loaded; type: keyctl load", bank=bank)
        try:
            for bank, post in self.posts.items():
                self._listen(bank, self._settings.banks[bank].listen, post)
        except CannotListenError as error:
            self.exit_code, self.why_stopped = 1, port_taken(error)
            self.stop()
            return
        self._anchoring.start(self._limits.anchor_every_s, now=False)
        self._log.info("ready", ports={name: port.getHost().port for name, port in self.ports.items()})
        ready()

    def _listen(self, name: str, listen: Listen, factory: Any) -> None:
        self.ports[name] = self._reactor.listenTCP(listen.port, factory, backlog=BACKLOG, interface=listen.host)

    # running

    def _tick(self) -> None:
        for tick in (*(post.tick for post in self.posts.values()), self._nightfall.tick, self._memo.tick):
            try:
                tick()
            except Exception as fault:  # a bug in one must not stop the clock of the others
                self._log.error("fault in a timer", fault=fault)

    def _anchor(self) -> None:
        """Have the heads signed; a call while that is under way has them signed once more."""
        if self._anchor_running:
            self._anchor_again = True
            return
        self._anchor_running, self._anchor_again = True, False

        def done(result: object) -> None:
            self._anchor_running = False
            self._note_fault("anchor not written", result)
            if self._anchor_again:
                self._anchor()

        self.in_thread(self._end_of_day.anchor, done)

    def in_thread(self, work: Callable[[], object], done: Callable[[object], None]) -> None:
        """`work()` in a pool thread, then `done(result or exception)` here."""
        deferred = deferToThreadPool(self._reactor, self._threads, work)
        deferred.addErrback(lambda failure: failure.value).addCallback(done)
        deferred.addErrback(lambda failure: self._log.error("fault after a thread's work", fault=failure.value))

    def refresh_keys(self, done: Callable[[], None]) -> None:
        """Read the keys again, then `done`; a store that does not answer is not waited for long."""
        calls = [done]

        def once() -> None:
            if calls:
                calls.pop()()

        self._reactor.callLater(KEYS_WAIT_S, once)
        self._waiting_for_keys.append(once)
        if not self._keys_running:
            self._read_keys()

    def _read_keys(self) -> None:
        waiting, self._waiting_for_keys = self._waiting_for_keys, []
        self._keys_running = True

        def known(result: object) -> None:
            self._keys_running = False
            self._note_fault("keys not read", result)
            if not isinstance(result, BaseException) or isinstance(result, SecretsError):  # those that do open
                self._keys_were_read = True
            for once in waiting:
                once()
            if self._waiting_for_keys:
                self._read_keys()

        self.in_thread(self._keyring.refresh, known)

    def _note_fault(self, event: str, result: object) -> None:
        if isinstance(result, SecretsError | StoreError | AnchorError):
            self._log.error(event, why=str(result))
        elif isinstance(result, BaseException):
            self._log.error(event, fault=result)

    # the admin port's questions

    def why_not_ready(self) -> str:
        """Empty if the store can be written and every bank's port listens (operations.md, Metrics)."""
        seconds = self._lane.unwritable_s
        if seconds > self._limits.ready_after_s:
            return f"the store could not be written for {seconds:.0f} s"
        closed = [bank for bank in self.posts if bank not in self.ports]
        return f"no port listens yet for {', '.join(closed)}" if closed else ""

    def scrape(self) -> Deferred[bytes]:
        """The exposition, with the store's facts as fresh as they can be had in time."""
        answer: Deferred[bytes] = Deferred()

        def send() -> None:
            if not answer.called:
                answer.callback(self._metrics.text())

        def late() -> None:
            if not answer.called:
                self._metrics.store_reads_failed += 1
                send()

        def known(result: object) -> None:
            self._facts_running = False
            if isinstance(result, BaseException):
                self._metrics.store_reads_failed += 1
            else:
                self._metrics.store = result  # type: ignore[assignment]
            send()

        if self._facts_running:
            late()
        else:
            self._facts_running = True
            self._reactor.callLater(FACTS_WAIT_S, late)
            self.in_thread(self._read_facts, known)
        return answer

    def _read_facts(self) -> object:
        with self._reading() as connection:
            return read_store_facts(connection)

    # signals

    def reload(self, read: Read) -> None:
        """SIGHUP: limits, allow lists and keys anew; a broken file leaves all as it was and says why."""
        try:
            settings, _ = read()
        except SettingsError as error:
            self._log.error("configuration not reloaded, the old one stays", why=str(error))
            return
        for bank, post in self.posts.items():
            if bank in settings.banks:
                post.take_settings(settings.banks[bank], settings.limits)
        self._lane.limits = self._limits = settings.limits
        fixed = _needs_restart(self._settings, settings)
        self.refresh_keys(lambda: self._log.info("configuration reloaded", needs_restart=fixed))

    def stop(self) -> None:
        """SIGTERM: accept no more, answer what was taken in; then `stopped` fires, after shutdown_s in any case."""
        if self._is_stopping:
            return
        self._is_stopping = True
        self._log.info("stopping", in_flight=sum(post.in_flight for post in self.posts.values()))
        for name in list(self.ports):
            self.ports.pop(name).stopListening()
        for post in self.posts.values():
            post.end()
        self._deadline = self._reactor.callLater(self._limits.shutdown_s, self._give_up)
        self._look_empty()

    def _look_empty(self) -> None:
        """Wait for the lines, then for the lane: what a line took in may still wait there."""
        if self.stopped.called:
            return
        if any(post.lines for post in self.posts.values()):
            self._reactor.callLater(STOP_LOOK_S, self._look_empty)
        else:
            self._lane.drain(lambda: self.in_thread(self._last_works, lambda _: self._finish()))

    def _last_works(self) -> None:
        """In a thread, once the lane has nothing left: what is not in the store yet, and the last heads."""
        try:
            if rows := self._memo.rows():
                self._keep_told(rows)
        finally:
            self._end_of_day.anchor()

    def _give_up(self) -> None:
        self.forced = True
        self._finish()

    def _finish(self) -> None:
        if self.stopped.called:
            return
        self.unanswered = self._lane.waiting
        for loop in (self._ticking, self._anchoring):
            if loop.running:
                loop.stop()
        if self._deadline.active():
            self._deadline.cancel()
        self._writer.stop()
        self._log.info("stopped", unanswered=self.unanswered)
        self.stopped.callback(None)


def warmed(codec: Codec) -> Codec:
    """A codec that has been round once: Python loads code pages from files when they are first used, and at the
    limit of descriptors it could not."""
    tags = build([("NM", "余杭"), ("MS", "缴费成功")])
    fields = {3: "500000", 7: "1123093015", 11: "000001", 39: "00", 41: "TERM0001", 48: tags.hex().upper()}
    decoded = codec.decode(codec.encode("0210", fields) + bytes(codec.mac_size))
    parse(bytes.fromhex(decoded.fields[48]))
    return codec


def port_taken(error: CannotListenError) -> str:
    """One line about a port that can't be listened on."""
    cause = error.socketError
    why = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return f"{error.interface or '*'}:{error.port}: {why}; stop what listens there, or change listen in switch.toml"


def _needs_restart(old: SwitchSettings, new: SwitchSettings) -> list[str]:
    """What differs between two configurations that only a restart can change."""
    fixed = [
        name
        for name in ("institution", "database", "state_dir", "master_key_file", "admin_listen", "operators_identity")
        if getattr(old, name) != getattr(new, name)
    ]
    fixed += [f"limits.{name}" for name in READ_ONCE if getattr(old.limits, name) != getattr(new.limits, name)]
    if list(old.banks) != list(new.banks):
        return [*fixed, "banks"]
    for key, bank in old.banks.items():
        other = new.banks[key]
        fixed += [
            f"banks.{key}.{name}"
            for name in ("name", "number", "institution", "dialect", "listen", "cutover", "tls")
            if getattr(bank, name) != getattr(other, name)
        ]
    return fixed


