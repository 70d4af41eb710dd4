"""Frames packed by hand, ten times as fast as scapy: captures of a hundred thousand packets take seconds."""

from __future__ import annotations

import struct
from functools import lru_cache
from random import Random
from socket import AF_INET, AF_INET6, inet_pton

from tape import MICRO, Tape

OURS = ("203.0.113.", "2001:db8:acc:113:")
ROUTER, SEGMENT = bytes.fromhex("02005e000001"), bytes.fromhex("02005e000171")
TCP, UDP = 6, 17
SYN, ACK, FIN, RST, PUSH = 2, 16, 1, 4, 8
SYN_ACK = SYN | ACK
SYN_OPTIONS = bytes.fromhex("020405b40101040201030307")
"""MSS 1460, SACK, window scale 7."""
ONE_WAY = 0.012
GAP = 0.000_03
CLOSED = 0.06
"""Seconds after which the other side of a teardown answers."""

End = tuple[str, int]
"""An address and a port."""


@lru_cache(maxsize=1 << 16)
def packed(ip: str) -> bytes:
    """An address as on the wire."""
    return inet_pton(AF_INET6 if ":" in ip else AF_INET, ip)


def checksum(data: bytes) -> int:
    """RFC 1071: a number modulo 65535 is the one's complement sum of its 16-bit words."""
    return 0xFFFF - (int.from_bytes(data + b"\0" * (len(data) & 1), "big") % 0xFFFF or 0xFFFF)


def ip_packet(source: str, target: str, protocol: int, payload: bytes, ident: int = 0) -> bytes:
    """An IPv4 or IPv6 packet."""
    src, dst = packed(source), packed(target)
    if len(src) == 16:
        return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + src + dst + payload
    head = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(payload), ident, 0x4000, 64, protocol)
    return head + struct.pack(">H", checksum(head + src + dst)) + src + dst + payload


def _summed(source: str, target: str, protocol: int, payload: bytes, at: int) -> bytes:
    """A segment or datagram with the checksum that belongs at offset `at`."""
    pseudo = packed(source) + packed(target) + struct.pack(">II", len(payload), protocol)
    total = checksum(pseudo + payload) or (0xFFFF if protocol == UDP else 0)
    return payload[:at] + struct.pack(">H", total) + payload[at + 2 :]


def segment(source: End, target: End, flags: int, seq: int, ack: int, data: bytes = b"") -> bytes:
    """A TCP segment."""
    options = SYN_OPTIONS if flags & SYN else b""
    ends = (source[1], target[1], seq & 0xFFFFFFFF, ack & 0xFFFFFFFF)
    head = struct.pack(">HHIIBBHHH", *ends, (20 + len(options)) << 2, flags, 64_240, 0, 0)
    return _summed(source[0], target[0], TCP, head + options + data, 16)


def datagram(source: End, target: End, data: bytes) -> bytes:
    """A UDP datagram."""
    head = struct.pack(">HHHH", source[1], target[1], 8 + len(data), 0)
    return _summed(source[0], target[0], UDP, head + data, 6)


