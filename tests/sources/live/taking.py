"""A clock that a test sets, and a service as small as can be: it takes, and remembers what it was given."""

from __future__ import annotations

import time
from collections.abc import Callable

from reconwatch.sources.live import Chunk, Feed


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


class Service:
    """Takes chunks; holds what came of each stream, byte by byte; can be killed and go on from its last mark."""

    def __init__(self, make: Callable[[], Feed], clock: Clock) -> None:
        self._make = make
        self.clock = clock
        self.feed = make()
        self.streams: dict[str, bytearray] = {}
        """What was given of each stream, as it would be in the store: a chunk taken again replaces itself."""
        self.ended: set[str] = set()
        self.chunks: list[Chunk] = []
        self.problems: list[str] = []
        self.gaps: list[tuple[float, float]] = []
        self._mark: bytes | None = None
        self._kept: tuple[dict[str, bytes], set[str]] = ({}, set())

    def step(self, room: int = 1 << 16) -> Chunk | None:
        """One chunk, checked against the contract."""
        chunk = self.feed.take(room)
        self.problems += self.feed.problems()
        self.gaps += self.feed.gaps()
        if chunk is None:
            return None
        self.chunks.append(chunk)
        self.ended.discard(chunk.stream)  # a file may turn up, or grow, after it was given up
        if chunk.capture is None:
            so_far = self.streams.setdefault(chunk.stream, bytearray())
            assert chunk.offset >= len(so_far), f"{chunk.name} repeats bytes from {chunk.offset}"
            so_far.extend(b"\0" * (chunk.offset - len(so_far)))  # a line that was left out, or what `end` passed over
            so_far.extend(chunk.data)
            assert chunk.last or chunk.data.endswith(b"\n"), chunk
            assert len(chunk.head) <= 65536
            assert chunk.offset > 0 or not chunk.data or chunk.data.startswith(chunk.head), chunk
        if chunk.last:
            self.ended.add(chunk.stream)
        return chunk

    def takes(self, seconds: float = 10.0, room: int = 1 << 16, step: float = 0.5) -> list[Chunk]:
        """All there is, for so long."""
        taken: list[Chunk] = []
        until = self.clock.now + seconds
        while self.clock.now < until:
            while (chunk := self.step(room)) is not None:
                taken.append(chunk)
            self.clock.passes(step)
        return taken

    def marks(self) -> None:
        """Keep the mark, and what came of the chunks before it."""
        self._mark = self.feed.mark()
        self._kept = ({stream: bytes(data) for stream, data in self.streams.items()}, set(self.ended))

    def keeps(self) -> None:
        """The same, and the mark is told to be safe."""
        self.marks()
        self.feed.kept()

    def killed(self) -> None:
        """All since the last mark is gone."""
        self.feed.close()  # as the system does with descriptors

    def starts(self) -> None:
        """Begin again at the last mark."""
        self.streams = {stream: bytearray(data) for stream, data in self._kept[0].items()}
        self.ended = set(self._kept[1])
        self.feed = self._make()
        if self._mark is not None:
            self.feed.resume(self._mark)

    def restarts(self) -> None:
        self.killed()
        self.starts()

    @property
    def lines(self) -> list[bytes]:
        """All lines, sorted: which stream they came in does not matter."""
        return sorted(line for data in self.streams.values() for line in bytes(data).lstrip(b"\0").splitlines())

    @property
    def told(self) -> list[str]:
        """The problems but for that the log was not there at first."""
        return [problem for problem in self.problems if "no file fits" not in problem]
