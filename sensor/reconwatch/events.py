"""What a party did on the wire, the same whatever source told it.

An event is a fact, never a log line: Zeek, Suricata and a capture that saw the same request yield events that
differ only in `source`, `input` and `uid`. `client` is the side that acted (the resolver's client, the TLS client,
the connection's originator), whatever direction the engine happened to log.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

WHOIS_PORT = 43

SECOND_WITNESS = 1 << 30
"""Added to the position of an input by what may stand in one stream with other logs of the same traffic."""


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="kind"):
    """One thing one party did.

    `ts` is when the client acted, in UTC epoch seconds: the query, the hello's first byte, the request line, the
    connection's start. Addresses are canonical text (RFC 5952). What a source does not know is None, never 0 or "".
    """

    ts: float
    client: str
    client_port: int | None = None
    server: str | None
    """None: a log that says nothing of where the client turned to, such as a resolver's own of its clients."""
    server_port: int | None = None
    source: str
    """Who told it: `capture`, `zeek/dns`, `eve/tls`, ..."""
    input: int = 0
    """The position of the input in this run: two witnesses of one event come from two inputs; see `SECOND_WITNESS`."""
    user: str | None = None
    """Who the client said it acts for and proved or not, where a log names users (`sources/textlog/asked.py`)."""
    uid: str | None = None
    """The engine's own name of the flow (Zeek `uid`, Suricata `flow_id`), for a person to search for."""
    called: str | None = None
    """What DNS called the server, where the event carries no name itself and its source says it; see `told_name`."""

    kind: ClassVar[str]
    """The tag, also the word in a notice's evidence."""


class DnsQuery(Event, frozen=True, gc=False, tag="dns"):
    r"""A question. `name` is lower-case without the root dot; bytes that are not UTF-8 appear as `\xNN`."""

    kind: ClassVar[str] = "dns"
    name: str
    qtype: int | None = None
    """Numeric (RFC 1035 section 3.2.2): the engines spell the types differently."""


class DnsAnswer(Event, frozen=True, gc=False, tag="answer"):
    """What a server answered about `name` (the name that was asked, whatever CNAMEs lie between).

    Of a resolver's answers those that give addresses, or names of interest, are told, of our own name servers' all.
    """

    kind: ClassVar[str] = "answer"
    name: str
    addresses: tuple[tuple[str, float], ...]
    """(address, TTL in seconds)."""
    ech: bool = False
    """An HTTPS or SVCB record carried `ech=`: the hello that follows hides its name (RFC 9848)."""
    qtype: int | None = None
    rcode: int | None = None
    """Numeric (RFC 1035 section 4.1.1): 0 no error, 3 no such name, 5 refused."""
    records: int | None = None
    """Records in the answer section."""
    walked: bool = False
    """The authority section carried NSEC records: who collects them learns every name of the zone (RFC 4034)."""
    pointers: tuple[str, ...] = ()
    """To a PTR question (RFC 1035 section 3.3.12): what the address is called by whoever holds it, sorted."""


class Hello(Event, frozen=True, gc=False, tag="tls"):
    """A TLS or QUIC ClientHello, or a CONNECT to a proxy, which names the same thing."""

    kind: ClassVar[str] = "tls"
    name: str | None = None
    """The server name (RFC 6066 section 3), lower-case; None if the hello carries none."""
    transport: Literal["tls", "quic", "connect"] = "tls"
    alpn: tuple[str, ...] = ()
    ja3: str | None = None
    ja4: str | None = None


class HttpRequest(Event, frozen=True, gc=False, tag="http"):
    """A request in clear text, HTTP/1 or HTTP/2, with its credentials already struck out."""

    kind: ClassVar[str] = "http"
    method: str
    host: str
    """Host or `:authority` without port, or the host of an absolute-form target; lower-case, `""` if none was sent."""
    uri: str
    """Origin form (path and query)."""
    decoded: bool = False
    """True when the source has already percent-decoded `uri` once (Zeek's http.log does)."""
    user_agent: str | None = None
    version: str | None = None
    status: int | None = None
    """Of the response, where the source knows it by the time it tells the request."""
    sni: str | None = None
    """The name in the hello that it came behind, where who ends TLS logs both; lower-case, without the root dot."""


class WhoisQuery(Event, frozen=True, gc=False, tag="whois"):
    """The line a client sent to port 43 (RFC 3912), without CRLF."""

    kind: ClassVar[str] = "whois"
    line: str


