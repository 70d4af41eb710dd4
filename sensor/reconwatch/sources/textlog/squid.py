"""Squid's own format of access.log (`logformat squid`, https://wiki.squid-cache.org/Features/LogFormat)."""

from __future__ import annotations

import re

from reconwatch.events import AnyEvent, Hello, HttpRequest
from reconwatch.sources.spelling import canonical, host_only, request_target
from reconwatch.sources.textlog.line import BadLineError, LineFormat

_LINE = re.compile(
    r"(?P<ts>\d{9,10}\.\d{3}) +(?P<elapsed>-?\d+) (?P<client>\S+) (?P<result>[A-Z_]+)/(?P<status>\d{3}) -?\d+"
    r" (?P<method>\S+) (?P<url>.*) (?P<user>\S+) (?P<route>[A-Z_]+/\S+) (?P<type>\S+)"
)


class SquidFormat(LineFormat):
    """A line is written when a request is done, so the client acted `elapsed` milliseconds before its stamp."""

    name = "squid"
    holds = frozenset({"http", "tls"})

    @classmethod
    def recognises(cls, line: str) -> bool:
        """See `LineFormat.recognises`."""
        return _LINE.fullmatch(line) is not None

    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """See `LineFormat.read`."""
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        client = canonical(found["client"])
        if client is None:
            raise BadLineError("no usable address")
        ts = float(found["ts"]) - max(0, int(found["elapsed"])) / 1000
        facts = self.facts(ts, client)
        if found["method"] == "CONNECT":
            return [Hello(name=host_only(found["url"]) or None, transport="connect", **facts)]
        host, target = request_target(None, found["url"])
        masked = self.context.lookout.mask(host, target)
        return [HttpRequest(method=found["method"], host=host, uri=masked, status=int(found["status"]), **facts)]
