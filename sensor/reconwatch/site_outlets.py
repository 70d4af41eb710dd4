"""What the service writes, as site.yaml says it: the sinks, and the database before them. Plain values."""

from __future__ import annotations

import msgspec

from reconwatch.notices import Verdict

BACKLOG = 100_000
"""Notices that may wait for a sink: months of an ordinary site."""
STORE_FILE = "/var/lib/reconwatch/reconwatch.db"
"""Where systemd's `StateDirectory=reconwatch` is."""
STORE_DAYS = 400
"""A year and a month: the same month of last year can be looked at."""
STORE_MEGABYTES = 2_000
"""Of notices with their evidence: some 500,000 emissions, and a busy sensor makes some hundreds a day."""
LISTEN = "127.0.0.1:15960"
"""Loopback: what is told there names networks and files, and nobody is asked who he is. No registered port."""


class SinkSetting(msgspec.Struct, frozen=True, kw_only=True):
    """Where notices go: to a file, a syslog or a Zeek, and which."""

    file: str | None = None
    """The absolute path of a file that they are appended to."""
    syslog: str | None = None
    """/dev/log, or udp://host:port or tcp://host:port."""
    zeek: str | None = None
    """ws://host:port or wss://host:port."""
    ca_file: str | None = None
    """Of a Zeek with wss: the certificates that its own must be signed by."""
    format: str = "jsonl"
    """Of a file: jsonl, notice-log or eve."""
    name: str
    """What its position is kept under, and what messages call it."""
    verdict: Verdict = "monitor"
    """It gets this one and worse."""
    notes: tuple[str, ...] = ()
    """It gets these; empty: all."""
    backlog: int = BACKLOG
    """Notices that may wait for it before the oldest is dropped."""


class Keeping(msgspec.Struct, frozen=True):
    """Where and how long notices are kept."""

    file: str = STORE_FILE
    """Absolute."""
    days: int = STORE_DAYS
    """Since they were told."""
    megabytes: int = STORE_MEGABYTES


class Watching(msgspec.Struct, frozen=True):
    """Where the service answers those who watch it."""

    listen: str = LISTEN
    """`address:port`, `[address]:port`; empty: nowhere."""

    @property
    def place(self) -> tuple[str, int] | None:
        """Address and port; None: nowhere."""
        host, _, port = self.listen.rpartition(":")
        return (host.strip("[]"), int(port)) if host else None
