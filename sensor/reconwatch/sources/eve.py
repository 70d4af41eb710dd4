"""Suricata's EVE: dns, tls, quic, http and flow records, and the application record inside an alert."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

import msgspec

from reconwatch.events import AnyEvent, Certificate, Connection, DnsAnswer, DnsQuery, Hello, HttpRequest, Presented
from reconwatch.interest import Lookout
from reconwatch.passing import Passed
from reconwatch.sources.certificates import authority, common_name, host_names, serial
from reconwatch.sources.dns_codes import PTR, pointed, rcode_number, type_number
from reconwatch.sources.eve_flow import flow_reading, service, tcp_facts, udp_facts
from reconwatch.sources.eve_record import Dns, Http, Quic, Record, Resource, Tls
from reconwatch.sources.jsonlines import NotJsonError, decoded, suspects
from reconwatch.sources.lines import WHOLE_EVERY, Block, Blocks
from reconwatch.sources.sieve import EveryLine, Layout, sieve_for
from reconwatch.sources.source import Opening
from reconwatch.sources.spelling import UNKNOWN_TTL, canonical, dns_name, epoch, host_only, request_target

HOLDS: dict[str, frozenset[str]] = {
    "dns": frozenset({"dns", "answer"}),
    "tls": frozenset({"tls", "certificate", "presented"}),
    "quic": frozenset({"tls"}),
    "http": frozenset({"http", "tls"}),
    "flow": frozenset({"conn"}),
}
"""The kinds of event that each type of record can tell. Which of them a file holds is the engine's configuration."""

REMEMBERED = 65_536
"""Wanted observations, and QUIC flows, that are kept to tell a second record of the same from a new one."""


class Outline(msgspec.Struct, gc=False):
    """As much of a record as says whether the rest matters."""

    event_type: str | None = None


_OF_ENDS = ("client", "client_port", "server", "server_port", "source", "input", "uid")
"""What two events of one record have in common, but for their time."""
_NAME_SERVERS = frozenset({53, 853})
_OTHER_NAME_SERVICES = frozenset({137, 5353, 5355})
_READ = frozenset({"alert", "dns", "flow", "http", "quic", "stats", "tls"})
"""The types of record that are looked into; what the others hold under the same names may be of any type."""
_decoder = msgspec.json.Decoder(Record)
_outlines = msgspec.json.Decoder(Outline)


class BadRecordError(ValueError):
    """A record that lacks what every event needs; its text is the reason."""


class Told(NamedTuple):
    """An event, and what makes it the same observation as another record's."""

    event: AnyEvent
    same: Hashable
    derived: bool
    """Taken from an alert or a response: it counts only where no record of its own tells it."""


