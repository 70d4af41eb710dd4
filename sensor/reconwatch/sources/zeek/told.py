"""What a row of a Zeek log tells: rows to events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconwatch.account import Account
from reconwatch.events import (
    SECOND_WITNESS,
    AnyEvent,
    Certificate,
    Connection,
    DnsAnswer,
    DnsQuery,
    Hello,
    HttpRequest,
    Presented,
)
from reconwatch.interest import Lookout
from reconwatch.sources.certificates import authority, common_name, host_names, serial, sha256_or_none
from reconwatch.sources.dns_codes import PTR, pointed
from reconwatch.sources.spelling import (
    UNKNOWN_TTL,
    canonical,
    dns_name,
    epoch,
    host_only,
    plausible,
    request_target,
)
from reconwatch.sources.zeek.connections import echo_request, handshake, replied
from reconwatch.sources.zeek.notices import listed, raised
from reconwatch.sources.zeek.row import Kind, Row
from reconwatch.sources.zeek.sighted import SIGHTED, UnusableRowError, count_unknown, sighted, whois

HOLDS: dict[Kind, frozenset[str]] = {
    "dns": frozenset({"dns", "answer"}),
    "ssl": frozenset({"tls", "presented"}),
    "quic": frozenset({"tls"}),
    "http": frozenset({"http", "tls"}),
    "conn": frozenset({"conn"}),
    "x509": frozenset({"certificate", "presented"}),
    "whois": frozenset({"whois"}),
    "notice": frozenset({"notice"}),
    "intel": frozenset({"intel"}),
    "reconwatch": frozenset({"dns", "tls", "http", "whois", "conn", SIGHTED}),
}
"""The kinds of event that each log can tell; http.log tells a CONNECT, which is a `tls`."""

FIELD_LIMIT = 4096
"""Bytes at which Zeek cuts a logged value (`Log::default_max_field_string_bytes`, since 8.1)."""

_OTHER_NAME_SERVICES = frozenset({137, 5353, 5355})
"""NetBIOS, mDNS and LLMNR, which Zeek's DNS analyzer reads too: nobody looks anything up there."""


class BadRowError(ValueError):
    """A row that lacks what every event needs; its text is the reason."""


