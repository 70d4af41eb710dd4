"""A connection to Zeek's WebSocket API: opened, subscribed and acknowledged, or not there and why."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from reconwatch.broker.frames import LARGEST, Ack, BadFrameError, Event, Trouble, hello, read, written

PATH: Final = "/v1/messages/json"
"""Zeek closes every other path (cluster/websocket/WebSocket.cc)."""
APPLICATION: Final = "reconwatch"
"""X-Application-Name: what Zeek's telemetry counts our events under."""
PATIENCE: Final = 10.0
"""Seconds to connect, and for the acknowledgement: Zeek gives it once its backend is ready to publish."""
QUIET: Final = 15.0
"""Seconds without a frame after which Zeek is asked whether it is there."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0

MISSING: Final = "Zeek's WebSocket API needs the websockets package: pip install 'reconwatch[zeek]'"


class Login(msgspec.Struct, frozen=True):
    """Where a Zeek listens."""

    url: str
    """`ws://host:port` or `wss://host:port`; the API's path is added to one without."""
    ca_file: str | None = None
    """Certificates that one of `wss` must be signed by; None: those the system trusts."""

    @property
    def place(self) -> str:
        """With the path."""
        return self.url if urlsplit(self.url).path.strip("/") else self.url.rstrip("/") + PATH


class AwayError(Exception):
    """There is no connection, or no more. The text says why; `advice` what to do."""

    def __init__(self, why: str, advice: str = "") -> None:
        super().__init__(why)
        self.advice = advice


class Pauses:
    """Seconds until the next try: twice as long each time, at most half a minute.

    Up to a half less by chance, so that sensors whose Zeek was restarted do not all come at once.
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._failures = 0

    def next(self) -> float:
        """After one more failure."""
        pause = min(FIRST_PAUSE * 2 ** min(self._failures, 10), LONGEST_PAUSE)
        self._failures += 1
        return float(pause * (0.5 + self._jitter() / 2))

    def well(self) -> None:
        """It works again."""
        self._failures = 0


def library() -> Any:
    """The client of the websockets package. Raises ModuleNotFoundError with one sentence if it is not installed."""
    try:
        import websockets.sync.client
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(MISSING) from error
    return websockets


class Connection:
    """One connection; one thread sends and receives."""

    def __init__(
        self, login: Login, topics: Sequence[str], *, patience: float = PATIENCE, quiet: float = QUIET
    ) -> None:
        """Connect, say which topics are wanted, and wait until they are. Raises AwayError."""
        self._library = library()
        self._failures = (OSError, EOFError, self._library.exceptions.WebSocketException)
        """How a connection fails; anything else is a fault of ours, and not told as one of Zeek's."""
        self._patience = patience
        self._quiet = quiet
        self._stack = ExitStack()
        self._early: list[Event] = []
        """Came before the acknowledgement: Zeek sends none, and says nowhere that it never will."""
        try:
            self._socket = self._stack.enter_context(self._opened(login))
            self._socket.send(hello(topics))
            self.zeek = self._acknowledged().version
            """The version of Zeek."""
        except (AwayError, BadFrameError, *self._failures) as error:
            self.close()
            raise self._away(error) from None
        except BaseException:
            self.close()
            raise

    def _opened(self, login: Login) -> Any:
        context = None
        if login.place.startswith("wss:"):
            context = ssl.create_default_context(cafile=login.ca_file)
        return self._library.sync.client.connect(
            login.place,
            ssl=context,
            additional_headers={"X-Application-Name": APPLICATION},
            open_timeout=self._patience,
            close_timeout=1.0,
            max_size=LARGEST,
            compression=None,
            proxy=None,
        )

    def _acknowledged(self) -> Ack:
        until = time.monotonic() + self._patience
        while True:
            try:
                frame = self._socket.recv(timeout=max(until - time.monotonic(), 0.0), decode=False)
            except TimeoutError:
                what = f"Zeek does not acknowledge within {self._patience:g} s"
                raise AwayError(
                    what, "a Zeek without a cluster needs its Broker backend: @load reconwatch/broker"
                ) from None
            message = read(_bytes(frame))
            if isinstance(message, Ack):
                return message
            if isinstance(message, Trouble):
                raise AwayError(f"Zeek refuses: {_plain(message.context)} ({_plain(message.code)})")
            self._early.append(message)

    def receive(self, timeout: float) -> Event | Trouble | Ack | None:
        """The next that Zeek says; None: nothing within so many seconds.

        Raises AwayError; BadFrameError, after which the connection goes on.
        """
        if self._early:
            return self._early.pop(0)
        try:
            return read(_bytes(self._socket.recv(timeout=timeout, decode=False)))
        except TimeoutError:
            return None
        except self._failures as error:
            raise self._away(error) from None

    def is_there(self) -> None:
        """Ask the peer whether it is there. Raises AwayError if it does not answer."""
        try:
            answered = self._socket.ping().wait(self._patience)
        except self._failures as error:
            raise self._away(error) from None
        if not answered:
            raise AwayError(f"Zeek does not answer a ping within {self._patience:g} s")

    @property
    def quiet(self) -> float:
        """Seconds without a frame after which `is_there` should be asked."""
        return self._quiet

    def send(self, event: Event) -> None:
        """Publish an event. Raises AwayError; BadValueError for what cannot be said."""
        frame = written(event)
        try:
            self._socket.send(frame)
        except self._failures as error:
            raise self._away(error) from None

    def close(self) -> None:
        """End it. Idempotent."""
        with suppress(*self._failures):  # it is over in any case
            self._stack.close()

    def _away(self, error: Exception) -> AwayError:
        if isinstance(error, AwayError):
            return error
        if isinstance(error, BadFrameError):
            return AwayError(f"it does not speak Zeek's WebSocket API: {error}", "is this Zeek's port?")
        if isinstance(error, ssl.SSLError):
            return AwayError(f"no TLS with it: {_plain(str(error))}", "ca_file: names who signed its certificate")
        if isinstance(error, TimeoutError):
            return AwayError(f"it does not answer within {self._patience:g} s")
        if isinstance(error, OSError):
            return AwayError((error.strerror or str(error)).lower(), "does Zeek run, with @load reconwatch/broker?")
        if isinstance(error, self._library.exceptions.ConnectionClosed):
            return AwayError(f"Zeek closed the connection: {_plain(str(error))}")
        return AwayError(f"no WebSocket there: {_plain(str(error) or type(error).__name__)}", "is this Zeek's port?")


def _bytes(frame: bytes | str) -> bytes:
    return frame if isinstance(frame, bytes) else frame.encode("utf-8", "surrogateescape")


def _plain(words: str) -> str:
    """One printable line: the peer is not trusted."""
    return " ".join(words.split())[:200].encode("ascii", "backslashreplace").decode()
