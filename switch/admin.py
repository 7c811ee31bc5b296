"""The admin port: /metrics, /healthz, /readyz. Read only, for Prometheus and for whoever keeps the process alive.

A request that is not complete in time is closed, however slowly its bytes drip; connections are counted, and where
there are as many as may be, whoever has kept us waiting longest for a request gives way.
"""

# twisted.web is only partly typed.
# mypy: allow-untyped-calls, disable-error-code="arg-type, override, method-assign, misc"

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from .lane import Clock

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Ready = Callable[[], str]  # empty when ready, else why not
Scrape = Callable[[], "Deferred[bytes]"]


class _Text(Resource):
    """A short answer: code and text."""

    isLeaf = True

    def __init__(self, answer: Callable[[], tuple[int, str]]) -> None:
        super().__init__()
        self._answer = answer

    def render_GET(self, request: Request) -> bytes:
        code, text = self._answer()
        request.setResponseCode(code)
        request.setHeader("Content-Type", "text/plain; charset=utf-8")
        return f"{text}\n".encode()


class _Root(Resource):
    def getChild(self, path: bytes, request: Request) -> Resource:
        return _Text(lambda: (404, "here are /metrics, /healthz and /readyz"))


class _Metrics(Resource):
    """The exposition, once the scrape is made."""

    isLeaf = True

    def __init__(self, scrape: Scrape) -> None:
        super().__init__()
        self._scrape = scrape

    def render_GET(self, request: Request) -> int:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)

        def send(text: bytes) -> None:
            if not gone:
                request.setHeader("Content-Type", METRICS_TYPE)
                request.write(text)
                request.finish()

        def fail(_: object) -> None:
            if not gone:
                request.setResponseCode(500)
                request.finish()

        self._scrape().addCallbacks(send, fail)
        return NOT_DONE_YET


class _Request(Request):
    def process(self) -> None:
        """The request is here, whole: its deadline is over."""
        cast(_Channel, self.channel).set_deadline(None)
        super().process()


class _Channel(http.HTTPChannel):
    """An HTTP connection whose requests have a deadline that dripping bytes do not put off."""

    site: AdminSite
    _deadline: IDelayedCall | None = None

    def set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.callLater(seconds, self.forceAbortClient)
        self.site.waiting.pop(self, None)
        if seconds is not None:
            self.site.waiting[self] = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.site.connections += 1
        self.set_deadline(self.site.deadline_s)

    def requestDone(self, request: object) -> None:
        super().requestDone(request)
        self.set_deadline(self.site.deadline_s)

    def connectionLost(self, reason: Any) -> None:
        self.set_deadline(None)
        self.site.connections -= 1
        super().connectionLost(reason)


class AdminSite(Site):
    """The three resources over HTTP."""

    noisy = False

    def __init__(self, scrape: Scrape, ready: Ready, clock: Clock, deadline_s: int, connections_max: int) -> None:
        root = _Root()
        root.putChild(b"metrics", _Metrics(scrape))
        root.putChild(b"healthz", _Text(lambda: (200, "alive")))
        root.putChild(b"readyz", _Text(lambda: (503, why_not) if (why_not := ready()) else (200, "ready")))
        super().__init__(root, requestFactory=_Request, reactor=clock, timeout=deadline_s)
        self.connections = 0
        self.waiting: dict[_Channel, None] = {}  # for a request, the longest first
        self.deadline_s, self._connections_max, self._clock = deadline_s, connections_max, clock

    def buildProtocol(self, addr: IAddress | None) -> _Channel | None:
        if self.connections >= self._connections_max and not self._make_room():
            return None
        channel = _Channel()
        channel.site = self
        channel.factory = self
        channel.requestFactory = self.requestFactory
        channel.timeOut = self.deadline_s
        channel.callLater = self._clock.callLater
        return channel

    def _make_room(self) -> bool:
        longest = next(iter(self.waiting), None)
        if longest is not None:
            longest.set_deadline(None)
            longest.forceAbortClient()
        return longest is not None

    def log(self, request: Request) -> None:
        """No access log: a scraper's visits are no news."""
