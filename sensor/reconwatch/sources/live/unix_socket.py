"""Listens on a unix socket to which Suricata writes EVE (`filetype: unix_stream`): its connections, and who is missing.

What comes over a socket comes once. Nothing that was received is told twice; what was sent while nobody listened, or
was received and not yet kept when we died, is lost, and the span of that is told. Suricata does not wait for a full
socket when it is live, it drops the event (src/util-logopenfile.c, SCLogFileWriteSocket): so all that has come is taken
in at each turn, up to a bound.
"""

from __future__ import annotations

import datetime
import errno
import os
import secrets
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from reconwatch.sources.live import marks
from reconwatch.sources.live.arriving import Arriving
from reconwatch.sources.live.feed import Chunk
from reconwatch.sources.live.troubles import Troubles, why

HELD = 64 * 1024 * 1024
"""Bytes received and not yet taken: a second of the fastest load a sensor was seen to write (400,000 events)."""
PIECE = 1024 * 1024
CONNECTIONS = 64
"""A Suricata opens one for each output of EVE; more than these are other programs."""
LONGEST_PATH = 107
"""Bytes (unix(7): `sun_path` has 108 with its NUL)."""
AGAIN = 1.0
"""Seconds between tries to listen, and between looks whether the socket is still where it was put."""
MISSED = 60.0
"""Seconds without a connection after which that is told."""

_LISTENING = "listening"
_CONNECTED = "connected"


class _Open(msgspec.Struct, array_like=True):
    stream: str
    offset: int
    line: int


class _Mark(msgspec.Struct, array_like=True):
    heard: float | None
    """When the last of what was taken came (UTC epoch seconds); None: nothing ever came."""
    open: list[_Open]