class Reel(Tape):
    """A tape of many frames. All parties outside are behind one router."""

    def __init__(self) -> None:
        super().__init__()
        self.strangers: set[str] = set()
        """Addresses outside that sent anything."""
        self._idents = 0

    @property
    def packets(self) -> int:
        """How many frames there are."""
        return len(self._records)

    def packet(self, ts: float, source: str, target: str, protocol: int, payload: bytes) -> None:
        """One packet, as the tap sees it."""
        inward = not source.startswith(OURS)
        if inward:
            self.strangers.add(source)
        self._idents = self._idents + 1 & 0xFFFF
        frame = (SEGMENT + ROUTER if inward else ROUTER + SEGMENT) + (b"\x86\xdd" if ":" in source else b"\x08\0")
        self._records.append(
            (round(ts * MICRO), frame + ip_packet(source, target, protocol, payload, self._idents))
        )  # fmt: skip

    def tcp(
        self, ts: float, source: End, target: End, flags: int, seq: int = 1, ack: int = 0, data: bytes = b""
    ) -> None:
        """One segment."""
        self.packet(ts, source[0], target[0], TCP, segment(source, target, flags, seq, ack, data))

    def udp(self, ts: float, source: End, target: End, data: bytes) -> None:
        """One datagram."""
        self.packet(ts, source[0], target[0], UDP, datagram(source, target, data))

    def icmp(self, ts: float, source: str, target: str, kind: int, code: int, rest: bytes) -> None:
        """One ICMP or ICMPv6 message; `rest` is what comes behind the checksum."""
        message = bytes([kind, code, 0, 0]) + rest
        if ":" in source:
            self.packet(ts, source, target, 58, _summed(source, target, 58, message, 2))
        else:
            self.packet(ts, source, target, 1, message[:2] + struct.pack(">H", checksum(message)) + rest)

    def ping(self, ts: float, source: str, target: str, number: int, *, answered: bool = False) -> None:
        """An echo request, and maybe its reply."""
        asked, replied = (128, 129) if ":" in source else (8, 0)
        rest = struct.pack(">HH", 0x7A7A, number & 0xFFFF) + bytes(32)
        self.icmp(ts, source, target, asked, 0, rest)
        if answered:
            self.icmp(ts + 0.0003, target, source, replied, 0, rest)


class Talk:
    """A TCP conversation of a stranger with a server of ours, step by step; `now` is the time at the tap."""

    def __init__(self, reel: Reel, ts: float, client: str, server: End, chance: Random) -> None:
        self._reel, self.now = reel, ts
        self._ends = ((client, chance.randrange(32_768, 61_000)), server)
        self._next = [chance.getrandbits(32), chance.getrandbits(32)]

    def _send(self, side: int, flags: int, data: bytes = b"") -> None:
        ack = self._next[1 - side] if flags & ACK else 0
        self._reel.tcp(self.now, self._ends[side], self._ends[1 - side], flags, self._next[side], ack, data)
        self._next[side] += len(data) + bool(flags & (SYN | FIN))

    def ask(self, *, lost: int = 0) -> Talk:
        """SYN; `lost` of them are never heard of and are sent again."""
        for again in range(lost + 1):
            if again:
                self.now += 1 << (again - 1)
                self._next[0] -= 1
            self._send(0, SYN)
        return self

    def open(self, *, lost: int = 0) -> Talk:
        """The handshake."""
        self.ask(lost=lost)
        self.now += 0.0003
        self._send(1, SYN_ACK)
        self.now += 2 * ONE_WAY
        self._send(0, ACK)
        return self

    def refused(self) -> Talk:
        """SYN, and RST from the server."""
        self.ask()
        self.now += 0.0003
        self._next[1] = 0
        self._send(1, RST | ACK)
        return self

    def say(self, data: bytes) -> Talk:
        """The client sends."""
        self._flight(0, data)
        self.now += 0.0003
        self._send(1, ACK)
        return self

    def hear(self, data: bytes) -> Talk:
        """The server sends."""
        self.now += 0.004
        self._flight(1, data)
        self.now += 2 * ONE_WAY
        self._send(0, ACK)
        return self

    def _flight(self, side: int, data: bytes) -> None:
        for start in range(0, len(data), 1400):
            self.now += GAP
            self._send(side, ACK | (PUSH if start + 1400 >= len(data) else 0), data[start : start + 1400])

    def close(self, by: int = 0) -> Talk:
        """FIN both ways."""
        self.now += 0.02
        self._send(by, FIN | ACK)
        self.now += CLOSED
        self._send(1 - by, FIN | ACK)
        self.now += GAP
        self._send(by, ACK)
        return self

    def reset(self, by: int = 0) -> Talk:
        """RST."""
        self.now += 0.01
        self._send(by, RST | ACK)
        return self
