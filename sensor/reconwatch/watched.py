"""A running service and all who watch it: HTTP, the status file, systemd. The loop calls `turned` after each turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Final

from reconwatch.answering import Answering, Board
from reconwatch.notify import Notify
from reconwatch.prose import counted
from reconwatch.service import Service
from reconwatch.status import EVERY, Reload, Status, process_of, status_file, write
from reconwatch.vitals import Made, vitals_of

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the service: to ask for all its numbers takes 0.1 ms."""


class Watched:
    """Leaves word of a service, for whoever asks.

    To make it raises OSError: the place to listen at is in use, or not ours.
    """

    def __init__(
        self,
        service: Service,
        made: Made,
        place: tuple[str, int] | None,
        *,
        say: Callable[[str], None],
        notify: Notify | None = None,
        ticks: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._service, self._made, self._say, self._ticks, self._clock = service, made, say, ticks, clock
        self.board = Board(ticks)
        self._answering = Answering(place, self.board) if place is not None else None
        self._notify = notify or Notify()
        self._file = status_file(service.store.path)
        self._process = process_of(os.getpid()) or ""
        self._began, self._ready, self._reload = clock(), False, Reload()
        self._look_at = self._write_at = float("-inf")
        self._unwritten = ""

    @property
    def listens_at(self) -> str:
        """Where it answers; empty if nowhere."""
        if self._answering is None:
            return ""
        host, port = self._answering.server_name, self._answering.server_port
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def begun(self) -> None:
        """The service has begun: systemd may start who waits for it."""
        self._look()
        self._notify.ready()

    def turned(self) -> None:
        """The loop has come round."""
        now = self.board.turned = self._ticks()
        if now >= self._look_at:
            self._look()

    def _look(self) -> None:
        self._ready = self._ready or self._service.caught_up
        vitals = vitals_of(self._service, self._made, began=self._began, at=self._clock(), ready=self._ready)
        self.board.vitals = vitals
        self._look_at = self._ticks() + LOOK_EVERY
        told = sum(count for _, _, count in vitals.notices)
        behind = "" if vitals.caught_up else f"; {vitals.lag / 1e6:,.1f} MB behind"
        self._notify.alive(vitals.trouble or f"{counted(told, 'notice')} kept{behind}")
        if self._ticks() >= self._write_at:
            self._write(Status(vitals, self._reload, self._process))

    def _write(self, status: Status) -> None:
        self._write_at = self._ticks() + EVERY
        why = ""
        try:
            write(self._file, status)
        except OSError as error:
            why = f"{self._file}: cannot be written: {error.strerror or error}"
        if why and why != self._unwritten:
            self._say(why)
        self._unwritten = why

    def reloading(self) -> None:
        """The settings are being read anew."""
        self._notify.reloading()

    def reloaded(self, made: Made, refused: Sequence[str]) -> None:
        """They were taken, or `refused` says why not: those who asked are told at once."""
        self._made = made
        self._reload = Reload(self._reload.number + 1, self._clock(), tuple(refused))
        self._write_at = float("-inf")
        self._look()
        self._notify.ready()

    def ending(self) -> None:
        """The service is about to end."""
        self._notify.stopping()

    def close(self) -> None:
        """The last word, and nobody is answered any more. Idempotent."""
        self._write_at = float("-inf")
        self._look()
        if self._answering is not None:
            self._answering.close()
            self._answering = None
