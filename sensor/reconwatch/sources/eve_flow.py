"""Flow records of EVE straight to connections: where networks matter, they come by the million.

What is out of the ordinary is left to the careful way (`Record`, `Translator`), which gives the same events.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec

from reconwatch.events import Connection
from reconwatch.interest import Passed, Passerby
from reconwatch.sources.eve_record import Flow, Tcp
from reconwatch.sources.spelling import canonical, epoch

_TCP: Mapping[str, Any] = {"proto": "tcp"}
_SYN = 0x02
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


def read_flow(line: bytes, position: int, passerby: Passerby | None) -> Connection | Passed | None:
    """The event of a flow record, or that a passer-by needs none.

    None for what has to be read with care: other records, damage.
    """
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
    facts = tcp_facts(record.tcp, record.app_proto) if record.proto == "TCP" else udp_facts(record.flow)
    uid = None if record.flow_id is None else str(record.flow_id)
    if passerby is not None:
        told = facts.get
        if passerby(
            ts, client, record.src_port, server, record.dest_port, facts["proto"],
            told("opening"), told("answered"), told("established"), told("spoke"), "eve/flow", uid,
        ):  # fmt: skip
            return Passed.BY
    return Connection(
        ts=ts,
        client=client,
        client_port=record.src_port,
        server=server,
        server_port=record.dest_port,
        source="eve/flow",
        input=position,
        uid=uid,
        service=service(record.app_proto),
        **facts,
    )


def service(app_proto: str | None) -> str | None:
    """Suricata's `app_proto` in Zeek's spelling."""
    return None if app_proto is None else _SERVICES.get(app_proto, app_proto)


def tcp_facts(tcp: Tcp | None, app_proto: str | None) -> Mapping[str, Any]:
    """What the flags of both directions say of a TCP flow: the fields of `Connection`; none without flags.

    Flags of all packets are one number. A SYN and an ACK from the client with nothing from the server are a SYN-ACK:
    backscatter, or half of a connection, but no opening. The client spoke if Suricata looked for a protocol in what
    it said, found (`tls`) or not (`failed`).
    """
    return _TCP if tcp is None else _flags(tcp.tcp_flags_ts, tcp.tcp_flags_tc, app_proto is not None)


@lru_cache(maxsize=1024)
def _flags(client: str | None, server: str | None, spoke: bool) -> Mapping[str, Any]:
    try:
        from_client, from_server = int(client or "-", 16), int(server or "-", 16)
    except ValueError:
        return _TCP
    answered = from_server & _SYN_ACK == _SYN_ACK
    return {
        "proto": "tcp",
        "opening": bool(from_client & _SYN) and (answered or not from_client & _ACK),
        "answered": answered,
        "established": answered and bool(from_client & _ACK),
        "spoke": spoke,
    }


def udp_facts(flow: Flow) -> Mapping[str, Any]:
    """What a flow record says of a UDP flow: the fields of `Connection`."""
    return {"proto": "udp", "answered": None if flow.pkts_toclient is None else flow.pkts_toclient > 0}
