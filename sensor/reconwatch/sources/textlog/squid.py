"""Squid's access.log: its own format, and any that its owner wrote down (`logformat`).

https://wiki.squid-cache.org/Features/LogFormat; src/log/FormatSquidNative.cc and src/format/Format.cc of Squid 5 and 6.
Its format `combined` is that of web servers (`combined.py`).
"""

from __future__ import annotations

import re

from reconwatch.events import AnyEvent
from reconwatch.logformat import Logformat, compiled, percent_decoded
from reconwatch.sources.textlog.asked import Asked, number, told
from reconwatch.sources.textlog.line import BadLineError, Context, LineFormat

# The user name may hold blanks, and the URL too (`uri_whitespace allow`), so one without is tried first. Behind the
# type come the headers of both sides where `log_mime_hdrs` is on.
_LINE = re.compile(
    r"(?P<ts>\d{9,10}\.\d{3}) +(?P<elapsed>-?\d+|-) (?P<client>\S+) (?P<result>[A-Z_]+)/(?P<status>\d{3}|-)"
    r" (?:-?\d+|-) (?P<method>\S+) (?:(?P<url>.*) -|(?P<plain>\S+) (?P<user>.+)) (?P<route>[A-Z_]+/\S+) (?P<type>\S+)"
    r"(?: \[[^\]]*\] \[[^\]]*\])?"
)


class SquidFormat(LineFormat):
    """A line is written when a request is done, so the client acted as much earlier as the line says it took."""

    name = "squid"
    holds = frozenset({"http", "tls"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        pattern = context.declared.pattern
        self._declared = _Written(self, compiled(pattern)) if pattern is not None else None

    @classmethod
    def recognises(cls, line: str) -> bool:
        """See `LineFormat.recognises`."""
        return _LINE.fullmatch(line) is not None

    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """See `LineFormat.read`."""
        if self._declared is not None:
            return self._declared.read(line)
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        asked = Asked(
            ts=float(found["ts"]) - _milliseconds(found["elapsed"]),
            client=found["client"],
            method=found["method"],
            target=found["url"] or found["plain"] or "",
            status=number(found["status"]),
            user=percent_decoded(found["user"] or "-"),
        )
        return told(self, asked)


class _Written:
    """Reads lines of a format that was written down."""

    def __init__(self, format: LineFormat, written: Logformat) -> None:
        self._format = format
        self._written = written

    def read(self, line: str) -> list[AnyEvent] | None:
        values = self._written.values(line)
        if values is None:
            return None
        ts = self._time(values)
        if ts is None:
            raise BadLineError("no usable time")
        host = values.get("domain") or values.get("host")
        asked = Asked(
            ts=ts - _milliseconds(values.get("elapsed", "-")),
            client=values.get("client", ""),
            method=values.get("method", "" if "sni" in values else "GET"),
            target=values.get("url") or values.get("path") or "",
            host=host,
            client_port=number(values.get("client_port")),
            server=values.get("server"),
            server_port=number(values.get("server_port")),
            agent=self._decoded(values, "user_agent"),
            status=number(values.get("status")),
            user=self._decoded(values, "user") or self._decoded(values, "ident"),
            forwarded=self._decoded(values, "forwarded"),
            sni=values.get("sni"),
        )
        return told(self._format, asked)

    def _time(self, values: dict[str, str]) -> float | None:
        if "seconds" in values:
            seconds = self._format.context.clock.epoch(values["seconds"])
            return None if seconds is None else seconds + _milliseconds(values.get("milliseconds", "-"))
        return self._format.context.clock.epoch(values.get("stamp", ""))

    def _decoded(self, values: dict[str, str], name: str) -> str | None:
        value = values.get(name)
        return value if value is None or self._written.quoting[name] in ('"', "'") else percent_decoded(value)


def _milliseconds(text: str) -> float:
    """Seconds of a number of milliseconds; what is negative or none took no time."""
    return max(0, int(text)) / 1000 if text.lstrip("-").isdigit() else 0.0
