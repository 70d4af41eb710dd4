"""What a probe touched at one of our addresses, and whether it got anything there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from reconwatch.sightings import Probe

_PROTOCOLS = ("tcp", "udp", "icmp")
"""In the order of their numbers."""
_DNS = frozenset({"dns", "answer"})
MOST_NAMED = 10
"""Ports that a sentence names."""


class Touched(NamedTuple):
    """A port of a protocol, and how far it went."""

    door: int
    """Protocol and port as one number (see `door_of`)."""
    collected: bool
    """Something came back: a server answered, or was spoken with. Else it was tried, and nothing is known of it."""
    conversed: bool
    """It is a connection in which more was said than its opening."""


def touched(probe: Probe) -> Touched | None:
    """What the probe touched; None if it begins nothing, or nobody can tell where it went.

    Over UDP a question or a QUIC hello alone is a try: whether anything came back, the connection or answer tells.
    """
    proto = probe.proto or ("udp" if probe.kind in _DNS else None)
    if proto not in _PROTOCOLS or (probe.port is None and proto != "icmp"):
        return None
    door = door_of(proto, probe.port)
    if probe.kind == "conn":
        if proto != "udp" and not probe.opening:
            return None
        conversed = bool(probe.spoke or probe.established or (proto == "udp" and probe.answered))
        return Touched(door, bool(conversed or probe.answered), conversed)
    return Touched(door, proto == "tcp" or probe.kind == "answer", conversed=False)


def door_of(proto: str, port: int | None) -> int:
    """A protocol and port as one number; they sort as people read: TCP by port, UDP by port, ICMP."""
    return _PROTOCOLS.index(proto) << 16 | (port or 0)


def proto_and_port(door: int) -> tuple[str, int | None]:
    """The reverse of `door_of`."""
    proto = _PROTOCOLS[door >> 16]
    return proto, None if proto == "icmp" else door & 0xFFFF


def spelt(door: int) -> str:
    """`443`, `161/udp`, `ping`."""
    proto, port = proto_and_port(door)
    return "ping" if port is None else str(port) if proto == "tcp" else f"{port}/{proto}"


def doors_in_words(doors: Sequence[int]) -> str:
    """`port 80`, `ports 80, 443, 161/udp and ping`, `ping`, `12 ports`."""
    ports = [spelt(door) for door in doors if proto_and_port(door)[1] is not None]
    if len(ports) > MOST_NAMED:
        ports_told = f"{len(ports):,} ports"
    else:
        ports_told = f"port{'s' if len(ports) > 1 else ''} {', '.join(ports)}"
    ping = "ping" if len(ports) < len(doors) else ""
    return " and ".join(filter(None, (ports_told if ports else "", ping)))