class Teller:
    """Makes events of rows, for one input."""

    def __init__(self, lookout: Lookout, account: Account, position: int) -> None:
        self._lookout = lookout
        self._account = account
        self._input = position
        self._by_kind: dict[Kind, Callable[[Row, dict[str, Any]], list[AnyEvent]]] = {
            "dns": self._dns,
            "ssl": self._ssl,
            "quic": self._quic,
            "http": self._http,
            "conn": self._conn,
            "x509": self._x509,
            "whois": whois,
            "notice": raised,
            "intel": listed,
        }

    def events(self, kind: Kind, row: Row, where: Callable[[], str]) -> list[AnyEvent]:
        """The events of a row, whether wanted or not. Raises BadRowError.

        `where` locates the row, should there be anything to say of it.
        """
        seconds = epoch(row.ts) if isinstance(row.ts, str) else None if row.ts is None else plausible(row.ts)
        if seconds is None:
            raise BadRowError("no usable time")
        client = canonical(row.orig_h) if row.orig_h else None
        server = canonical(row.resp_h) if row.resp_h else None
        if kind == "x509":
            client = ""  # who was sent it stands in ssl.log
        elif kind == "reconwatch":
            client = client or (canonical(row.actor) if row.actor else None)
            if client is None:
                raise BadRowError("no usable address")
        elif kind in ("notice", "intel"):
            pass  # not all are about a connection
        elif client is None or server is None:
            raise BadRowError("no usable address")
        facts = {
            "ts": seconds,
            "client": client,
            "client_port": row.orig_p,
            "server": server,
            "server_port": row.resp_p,
            "source": f"zeek/{kind}",
            # A witness of its own: it may stand in one stream with the logs of the same traffic.
            "input": self._input + SECOND_WITNESS if kind == "reconwatch" else self._input,
            "uid": row.uid,
        }
        try:
            return [self._sighted(row, facts, where)] if kind == "reconwatch" else self._by_kind[kind](row, facts)
        except UnusableRowError as error:
            raise BadRowError(str(error)) from None

    def _sighted(self, row: Row, facts: dict[str, Any], where: Callable[[], str]) -> AnyEvent:
        event = sighted(row, facts, self._lookout)
        count_unknown(event, row, self._lookout, self._account, where)
        self._note_cut(event, row.uri)
        return event

    def _dns(self, row: Row, facts: dict[str, Any]) -> list[AnyEvent]:
        if row.query is None or row.resp_p in _OTHER_NAME_SERVICES:
            return []
        name = dns_name(row.query)
        query = DnsQuery(name=name, qtype=row.qtype, **facts)
        addresses: list[tuple[str, float]] = []
        ech = False
        # Answers also hold the names of a CNAME chain; only TTLs at the place of an address are its.
        for place, answer in enumerate(row.answers or ()):
            address = canonical(answer) if answer else None
            if address is not None:
                ttl = row.ttls[place] if row.ttls and place < len(row.ttls) else None
                addresses.append((address, UNKNOWN_TTL if ttl is None else ttl))
            elif answer and "ech=" in answer:
                ech = True
        pointers = pointed(row.answers or ()) if row.qtype == PTR else ()
        if not addresses and not ech and not pointers and row.rcode is None:
            return [query]
        facts |= {"qtype": row.qtype, "rcode": row.rcode, "records": len(row.answers or ()), "pointers": pointers}
        return [query, DnsAnswer(name=name, addresses=tuple(addresses), ech=ech, **facts)]

    def _ssl(self, row: Row, facts: dict[str, Any]) -> list[AnyEvent]:
        # `next_protocol` is what the server chose, not what the client offered: it is no ALPN of the hello.
        told: list[AnyEvent] = [Hello(name=_name(row.server_name), **facts)]
        key = next(filter(None, (*(row.cert_chain_fps or ())[:1], *(row.cert_chain_fuids or ())[:1])), None)
        if key is not None or row.subject:
            own = bool(row.subject) and row.subject == row.issuer
            subject, issuer = common_name(row.subject), authority(row.issuer)
            told.append(
                Presented(key=key, subject=subject, issuer=issuer, own=own, sha256=sha256_or_none(key), **facts)
            )
        return told

    def _quic(self, row: Row, facts: dict[str, Any]) -> list[AnyEvent]:
        alpn = (row.client_protocol,) if row.client_protocol else ()
        return [Hello(name=_name(row.server_name), transport="quic", alpn=alpn, **facts)]

    def _http(self, row: Row, facts: dict[str, Any]) -> list[AnyEvent]:
        if row.method == "PRI":
            # The preface of HTTP/2 (RFC 9113 section 3.4), of which Zeek logs nothing more.
            self._account.blind["http2_cleartext"] += 1
            return []
        if row.uri is None or row.method is None:
            return []  # a reply whose request was not seen
        if row.method == "CONNECT":
            return [Hello(name=_name(host_only(row.uri or row.host or "")), transport="connect", **facts)]
        host, target = request_target(row.host, row.uri)
        event = HttpRequest(
            method=row.method,
            host=host,
            uri=self._lookout.mask(host, target, decoded=True),
            decoded=True,
            user_agent=row.user_agent,
            version=row.version,
            status=row.status_code,
            **facts,
        )
        self._note_cut(event, row.uri)
        return [event]

    def _note_cut(self, event: AnyEvent, uri: str | None) -> None:
        """Count a request that is as long as Zeek logs any."""
        if uri is not None and len(uri.encode("utf-8", "replace")) >= FIELD_LIMIT and self._lookout.wants(event):
            # Only of wanted requests: the others are not decoded, and counts must not depend on the sieve.
            self._account.blind["truncated_fields"] += 1

    def _x509(self, row: Row, facts: dict[str, Any]) -> list[AnyEvent]:
        names = host_names((*(row.san_dns or ()), common_name(row.cert_subject)))
        issuer, number = authority(row.cert_issuer), serial(row.cert_serial)
        own = row.cert_issuer is not None and row.cert_issuer == row.cert_subject
        facts = facts | {"server": None}
        told: list[AnyEvent] = []
        # Before version 4.1 certificates were files with a number, since then they have a fingerprint.
        if (key := row.fingerprint or row.file_id) is not None:
            told.append(Presented(
                key=key, subject=common_name(row.cert_subject), issuer=issuer, serial=number, own=own, names=names,
                sha256=sha256_or_none(row.fingerprint), **facts,
            ))  # fmt: skip
        valid = row.cert_valid
        since = epoch(valid) if isinstance(valid, str) else None if valid is None else plausible(valid)
        if names and since is not None and issuer and not own:
            told.append(Certificate(names=names, issuer=issuer, serial=number, **facts | {"ts": since}))
        return told

    def _conn(self, row: Row, facts: dict[str, Any]) -> list[AnyEvent]:
        service = _service(row.service)
        match row.proto:
            case "tcp":
                shook = handshake(row.history, row.conn_state)
                return [Connection(proto="tcp", service=service, **shook._asdict(), **facts)]
            case "udp":
                answered = replied(row.history, row.conn_state)
                return [Connection(proto="udp", answered=answered, service=service, **facts)]
            case "icmp":
                facts["client_port"] = facts["server_port"] = None  # they hold type and code
                return [Connection(proto="icmp", opening=echo_request(row.orig_p), service=service, **facts)]
        return []


def _name(text: str | None) -> str | None:
    return text.lower() if text else None


def _service(logged: str | list[str | None] | None) -> str | None:
    """The first of Zeek's list: `quic,ssl` is QUIC, whose hello Zeek's TLS analyzer read as well."""
    if isinstance(logged, list):
        logged = logged[0] if logged else None
    first = (logged or "").partition(",")[0]
    return first or None
