r"""Web servers' lines: Common Log Format, with referrer and user agent (`combined`), with the virtual host in front.

Apache (mod_log_config; `\"`, `\\`, `\n`, `\xhh`), nginx (`log_format`; `\x22`), and Squid's format `combined`, which
has one more column. Servers write a quote within a column as an escape, so none can begin another column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconwatch.events import AnyEvent
from reconwatch.logformat import percent_decoded
from reconwatch.sources.spelling import canonical
from reconwatch.sources.textlog.asked import Asked, is_absolute, number, request_line, told
from reconwatch.sources.textlog.line import BadLineError, LineFormat

_QUOTED = r"(?:[^\"\\]|\\.)*+"
# A user's name may hold nearly anything: a bracket, but no quote (Apache, nginx), or a quote, but no bracket (Squid).
_LINE = re.compile(
    r"(?P<first>[^\s\"]+) (?P<second>[^\s\"]+) (?P<middle>.*?)\[(?P<time>[^\]\"]{10,40})\]"
    rf" \"(?P<request>{_QUOTED})\" (?P<status>\d{{1,3}}|-) (?:\d+|-)"
    rf"(?P<rest>(?: \"{_QUOTED}\" \"(?P<agent>{_QUOTED})\")?(?P<extra>(?: .*)?))"
)
# Squid's own writer (src/log/FormatHttpdCombined.cc of 5.7) escapes no quotes in what the client says it is.
_SQUID = re.compile(r"[A-Z_]+:[A-Z_]+")
_COLUMN = re.compile(rf"\"({_QUOTED})\"|([^\s\"]+)")
_ESCAPE = re.compile(r"((?:\\x[0-9a-fA-F]{2})+)|\\([\"\\nrtbvf])")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "v": "\v", "f": "\f"}


class CombinedFormat(LineFormat):
    """A web server's lines tell what was done to it; with targets that name their host it is a forward proxy.

    Which of them a log is, its first lines say.
    """

    name = "combined"
    holds = frozenset()

    @classmethod
    def recognises(cls, line: str) -> bool:
        """See `LineFormat.recognises`."""
        found = _LINE.fullmatch(line)
        return found is not None and canonical(_parties(found)[1]) is not None

    def begin(self, lines: Sequence[str]) -> None:
        """See `LineFormat.begin`."""
        account, forward = self.context.account, 0
        requests = [request_line(found["request"]) for line in lines if (found := _LINE.fullmatch(line))]
        for method, target in requests:
            forward += 1 if method == "CONNECT" or is_absolute(target) else -1
        if forward > 0:
            account.holds |= {"http", "tls"}
        else:
            self.note_owner(None)

    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """See `LineFormat.read`."""
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        ts = self.context.clock.epoch(found["time"])
        if ts is None:
            raise BadLineError("no usable time")
        method, target = request_line(found["request"])
        vhost, client = _parties(found)
        columns, _, last = found["rest"].rpartition(" ")
        squid = _SQUID.fullmatch(last) is not None
        extra = self._extra(found["extra"])
        user = _value(found["middle"].strip() if vhost is None else found["middle"].partition(" ")[2].strip())
        asked = Asked(
            ts=ts,
            client=client,
            method=method,
            target=unescaped(target),
            host=extra.get("host") or vhost,
            agent=_agent_of_squid(columns) if squid else extra.get("user_agent") or _value(found["agent"]),
            status=number(found["status"]),
            user=percent_decoded(user) if user and squid else user,
            forwarded=extra.get("forwarded"),
            sni=extra.get("sni"),
        )
        return told(self, asked)

    def _extra(self, text: str) -> dict[str, str]:
        """What its owner said of the columns behind the user agent."""
        places = self.context.declared.fields
        if not places:
            return {}
        columns = [_value(found[1] if found[1] is not None else found[2]) for found in _COLUMN.finditer(text)]
        return chosen(places, columns)


def chosen(places: dict[str, str], columns: Sequence[str | None]) -> dict[str, str]:
    """The values of columns that are known by their number, from 1."""
    found = {name: columns[int(place) - 1] for name, place in places.items() if 0 < int(place) <= len(columns)}
    return {name: value for name, value in found.items() if value}


def unescaped(text: str) -> str:
    r"""A column's text as it was before a server escaped it; bytes that are not UTF-8 stay `\xNN`."""
    return _ESCAPE.sub(_plain, text) if "\\" in text else text


def _plain(found: re.Match[str]) -> str:
    if found[1]:
        return bytes.fromhex(found[1].replace("\\x", "")).decode("utf-8", "backslashreplace")
    return _CONTROLS.get(found[2], found[2])


def _parties(found: re.Match[str]) -> tuple[str | None, str]:
    """(virtual host, client): the first column is the client's, or the second behind a virtual host.

    Who a client says it is comes later in the line.
    """
    first, second = found["first"], found["second"]
    return (None, first) if canonical(first) is not None or canonical(second) is None else (first, second)


def _agent_of_squid(columns: str) -> str | None:
    """The user agent as it was sent: what stands between the first quote behind the referrer and the last of all."""
    agent = columns[2:-1].partition('" "')[2] if columns.startswith(' "') else ""
    return None if agent in ("", "-") else agent


def _value(text: str | None) -> str | None:
    return None if text in (None, "", "-", '""') else unescaped(text or "")
