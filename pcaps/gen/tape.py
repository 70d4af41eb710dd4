"""What a tap records: frames with their times, written as a classic pcap file."""

from __future__ import annotations

import struct
from typing import Any

from cast import Party
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether

MICRO = 1_000_000
SNAPLEN = 262_144
DAY = 1_795_478_400
"""2026-11-24T00:00:00Z."""


def clock(hour: int, minute: int, second: float = 0.0) -> float:
    """A time of that day."""
    return DAY + 3600 * hour + 60 * minute + second


class Tape:
    """The frames of one capture, in order of their time when written."""

    def __init__(self, vlan: int | None = None) -> None:
        self._vlan = vlan
        self._records: list[tuple[int, bytes]] = []
        self._sent: dict[str, int] = {}

    def record(self, ts: float, source: Party, target: Party, layer: Any) -> None:
        """A TCP segment or UDP datagram (a scapy layer) from `source` to `target`; scapy fills in the checksums."""
        frame = Ether(src=source.mac, dst=target.mac)
        if self._vlan is not None:
            frame /= Dot1Q(vlan=self._vlan)
        if source.version == 6:
            frame /= IPv6(src=source.ip, dst=target.ip, hlim=64, fl=0)
        else:
            ident = self._sent[source.ip] = self._sent.get(source.ip, 0x1000) + 1
            frame /= IP(src=source.ip, dst=target.ip, id=ident & 0xFFFF, flags="DF", ttl=64)
        self._records.append((round(ts * MICRO), bytes(frame / layer)))

    def pcap(self, *, cut: dict[int, int] | None = None) -> bytes:
        """The file: pcap 2.4, little-endian, microseconds, Ethernet.

        `cut` maps numbers of records (from 0, in order of time) to the bytes that the snap length left of them.
        """
        parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, 1)]
        for number, (when, frame) in enumerate(sorted(self._records, key=lambda record: record[0])):
            kept = frame[: (cut or {}).get(number, len(frame))]
            parts += [struct.pack("<IIII", *divmod(when, MICRO), len(kept), len(frame)), kept]
        return b"".join(parts)

    def number_of(self, part: bytes) -> int:
        """The number of the first record that holds `part`."""
        ordered = sorted(self._records, key=lambda record: record[0])
        return next(number for number, (_, frame) in enumerate(ordered) if part in frame)
