"""A TCP proxy between a daemon and its PostgreSQL server: it passes, loses an answer, cuts, or falls silent.

One thread a connection, on the loopback. It knows of the server's protocol just enough to tell the COMMIT of a
payment from any other. The server behind it may change: the next connection goes to `port` as it is then.
"""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import Final

from .staging import HOST

CHUNK: Final = 65536
WROTE: Final = b"COPY payment"  # rows into the books: a probe's COMMIT, or a reader's, is not meant


class Proxy:
    """`lose`: at the next COMMIT of a payment the line breaks, before the server has the "question" or after it has
    given the "answer"; with `shut_after` nobody gets through from then until `opened`."""

    def __init__(self, port: int, host: str = HOST) -> None:
        """port, host: of the server. `here` is the proxy's own port, on HOST."""
        self.port, self.host = port, host
        self.lose = ""  # "question" or "answer"
        self.lost = threading.Event()
        self.shut_after = False
        self.opened = threading.Event()
        self.opened.set()
        self._passing = threading.Event()
        self._passing.set()
        self._door = socket.create_server((HOST, 0))
        self.here: int = self._door.getsockname()[1]
        self._lines: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def cut(self) -> None:
        """Every connection breaks, and new ones are closed at once, until `mend`."""
        self.opened.clear()
        self._break()

    def hush(self) -> None:
        """Connections stay, and nothing goes through them any more, until `mend`: a network that lost its way."""
        self._passing.clear()

    def mend(self) -> None:
        self.opened.set()
        self._passing.set()

    def close(self) -> None:
        self.mend()
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._break()

    def _break(self) -> None:
        for one in list(self._lines):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                daemon, _ = self._door.accept()
                threading.Thread(target=self._serve, args=(daemon,), name="proxied", daemon=True).start()

    def _serve(self, daemon: socket.socket) -> None:
        self._passing.wait()
        with daemon, suppress(OSError):
            if not self.opened.is_set():
                return
            with socket.create_connection((self.host, self.port)) as server:
                both = {daemon, server}
                self._lines |= both
                try:
                    self._carry(daemon, server)
                finally:
                    self._lines -= both

    def _carry(self, daemon: socket.socket, server: socket.socket) -> None:
        wrote = False
        while self.opened.is_set():
            for one in select.select([daemon, server], [], [])[0]:
                self._passing.wait()
                data = one.recv(CHUNK)
                if not data:
                    return
                if one is daemon and b"COMMIT" in data:
                    if wrote and self.lose:
                        self._lose(server, data)
                        return
                    wrote = False
                wrote = wrote or (one is daemon and WROTE in data)
                (server if one is daemon else daemon).sendall(data)

    def _lose(self, server: socket.socket, data: bytes) -> None:
        what, self.lose = self.lose, ""
        if self.shut_after:
            self.opened.clear()
        if what == "answer":
            server.sendall(data)
            server.recv(CHUNK)  # it has committed, and said so
        self.lost.set()
