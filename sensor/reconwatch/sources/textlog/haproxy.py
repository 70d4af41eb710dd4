r"""HAProxy's HTTP log (`option httplog`, `httpslog`; section 8.2.3 of its configuration manual).

`client:port [time] frontend backend/server timers status bytes cookies flags connections queue {captures} "request"`.
Bytes that could end a column are written `#XX` (section 8.6). A line that the syslog protocol cut ends in the request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconwatch.events import AnyEvent
from reconwatch.sources.textlog.asked import Asked, endpoint, number, request_line, told
from reconwatch.sources.textlog.combined import chosen
from reconwatch.sources.textlog.line import BadLineError, LineFormat

_HEAD = r"(?P<client>\S+):(?P<port>\d{1,5}) \[(?P<time>[^\]\"]{10,40})\] (?P<frontend>[^\s/]+)"
_LINE = re.compile(
    _HEAD + r" \S+/\S+ [+\-\d]+(?:/[+\-\d]+){2,4} (?P<status>-?\d{1,3}) \+?\d+ \S+ \S+ \S{4} \d+(?:/\+?\d+){4} \d+/\d+"
    r" (?P<captures>(?:\{[^}\"]*\} )*)\"(?P<request>[^\"]*)(?:\".*)?"
)
_QUIET = re.compile(
    _HEAD + r"(?: \S+/\S+ [+\-\d]+(?:/[+\-\d]+){2} \+?\d+ \S\S\S?\S? \d+(?:/\+?\d+){4} \d+/\d+.*|/\S+: .*)"
    r"|(?:Proxy|Server|Health check|Backend|backend) \S.*|\[(?:NOTICE|WARNING|ALERT)\] .*"
)
"""TCP lines, failed handshakes, and what HAProxy says of itself."""
_ENCODED = re.compile(r"((?:#(?:[01][0-9A-Fa-f]|7[FfBbCcDd]|2[23]|[89A-Fa-f][0-9A-Fa-f]))+)")


class HaproxyFormat(LineFormat):
    """What came to a balancer of ours: a host is known only by a captured header or from HTTP/2's absolute form."""

    name = "haproxy"
    holds = frozenset()

    @classmethod
    def recognises(cls, line: str) -> bool:
        """See `LineFormat.recognises`."""
        found = _LINE.fullmatch(line)
        return found is not None and endpoint(found["client"])[0] is not None

    def begin(self, lines: Sequence[str]) -> None:
        """See `LineFormat.begin`."""
        self.note_owner(None)

    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """See `LineFormat.read`."""
        found = _LINE.fullmatch(line)
        if found is None:
            return [] if _QUIET.fullmatch(line) else None
        ts = self.context.clock.epoch(found["time"])
        if ts is None:
            raise BadLineError("no usable time")
        method, target = request_line(found["request"])
        # `<BADREQ>` is no method, so nothing is told of it.
        captured = self._captured(found["captures"])
        asked = Asked(
            ts=ts,
            client=found["client"],
            client_port=number(found["port"]),
            method=method,
            target=_decoded(target),
            host=captured.get("host"),
            agent=captured.get("user_agent"),
            status=number(found["status"]),
            forwarded=captured.get("forwarded"),
            sni=captured.get("sni"),
        )
        return told(self, asked)

    def _captured(self, text: str) -> dict[str, str]:
        """What its owner said of the captured request headers, which are the first in braces."""
        places = self.context.declared.fields
        if not places or not text:
            return {}
        return chosen(places, [_decoded(each) for each in text[1:].partition("}")[0].split("|")])


def _decoded(text: str) -> str:
    """The text without the encoding that HAProxy gives to what is not printable and to its delimiters; no other."""
    return _ENCODED.sub(_plain, text) if "#" in text else text


def _plain(found: re.Match[str]) -> str:
    return bytes.fromhex(found[1].replace("#", "")).decode("utf-8", "backslashreplace")
