"""Unbound's log of queries and replies (`log-queries`, `log-replies`).

`[<epoch>] unbound[<pid>:<thread>] <tag>: <client> <name> <type> <class>`, and behind it in a reply `<rcode> <seconds it
took> <1 if from the cache> <bytes>` and, since 1.21 with `log-destaddr`, `on <transport> <address> <port>`: util/log.c
(log_vmsg), util/net_help.c (log_query_in) and util/data/msgreply.c (log_reply_info). The tag is `info` unless
`log-tag-queryreply`. Of a name, whatever is no letter, digit, `-`, `_` or `*` is written as `?` (dname_str), so that no
name looks like another part of the line. The stamp has whole seconds; ISO ones (`log-time-iso`) have three digits more.
"""

from __future__ import annotations

import re

from reconwatch.events import AnyEvent, DnsAnswer, DnsQuery
from reconwatch.sources.dns_codes import rcode_number, type_number
from reconwatch.sources.spelling import canonical, dns_name
from reconwatch.sources.textlog.line import BadLineError, Context, LineFormat
from reconwatch.sources.textlog.questions import Questions

DNS_PORT = 53

_FRONT = re.compile(
    r"(?:\[(?P<epoch>\d{9,10})\] |(?P<stamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,3}(?:Z|[+-]\d\d:?\d\d)) )?"
    r"[\w./-]{0,64}\[\d+:[0-9a-f]+\] (?P<tag>[a-z ]{4,11}): "
)
_EXCHANGE = re.compile(
    r"(?P<client>[0-9A-Fa-f:.]+) (?P<name>\S+) (?P<type>[A-Z0-9-]+) (?:IN|CH|HS|ANY|NONE|CLASS\d+)"
    r"(?P<reply> (?P<rcode>[A-Z0-9]+) (?P<took>\d+\.\d{6}) [01] \d+"
    r"(?: on (?P<transport>[a-z]+) (?P<server>[0-9A-Fa-f:.]+) (?P<port>\d{1,5}))?)?"
)
_OTHER_TAGS = frozenset({"notice", "debug", "warning", "error", "fatal error"})


class UnboundFormat(LineFormat):
    """A reply stands for its query where no query line went before (`log-queries: no`)."""

    name = "unbound"
    holds = frozenset({"dns", "answer"})

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._asked: Questions[int] = Questions(context.lookout)

    @classmethod
    def recognises(cls, line: str) -> bool:
        """See `LineFormat.recognises`."""
        return _FRONT.match(line) is not None

    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """See `LineFormat.read`."""
        front = _FRONT.match(line)
        if front is None:
            return None
        found = _EXCHANGE.fullmatch(line, front.end())
        client = canonical(found["client"]) if found is not None else None
        if found is None or client is None:
            if front["tag"] in ("query", "reply") and " - - - " not in line:  # so it writes what it could not parse
                raise BadLineError("less than a query has")
            return [] if front["tag"] in (*_OTHER_TAGS, "info", "query", "reply") else None
        stamp = front["epoch"] or front["stamp"]
        ts = self.context.clock.epoch(stamp) if stamp else logged
        if ts is None:
            raise BadLineError("no usable time")
        return self._exchange(ts, client, found)

    def _exchange(self, ts: float, client: str, found: re.Match[str]) -> list[AnyEvent]:
        written = canonical(found["server"]) if found["server"] else None
        server = written or self.context.declared.server
        port = int(found["port"]) if written is not None else DNS_PORT if server is not None else None
        facts = self.facts(ts, client, server=server, server_port=port)
        name, qtype = dns_name(found["name"]), type_number(found["type"])
        key = (client, name, qtype)
        if not found["reply"]:
            self._asked.note(key, (self._asked.known(key) or 0) + 1, name, server)
            return [DnsQuery(name=name, qtype=qtype, **facts)]
        answer = DnsAnswer(name=name, qtype=qtype, addresses=(), rcode=rcode_number(found["rcode"]), **facts)
        if (waiting := self._asked.settle(key)) is not None:
            if waiting > 1:
                self._asked.note(key, waiting - 1, name, server)
            return [answer]
        asked = facts | {"ts": max(0.0, ts - float(found["took"]))}
        return [DnsQuery(name=name, qtype=qtype, **asked), answer]
