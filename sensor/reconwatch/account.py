"""What a run read, what it could not read, and what its inputs could not show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

Warn = Callable[[str], None]


@dataclass
class Account:
    """One input's book. A source fills it while it is read; nothing that was skipped goes uncounted.

    The first skip of each reason is also told at once, as one line that names the place.
    """

    path: str
    warn: Warn = field(default=lambda line: None, repr=False)
    dialect: str = ""
    """What the content turned out to be: `zeek/dns tsv`, `eve`, `pcap`, ..."""
    unit: str = "lines"
    """What `records` counts: lines or packets."""
    records: int = 0
    events: int = 0
    """Events that the Interest let through."""
    failed: bool = False
    """Nothing at all could be read from this input."""
    passed_over: bool = False
    """It lay in a folder and is something else than reconwatch reads: no failure."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Records that could not be read, by reason: those that were decoded, and those of no sample (`sampled`)."""
    blocks: int = 0
    """Blocks of text that a sieve went over."""
    phase: int = 0
    """Blocks to count as gone by before the first: with phases apart, of many small inputs few are looked at whole."""
    whole: int = 0
    """Those of them that were looked at whole: the lines between the hits of the sieve, too."""
    sampled: Counter[str] = field(default_factory=Counter)
    """Unreadable lines that only looking at blocks whole has shown, by reason: each stands for `blocks / whole`."""
    holds: set[str] = field(default_factory=set)
    """Kinds of event (`Event.kind`) that an input of this dialect is able to tell."""
    blind: Counter[str] = field(default_factory=Counter)
    """What was met that hides a lookup from this input, by name (see `blindness.py`)."""
    lost_percent: float = 0.0
    """The most traffic that the sensor says it lost in any one interval, in percent (Zeek's capture_loss.log)."""

    def skip(self, reason: str, where: str | Callable[[], str], advice: str = "", *, sampled: bool = False) -> None:
        """Count one unreadable record; warn if it is the first of its reason.

        `where` locates it (`line 12`, `packet 7`, `byte 4096`), or is asked for that once; `advice` says what to do
        about it; `sampled` that it stands for others (see there).
        """
        first = not self.skipped[reason] and not self.sampled[reason]
        (self.sampled if sampled else self.skipped)[reason] += 1
        if first:
            place = where if isinstance(where, str) else where()
            self.warn(f"{self.path}: {place}: {reason}" + (f"; {advice}" if advice else ""))

    def lost(self, percent: float | None) -> None:
        """The sensor says that it lost this much of the traffic in one interval."""
        if percent is not None and percent > self.lost_percent:
            self.lost_percent = min(percent, 100.0)

    @property
    def unreadable(self) -> Counter[str]:
        """What is known exactly to be unreadable, by reason: samples count where every block was one."""
        return self.skipped + self.sampled if self.blocks == self.whole else +self.skipped

    def add(self, more: Account) -> None:
        """Take what another account of the same input says besides."""
        if more.dialect:
            self.dialect, self.unit = more.dialect, more.unit
        self.records += more.records
        self.events += more.events
        self.failed |= more.failed
        self.blocks += more.blocks
        self.whole += more.whole
        self.holds |= more.holds
        for mine, other in ((self.skipped, more.skipped), (self.sampled, more.sampled), (self.blind, more.blind)):
            mine.update(other)
        self.lost(more.lost_percent)

    def hidden(self, what: str, where: str | Callable[[], str], reason: str) -> None:
        """Count something that hides what was done (a key of `blind`); warn of the first, located."""
        self.blind[what] += 1
        if self.blind[what] == 1:
            place = where if isinstance(where, str) else where()
            self.warn(f"{self.path}: {place}: {reason}")

    def fail(self, reason: str) -> None:
        """The whole input is unreadable: say so once, go on with the others."""
        self.failed = True
        self.skipped[reason] += 1
        self.warn(f"{self.path}: {reason}")
