"""The formats of sinks/ as lines of a file that never ends: how a notice is written, and how it is found again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reconwatch.notices import Notice
from reconwatch.sinks.eve import event
from reconwatch.sinks.jsonl import contract
from reconwatch.sinks.notice_log import header, line
from reconwatch.sinks.wire_text import json_line

Key = tuple[str, int]
"""(id, rev)."""


@dataclass(frozen=True)
class LineFormat:
    """One of the formats that are a line a notice."""

    render: Callable[[Notice], str]
    """The line, without its end. Raises ValueError for what the format cannot say."""
    begins: tuple[bytes, ...]
    """How a line of ours may begin: what a kill cut off is known by it."""
    named: re.Pattern[bytes]
    """Where a line says id and rev. No text from the wire can look so: it is escaped."""
    header: Callable[[Notice], str] | None = None
    """What stands above the first notice of a file, whole lines."""

    def may_begin(self, text: bytes) -> bool:
        """Whether a line of ours may have been cut off to this."""
        return any(text[: len(begin)] == begin[: len(text)] for begin in self.begins)

    def key(self, text: bytes) -> Key | None:
        """(id, rev) of a line; None if it is no notice of ours."""
        found = self.named.search(text)
        return None if found is None else (found[1].decode("ascii", "replace"), int(found[2]))


FORMATS: Final[dict[str, LineFormat]] = {
    "jsonl": LineFormat(
        render=lambda notice: json_line(contract(notice)),
        begins=(b'{"schema":',),
        named=re.compile(rb'\A\{"schema":[0-9]+,"id":"([^"\\]+)","rev":([0-9]{1,18}),'),
    ),
    "eve": LineFormat(
        render=lambda notice: json_line(event(notice)),
        begins=(b'{"timestamp":',),
        named=re.compile(rb'"reconwatch":\{"schema":[0-9]+,"id":"([^"\\]+)","rev":([0-9]{1,18}),'),
    ),
    "notice-log": LineFormat(
        render=line,
        begins=(b"#", *(b"%d" % digit for digit in range(10))),
        named=re.compile(rb"\tverdict=[^\t]* id=([^ \t]+) rev=([0-9]{1,18}) state=[a-z]+\t"),
        header=lambda notice: header(notice.ts),
    ),
}
"""By the name that `format` of site.yaml takes. A table is complete only at its end, and a service has none."""
