"""Answers over HTTP how a service does: `/metrics`, `/healthz`, `/readyz`.

A thread that reads the last vitals and nothing else: whoever asks, however often and whatever, cannot hold up the loop.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final

from reconwatch.metrics import CONTENT_TYPE, exposition
from reconwatch.vitals import Vitals

HEALTHY_WITHIN: Final = 120.0
"""Seconds since the loop last turned: a turn takes less than a second, but for a large capture that is read whole."""
PATIENCE: Final = 5.0
"""Seconds for one step of whoever asks."""
AT_ONCE: Final = 8
"""Connections; more are closed."""

Answer = tuple[HTTPStatus, str, bytes]
_PLAIN = "text/plain; charset=utf-8"


class Board:
    """Where the loop leaves its vitals for others; each is set whole."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self.vitals: Vitals | None = None
        self.turned = ticks()
        """When the loop last came round, by `ticks`."""
        self.ticks = ticks

    def answer(self, path: str) -> Answer:
        """What is said to a GET of a path."""
        match path.partition("?")[0]:
            case "/metrics":
                return self._metrics()
            case "/healthz":
                return self._health()
            case "/readyz":
                return self._readiness()
        return HTTPStatus.NOT_FOUND, _PLAIN, b"here are /metrics, /healthz and /readyz\n"

    def _metrics(self) -> Answer:
        if self.vitals is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, b"not begun yet\n"
        return HTTPStatus.OK, CONTENT_TYPE, exposition(self.vitals)

    def _health(self) -> Answer:
        since = self.ticks() - self.turned
        if since < HEALTHY_WITHIN:
            return HTTPStatus.OK, _PLAIN, b"turning\n"
        return HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, f"the loop has not turned for {since:.0f} s\n".encode()

    def _readiness(self) -> Answer:
        vitals = self.vitals
        why = "not begun yet" if vitals is None else "it has not caught up yet" if not vitals.ready else vitals.trouble
        if why is None:
            return HTTPStatus.OK, _PLAIN, b"ready\n"
        return HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, f"{' '.join(why.split())}\n".encode("utf-8", "replace")


class Answering(ThreadingHTTPServer):
    """Listens at a place until `close`. To make it raises OSError: the port is in use, or the address not ours."""

    daemon_threads = True
    allow_reuse_port = False

    def __init__(self, place: tuple[str, int], board: Board) -> None:
        self.address_family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        self.board = board
        self._room = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(place, _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.2,), name="answering", daemon=True)
        self._thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """One more connection, if there is room."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer it, and make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def server_bind(self) -> None:
        """Bind, and look no name up: that may take as long as a name server likes."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asks and goes away is no matter of ours."""

    def close(self) -> None:
        """Listen no more. Idempotent."""
        self.shutdown()
        self.server_close()
        self._thread.join(PATIENCE)


class _Handler(BaseHTTPRequestHandler):
    server: Answering
    timeout = PATIENCE
    protocol_version = "HTTP/1.0"  # a connection an answer: nobody keeps one of the few

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        status, kind, text = self.server.board.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if body:
            self.wfile.write(text)

    def version_string(self) -> str:
        return "reconwatch"

    def log_message(self, format: str, *args: object) -> None:
        """What a stranger sends is not put into our log."""
