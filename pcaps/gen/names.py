"""DNS over UDP: a client asks its resolver, which asks upstream, and the answers come back the same way."""

from __future__ import annotations

import ipaddress
import struct
import zlib

from cast import RESOLVER, UPSTREAM, Party, address6_of, address_of
from scapy.layers.inet import UDP
from scapy.packet import Raw
from tape import Tape

A, PTR, MX, TXT, AAAA, HTTPS = 1, 12, 15, 16, 28, 65
TTL = 300
LAN, WAN = 0.0004, 0.011
"""Seconds from the client to the resolver, and from there to the world."""


def wire_name(name: str) -> bytes:
    """A name as labels (RFC 1035 section 3.1)."""
    labels = [label.encode() for label in name.split(".")] if name else []
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _answer_data(name: str, qtype: int, text: str | None) -> bytes | None:
    """The one record that answers; None where the name has none of this type."""
    if text is not None:
        return bytes([len(text)]) + text.encode() if qtype == TXT else wire_name(text)
    match qtype:
        case 1:
            return ipaddress.ip_address(address_of(name)).packed
        case 28:
            return ipaddress.ip_address(address6_of(name)).packed
        case 15:
            return struct.pack(">H", 10) + wire_name("mail." + name)
    return None


def message(ident: int, name: str, qtype: int, *, answer: bool = False, text: str | None = None) -> bytes:
    """A query or its answer, with EDNS (RFC 6891)."""
    question = wire_name(name) + struct.pack(">HH", qtype, 1)
    data = _answer_data(name, qtype, text) if answer else None
    flags = 0x8180 if answer else 0x0100
    record = b"" if data is None else struct.pack(">HHHIH", 0xC00C, qtype, 1, TTL, len(data)) + data
    edns = b"\0" + struct.pack(">HHIH", 41, 1232, 0, 0)
    return struct.pack(">HHHHHH", ident, flags, 1, data is not None, 0, 1) + question + record + edns


def ask(
    tape: Tape, at: float, client: Party, name: str, qtype: int = A, *, text: str | None = None,
    resolver: Party = RESOLVER, upstream: bool = True,
) -> float:  # fmt: skip
    """One question and its answer; gives the time at which the client knows.

    `text` is the answer of a TXT or PTR question. Without `upstream` the resolver knew it already.
    """
    seed = zlib.crc32(f"{client.ip} {name} {qtype} {at:.6f}".encode())
    port, ident = 32768 + seed % 28000, seed >> 16
    asked, known = at + LAN, at + LAN + 0.0002
    tape.record(at, client, resolver, _datagram(port, 53, message(ident, name, qtype)))
    if upstream:
        _ask_upstream(tape, asked, name, qtype, text, seed)
        known += 2 * WAN
    tape.record(known, resolver, client, _datagram(53, port, message(ident, name, qtype, answer=True, text=text)))
    return known + LAN


def _ask_upstream(tape: Tape, at: float, name: str, qtype: int, text: str | None, seed: int) -> None:
    port, ident = 32768 + (seed >> 3) % 28000, seed & 0xFFFF
    answer = message(ident, name, qtype, answer=True, text=text)
    tape.record(at, RESOLVER, UPSTREAM, _datagram(port, 53, message(ident, name, qtype)))
    tape.record(at + 2 * WAN, UPSTREAM, RESOLVER, _datagram(53, port, answer))


def _datagram(source: int, target: int, payload: bytes) -> UDP:
    return UDP(sport=source, dport=target) / Raw(payload)


def resolve(
    tape: Tape, at: float, client: Party, name: str, *, browser: bool = False, resolver: Party = RESOLVER
) -> float:
    """What a program asks before it connects: A and AAAA at once, a browser HTTPS too."""
    types = (A, AAAA, HTTPS) if browser else (A, AAAA)
    return max(ask(tape, at + 0.00002 * n, client, name, qtype, resolver=resolver) for n, qtype in enumerate(types))
