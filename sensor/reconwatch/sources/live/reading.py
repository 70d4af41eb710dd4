"""One stream of a live input, read piece by piece by the same source that would read it whole."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast

from reconwatch.account import Account
from reconwatch.events import AnyEvent
from reconwatch.interest import Lookout
from reconwatch.sources.dialect import Dialect, lines_of, recognise, text_format
from reconwatch.sources.eve import EveSource
from reconwatch.sources.live.feed import Chunk
from reconwatch.sources.opener import UNKNOWN
from reconwatch.sources.source import Opening
from reconwatch.sources.textlog.declared import Declared
from reconwatch.sources.textlog.source import TextLogSource
from reconwatch.sources.zeek import ZeekSource

LineSource = EveSource | ZeekSource | TextLogSource


class Reading:
    """Chunks of one stream in, events out. What it remembers between chunks is in `source`.

    A stream that is nothing we read is told of once, and its chunks are counted.
    """

    def __init__(
        self, chunk: Chunk, number: int, lookout: Lookout, account: Account, declared: Declared | None = None
    ) -> None:
        """`chunk` is the first that is read of the stream, not necessarily its first; `number` is `Event.input`."""
        self.number = number
        self.account = account
        self.newest = float("-inf")
        """The latest time of its events: how far it has come."""
        self._pushed = _Pushed()
        self.source = self._opened(chunk, lookout, declared)

    @property
    def memory(self) -> dict[str, Any]:
        """What a later reading of the same stream has to know to go on: set it before the first chunk is read."""
        kept = {name: getattr(self.source, name) for name in self.source.KEPT} if self.source is not None else {}
        return kept | {"newest": self.newest}

    @memory.setter
    def memory(self, memory: Mapping[str, Any]) -> None:
        for name, value in memory.items():
            if name == "newest":
                self.newest = value
            elif self.source is not None and name in self.source.KEPT:
                setattr(self.source, name, value)

    def _opened(self, chunk: Chunk, lookout: Lookout, declared: Declared | None) -> LineSource | None:
        head = chunk.head or chunk.data
        dialect = recognise(head, declared)
        opening = Opening(cast(BinaryIO, self._pushed), lookout, self.account, self.number, declared=declared)
        source: LineSource
        match dialect:
            case Dialect.EVE:
                source = EveSource(opening)
            case Dialect.ZEEK_TSV | Dialect.ZEEK_JSON:
                source = ZeekSource(opening, "tsv" if dialect is Dialect.ZEEK_TSV else "json")
            case Dialect.TEXT:
                format = text_format(head, declared)
                assert format is not None
                source = TextLogSource(opening, format, lines_of(head))
            case None:
                self.account.fail(UNKNOWN)
                return None
            case _:
                self.account.fail(f"{dialect.value} cannot be followed, only read whole, from a drop folder")
                return None
        if chunk.offset and dialect is Dialect.ZEEK_TSV:
            self._pushed.push(_header(head))
            for _ in source:  # a header tells no event
                pass
            self.account.records = 0
        return source

    def events(self, chunk: Chunk) -> Iterator[AnyEvent]:
        """The events of the next chunk."""
        if self.source is None:
            return
        self.source.blocks.begin(chunk.offset, chunk.line)
        self._pushed.push(chunk.data)
        for event in self.source:
            if event.ts > self.newest:
                self.newest = event.ts
            yield event


def _header(head: bytes) -> bytes:
    """The lines in front of a Zeek log that name its columns."""
    end = 0
    for line in head.splitlines(keepends=True):
        if not line.startswith(b"#"):
            break
        end += len(line)
    return head[:end]


class _Pushed(io.RawIOBase):
    """A stream that has what was last put into it."""

    def __init__(self) -> None:
        self._left = memoryview(b"")

    def push(self, data: bytes) -> None:
        """What is read next."""
        self._left = memoryview(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
