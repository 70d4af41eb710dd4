"""What systemd is told of the service (sd_notify(3)): ready, reloading, alive, ending, and a line of status."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

SHARE: Final = 4
"""The watchdog hears of us this many times within its limit: sd_watchdog_enabled(3) asks for twice."""


class Notify:
    """Speaks to `$NOTIFY_SOCKET`; says nothing where nobody asked. Never raises: no service ends for want of it."""

    def __init__(
        self, environment: Mapping[str, str] | None = None, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        """`ticks`: the system's monotonic clock, in seconds, which RELOADING=1 has to name."""
        given = os.environ if environment is None else environment
        where = given.get("NOTIFY_SOCKET", "")
        self._where = "\0" + where[1:] if where.startswith("@") else where if where.startswith("/") else ""
        usec = given.get("WATCHDOG_USEC", "")
        ours = given.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._every = int(usec) / 1e6 / SHARE if usec.isdecimal() and ours else float("inf")
        self._ticks, self._last, self._status = ticks, float("-inf"), ""

    def ready(self) -> None:
        """It has begun, or goes on after a reload."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """It reads its settings anew; `ready` ends that."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={int(self._ticks() * 1e6)}")

    def stopping(self) -> None:
        """It ends."""
        self._tell("STOPPING=1")

    def alive(self, status: str) -> None:
        """It turned; `status` is what `systemctl status` shows. May be called as often as one likes."""
        if self._ticks() >= self._last + self._every:
            self._last = self._ticks()
            self._tell("WATCHDOG=1")
        line = " ".join(status.split())
        if line != self._status:
            self._status = line
            self._tell(f"STATUS={line}")

    def _tell(self, text: str) -> None:
        if self._where:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.setblocking(False)
                to.sendto(text.encode("utf-8", "replace"), self._where)
