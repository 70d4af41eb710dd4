r"""Zeek's notice.log, as Zeek itself writes it (src/logging/writers/ascii/Ascii.cc), for what already reads that file.

Columns and types are those of Zeek 8 with the default scripts (`Notice::Info` in base/frameworks/notice/main.zeek,
`remote_location` from its actions). Two things differ from a Zeek that logs: `#open` and `#close` are event time, so
that a replay gives the same bytes every time, and they are UTC where Zeek uses local time.
"""

from __future__ import annotations

from typing import Final

from reconwatch.notices import Notice
from reconwatch.sinks.endpoints import address, first_zeek_uid, only_destination
from reconwatch.sinks.outlet import Outlet, Stream
from reconwatch.sinks.times import utc, zeek_stamp
from reconwatch.sinks.wire_text import zeek_string

UNSET: Final = "-"

COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("fuid", "string"),
    ("file_mime_type", "string"),
    ("file_desc", "string"),
    ("proto", "enum"),
    ("note", "enum"),
    ("msg", "string"),
    ("sub", "string"),
    ("src", "addr"),
    ("dst", "addr"),
    ("p", "port"),
    ("n", "count"),
    ("peer_descr", "string"),
    ("actions", "set[enum]"),
    ("email_dest", "set[string]"),
    ("suppress_for", "interval"),
    ("remote_location.country_code", "string"),
    ("remote_location.region", "string"),
    ("remote_location.city", "string"),
    ("remote_location.latitude", "double"),
    ("remote_location.longitude", "double"),
)
"""Name and type of each column, in order."""


def row(notice: Notice) -> dict[str, str]:
    """The columns that a notice sets, already escaped; every other one is unset.

    `id.*`, `proto` and `p` stay unset: a notice rests on many connections, and Zeek sets them all or none. `src` is the
    actor; `dst` is set when all kept evidence went to one address.

    Raises:
        ValueError: an absurd time.
    """
    utc(notice.ts)  # Zeek's readers take any float, even NaN; refuse it here as the other formats do
    return {
        "ts": f"{notice.ts:.6f}",
        "uid": _optional(first_zeek_uid(notice)),
        "note": f"ReconWatch::{zeek_string(notice.note)}",
        "msg": zeek_string(notice.msg),
        "sub": zeek_string(_sub(notice)),
        "src": address(notice.actor.ip) or UNSET,
        "dst": only_destination(notice) or UNSET,
        "n": str(max(notice.count, 0)),
        "peer_descr": "reconwatch",
        "actions": "Notice::ACTION_LOG",
        "email_dest": "(empty)",
        "suppress_for": f"{0:.6f}",
    }


def _optional(text: str | None) -> str:
    return UNSET if text is None else zeek_string(text)


def _sub(notice: Notice) -> str:
    """What notice.log has no column for, as words that grep finds."""
    parts = (
        ("verdict", notice.verdict),
        ("score", str(notice.score)),
        ("technique", ",".join(notice.techniques)),
        ("service", ",".join(notice.services)),
        ("user", (notice.actor.user or "").replace(" ", "_")),
        ("id", notice.id),
        ("rev", str(notice.rev)),
        ("state", notice.state),
    )
    return " ".join(f"{name}={value}" for name, value in parts if value)


def line(notice: Notice) -> str:
    """The row of a notice, without its end. Raises ValueError for an absurd time.

    It cannot begin with `#`, which Zeek would escape: its first column is a number.
    """
    cells = row(notice)
    return "\t".join(cells.get(name, UNSET) for name, _ in COLUMNS)


def header(opened: float) -> str:
    """What stands above the rows of a log that was opened at a time, in UTC epoch seconds. Raises ValueError."""
    fields, types = zip(*COLUMNS, strict=True)
    lines = (
        "#separator \\x09",
        "#set_separator\t,",
        "#empty_field\t(empty)",
        "#unset_field\t-",
        "#path\tnotice",
        f"#open\t{zeek_stamp(opened)}",
        "\t".join(("#fields", *fields)),
        "\t".join(("#types", *types)),
    )
    return "\n".join(lines) + "\n"


class NoticeLogSink:
    """Writes the header at the first notice (or at the end, if none came), a row a notice, and `#close`."""

    def __init__(self, stream: Stream) -> None:
        self._outlet = Outlet(stream, machine=True)
        self._latest: float | None = None

    def write(self, notice: Notice) -> None:
        """Write one row. Raises ValueError after `close()` or for an absurd time."""
        text = line(notice)
        if self._latest is None:
            self._latest = notice.ts
            self._outlet.put(header(notice.ts))
        self._latest = max(self._latest, notice.ts)
        self._outlet.put(text + "\n")

    def flush(self) -> None:
        """Flush the stream. Before the first notice there is no header to flush: it says when the log began."""
        self._outlet.flush()

    def close(self) -> None:
        """Write `#close` and flush. Without a notice no event time is known, and the epoch stands for it."""
        if self._outlet.is_closed:
            return
        if self._latest is None:
            self._outlet.put(header(0.0))
        self._outlet.put(f"#close\t{zeek_stamp(self._latest or 0.0)}\n")
        self._outlet.close()