class EveSource:
    """Events of an EVE stream.

    A request that an alert carries, and a DNS question that a response repeats, is told if no record of its own has
    told it yet; its own record, should it follow, is then the one left out. So each is told once whatever is logged,
    at once, and with nothing held back. "The same" is flow, kind, name and transaction (the DNS message id, `tx_id`);
    the memory of it is bounded and covers wanted events only, so that it does not depend on the sieve.

    With the funnel `account.skipped` covers the decoded lines, `account.sampled` those of the blocks looked at whole;
    `account.records` always covers all.
    """

    KEPT = ("_once", "_quic")

    def __init__(self, opening: Opening) -> None:
        self.position = 0
        self._opening = opening
        self._account = opening.account
        self.blocks = Blocks(opening.stream, opening.account)
        self._account.dialect = "eve"
        self._sieve = sieve_for(opening.lookout, opening.account, Layout("eve"), funnel=opening.funnel)
        self._read_flow = flow_reading(opening.input, opening.lookout.doors)
        self._translator = Translator(opening.lookout, opening.input)
        self._once = _Once()
        self._quic = _HiddenQuic()

    def __iter__(self) -> Iterator[AnyEvent]:
        account, lookout = self._account, self._opening.lookout
        read_flow, passed_by = self._read_flow, Passed.BY
        for number, block in enumerate(self.blocks):
            if number % WHOLE_EVERY == 0:
                self._note_types(block)
            done, passed = block.start, 0
            for start, end in self._sieve.lines(block):
                if block.whole:
                    self._check(block, done, start)
                done = end + 1
                line = block.line(start, end)
                connection = read_flow(line)
                if connection is passed_by:  # this way go millions
                    passed += 1
                    continue
                if connection is None:
                    for told in self._read(block, start, line):
                        if lookout.wants(told.event) and self._once.admits(told):
                            account.events += 1
                            account.holds.add(told.event.kind)
                            yield told.event
                elif lookout.wants_connection(connection):  # not asked whether told before: a flow has one record
                    account.events += 1
                    account.holds.add("conn")
                    yield connection
                self.position = block.offset + done
            if passed:
                account.events += passed
                account.holds.add("conn")
            if block.whole:
                self._check(block, done, block.end)
            self.position = block.offset + block.end

    @property
    def unseen(self) -> frozenset[str]:
        """Behind a sieve every kind that the engine may log."""
        return frozenset() if isinstance(self._sieve, EveryLine) else frozenset().union(*HOLDS.values())

    def close(self) -> None:
        """Release the stream."""
        self._opening.stream.close()

    def _note_types(self, block: Block) -> None:
        """Note which types of record a block holds; the same blocks with and without the funnel."""
        for name, kinds in HOLDS.items():
            if not kinds <= self._account.holds and re.search(
                rb'"event_type"\s*:\s*"%b"' % name.encode(), memoryview(block.data)[block.start : block.end]
            ):
                self._account.holds |= kinds

    def _check(self, block: Block, start: int, stop: int) -> None:
        """Count what cannot be read of lines that nobody wants. Cheap: an unusable time or address stays unseen."""
        if start >= stop:
            return
        for line_start, line_end in suspects(_decoder, block, start, stop):
            line = block.line(line_start, line_end)
            self._read(block, line_start, line, sampled=not block.stands_alone(line_start, line_end))

    def _read(self, block: Block, start: int, line: bytes, *, sampled: bool = False) -> list[Told]:
        """What the line that begins at `start` tells, read with care."""
        if not line:
            return []
        try:
            record = decoded(_decoder, line)
            self._look_for_blindness(record)
            return self._translator.told(record)
        except BadRecordError as error:
            reason = f"a record with {error}"
        except NotJsonError:
            reason = "not a JSON object"
        except msgspec.ValidationError:
            if not _matters(line):
                return []
            reason = "a value of the wrong type"
        self._account.skip(reason, lambda: f"line {block.line_number(start)}", sampled=sampled)
        return []

    def _look_for_blindness(self, record: Record) -> None:
        blind = self._account.blind
        if record.event_type == "stats" and record.stats and record.stats.capture:
            drops = record.stats.capture.kernel_drops or 0
            if drops > blind["sensor_drops"]:
                blind["sensor_drops"] = drops
        elif record.event_type == "quic" and record.quic and record.flow_id is not None:
            blind["quic_undecodable"] = self._quic.count(record.flow_id, record.quic.sni is not None)
            if not blind["quic_undecodable"]:
                del blind["quic_undecodable"]


