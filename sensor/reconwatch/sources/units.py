"""What is read in one go: an input, or the captures of a rotation, by one process and with one Lookout."""

from __future__ import annotations

import io
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from reconwatch.account import Account
from reconwatch.events import AnyEvent
from reconwatch.interest import Learned, Lookout
from reconwatch.passing import Doors
from reconwatch.sources.dialect import Dialect
from reconwatch.sources.hindsight import Again, Hindsight, Outcome
from reconwatch.sources.opener import open_content, source_of
from reconwatch.sources.rotation import goes_on
from reconwatch.sources.source import Opening, Source
from reconwatch.sources.textlog.declared import Declared

LATEST = 253_402_300_799.0
"""9999-12-31T23:59:59Z: no calendar writes what a damaged or hostile record stamps beyond it."""

CAPTURES = frozenset({Dialect.PCAP, Dialect.PCAPNG})


@dataclass(frozen=True)
class Part:
    """One input of a run."""

    number: int
    """Its position in the run: `Event.input`."""
    name: str
    origin: Path | BinaryIO
    begins: float
    """Epoch seconds of its first record, as far as its head tells."""
    declared: Declared | None = None


@dataclass(frozen=True)
class Unit:
    """Inputs that are read one after the other by one reader: all but the captures of a rotation are alone."""

    parts: tuple[Part, ...]
    size: int = 0
    """Bytes of all."""

    @property
    def is_repeatable(self) -> bool:
        """Whether it can be read again, and by another process: what comes through a pipe cannot."""
        return all(isinstance(part.origin, Path) for part in self.parts)


@dataclass(frozen=True)
class Task:
    """A unit to be read."""

    unit: Unit
    learned: Learned = field(default_factory=Learned)
    """What the reading begins with."""
    noting: bool = False
    """Others may learn of addresses what this reading will not know: what is met by address is noted."""
    again: Again | None = None
    """It was read already: tell what that left out."""


class Reader:
    """Reads units; `alone` does so in this process, one after the other."""

    def __init__(
        self,
        lookout: Lookout,
        funnel: bool,
        progress: Callable[[int], None],
        doors: Doors | None = None,
    ) -> None:
        """`lookout` says what is wanted; what it has learned itself does not count. `doors`: see there."""
        self._lookout = lookout
        self._funnel = funnel
        self._progress = progress
        self._doors = doors

    def alone(self, tasks: Sequence[Task], accounts: Mapping[int, Account]) -> Generator[AnyEvent, None, list[Outcome]]:
        """The events of all units, in order."""
        outcomes = []
        for task in tasks:
            outcomes.append((yield from self.one(task, accounts)))
        return outcomes

    def one(self, task: Task, accounts: Mapping[int, Account]) -> Generator[AnyEvent, None, Outcome]:
        """The events of one unit; `accounts` by the number of the input."""
        again = task.again
        if again is None:
            lookout = self._lookout.begun(task.learned, noting=task.noting)
            lookout.doors = self._doors
            reading = _Reading(task.unit, lookout, self._funnel, accounts, self._progress)
            yield from reading.events()
            met = msgspec.msgpack.encode(lookout.met) if lookout.met is not None else b""
            return Outcome(lookout.learned, met, frozenset(reading.unseen))
        hindsight = Hindsight(self._lookout, task.learned, again)
        # What cannot be read was told of the first time.
        unsaid = {part.number: Account(part.name) for part in task.unit.parts}
        yield from _Reading(task.unit, hindsight, self._funnel, unsaid, lambda done: None).events()
        for number, account in unsaid.items():
            accounts[number].events += account.events
            accounts[number].holds |= account.holds
        return Outcome()


class _Reading:
    """One pass over a unit."""

    def __init__(
        self,
        unit: Unit,
        lookout: Lookout,
        funnel: bool,
        accounts: Mapping[int, Account],
        progress: Callable[[int], None],
    ) -> None:
        self._left = deque(unit.parts)
        self._lookout = lookout
        self._funnel = funnel
        self._accounts = accounts
        self._progress = progress
        self._account = accounts[unit.parts[0].number]
        """That of the input which is being read."""
        self.unseen: set[str] = set()
        """See `Source.unseen`."""

    def events(self) -> Iterator[AnyEvent]:
        """An input that cannot be opened, or fails while it is read, ends alone."""
        while self._left:
            found = self._opened(self._left.popleft())
            if found is not None:
                source = source_of(*found)
                yield from self._events(source)
                self.unseen |= source.unseen

    def _events(self, source: Source) -> Iterator[AnyEvent]:
        try:
            for event in source:
                if 0 <= event.ts <= LATEST:
                    yield event
                else:
                    self._account.skip(
                        "a time outside the years 1970 to 9999", f"a {event.kind} event of {event.client}"
                    )
        except OSError as error:
            self._account.skip(f"cannot be read further: {error.strerror or error}", f"byte {source.position}")
        finally:
            source.close()

    def _opened(self, part: Part) -> tuple[Dialect, Opening] | None:
        account = self._account = self._accounts[part.number]
        try:
            raw = part.origin.open("rb", buffering=0) if isinstance(part.origin, Path) else part.origin
        except OSError as error:
            account.fail(f"cannot be opened: {(error.strerror or str(error)).lower()}")
            return None
        content = open_content(cast(BinaryIO, _Metered(raw, self._progress)), account, part.declared)
        if content is None:
            return None
        dialect, stream = content
        return dialect, Opening(
            stream, self._lookout, account, part.number, self._funnel, part.declared, _modified(raw), self._following
        )

    def _following(self, last: float) -> Opening | None:
        """The next capture of the rotation, if it goes on where the one before ended."""
        if not self._left or not goes_on(last, self._left[0].begins):
            return None
        found = self._opened(self._left.popleft())
        if found is None:
            return None
        dialect, opening = found
        if dialect in CAPTURES:
            return opening
        # Another file lies there than was looked into.
        opening.stream.close()
        opening.account.fail("changed while the run went on")
        return None


def _modified(raw: BinaryIO) -> float:
    """When a file was last written to, in UTC epoch seconds; of what is no file, now."""
    try:
        status = os.fstat(raw.fileno())
    except OSError:
        return time.time()
    return status.st_mtime if stat.S_ISREG(status.st_mode) else time.time()


class _Metered(io.RawIOBase):
    """A stream that tells how much of it was read."""

    def __init__(self, raw: BinaryIO, tell: Callable[[int], None]) -> None:
        self._raw = raw
        self._tell = tell

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        count = self._raw.readinto(buffer)  # type: ignore[attr-defined]  # raw and buffered streams have it
        self._tell(count or 0)
        return count or 0

    def fileno(self) -> int:
        return self._raw.fileno()  # `Blocks` asks how much will come

    def seekable(self) -> bool:
        return self._raw.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def close(self) -> None:
        self._raw.close()
        super().close()