class SocketFeed:
    """A feed of what is written to a unix stream socket. See `Feed`."""

    def __init__(self, path: Path, mode: int = 0o600, clock: Callable[[], float] = time.time) -> None:
        self.name = f"unix:{path}"
        self._path = path
        self._mode = mode
        self._clock = clock
        self._troubles = Troubles()
        self._gaps: list[tuple[float, float]] = []
        self._listener: socket.socket | None = None
        self._node: tuple[int, int] | None = None
        self._due = 0.0
        self._run = secrets.token_hex(6)
        self._number = 0
        self._connections: list[tuple[socket.socket | None, Arriving]] = []
        self._heard: float | None = None
        """When the last of what was taken came."""
        self._came: float | None = None
        """When the last of what was received came."""
        self._deaf = False
        """Nobody has been connected since."""
        self._alone_since = clock()
        self._left_open: list[Chunk] = []

    def take(self, room: int) -> Chunk | None:
        """See `Feed`."""
        now = self._clock()
        self._listen(now)
        self._accept(now)
        self._receive(now)
        if self._left_open:
            return self._left_open.pop()
        for index, (connection, arriving) in enumerate(self._connections):
            chunk = arriving.take(room)
            if chunk is None:
                continue
            self._heard = arriving.taken_until() or self._heard
            del self._connections[index]
            if not chunk.last:
                self._connections.append((connection, arriving))
            return chunk
        return None

    def _listen(self, now: float) -> None:
        """Be listening, where site.yaml says."""
        if abs(now - self._due) < AGAIN and self._due:
            return
        self._due = now
        if self._listener is not None and not self._in_place():
            self._troubles.once(str(self._path), "the socket was removed or replaced by another program", "put back")
            self._listener.close()
            self._listener = None
        if self._listener is None:
            try:
                self._bind()
            except OSError as error:
                self._troubles.stands(str(self._path), f"cannot listen: {why(error)}", _advice(error), _LISTENING)
            else:
                self._troubles.heals(str(self._path), _LISTENING)
        if not self._connections and abs(now - self._alone_since) >= MISSED:
            self._troubles.stands(
                str(self._path),
                "nobody is connected",
                f"does Suricata run with filetype: unix_stream and filename: {self._path}?",
                _CONNECTED,
            )

    def _in_place(self) -> bool:
        try:
            told = os.lstat(self._path)
        except OSError:
            return False
        return (told.st_dev, told.st_ino) == self._node

    def _bind(self) -> None:
        """Listen on a new socket. Raises OSError. What is no socket, or one somebody listens at, is left alone."""
        if len(os.fsencode(self._path)) > LONGEST_PATH:
            raise OSError(errno.ENAMETOOLONG, f"a socket's path has at most {LONGEST_PATH} bytes")
        self._clear()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o777 & ~self._mode)  # the moment between making it and restricting it would be enough
        try:
            listener.bind(str(self._path))
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(before)
        listener.setblocking(False)
        listener.listen(CONNECTIONS)
        told = os.lstat(self._path)
        self._listener, self._node = listener, (told.st_dev, told.st_ino)

    def _clear(self) -> None:
        """Remove a socket that a dead process left."""
        try:
            told = os.lstat(self._path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(told.st_mode):
            what = "a link" if stat.S_ISLNK(told.st_mode) else "something that is no socket"
            raise OSError(errno.EEXIST, f"{what} lies there")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(self._path))
            except ConnectionRefusedError:
                os.unlink(self._path)  # noqa: PTH108  # nobody listens: what a process leaves that was killed
                return
            except BlockingIOError:
                pass  # somebody listens, and is busy
        raise OSError(errno.EADDRINUSE, "another program listens there")

    def _accept(self, now: float) -> None:
        while self._listener is not None:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._troubles.stands(str(self._path), f"cannot accept: {why(error)}", "", "accepting")
                return
            self._troubles.heals(str(self._path), "accepting")
            if len(self._connections) >= CONNECTIONS:
                connection.close()
                self._troubles.once(str(self._path), f"more than {CONNECTIONS} connections: the newest was refused")
                return
            connection.setblocking(False)
            self._number += 1
            self._connections.append((connection, Arriving(f"unix:{self._run}-{self._number}", self.name)))
            self._troubles.heals(str(self._path), _CONNECTED)

    def _receive(self, now: float) -> None:
        """Take in all that has come."""
        held = self.lag()
        for index, (connection, arriving) in enumerate(self._connections):
            while connection is not None and held < HELD:
                try:
                    data = connection.recv(PIECE)
                except (BlockingIOError, InterruptedError):
                    break
                except OSError:
                    data = b""
                if not data:
                    connection.close()
                    arriving.over = True
                    self._connections[index] = (None, arriving)
                    self._alone_since = now
                    break
                self._tell_gap(now)
                held += len(data)
                if told := arriving.add(data, now):
                    self._troubles.once(self.name, told, "is this EVE?")
        if held >= HELD:
            what = f"{HELD >> 20} MiB were received and not yet read: Suricata drops what it cannot send"
            self._troubles.stands(self.name, what, "prefer a file, which waits", "full")
        elif held < HELD // 2:
            self._troubles.heals(self.name, "full")
        self._deaf |= self._came is not None and not any(connection for connection, _ in self._connections)

    def _tell_gap(self, now: float) -> None:
        """The first that comes after nobody was connected, or nobody listened, ends a gap."""
        if self._deaf and self._came is not None:
            self._gaps.append((min(self._came, now), now))
            self._troubles.once(
                self.name,
                f"nothing was received from {_stamp(self._came)} to {_stamp(now)}: what was sent then is lost",
                "prefer a file, which waits",
            )
        self._deaf = False
        self._came = now

    def mark(self) -> bytes:
        """See `Feed`. What was received and not taken is not behind it: it is lost if we die."""
        left = [_Open(each.stream, each.offset, each.line) for each in self._left_open]
        arriving = [_Open(each.stream, each.offset, each.line) for _, each in self._connections if each.offset]
        return marks.written("unix", _Mark(self._heard, left + arriving))

    def resume(self, mark: bytes) -> None:
        """See `Feed`. The connections of the run before are over: each has a last, empty chunk."""
        kept = marks.read("unix", _Mark, mark)
        self._heard = self._came = kept.heard
        self._deaf = kept.heard is not None
        self._left_open = [Chunk(each.stream, self.name, b"", each.offset, each.line, b"", True) for each in kept.open]

    def kept(self) -> None:
        """See `Feed`. Nobody keeps what was sent over a socket."""

    def lag(self) -> int:
        """See `Feed`."""
        return sum(len(arriving) for _, arriving in self._connections)

    def problems(self) -> list[str]:
        """See `Feed`."""
        return self._troubles.told()

    def gaps(self) -> list[tuple[float, float]]:
        """See `Feed`: from the last that was received to the first that came after it."""
        gaps, self._gaps = self._gaps, []
        return gaps

    def close(self) -> None:
        """See `Feed`."""
        for connection, _ in self._connections:
            if connection is not None:
                connection.close()
        if self._listener is not None:
            if self._in_place():
                os.unlink(self._path)  # noqa: PTH108
            self._listener.close()
            self._listener = None


def _advice(error: OSError) -> str:
    match error.errno:
        case errno.ENOENT:
            return "make its folder (systemd: RuntimeDirectory=)"
        case errno.EACCES | errno.EPERM:
            return "let this user write to its folder"
        case errno.EADDRINUSE:
            return "does another reconwatch run?"
        case errno.EEXIST:
            return "remove it, or name another path"
    return "it is tried again every second"


def _stamp(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
