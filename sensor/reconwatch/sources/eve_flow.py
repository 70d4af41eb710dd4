"""Flow records of EVE straight to connections: where networks matter, they come by the million.

What is out of the ordinary is left to the careful way (`Record`, `Translator`), which gives the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec

from reconwatch.events import Connection
from reconwatch.passing import Doors, Passed
from reconwatch.sources.arrivals import Arrivals, Facts
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


_Alike = tuple[str, int | None, str, str | None, str | None, str | None, bool | None]
"""What is the same of flows that are alike: where to, protocols, TCP's flags each way, whether anything came back."""


def _facts(alike: _Alike) -> Facts | None:
    """What alike flows have in common; None for what has to be read with care."""
    address, port, proto, app_proto, from_client, from_server, answered = alike
    server = canonical(address)
    if server is None:
        return None
    facts = {"server": server, "server_port": port, "source": "eve/flow", "service": service(app_proto)}
    if proto == "TCP":
        return {**facts, **_flags(from_client, from_server, app_proto is not None)}
    return {**facts, "proto": "udp", "answered": answered}


def flow_reading(position: int, doors: Doors | None) -> Callable[[bytes], Connection | Passed | None]:
    """What reads flow records: the event of one, or that a passer-by needs none.

    None for what has to be read with care: other records, damage.
    """
    arrivals = Arrivals(_facts, position, doors)

    def read(line: bytes) -> Connection | Passed | None:
        if b'"flow"' not in line:
            return None
        try:
            record = _decoder.decode(line)
        except (ValueError, RecursionError):
            return None
        ts = epoch(record.flow.start or "")
        tcp = record.tcp or _NO_FLAGS
        arrival = arrivals[
            record.dest_ip, record.dest_port, record.proto, record.app_proto,
            tcp.tcp_flags_ts, tcp.tcp_flags_tc, _answered(record.flow),
        ]  # fmt: skip
        if arrival is None or ts is None:
            return None
        uid = None if record.flow_id is None else str(record.flow_id)
        return arrival(ts, record.src_ip, record.src_port, uid)

    return read


_NO_FLAGS = Tcp()


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
    return {"proto": "udp", "answered": _answered(flow)}


def _answered(flow: Flow) -> bool | None:
    return None if flow.pkts_toclient is None else flow.pkts_toclient > 0
