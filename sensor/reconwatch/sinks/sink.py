"""What every sink is."""

from __future__ import annotations

from typing import Protocol

from reconwatch.notices import Notice


class Sink(Protocol):
    """Writes notices in one format.

    Sinks are fed from the outbox and may be handed the same (id, rev) twice: a stream format then repeats the line,
    and its reader keeps one of each (id, rev); the table keeps the highest rev of each id.
    """

    def write(self, notice: Notice) -> None:
        """Take one emission. Raises ValueError after `close()`; OSError as the stream does."""

    def flush(self) -> None:
        """Hand everything that the format can already write to the stream's own `flush()`."""

    def close(self) -> None:
        """Complete the output (headers, trailers, the table itself) and flush; the stream stays open. Idempotent."""
