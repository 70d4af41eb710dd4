r"""BIND 9's own log: queries (`querylog`), responses (`responselog`), and what it refused or gave of zones.

`<time> <tag>: <category>: <module>: <severity>: client @0x... <address>#<port>/key <signer> (<name>): view <view>:
<message>`, of which each part but the message may be missing: lib/isc/log.c (isc_log_doit), lib/ns/client.c
(ns_client_logv) and lib/ns/query.c (log_query, log_response) of BIND 9.9 to 9.21. Old ones have no `@0x...`, no
`(<name>)` and no address of the server behind the flags. Names are escaped as in zone files (RFC 1035 section 5.1): no
blank, quote or parenthesis of a name stands bare, so no name looks like another part of the line.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from reconwatch.events import AnyEvent, DnsAnswer, DnsQuery
from reconwatch.sources.dns_codes import rcode_number, type_number
from reconwatch.sources.spelling import canonical, dns_label, dns_name
from reconwatch.sources.textlog.line import BadLineError, Context, LineFormat
from reconwatch.sources.textlog.questions import Questions

DNS_PORT = 53
"""Where it is asked, unless it says another port: only 9.21 and later write one."""
REFUSED = 5

_STAMP = (
    r"(?P<stamp>\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d\.\d{3}"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:Z|[+-]\d\d:?\d\d)?) "
)
_FRONT = re.compile(rf"(?:{_STAMP})?(?P<words>(?:[\w.\[\]-]{{1,40}}: ){{0,4}})(?P<client>client )?")
_CLIENT = re.compile(
    r"(?:@0x[0-9a-f]+ )?(?P<client>[0-9A-Fa-f:.]+(?:%\S+)?)#(?P<port>\d{1,5})(?:/key \S+)?(?: \(\S*\))?"
    r"(?:: view .*?)?: (?P<message>.*)"
)
_MESSAGE = re.compile(
    r"(?:query: (?P<asked>\S+) \S+ (?P<type>\S+) [+-]\S*"
    r"|response: (?P<answered>\S+) \S+ (?P<answered_type>\S+) (?P<rcode>\S+) (?P<records>\d+) \d+ \d+ [+-]\S*)"
    r"(?: \((?P<server>[0-9A-Fa-f:.]+)(?:%[^)#]+)?(?:#(?P<server_port>\d{1,5}))?\))?(?: \[ECS \S+\])?"
)
_DENIED = re.compile(
    r"(?:query(?: \(cache\))?|(?P<transfer>zone transfer)) '(?P<name>\S+?)(?:/(?P<type>[A-Z0-9-]+))?/[A-Z0-9]+' denied"
    r"(?: \(.*\))?"
)
_SERVED = re.compile(
    r"transfer of '(?P<name>\S+)/[A-Z0-9]+': (?P<type>AXFR|IXFR|AXFR-style IXFR) ended"
    r"(?:: \d+ messages, (?P<records>\d+) records, .*)?"
)
_OPENINGS = ("query: ", "response: ", "query (cache) '", "query '", "zone transfer '", "transfer of '")
_ESCAPED = re.compile(rb"\\(?:(?P<number>[0-9]{3})|(?P<char>.))", re.DOTALL)


class _Server(NamedTuple):
    """Where a client asked."""

    address: str | None
    port: int | None


class BindFormat(LineFormat):
    """What a client asked, and what came of it where a line says so. Its client and server are those of the query."""

    name = "bind"
    holds = frozenset({"dns", "answer"})
    marks = (rb"zone transfer '", rb"transfer of '", rb"' denied")

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._asked: Questions[_Server] = Questions(context.lookout)
        self._open: Questions[bool] = Questions(context.lookout)

    @classmethod
    def recognises(cls, line: str) -> bool:
        """See `LineFormat.recognises`."""
        front = _FRONT.match(line)
        found = _CLIENT.match(line, front.end()) if front is not None and front["client"] else None
        return found is not None and found["message"].startswith(_OPENINGS)

    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """See `LineFormat.read`."""
        front = _FRONT.match(line)
        if front is None:
            return None
        found = _CLIENT.match(line, front.end()) if front["client"] else None
        if found is None:
            return [] if front["stamp"] else None
        client = canonical(found["client"].partition("%")[0])
        if client is None:
            raise BadLineError("no usable address")
        ts = self.context.clock.epoch(front["stamp"]) if front["stamp"] else logged
        if ts is None:
            raise BadLineError("no usable time")
        return self._told({"ts": ts, "client": client, "client_port": int(found["port"])}, found["message"])

    def _told(self, known: dict[str, Any], message: str) -> list[AnyEvent]:
        if found := _MESSAGE.fullmatch(message):
            return self._exchange(known, found)
        if found := _DENIED.fullmatch(message):
            return [self._outcome(known, found["name"], found["type"], REFUSED, 0)]
        if found := _SERVED.fullmatch(message):
            records = int(found["records"]) if found["records"] else None
            return [self._outcome(known, found["name"], found["type"][-4:], 0, records)]
        if message.startswith(("query: ", "response: ")):
            raise BadLineError("less than a query has")
        return []

    def _exchange(self, known: dict[str, Any], found: re.Match[str]) -> list[AnyEvent]:
        server = self._server(found)
        known = self.facts(server=server.address, server_port=server.port, **known)
        name = bind_name(found["asked"] or found["answered"])
        qtype = type_number(found["type"] or found["answered_type"])
        flow = (known["client"], known["client_port"])
        question = DnsQuery(name=name, qtype=qtype, **known)
        if found["asked"]:
            self._asked.note(flow, server, name, server.address)
            self._open.note((*flow, name, qtype), True, name, server.address)
            return [question]
        answer = DnsAnswer(
            name=name,
            qtype=qtype,
            addresses=(),
            rcode=rcode_number(found["rcode"]),
            records=int(found["records"]),
            **known,
        )
        # Without `querylog` the response is all there is of the question.
        return [answer] if self._open.settle((*flow, name, qtype)) else [question, answer]

    def _outcome(
        self, known: dict[str, Any], name: str, type: str | None, rcode: int, records: int | None
    ) -> DnsAnswer:
        """Said of a query whose line came before, which alone says where it was asked."""
        server = self._asked.known((known["client"], known["client_port"])) or self._server(None)
        known = self.facts(server=server.address, server_port=server.port, **known)
        return DnsAnswer(
            name=bind_name(name), qtype=type_number(type), addresses=(), rcode=rcode, records=records, **known
        )

    def _server(self, found: re.Match[str] | None) -> _Server:
        written = canonical(found["server"]) if found is not None and found["server"] else None
        address = written or self.context.declared.server
        port = int(found["server_port"]) if found is not None and found["server_port"] else DNS_PORT
        return _Server(address, port if address is not None else None)


def bind_name(text: str) -> str:
    r"""A name as events carry it, from how BIND writes it: `\DDD` is a byte, `\X` the character itself."""
    if "\\" not in text:
        return dns_name(text)
    wire, labels, at = text.encode("utf-8", "surrogatepass"), [b""], 0
    while at < len(wire):
        found = _ESCAPED.match(wire, at)
        if found is not None and (found["number"] is None or int(found["number"]) < 256):
            labels[-1] += bytes([int(found["number"])]) if found["number"] else found["char"]
            at = found.end()
            continue
        if wire[at : at + 1] == b".":
            labels.append(b"")
        else:
            labels[-1] += wire[at : at + 1]
        at += 1
    return ".".join(dns_label(each) for each in labels).removesuffix(".")