class _Once:
    """Lets each observation through once: by its own record, or by the first that carries it inside another."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, int] = OrderedDict()
        """Observations told so far, with how many records of their own are still owed for those told early."""

    def admits(self, told: Told) -> bool:
        owed = self._seen.get(told.same)
        if told.derived:
            if owed is not None:
                return False
            self._note(told.same, 1)
            return True
        self._note(told.same, max(0, (owed or 0) - 1))
        return not owed

    def _note(self, same: Hashable, owed: int) -> None:
        self._seen[same] = owed
        self._seen.move_to_end(same)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


class _HiddenQuic:
    """Counts QUIC flows of which no record carries a name. About exact: only the last flows are remembered."""

    def __init__(self) -> None:
        self._named: OrderedDict[int, None] = OrderedDict()
        self._hidden: OrderedDict[int, None] = OrderedDict()
        self._past = 0

    def count(self, flow: int, named: bool) -> int:
        """The count after one more record."""
        if named:
            self._named[flow] = None
            self._hidden.pop(flow, None)
            if len(self._named) > REMEMBERED:
                self._named.popitem(last=False)
        elif flow not in self._named:
            self._hidden[flow] = None
            if len(self._hidden) > REMEMBERED:
                self._hidden.popitem(last=False)
                self._past += 1
        return self._past + len(self._hidden)


class Side(NamedTuple):
    """An end of a flow."""

    address: str | None
    port: int | None


class Translator:
    """Makes events of records, for one input. Keeps nothing between records."""

    def __init__(self, lookout: Lookout, position: int) -> None:
        self._lookout = lookout
        self._input = position

    def told(self, record: Record) -> list[Told]:
        """The events of a record, whether wanted or not. Raises BadRecordError."""
        match record.event_type:
            case "dns":
                return self._dns(record, record.dns, derived=False) if record.dns else []
            case "tls":
                return self._tls(record, derived=False)
            case "quic":
                return self._quic(record, record.quic, derived=False) if record.quic else []
            case "http":
                return self._http(record, record.http, derived=False) if record.http else []
            case "flow":
                return self._flow(record)
            case "alert":
                return self._alert(record)
        return []

    def _alert(self, record: Record) -> list[Told]:
        told: list[Told] = []
        if record.dns is not None:
            told += self._dns(record, record.dns, derived=True)
            if record.dns.answer is not None:
                told += self._dns(record, record.dns.answer, derived=True, response=True)
        if record.tls is not None:
            told += self._tls(record, derived=True)
        if record.quic is not None:
            told += self._quic(record, record.quic, derived=True)
        if record.http is not None:
            told += self._http(record, record.http, derived=True)
        return told

    def _facts(self, record: Record, client: Side, server: Side, time: str | None = None) -> dict[str, Any]:
        ts = epoch(time or record.timestamp or "")
        if ts is None:
            raise BadRecordError("no usable time")
        client_address = canonical(client.address) if client.address else None
        server_address = canonical(server.address) if server.address else None
        if client_address is None or server_address is None:
            raise BadRecordError("no usable address")
        return {
            "ts": ts,
            "client": client_address,
            "client_port": client.port,
            "server": server_address,
            "server_port": server.port,
            "source": f"eve/{record.event_type}",
            "input": self._input,
            "uid": None if record.flow_id is None else str(record.flow_id),
        }

    def _dns(self, record: Record, dns: Dns, *, derived: bool, response: bool | None = None) -> list[Told]:
        if response is None:
            response = dns.type in ("answer", "response")
        client, server = _resolver_sides(record, v3_response=dns.type == "response")
        if server.port in _OTHER_NAME_SERVICES:
            return []
        facts = self._facts(record, client, server)
        told: list[Told] = []
        questions = [(q.rrname, q.rrtype, q.id) for q in dns.queries or dns.query or ()]
        if not questions and dns.rrname is not None:
            questions = [(dns.rrname, dns.rrtype, None)]
        # Version 1 logs each answer alone, under the name that the answer is about: not what was asked.
        single = response and dns.rdata is not None and dns.answers is None and dns.grouped is None
        for rrname, rrtype, number in questions:
            if rrname is None or single:
                continue
            query = DnsQuery(name=dns_name(rrname), qtype=type_number(rrtype), **facts)
            same = (_flow_of(query), "dns", query.name, query.qtype, dns.id if number is None else number)
            told.append(Told(query, same, derived or response))
        asked = next((rrname for rrname, _, _ in questions if rrname is not None), None)
        addresses = _addresses(dns) if response else ()
        ech = response and any(isinstance(a.rdata, str) and "ech=" in a.rdata for a in dns.answers or ())
        rcode = rcode_number(dns.rcode) if response else None
        qtype = type_number(questions[0][1]) if questions else None
        pointers = _pointers(dns) if response and qtype == PTR else ()
        if asked is not None and (addresses or ech or pointers or rcode is not None):
            answer = DnsAnswer(
                name=dns_name(asked),
                addresses=addresses,
                ech=ech,
                qtype=qtype,
                pointers=pointers,
                rcode=rcode,
                records=len(dns.answers) if dns.answers is not None else 0 if dns.rdata is None else 1,
                walked=any(each.rrtype in ("NSEC", "NSEC3") for each in dns.authorities or ()),
                **facts,
            )
            told.append(Told(answer, (_flow_of(answer), "answer", answer.name, addresses, pointers, dns.id), derived))
        return told

    def _tls(self, record: Record, *, derived: bool) -> list[Told]:
        tls = record.tls
        if tls is None:
            return []
        hello = Hello(
            name=tls.sni.lower() if tls.sni else None,
            alpn=tuple(tls.client_alpns or ()),
            ja3=tls.ja3.hash if tls.ja3 else None,
            ja4=tls.ja4,
            **self._facts(record, *_sides(record)),
        )
        told = [Told(hello, (_flow_of(hello), "tls", hello.name), derived)]
        ends = {field: getattr(hello, field) for field in _OF_ENDS}
        certificate = self._certificate(tls, ends)
        if certificate is not None:
            told.append(Told(certificate, (_flow_of(hello), "certificate", certificate.serial), derived))
        if tls.issuerdn is not None or tls.subject is not None:
            name = common_name(tls.subject)
            presented = Presented(
                ts=hello.ts, subject=name, issuer=authority(tls.issuerdn), serial=serial(tls.serial),
                own=tls.issuerdn == tls.subject, names=host_names((*(tls.subjectaltname or ()), name)), **ends,
            )  # fmt: skip
            told.append(Told(presented, (_flow_of(hello), "presented", presented.serial), derived))
        return told

    def _certificate(self, tls: Tls, ends: dict[str, Any]) -> Certificate | None:
        """The certificate that the server sent, up to TLS 1.2; what it signed itself is in no log."""
        names = host_names((*(tls.subjectaltname or ()), common_name(tls.subject)))
        since = epoch(tls.notbefore or "")
        if not names or since is None or tls.issuerdn is None or tls.issuerdn == tls.subject:
            return None
        return Certificate(ts=since, names=names, issuer=authority(tls.issuerdn), serial=serial(tls.serial), **ends)

    def _quic(self, record: Record, quic: Quic, *, derived: bool) -> list[Told]:
        if not quic.sni:
            return []
        alpn = next((tuple(e.values or ()) for e in quic.extensions or () if e.name == "alpn"), ())
        hello = Hello(
            name=quic.sni.lower(),
            transport="quic",
            alpn=alpn,
            ja3=quic.ja3.hash if quic.ja3 else None,
            ja4=quic.ja4,
            **self._facts(record, *_sides(record)),
        )
        return [Told(hello, (_flow_of(hello), "quic", hello.name), derived)]

    def _http(self, record: Record, http: Http, *, derived: bool) -> list[Told]:
        target = http.url if http.url is not None else http.header(":path")
        method = http.http_method or http.header(":method") or ""
        if method == "CONNECT":
            name = host_only(http.hostname or http.header(":authority") or target or "")
            hello = Hello(name=name or None, transport="connect", **self._facts(record, *_sides(record)))
            return [Told(hello, (_flow_of(hello), "connect", name, record.tx_id), derived)]
        if target is None or target.startswith("/libhtp::"):
            return []  # settings frames, a reply without its request
        sent = http.hostname or http.header(":authority") or http.header("host")
        host, uri = request_target(sent, target)
        request = HttpRequest(
            method=method,
            host=host,
            uri=self._lookout.mask(host, uri),
            user_agent=http.http_user_agent or http.header("user-agent"),
            version=http.version or (http.protocol or "").removeprefix("HTTP/") or None,
            status=http.status if isinstance(http.status, int) else None,
            **self._facts(record, *_sides(record)),
        )
        same = (_flow_of(request), "http", method, host, uri, record.tx_id)
        return [Told(request, same, derived)]

    def _flow(self, record: Record) -> list[Told]:
        if record.flow is None:
            return []
        facts = self._facts(
            record,
            Side(record.src_ip, record.src_port),
            Side(record.dest_ip, record.dest_port),
            record.flow.start or "",
        )
        named = service(record.app_proto)
        match (record.proto or "").upper():
            case "TCP":
                event = Connection(service=named, **tcp_facts(record.tcp, record.app_proto), **facts)
            case "UDP":
                event = Connection(service=named, **udp_facts(record.flow), **facts)
            case "ICMP" | "IPV6-ICMP" | "ICMPV6":
                event = Connection(proto="icmp", opening=record.icmp_type in (8, 128), service=named, **facts)
            case _:
                return []
        return [_told_flow(event)]


def _told_flow(event: Connection) -> Told:
    return Told(event, (_flow_of(event), "conn", event.ts), derived=False)


def _matters(line: bytes) -> bool:
    """Whether a record of which a field has the wrong type is one that is looked into."""
    try:
        return decoded(_outlines, line).event_type in _READ
    except ValueError:
        return True


def _flow_of(event: AnyEvent) -> Hashable:
    return event.uid or (event.client, event.client_port, event.server, event.server_port)


def _sides(record: Record) -> tuple[Side, Side]:
    """(client, server). An alert has the direction of its packet; the flow inside it tells the sides."""
    flow = record.flow
    if record.event_type == "alert" and flow is not None and flow.src_ip is not None:
        return Side(flow.src_ip, flow.src_port), Side(flow.dest_ip, flow.dest_port)
    source, destination = Side(record.src_ip, record.src_port), Side(record.dest_ip, record.dest_port)
    if record.event_type == "alert" and record.direction == "to_client":
        return destination, source
    return source, destination


def _resolver_sides(record: Record, *, v3_response: bool) -> tuple[Side, Side]:
    """(client, server) of a DNS record: the server is the side at a resolver's port.

    Where both or neither are: version 3 gives a response the direction of its packet, version 2 that of its flow.
    """
    client, server = _sides(record)
    if record.event_type == "alert" and record.flow is not None and record.flow.src_ip is not None:
        return client, server
    at_client, at_server = client.port in _NAME_SERVERS, server.port in _NAME_SERVERS
    if (at_client and not at_server) or (at_client == at_server and v3_response):
        return server, client
    return client, server


def _addresses(dns: Dns) -> tuple[tuple[str, float], ...]:
    """(address, TTL) of the A and AAAA answers, from `answers[]`, else `grouped`, else version 1's single answer."""
    resources = dns.answers
    if resources is None and dns.grouped is not None:
        resources = [Resource(kind, text) for kind in ("A", "AAAA") for text in dns.grouped.get(kind, ())]
    if resources is None:
        resources = [Resource(dns.rrtype, dns.rdata, dns.ttl)]
    found: list[tuple[str, float]] = []
    for resource in resources:
        if resource.rrtype in ("A", "AAAA") and isinstance(resource.rdata, str):
            address = canonical(resource.rdata)
            if address is not None:
                found.append((address, UNKNOWN_TTL if resource.ttl is None else resource.ttl))
    return tuple(found)


def _pointers(dns: Dns) -> tuple[str, ...]:
    """The names of the PTR answers, from where `_addresses` has its addresses."""
    if dns.answers is not None:
        names = [each.rdata for each in dns.answers if each.rrtype == "PTR"]
    elif dns.grouped is not None:
        names = dns.grouped.get("PTR", [])
    else:
        names = [dns.rdata] if dns.rrtype == "PTR" else []
    return pointed(name for name in names if isinstance(name, str))
