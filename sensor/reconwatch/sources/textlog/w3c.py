"""W3C Extended Log File Format: of Microsoft's IIS, and of ProxySG (Blue Coat).

https://www.w3.org/TR/WD-logfile; IIS writes `+` for blanks and no quotes, ProxySG quotes what holds blanks. Times are
UTC by definition. A log begins with a header, and has another wherever its columns change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from reconwatch.events import AnyEvent
from reconwatch.sources.spelling import epoch
from reconwatch.sources.textlog.asked import Asked, endpoint, number, told
from reconwatch.sources.textlog.line import BadLineError, Context, LineFormat

_HEADER = re.compile(
    r"#(?P<name>Version|Software|Start-Date|End-Date|Date|Fields|Remark): ?(?P<value>.*)", re.IGNORECASE
)
_COLUMN = r"(\"[^\"]*\"|\[[^\]\"]*\]|[^\s\"]+)"
_WHEN = frozenset({"time", "timestamp", "x-timestamp-unix", "localtime", "gmttime"})
_KNOWN = _WHEN | {
    "date", "c-ip", "c-port", "s-ip", "s-port", "cs-method", "cs-uri", "cs-uri-scheme", "cs-uri-stem", "cs-uri-path",
    "cs-uri-query", "cs-host", "cs(host)", "cs(user-agent)", "cs-username", "cs-userdn", "sc-status",
    "x-forwarded-for", "cs(x-forwarded-for)", "x-cs-ssl-sni", "x-client-ssl-sni",
}  # fmt: skip
_NOTHING = frozenset({"-", ""})
_OF_A_PROXY = frozenset({"cs-uri", "cs-uri-scheme", "s-action", "r-ip", "r-host", "cs-ip", "s-supplier-name"})
"""Columns that no web server has."""
_TUNNELS = frozenset({"tcp", "ssl"})
"""Schemes under which ProxySG logs what it only passes through."""


class W3cFormat(LineFormat):
    """Reads by the columns that the last `#Fields` named; a line of another number of columns is refused."""

    name = "w3c"
    holds = frozenset()

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._fields: list[str] = []
        self._read: dict[str, int] = {}
        """The places of the columns that matter."""
        self._date = ""

    @classmethod
    def recognises(cls, line: str) -> bool:
        """See `LineFormat.recognises`."""
        found = _HEADER.fullmatch(line)
        return found is not None and found["name"].lower() in ("fields", "software", "version")

    def begin(self, lines: Sequence[str]) -> None:
        """See `LineFormat.begin`."""
        fields: list[str] = []
        server = None
        for line in lines:
            found = _HEADER.fullmatch(line)
            if found is not None and found["name"].lower() == "fields":
                fields = found["value"].lower().split()
            elif found is None and "s-ip" in fields and (values := _columns(line, len(fields))) is not None:
                server = endpoint(values[fields.index("s-ip")])[0]
                break
        if _OF_A_PROXY.isdisjoint(fields):
            self.note_owner(server)
        else:
            self.context.account.holds |= {"http", "tls"}

    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """See `LineFormat.read`."""
        if line.startswith("#"):
            return self._header(line)
        if not self._fields:
            return None
        values = _columns(line, len(self._fields))
        if values is None:
            return None
        row = {name: value for name, place in self._read.items() if (value := values[place].strip('"')) not in _NOTHING}
        ts = self._time(row)
        if ts is None:
            raise BadLineError("no usable time")
        agent, forwarded = row.get("cs(user-agent)"), row.get("x-forwarded-for") or row.get("cs(x-forwarded-for)")
        asked = Asked(
            ts=ts,
            client=row.get("c-ip", ""),
            client_port=number(row.get("c-port")),
            method=_method(row),
            target=_target(row),
            host=row.get("cs-host") or row.get("cs(host)"),
            server=row.get("s-ip"),
            server_port=number(row.get("s-port")),
            agent=agent.replace("+", " ") if agent and " " not in agent else agent,
            status=number(row.get("sc-status")),
            user=row.get("cs-username") or row.get("cs-userdn"),
            forwarded=forwarded.replace("+", "") if forwarded else None,
            sni=row.get("x-cs-ssl-sni") or row.get("x-client-ssl-sni"),
        )
        return told(self, asked)

    def _header(self, line: str) -> list[AnyEvent] | None:
        found = _HEADER.fullmatch(line)
        if found is None:
            return None
        match found["name"].lower():
            case "fields":
                self._fields = found["value"].lower().split()
                self._read = {name: place for place, name in enumerate(self._fields) if name in _KNOWN}
            case "date" | "start-date":
                self._date = found["value"].strip().partition(" ")[0]
        return []

    def _time(self, row: dict[str, str]) -> float | None:
        if "time" in row:
            # Without the column the day is the header's; IIS begins a log a day.
            return epoch(f"{row.get('date', self._date)}T{row['time']}Z")
        when = next((row[name] for name in row if name in _WHEN), "")
        return self.context.clock.epoch(when.strip("[]"))


def _method(row: dict[str, str]) -> str:
    method = row.get("cs-method", "")
    return "CONNECT" if row.get("cs-uri-scheme") in _TUNNELS or method == "CONNECT" else method


def _target(row: dict[str, str]) -> str:
    """The request's target in one piece; a tunnel's is its host."""
    uri = row.get("cs-uri") or row.get("cs-uri-stem") or row.get("cs-uri-path") or ""
    if _method(row) == "CONNECT":
        return row.get("cs-host") or uri.rpartition("//")[2].partition("/")[0]
    query = row.get("cs-uri-query", "")
    if not query or "cs-uri" in row:
        return uri
    return f"{uri}{'' if query.startswith('?') else '?'}{query}"


def _columns(line: str, count: int) -> Sequence[str] | None:
    """The values of a line; None if they are not so many, or a quote stands where none can."""
    plain = line.split(" ")
    if len(plain) == count:
        return plain
    found = _quoted(count).fullmatch(line) if len(plain) > count else None
    return None if found is None else found.groups()


@lru_cache(maxsize=64)
def _quoted(count: int) -> re.Pattern[str]:
    """So many columns, of which some are quoted or in brackets."""
    return re.compile(" ".join([_COLUMN] * count))
