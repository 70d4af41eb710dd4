"""Flow records of EVE straight to connections: where networks matter, they come by the million.

What is out of the ordinary is left to the careful way (`Record`, `Translator`), which gives the same events.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from reconwatch.events import Connection
from reconwatch.sources.eve_record import Flow, Tcp
from reconwatch.sources.spelling import canonical, epoch

_SYN_ACK = 0x12
_ACK = 0x10
_SERVICES = {"tls": "ssl", "http1": "http", "http2": "http", "failed": None, "unknown": None, "": None}


class _Record(msgspec.Struct, gc=False):
    event_type: Literal["flow"]
    src_ip: str
    dest_ip: str
    proto: Literal["TCP", "UDP"]
    flow: Flow
    timestamp: str | None = None
    flow_id: int | None = None
    src_port: int | None = None
    dest_port: int | None = None
    app_proto: str | None = None
    tcp: Tcp | None = None


_decoder = msgspec.json.Decoder(_Record)


def read_flow(line: bytes, position: int) -> Connection | None:
    """The event of a flow record; None for what has to be read with care: other records, damage."""
    if b'"flow"' not in line:
        return None
    try:
        record = _decoder.decode(line)
    except (ValueError, RecursionError):
        return None
    ts = epoch(record.flow.start or "")
    client, server = canonical(record.src_ip), canonical(record.dest_ip)
    if ts is None or client is None or server is None:
        return None
    return Connection(
        ts=ts,
        client=client,
        client_port=record.src_port,
        server=server,
        server_port=record.dest_port,
        source="eve/flow",
        input=position,
        uid=None if record.flow_id is None else str(record.flow_id),
        proto="tcp" if record.proto == "TCP" else "udp",
        established=completed(record.tcp) if record.proto == "TCP" else None,
        service=service(record.app_proto),
    )


def service(app_proto: str | None) -> str | None:
    """Suricata's `app_proto` in Zeek's spelling."""
    return None if app_proto is None else _SERVICES.get(app_proto, app_proto)


def completed(tcp: Tcp | None) -> bool | None:
    """Whether the server's SYN-ACK was seen, and an ACK of the client; None if the record has no flags."""
    if tcp is None or tcp.tcp_flags_ts is None or tcp.tcp_flags_tc is None:
        return None
    try:
        from_client, from_server = int(tcp.tcp_flags_ts, 16), int(tcp.tcp_flags_tc, 16)
    except ValueError:
        return None
    return from_server & _SYN_ACK == _SYN_ACK and bool(from_client & _ACK)
