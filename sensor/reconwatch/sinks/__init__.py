"""Where notices go. Each format is one file here, and each derives from the one `Notice` value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from reconwatch.sinks.eve import EveSink
from reconwatch.sinks.jsonl import JsonlSink
from reconwatch.sinks.notice_log import NoticeLogSink
from reconwatch.sinks.outlet import Stream
from reconwatch.sinks.sink import Sink
from reconwatch.sinks.table import TableSink

__all__ = ["SINKS", "Sink", "Stream", "open_sink"]

SINKS: Final[dict[str, Callable[[Stream], Sink]]] = {
    "table": TableSink,
    "jsonl": JsonlSink,
    "notice-log": NoticeLogSink,
    "eve": EveSink,
}
"""The formats by the name that `--format` takes. docs/output.md describes them."""


def open_sink(name: str, stream: Stream, *, width: int | None = None, colour: bool | None = None) -> Sink:
    r"""A sink of that format which writes to `stream`, and to nothing else.

    The stream stays the caller's: `close()` completes the output and flushes it, it never closes the stream. `width`
    (in columns) and `colour` are for the table; None asks the stream. The machine formats are UTF-8 with `\n`,
    whatever the encoding of a text stream.

    Raises:
        ValueError: there is no format of that name.
    """
    if name not in SINKS:
        raise ValueError(f"no output format {name!r}; choose one of {', '.join(SINKS)}")
    if name == "table":
        return TableSink(stream, width=width, colour=colour)
    return SINKS[name](stream)