class Connection(Event, frozen=True, gc=False, tag="conn"):
    """A connection as such: all there is when no application record names the server."""

    kind: ClassVar[str] = "conn"
    server: str
    proto: Literal["tcp", "udp", "icmp"] = "tcp"
    opening: bool | None = None
    """TCP: the client sent a SYN without ACK; ICMP: an echo request. None for UDP, and where the source cannot tell.
    What has none is a reply, backscatter, or the rest of a connection that began before: no probe."""
    answered: bool | None = None
    """The server answered: with a SYN-ACK, or with a datagram; None where the source cannot tell."""
    established: bool | None = None
    """TCP: the handshake was completed; None where the source cannot tell."""
    spoke: bool | None = None
    """TCP: the client sent more than the handshake; None where the source cannot tell."""
    banner: str | None = None
    """TCP: the first words of the server, if they were text and the source has them."""
    service: str | None = None
    """Application protocol if the source knows it, as Zeek spells it: `ssl`, `http`, `dns`, ..."""


class Certificate(Event, frozen=True, gc=False, tag="certificate"):
    """A certificate, as a log of certificate transparency (RFC 6962) holds it or as a server sent it.

    `ts` is when it was published, as far as is known: when the log took it; else when it became valid, which is hours
    at most before. Of a log's entry, and of what Zeek keeps apart from its connection, `client` is "" and `server`
    None.
    """

    kind: ClassVar[str] = "certificate"
    names: tuple[str, ...]
    """Host names, lower-case A-labels; `*.` in front of those that stand for all names of a zone."""
    issuer: str | None = None
    """How the authority calls itself: organisation, name."""
    serial: str | None = None
    """Upper-case hexadecimal without colons and leading zeros: one for a certificate and its precertificate."""
    published: bool = False
    """A log holds it; else somebody was seen to be sent it."""


class Presented(Event, frozen=True, gc=False, tag="presented"):
    """A server showed its certificate in a handshake, in the clear as up to TLS 1.2; what no input says of it is None.

    Zeek says in one log that, and in another what certificate: of the latter `client` is "" and `server` None, and
    `key` ties the two.
    """

    kind: ClassVar[str] = "presented"
    key: str | None = None
    """What the source calls the certificate by: a fingerprint, or the number of a file."""
    subject: str | None = None
    """Its common name."""
    issuer: str | None = None
    """As in `Certificate`."""
    serial: str | None = None
    """As in `Certificate`."""
    own: bool = False
    """Its owner signed it."""
    names: tuple[str, ...] = ()
    """As in `Certificate`."""
    sha256: str | None = None
    """Its fingerprint, lower-case hexadecimal."""


class Raised(Event, frozen=True, gc=False, tag="notice"):
    """A notice that Zeek raised: `client` is who it is about, `server` the other side where it says so."""

    kind: ClassVar[str] = "notice"
    note: str
    """As Zeek spells it: `ReconWatch::Targeted_Search`, `SSH::Password_Guessing`."""
    msg: str
    count: int | None = None
    score: int | None = None
    """None: it is not of the package inside Zeek, whose notices alone say this and what follows."""
    techniques: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    """Catalog ids, sorted."""
    assets: tuple[str, ...] = ()
    """What of ours is named, each `kind:value`."""


class Listed(Event, frozen=True, gc=False, tag="intel"):
    """Zeek met what its own feeds list (intel.log): `client` began the connection in which it did."""

    kind: ClassVar[str] = "intel"
    indicator: str
    """As it was seen, not as the feed spells it."""
    type: str
    """As Zeek calls it: `Intel::DOMAIN`, `Intel::ADDR`, ..."""
    where: str
    """The part of the traffic that it stood in: `DNS::IN_REQUEST`, `HTTP::IN_HOST_HEADER`, ..."""
    sources: tuple[str, ...]
    """Who lists it, sorted."""


AnyEvent = (
    DnsQuery | DnsAnswer | Hello | HttpRequest | WhoisQuery | Connection | Certificate | Presented | Raised | Listed
)


def told_name(event: Event) -> str | None:
    """The server or queried name that an event itself carries; None if it carries none."""
    match event:
        case DnsQuery(name=name) | DnsAnswer(name=name) | Hello(name=name):
            return name or None
        case HttpRequest(host=host):
            return host or None
    return None


CONNECTING = frozenset({"tls", "http", "conn"})
"""Kinds of event that show a service was used: where an input holds them, a resolved name alone is no use."""


def when(event: AnyEvent) -> tuple[float, bool, str, str, str, int]:
    """The order in which events are judged.

    By time; of one instant, questions first: Zeek stamps an answer with the time of its question.
    """
    return (event.ts, event.kind != DnsQuery.kind, event.kind, event.client, told_name(event) or "", event.input)
