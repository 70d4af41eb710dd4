"""dnsmasq's log of queries (`log-queries`, `log-queries=extra`).

`<time> dnsmasq[<pid>]: query[<type>] <name> from <client>`, then `forwarded <name> to <server>`, and `<source> <name>
is <address>`, the source one of `reply`, `cached`, `config` or a file: src/cache.c. With `extra` each begins
with `<serial> <client>/<port>`. An alias is a line `<name> is <CNAME>`, and the lines right behind it are about what it
leads to. Names are written as they are, but for those with control characters (`<name unprintable>`); a name may
hold ` is ` and ` from `: the last one is dnsmasq's own.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from reconwatch.events import AnyEvent, DnsAnswer, DnsQuery
from reconwatch.sources.dns_codes import rcode_number, type_number
from reconwatch.sources.spelling import UNKNOWN_TTL, canonical, dns_name
from reconwatch.sources.textlog.line import BadLineError, Context, LineFormat
from reconwatch.sources.textlog.questions import Questions

DNS_PORT = 53

_FRONT = re.compile(r"(?:(?P<stamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) )?(?P<program>dnsmasq(?:-[a-z]+)?\[\d+\]: )?")
_EXTRA = re.compile(r"(?:\d+|\*) (?P<client>[0-9A-Fa-f:.]+)/(?P<port>\d{1,5}) ")
_QUERY = re.compile(r"(?:query|auth)\[(?P<type>[A-Za-z0-9=-]+)\] (?P<name>.*) from (?P<client>[0-9A-Fa-f:.]+)(?:%\S+)?")
_REPLY = re.compile(r"(?:reply|cached(?:-stale)?|config|auth|DHCP|/\S*) (?P<name>.*) is (?P<answer>.*)")
_OTHER = re.compile(r"(?:forwarded|dnssec-\w+\[\S+\]|validation|nameserver) .* (?:to|is|from) ")
_NOTHING = {"NXDOMAIN": "NXDOMAIN", "NODATA": "NOERROR", "NODATA-IPv4": "NOERROR", "NODATA-IPv6": "NOERROR"}
_ALIAS, _UNPRINTABLE = "<CNAME>", "<name unprintable>"
_A, _AAAA = 1, 28


class _Asker(NamedTuple):
    client: str
    port: int | None


class _Chain(NamedTuple):
    """What an alias that was just told leads to is said by the next lines."""

    asker: _Asker
    name: str
    """That was asked for."""
    last: str | None
    """That has the addresses; None until the first of them."""


class DnsmasqFormat(LineFormat):
    """Its replies give the addresses, of names that somebody looks for.

    Without `extra` a reply does not say to whom: to who asked for the name last. What an alias leads to is a name that
    nobody may have asked for, so of names that nobody looks for no reply is told: which of them were asked for only
    lines say that no sieve hits.
    """

    name = "dnsmasq"
    holds = frozenset({"dns", "answer"})
    teaches = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._asked: Questions[_Asker] = Questions(context.lookout)
        self._chain: _Chain | None = None

    @classmethod
    def recognises(cls, line: str) -> bool:
        """See `LineFormat.recognises`."""
        front = _FRONT.match(line)
        rest = line[front.end() :] if front is not None else line
        if front is not None and front["program"]:
            return True
        extra = _EXTRA.match(rest)
        rest = rest[extra.end() :] if extra is not None else rest
        return _QUERY.fullmatch(rest) is not None

    def read(self, line: str, logged: float | None) -> list[AnyEvent] | None:
        """See `LineFormat.read`."""
        chain, self._chain, self.awaits = self._chain, None, False
        front = _FRONT.match(line)
        assert front is not None  # every part of it may be missing
        rest = line[front.end() :]
        extra = _EXTRA.match(rest)
        asker = None
        if extra is not None:
            rest = rest[extra.end() :]
            client = canonical(extra["client"])
            asker = _Asker(client, int(extra["port"]) or None) if client is not None else None
        query, reply = _QUERY.fullmatch(rest), _REPLY.fullmatch(rest)
        if query is None and reply is None:
            return [] if front["program"] or _OTHER.match(rest) else None
        ts = self.context.clock.epoch(front["stamp"]) if front["stamp"] else logged
        if ts is None:
            if front["program"] or extra is not None:
                raise BadLineError("no usable time")
            return None
        return self._query(ts, asker, query) if query is not None else self._reply(ts, asker, chain, rest)

    def _query(self, ts: float, asker: _Asker | None, found: re.Match[str]) -> list[AnyEvent]:
        client = canonical(found["client"])
        if client is None:
            raise BadLineError("no usable address")
        if found["name"] == _UNPRINTABLE:
            return []
        asker = asker or _Asker(client, None)
        name = dns_name(found["name"])
        server = self.context.declared.server
        self._asked.note(name, asker, name, server)
        return [DnsQuery(name=name, qtype=type_number(found["type"].removeprefix("type=")), **self._ends(ts, asker))]

    def _reply(self, ts: float, asker: _Asker | None, chain: _Chain | None, rest: str) -> list[AnyEvent]:
        found = _REPLY.fullmatch(rest)
        assert found is not None
        name, told = dns_name(found["name"]), found["answer"]
        if "\\" in name or canonical(found["name"]) is not None:  # a name that may pretend to be more; a reverse lookup
            return []
        if chain is not None and asker in (None, chain.asker) and name in (chain.last or name, chain.name):
            asked_by, asked = chain.asker, chain.name
        else:
            chain, asked = None, name
            known = asker or self._asked.known(name)
            if known is None:
                return []
            asked_by = known
        address = canonical(told)
        if not self.context.lookout.wants_message(asked, self.context.declared.server):
            return []
        goes_on = told == _ALIAS or (chain is not None and address is not None)
        if goes_on:
            self._chain = _Chain(asked_by, asked, None if address is None else name)
            self.awaits = True
        facts = self._ends(ts, asked_by)
        if address is not None:
            qtype = _AAAA if ":" in address else _A
            return [DnsAnswer(name=asked, qtype=qtype, addresses=((address, UNKNOWN_TTL),), rcode=0, **facts)]
        if told in _NOTHING:
            return [DnsAnswer(name=asked, addresses=(), rcode=rcode_number(_NOTHING[told]), records=0, **facts)]
        return []

    def _ends(self, ts: float, asker: _Asker) -> dict[str, Any]:
        server = self.context.declared.server
        port = DNS_PORT if server is not None else None
        return self.facts(ts, asker.client, client_port=asker.port, server=server, server_port=port)
