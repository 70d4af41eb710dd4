"""The shape of EVE records, as far as events are made of them: one tolerant schema for Suricata 4 to 9.

After rust/src/{dns,http2,quic}/log*.rs and src/output-json-*.c of Suricata 7.0 and 8.0. Fields of which the type
differs between versions and that are not needed are left out; a wrong type in one that is needed loses the record.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Question(msgspec.Struct, gc=False):
    """One entry of `queries[]` (v3) or of an alert's `query[]` (v2)."""

    rrname: str | None = None
    rrtype: str | None = None
    id: int | None = None


class Resource(msgspec.Struct, gc=False):
    """One entry of `answers[]`. `rdata` is an object for some types."""

    rrtype: str | None = None
    rdata: Any = None
    ttl: float | None = None


class Dns(msgspec.Struct, gc=False):
    """`dns`, versions 1 to 3."""

    version: int | None = None
    type: str | None = None
    id: int | None = None
    rrname: str | None = None
    rrtype: str | None = None
    rcode: str | None = None
    rdata: Any = None
    ttl: float | None = None
    queries: list[Question] | None = None
    query: list[Question] | None = None
    answers: list[Resource] | None = None
    authorities: list[Resource] | None = None
    grouped: dict[str, list[Any]] | None = None
    answer: Dns | None = None
    """Of an alert, v2."""


class Digest(msgspec.Struct, gc=False):
    """`ja3`."""

    hash: str | None = None


class Tls(msgspec.Struct, gc=False):
    """`tls`."""

    sni: str | None = None
    client_alpns: list[str] | None = None
    subject: str | None = None
    issuerdn: str | None = None
    serial: str | None = None
    notbefore: str | None = None
    subjectaltname: list[str] | None = None
    ja3: Digest | None = None
    ja4: str | None = None


class Extension(msgspec.Struct, gc=False):
    """One entry of `extensions[]` of `quic`."""

    name: str | None = None
    values: list[str] | None = None


class Quic(msgspec.Struct, gc=False):
    """`quic`: one event an Initial, most of them without `sni`."""

    sni: str | None = None
    ja3: Digest | None = None
    ja4: str | None = None
    extensions: list[Extension] | None = None


class Header(msgspec.Struct, gc=False):
    """One entry of `request_headers[]`."""

    name: str | None = None
    value: str | None = None


class Http(msgspec.Struct, gc=False):
    """`http`, HTTP/1 and HTTP/2."""

    hostname: str | None = None
    url: str | None = None
    http_method: str | None = None
    http_user_agent: str | None = None
    protocol: str | None = None
    version: str | None = None
    status: Any = None
    request_headers: list[Header] | None = None

    def header(self, name: str) -> str | None:
        """The first request header of that (lower-case) name."""
        for header in self.request_headers or ():
            if header.name is not None and header.name.lower() == name:
                return header.value
        return None


class Flow(msgspec.Struct, gc=False):
    """`flow`: of a flow record, or the sides of the flow in an alert."""

    start: str | None = None
    pkts_toclient: int | None = None
    src_ip: str | None = None
    src_port: int | None = None
    dest_ip: str | None = None
    dest_port: int | None = None


class Tcp(msgspec.Struct, gc=False):
    """`tcp` of a flow record: flags seen each way, in hexadecimal."""

    tcp_flags_ts: str | None = None
    tcp_flags_tc: str | None = None


class Capture(msgspec.Struct, gc=False):
    """`stats.capture`."""

    kernel_drops: int | None = None


class Stats(msgspec.Struct, gc=False):
    """`stats`."""

    capture: Capture | None = None


class Record(msgspec.Struct, gc=False):
    """One line."""

    timestamp: str | None = None
    event_type: str | None = None
    flow_id: int | None = None
    tx_id: int | None = None
    src_ip: str | None = None
    src_port: int | None = None
    dest_ip: str | None = None
    dest_port: int | None = None
    proto: str | None = None
    app_proto: str | None = None
    direction: str | None = None
    icmp_type: int | None = None
    dns: Dns | None = None
    tls: Tls | None = None
    quic: Quic | None = None
    http: Http | None = None
    flow: Flow | None = None
    tcp: Tcp | None = None
    stats: Stats | None = None
