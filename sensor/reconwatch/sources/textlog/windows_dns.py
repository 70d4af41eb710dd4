"""The debug log of Windows' DNS server (`dns.log`), one line a packet.

`<date> <time> <thread> PACKET  <id> UDP|TCP Rcv|Snd <remote address> <xid> [R] Q [<flags> <letters> <response code>]
<type> <name>`, the name as `(3)api(6)shodan(2)io(0)`. Its own header explains the fields. Date and time are written as
the server's locale has them, in its time zone. Received questions and sent responses are of clients; sent questions and
received responses are the server's own, whose address it does not write. With details on, further lines follow each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from reconwatch.events import AnyEvent, DnsAnswer, DnsQuery
from reconwatch.sources.dns_codes import rcode_number, type_number
from reconwatch.sources.spelling import canonical, dns_label
from reconwatch.sources.textlog.line import BadLineError, Context, LineFormat
from reconwatch.sources.textlog.questions import Questions
from reconwatch.sources.textlog.stamps import SLACK, Clock

DNS_PORT = 53

_WHEN = re.compile(
    r"(?P<date>\d{1,4}(?P<between>[./-])\d{1,2}(?P=between)\d{1,4})\.? "
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d\d)[:.](?P<second>\d\d)(?: ?(?P<half>[AaPp])\.? ?[Mm]\.?)? "
)
_PACKET = re.compile(
    r"[0-9A-Fa-f]{3,8} PACKET +[0-9A-Fa-f]{8,16} (?P<protocol>UDP|TCP) (?P<way>Rcv|Snd) +"
    r"(?P<remote>[0-9A-Fa-f:.]+)(?:%\S+)?"
    r" +(?P<xid>[0-9a-f]{4}) (?P<response>[R ]) (?P<opcode>\S) \[(?P<flags>[0-9a-f]{4}) (?P<letters>[A-Z ]*?)"
    r" *(?P<rcode>[A-Z0-9x]+)\] (?P<type>\S+) +(?P<name>\(.*)"
)
_OTHER = re.compile(r"[0-9A-Fa-f]{3,8} [A-Za-z]+\b")
_HEADERS = ("DNS Server log file creation at ", "Message logging key (for packets ")
"""The header has more lines than are tried."""
_DETAIL = re.compile(
    r"\s|\Z|(?:UDP|TCP) (?:question|response|answer|query|update|notify)\b|DNS Server log|Log file |Message logging key"
)
_TYPES = {"ALL": 255}
"""What it calls otherwise than everybody else."""
_STANDARD = "Q"

_ORDERS: dict[str, tuple[int, int, int]] = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2)}
"""Where in a date year, month and day stand."""
_SIX_DIGITS = 100
_CENTURY = 2000

FAR = 2.5e11
"""Epoch seconds beyond all logs, but within what dates can be."""


class _Order(NamedTuple):
    name: str
    sure: bool


class WindowsDnsFormat(LineFormat):
    """Which of day and month is first, the beginning of the log decides; see `order_of`."""

    name = "windows-dns"
    holds = frozenset({"dns", "answer"})
    labelled = True
    marks = (rb"\(0\)[ \t]*\r?$",)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._asked: Questions[bool] = Questions(context.lookout)
        self._order = _Order("dmy", sure=False)
        self._warned = False
        self._begun = False
        """It is this log's main format: lines without any mark of its own are details of packets."""

    def begin(self, lines: Sequence[str]) -> None:
        """See `LineFormat.begin`: they decide in which order its dates are written."""
        super().begin(lines)
        self._begun = True
        first = self.context.declared.fields.get("date", "").lower()[:1]
        if first in ("d", "m", "y"):
            self._order = _Order(next(order for order in _ORDERS if order.startswith(first)), sure=True)
        else:
            self._order = order_of(lines, self.context.modified)

    @classmethod
    def recognises(cls, line: str) -> bool:
        """See `LineFormat.recognises`."""
        if line.startswith(_HEADERS):
            return True
        when = _WHEN.match(line)
        return when is not None and _PACKET.match(line, when.end()) is not None

    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """See `LineFormat.read`."""
        when = _WHEN.match(line)
        if when is None:
            return [] if self._begun and _DETAIL.match(line) else None
        found = _PACKET.match(line, when.end())
        if found is None:
            if line.startswith("PACKET", line.find(" ", when.end()) + 1):
                raise BadLineError("less than a packet has")
            return [] if _OTHER.match(line, when.end()) else None
        response = found["response"] == "R"
        if found["opcode"] != _STANDARD or response != (found["way"] == "Snd"):
            return []
        client, name = canonical(found["remote"]), labelled_name(found["name"])
        if client is None:
            raise BadLineError("no usable address")
        if name is None:
            raise BadLineError("no usable name")
        ts = self._time(when)
        if ts is None:
            raise BadLineError("no usable time")
        return self._told(ts, client, name, found)

    def _told(self, ts: float, client: str, name: str, found: re.Match[str]) -> list[AnyEvent]:
        server = self.context.declared.server
        facts = self.facts(ts, client, server=server, server_port=DNS_PORT if server is not None else None)
        qtype = _TYPES.get(found["type"]) or type_number(found["type"])
        question = DnsQuery(name=name, qtype=qtype, **facts)
        key = (client, found["xid"], name, qtype)
        if found["response"] != "R":
            self._asked.note(key, True, name, server)
            return [question]
        answer = DnsAnswer(name=name, qtype=qtype, addresses=(), rcode=rcode_number(found["rcode"]), **facts)
        # Where only responses are logged, they stand for their questions.
        return [answer] if self._asked.settle(key) else [question, answer]

    def _time(self, when: re.Match[str]) -> float | None:
        day, other = (_read_date(when["date"], order) for order in ("dmy", "mdy"))
        if not self._order.sure and not self._warned and None not in (day, other) and day != other:
            self._warned = True
            self.context.account.warn(
                f"{self.context.account.path}: its dates may be day/month or month/day, and are taken as"
                f" {self._order.name}; `fields: {{date: d/M/yyyy}}` (or `M/d/yyyy`) of site.yaml's `logs` can say"
            )
        hour = int(when["hour"])
        if when["half"]:
            hour = hour % 12 + (12 if when["half"] in "Pp" else 0)
        # What cannot be read so can only be read otherwise.
        days = (_read_date(when["date"], order) for order in (self._order.name, *_ORDERS))
        day = next(filter(None, days), None)
        if day is None:
            return None
        return self.context.clock.moment(*day, hour, int(when["minute"]), float(when["second"]))


