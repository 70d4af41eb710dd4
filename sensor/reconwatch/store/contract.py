"""What the service asks of whatever keeps its notices: on one sensor SQLite (`Store`), elsewhere another engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

import msgspec

from reconwatch.notices import Notice

Warn = Callable[[str], None]
Clock = Callable[[], float]

Reason = Literal["busy", "full", "read-only", "corrupt", "newer", "foreign", "missing", "failed"]
"""Why nothing can be kept now. `busy`: another program writes; `newer`: a later reconwatch made it; `foreign`: another
program did; `missing`: its folder is not there, or may not be entered; `failed`: the disk, or the file system."""


class StoreError(Exception):
    """Nothing was changed. The same call may be made again: it does what it should once the cause has gone."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


class Snapshot(msgspec.Struct, frozen=True):
    """All that a restart needs: where each feed was read to, and the state that had come of it."""

    marks: Mapping[str, bytes]
    """By feed, as `Feed.mark` gave them."""
    parts: Mapping[str, bytes] | None
    """The state by part of the pipeline; None if another version of reconwatch wrote it: then only the marks hold."""
    taken: float
    """When, by the store's clock, in UTC epoch seconds."""


class Stored(msgspec.Struct, frozen=True):
    """One emission as it lies in the outbox."""

    seq: int
    """Its place: the first is 1, the next always one more."""
    through: int
    """Bytes of it and of all before it: the difference of two is what lies between."""
    id: str
    rev: int
    body: bytes
    """The notice as a line of JSON, with its evidence (docs/output.md, `jsonl`)."""


class Position(msgspec.Struct, frozen=True):
    """How far a sink has come."""

    seq: int
    """The last that it has had, or that it does not want."""
    place: bytes = b""
    """What the sink itself says of where it stood then: a file and its size."""
    dropped: int = 0
    """How many it never had, because too many waited; over its whole life."""


class Dead(msgspec.Struct, frozen=True):
    """A notice that a sink has refused for good."""

    sink: str
    seq: int
    id: str
    rev: int
    reason: str
    failures: int
    died: float
    """UTC epoch seconds."""
    body: bytes
    again: bool = False
    """Somebody asked to try it once more."""


class SinkBook(Protocol):
    """Positions and dead letters of the sinks."""

    def position(self, sink: str) -> Position | None:
        """Where a sink stands; None if it was never here."""
        ...

    def commit(self, positions: Mapping[str, Position], dead: Iterable[Dead] = ()) -> None:
        """Keep where sinks stand, and what they refused for good, at once."""
        ...

    def forget(self, keep: Iterable[str]) -> dict[str, int]:
        """Forget the sinks that are not among `keep`; those that were forgotten, and how many notices each lacked."""
        ...

    def dead(self, *, again: bool = False, limit: int = -1) -> list[Dead]:
        """Dead letters, the oldest first; with `again` only those to be tried once more."""
        ...

    def retry(self, sink: str | None = None) -> int:
        """Have dead letters (of one sink) tried once more; how many."""
        ...

    def bury(self, letters: Iterable[Dead]) -> None:
        """Keep what came of trying once more: they are refused as before."""
        ...

    def revive(self, letters: Iterable[Dead]) -> None:
        """Their sinks have them now."""
        ...


class Outbox(Protocol):
    """Keeps notices until every sink has them, and the state of the service beside them.

    One process writes. Every call is all or nothing, and calls within one `transaction` are so together. All raise
    StoreError and nothing else.
    """

    @property
    def sinks(self) -> SinkBook:
        """Where the sinks stand."""
        ...

    @property
    def generation(self) -> int:
        """Rises when what was kept is gone and all begins anew: a sink then asks for its position again."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """What is done within is kept together when it ends, and not at all if it ends with an exception."""
        ...

    def emit(self, notices: Iterable[Notice]) -> list[Notice]:
        """Put notices into the outbox; those that are new. What is there already, by (id, rev), stays as it is."""
        ...

    def snapshot(self, parts: Mapping[str, bytes], marks: Mapping[str, bytes]) -> None:
        """Replace the snapshot, whole."""
        ...

    def restored(self) -> Snapshot | None:
        """The last snapshot; None if there is none."""
        ...

    def last_rev(self, id: str) -> int:
        """The highest rev of a notice that was kept; 0 if there is none."""
        ...

    def newest(self) -> tuple[int, int]:
        """(seq, through) of the last that was put in; (0, 0) before the first."""
        ...

    def after(self, seq: int, limit: int) -> Sequence[Stored]:
        """The next few behind a place, in order."""
        ...

    def through(self, seq: int) -> int:
        """`Stored.through` of a place, of the first that is still kept if that one is gone."""
        ...
