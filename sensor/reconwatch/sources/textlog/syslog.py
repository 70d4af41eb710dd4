"""What syslog puts in front of a line, on its way to a file or a log host."""

from __future__ import annotations

import re

from reconwatch.sources.textlog.stamps import Clock

# RFC 3164 section 4.1 as rsyslog and syslog-ng write it; the same with ISO stamps (RSYSLOG_FileFormat); RFC 5424.
_LEGACY = re.compile(
    r"(?:<\d{1,3}>)?"
    r"(?P<stamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,6})?|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))"
    r" (?P<host>[\w.:\-]+) (?P<tag>[\w./()\-]{1,48})(?:\[\d+\])?: "
)
_STRUCTURED = re.compile(
    r"<\d{1,3}>1 (?P<stamp>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) (?P<host>\S+) (?P<tag>\S+) \S+ \S+ "
    r"(?:-|(?:\[(?:[^\]\\]|\\.)*\])+) (?:\ufeff)?"
)


def without_prefix(line: str) -> tuple[str, str | None]:
    """(the line as its program wrote it, the stamp that syslog gave it); no stamp if there was no prefix."""
    if not line[:1].isalnum() and line[:1] != "<":
        return line, None
    found = _LEGACY.match(line) or _STRUCTURED.match(line)
    if found is None:
        return line, None
    return line[found.end() :], found["stamp"]


def logged(stamp: str | None, clock: Clock) -> float | None:
    """UTC epoch seconds of the stamp; None without one."""
    return clock.epoch(stamp) if stamp is not None else None