def order_of(lines: Sequence[str], modified: float) -> _Order:
    """How the dates of a log are written that begins with some lines and was last changed at a time (epoch seconds).

    A reading is out by which one of the dates is none, which goes back in time, or which lies behind that change. If
    several are left, it is the one that comes nearest to it.
    """
    dates = list(dict.fromkeys(found["date"] for line in lines if (found := _WHEN.match(line))))
    latest = min(modified, FAR) + SLACK.total_seconds()
    last: dict[str, float] = {}
    for order in _ORDERS:
        days = [_read_date(date, order) for date in dates]
        # A clock of its own: what is only tried is nothing that was assumed.
        times = [Clock(latest).moment(*day, 0, 0, 0.0) if day is not None else None for day in days]
        known = [time for time in times if time is not None]
        if known and len(known) == len(times) and known == sorted(known) and known[-1] <= latest:
            last[order] = known[-1]
    if not last:
        return _Order("dmy", sure=False)
    return _Order(max(last, key=last.__getitem__), sure=len(last) == 1)


def _read_date(text: str, order: str) -> tuple[int, int, int] | None:
    """(year, month, day); None if it cannot be read so. Nobody writes the month first but between slashes."""
    parts = re.split("[./-]", text)
    year, month, day = (parts[place] for place in _ORDERS[order])
    if order == "mdy" and "/" not in text:
        return None
    if len(year) != 4 and (len(year) != 2 or order == "ymd"):
        return None
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    return int(year) + (_CENTURY if int(year) < _SIX_DIGITS else 0), int(month), int(day)


def labelled_name(text: str) -> str | None:
    """The name of `(3)api(6)shodan(2)io(0)`; None if the lengths do not fit: so no label looks like another."""
    wire, labels, at = text.encode("utf-8", "surrogatepass"), list[str](), 0
    while found := _LENGTH.match(wire, at):
        size, at = int(found[1]), found.end()
        if size == 0:
            return None if wire[at:].strip() else ".".join(labels)
        part = wire[at : at + size]
        if len(part) < size or size > _LONGEST_LABEL:
            return None
        labels.append(dns_label(part))
        at += size
    return None


_LENGTH = re.compile(rb"\(([0-9]{1,2})\)")
_LONGEST_LABEL = 63
