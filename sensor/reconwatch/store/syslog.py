"""Notices to a collector or the local syslog, a message each: UDP and TCP by RFC 5424, /dev/log as it is read there."""

from __future__ import annotations

import os
import re
import select
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from reconwatch.notices import Notice, Verdict
from reconwatch.sinks.times import rfc3339
from reconwatch.sinks.wire_text import json_line
from reconwatch.store.output import Refused, Unreachable

FACILITY: Final = 16
"""local0: a collector can tell it from what systems say of themselves."""
SEVERITIES: Final[dict[Verdict, int]] = {"escalate": 2, "investigate": 4, "monitor": 6}
"""critical, warning, informational (RFC 5424 section 6.2.1)."""
LONGEST: Final = 2_000
"""Bytes of a message: every receiver should take 2,048 (RFC 5424 section 6.1); what is longer may be cut anywhere."""
TIMEOUT: Final = 10.0
"""Seconds that one step on a connection may take."""
_MOST_TARGETS = 10
_LONGEST_TEXT = 300


class SyslogOutput:
    """Sends to one address: `/dev/log`, `udp://host:port` or `tcp://host:port`.

    Nobody confirms a message: over UDP one may be lost at any time, over TCP those on the way when the peer goes.
    """

    slow = True

    def __init__(self, address: str, accepts: Callable[[Notice], bool], *, name: str | None = None) -> None:
        self.address = address
        self.name = name or f"syslog:{address}"
        self._accepts = accepts
        self._socket: socket.socket | None = None
        self._stream = address.startswith("tcp:")
        self._local = address.startswith("/")
        self._host = re.sub(r"[^!-~]", "", socket.gethostname())[:255] or "-"

    def accepts(self, notice: Notice) -> bool:
        """Whether it wants this one."""
        return self._accepts(notice)

    def resume(self, place: bytes | None) -> None:
        """Nothing is known of what arrived."""

    def place(self) -> bytes:
        """Nothing beside the position."""
        return b""

    def problems(self) -> list[str]:
        """Nothing beside what `send` raises."""
        return []

    def send(self, notices: Sequence[Notice]) -> None:
        """Send each. Raises Unreachable; Refused for one that cannot be put into words."""
        for taken, notice in enumerate(notices):
            try:
                message = self._message(notice)
            except ValueError as error:
                raise Refused(str(error), taken, final=True) from None
            try:
                self._put(message)
            except OSError as error:
                self.close()
                raise Unreachable(f"{self.address}: {error.strerror or error}", taken) from None

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        used, self._socket = self._socket, None
        if used is not None:
            used.close()

    def _put(self, message: bytes) -> None:
        if self._socket is not None and self._stream and _ended(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._connected()
        # Octet counting (RFC 6587 section 3.4.1): no message can contain the end of another.
        self._socket.sendall(b"%d %s" % (len(message), message) if self._stream else message)

    def _connected(self) -> socket.socket:
        if self._local:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            made.settimeout(TIMEOUT)
            try:
                made.connect(self.address)
            except OSError:
                made.close()
                raise
            return made
        parts = urlsplit(self.address)
        if self._stream:
            return socket.create_connection((parts.hostname, parts.port), TIMEOUT)
        kind = socket.SOCK_DGRAM
        family, _, _, _, where = socket.getaddrinfo(parts.hostname, parts.port, type=kind)[0]
        made = socket.socket(family, kind)
        made.settimeout(TIMEOUT)
        made.connect(where)
        return made

    def _message(self, notice: Notice) -> bytes:
        priority = FACILITY * 8 + SEVERITIES[notice.verdict]
        if self._local:  # what syslog(3) writes; journald and rsyslog do not expect RFC 5424 there
            head = f"<{priority}>reconwatch[{os.getpid()}]: "
        else:
            head = f"<{priority}>1 {rfc3339(notice.ts)} {self._host} reconwatch {os.getpid()} {notice.note[:32]} - "
        return head.encode() + _told(notice, LONGEST - len(head))


def _told(notice: Notice, room: int) -> bytes:
    """The notice as one line of JSON without its evidence, in so many bytes."""
    targets, length = _MOST_TARGETS, _LONGEST_TEXT
    while True:
        line = json_line(_facts(notice, targets, length)).encode()
        if len(line) <= room or not length:
            return line
        targets, length = targets // 2, length // 2 if targets < 2 else length


def _facts(notice: Notice, targets: int, length: int) -> dict[str, Any]:
    """What a collector correlates; the whole is in the store, under the id."""
    return {
        "id": notice.id,
        "rev": notice.rev,
        "state": notice.state,
        "ts": rfc3339(notice.ts),
        "note": notice.note,
        "verdict": notice.verdict,
        "score": notice.score,
        "direction": notice.direction,
        "actor": notice.actor.ip or None,
        "user": None if notice.actor.user is None else notice.actor.user[:length],
        "services": [service[:length] for service in notice.services[:_MOST_TARGETS]],
        "techniques": list(notice.techniques[:_MOST_TARGETS]),
        "targets": [target.value[:length] for target in notice.targets[:targets]],
        "targets_total": len(notice.targets),
        "count": notice.count,
        "counted": notice.counted,
        "msg": notice.msg[:length],
    }


def _ended(connection: socket.socket) -> bool:
    """Whether the peer has closed: what is written then is lost without an error."""
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    return bool(waiting.poll(0)) and connection.recv(1, socket.MSG_PEEK) == b""
