"""The contract of a live input: bytes in pieces, each with its place, so that none is lost and none told twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

NOBODY: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True)
class Chunk:
    """Whole lines of one stream, or the name of a whole capture."""

    stream: str
    """Which stream they belong to, the same over renames and restarts (a file's identity, a connection, a list)."""
    name: str
    """What to call it in front of a person: a path, `unix:/run/...`, `redis:suricata`."""
    data: bytes
    """Lines, each with its newline; of a stream's last chunk the last may lack it. Empty for a capture."""
    offset: int
    """Where `data` begins in the (decompressed) stream, in bytes. It follows the chunk before, but for a line longer
    than `lines.LONGEST_LINE`, which is left out and told, and for what `from: end` passed over."""
    line: int
    """The number of the first line, counted from 1."""
    head: bytes
    """The first lines of the stream (at most 64 KiB): what says which log it is. Of a chunk at offset 0, its own."""
    last: bool = False
    """Nothing more will come of this stream; its data may be empty. Only of a file that was given up, and turns up or
    grows after all, more comes: at the offset where this chunk ended, and with a last chunk of its own."""
    capture: Path | None = None
    """A capture that lies ready, to be read whole; its stream has this one chunk."""


class Feed(Protocol):
    """One entry of `sources` in site.yaml.

    Nothing here blocks, and nothing raises for what an outside program may do to its files: that is told by
    `problems`. The service asks in turns: `take`, reads the chunk, and every half a minute puts `mark` beside the state
    that came of all chunks taken so far, in one transaction. After a start `resume` is given that mark, and exactly the
    chunks after it are taken again: the same bytes under the same stream and offset, however they are cut.
    """

    name: str
    """As site.yaml calls it, or its path."""

    def take(self, room: int, come: Mapping[str, float] = NOBODY) -> Chunk | None:
        """The next whole lines there are, of about `room` bytes at most; None if there is nothing now.

        A line longer than `room` comes whole, up to the longest that a text log may have (`lines.LONGEST_LINE`).
        Old streams are finished before what replaced them; of streams that were written side by side the one goes on
        that has come the least far in time, by `come` (UTC epoch seconds; what is not in it has not begun).
        """
        ...

    def waiting(self) -> Collection[str]:
        """The streams that `take` has more of now: others, so long as nothing is written, have nothing to say.

        Not those that wait for another one of them to be finished first, for they are later in time.
        """
        ...

    def mark(self) -> bytes:
        """Where all that was taken ends: an opaque value for `resume`.

        Before the first `take` of a first start it holds what there was then: keep it at once, and what is rotated
        before the next mark is not taken for older than the feed.
        """
        ...

    def resume(self, mark: bytes) -> None:
        """Go on behind a mark of an earlier run; before the first `take`. Raises ValueError for what is no mark."""
        ...

    def kept(self) -> None:
        """What `mark` last gave is in the store for good: whoever sent it may forget it."""
        ...

    def lag(self) -> int:
        """Bytes that are known to wait."""
        ...

    def problems(self) -> list[str]:
        """What went wrong, or healed, since this was last asked: one located line each, that says what to do."""
        ...

    def gaps(self) -> list[tuple[float, float]]:
        """Spans of time (UTC epoch seconds) since this was last asked in which something may have been lost for good.

        Files have none but those that were removed or cut before they were read; a socket has one for each time that
        nobody listened; Redis, if it lost what it held or cut it off.
        """
        ...

    def close(self) -> None:
        """Release what is open. Idempotent."""
        ...
