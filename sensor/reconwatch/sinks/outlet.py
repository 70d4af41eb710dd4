"""The one place that writes to a sink's stream, be it text or binary."""

from __future__ import annotations

import io
from typing import BinaryIO, TextIO, cast

Stream = TextIO | BinaryIO


class Outlet:
    r"""A stream as a sink needs it.

    `machine` formats are UTF-8 with `\n` by definition, so a text stream that lies over a binary one (standard output)
    is written below its encoding. Text for people follows the stream's encoding, and what that cannot say is escaped:
    a notice must not be lost because a terminal is set to ASCII.
    """

    def __init__(self, stream: Stream, *, machine: bool) -> None:
        self._stream = stream
        self._binary: BinaryIO | None = None
        self._closed = False
        # A text stream has an `encoding` (StringIO's is None); isinstance would miss tempfile's wrappers.
        if not hasattr(stream, "encoding"):
            self._binary = stream
        elif machine and isinstance(getattr(stream, "buffer", None), io.BufferedIOBase | io.RawIOBase):
            stream.flush()  # what the caller wrote as text goes first
            self._binary = cast("TextIO", stream).buffer

    @property
    def is_terminal(self) -> bool:
        """Whether a person sees it at once; False for a stream that does not know."""
        isatty = getattr(self._stream, "isatty", None)
        return bool(isatty and isatty())

    @property
    def is_closed(self) -> bool:
        """Whether the sink has completed its output."""
        return self._closed

    def require_open(self) -> None:
        """Raise ValueError when the sink is closed."""
        if self._closed:
            raise ValueError("this sink is closed; open another one for more notices")

    def put(self, text: str) -> None:
        """Write all of `text`. Raises ValueError when the sink is closed; OSError as the stream does."""
        self.require_open()
        if self._binary is None:
            target = cast("TextIO", self._stream)
            encoding = target.encoding or "utf-8"
            target.write(text.encode(encoding, "backslashreplace").decode(encoding))
            return
        rest = memoryview(text.encode())
        while rest:  # an unbuffered file may take less than it was given
            rest = rest[self._binary.write(rest) :]

    def flush(self) -> None:
        """Flush the stream as the caller gave it."""
        if self._binary is not None:
            self._binary.flush()
        self._stream.flush()

    def close(self) -> None:
        """Flush, and refuse more."""
        if not self._closed:
            self.flush()
            self._closed = True
