"""The times that text logs write: with and without a zone, a year, a fraction."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconwatch.sources.spelling import epoch, plausible

MONTHS = {name: number for number, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
)}  # fmt: skip
"""English, whatever the host's language: the programs that name months write them so (strftime in the C locale)."""

SLACK = timedelta(days=1)
"""How far a line may be stamped behind the time of its file's last change: clocks differ, and so do time zones."""

_NUMBER = re.compile(r"\d{9,10}(?:\.\d{1,9})?")
_SYSLOG = re.compile(r"(?P<month>[A-Z][a-z]{2})\s+(?P<day>\d{1,2})\s+(?P<time>\d\d:\d\d:\d\d(?:\.\d{1,9})?)")
_NAMED = re.compile(
    r"(?P<day>\d{1,2})[-/ ](?P<month>[A-Za-z]{3})[-/ ](?P<year>\d{4})[: ](?P<time>\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)"
    r"(?: ?(?P<zone>Z|[+-]\d\d:?\d\d))?"
)


class Clock:
    """Reads the stamps of one log."""

    def __init__(self, modified: float, zone: str = "UTC") -> None:
        """`modified`: when the log was last written to, in UTC epoch seconds: later than all its lines.

        `zone` is that of stamps which name none. Raises ValueError if there is no such zone.
        """
        self.zone: tzinfo = zone_of(zone)
        self.assumed = False
        """A stamp without a zone was read."""
        self._latest = datetime.fromtimestamp(min(max(modified, 0.0), 2.5e11), UTC) + SLACK
        self._second = lru_cache(maxsize=1024)(self._read)

    def epoch(self, text: str) -> float | None:
        """UTC epoch seconds of a stamp in any of the ways below; None if it is none.

        Seconds since the epoch; `24/Nov/2026:02:49:01 +0000` (Common Log Format), `24-Nov-2026 04:18:48.673` (BIND);
        `Nov 24 02:49:01` (syslog, RFC 3164: of the last year in which that was not after the log's last change);
        ISO 8601, with `T` or a blank, a fraction behind a point or a comma.
        """
        return self._second(text)

    def moment(
        self, year: int | None, month: int, day: int, hour: int, minute: int, second: float, offset: str | None = None
    ) -> float | None:
        """UTC epoch seconds of a stamp's parts; None for what is no time. `offset` is `Z` or like `+01:00`, `-0500`."""
        whole = int(second)
        zone: tzinfo = self.zone
        try:
            if offset is None:
                self.assumed = True
            else:
                zone = datetime.strptime(offset, "%z").tzinfo or UTC
            if year is not None:
                known = datetime(year, month, day, hour, minute, min(whole, 59), tzinfo=zone)
            else:
                known = self._in_its_year(month, day, hour, minute, min(whole, 59), zone)
        except ValueError:
            return None
        return plausible(known.timestamp() + second - min(whole, 59))

    def _in_its_year(self, month: int, day: int, hour: int, minute: int, second: int, zone: tzinfo) -> datetime:
        """The latest that is not after the log's last change. Raises ValueError for what is no time."""
        latest = self._latest.year + 1
        for year in range(latest, latest - 10, -1):  # so many back there is a 29 February, as none was in 1900
            try:
                known = datetime(year, month, day, hour, minute, second, tzinfo=zone)
            except ValueError:
                if (month, day) != (2, 29):
                    raise
                continue
            if known <= self._latest:
                return known
        raise ValueError(f"no year has {day}.{month}.")

    def _read(self, text: str) -> float | None:
        if _NUMBER.fullmatch(text):
            return plausible(float(text))
        if found := _NAMED.fullmatch(text):
            return self._named(found, int(found["year"]), found["zone"])
        if found := _SYSLOG.fullmatch(text):
            return self._named(found, None, None)
        text = text.replace(",", ".", 1)
        try:
            known = datetime.fromisoformat(text)
        except ValueError:
            return None
        if known.tzinfo is not None:
            return epoch(text)
        self.assumed = True
        return plausible(known.replace(tzinfo=self.zone).timestamp())

    def _named(self, found: re.Match[str], year: int | None, zone: str | None) -> float | None:
        month = MONTHS.get(found["month"].lower())
        if month is None:
            return None
        hour, minute, second = found["time"].replace(",", ".").split(":")
        return self.moment(year, month, int(found["day"]), int(hour), int(minute), float(second), zone)


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name. Raises ValueError if there is none, or the host has no time zone data for it."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone is called {name!r} here") from None
