"""The headers of a batch of packets as numpy columns: plain TCP and UDP, and what is too odd for columns.

Plain is: Ethernet with at most two VLAN tags, Linux cooked or raw IP; IPv4 without options or IPv6 without extension
headers, unfragmented and captured whole; TCP, or UDP that is no tunnel's. Everything else that may carry TCP or UDP is
odd, and read packet by packet (`ip.Datagrams`), to the same effect.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reconwatch.sources.pcap.batch import Batch, Flags, Ints, Times, rows
from reconwatch.sources.pcap.ip import ICMP, ICMPV6, TCP, UDP
from reconwatch.sources.pcap.link import ETHERNET
from reconwatch.sources.pcap.tunnel import IP_TUNNELS, TEREDO_PREFIX, UDP_TUNNELS

Hashes = npt.NDArray[np.uint64]

_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_TAGS = (0x8100, 0x88A8, 0x9100)
_COOKED, _COOKED2, _RAW = 113, 276, (12, 14, 101, 228, 229)
_EXTENSIONS = (0, 43, 44, 51, 60, 135, 139, 140)

# Without knowing these nobody can make two flows look like one. They decide no result, only where it is kept.
_ODD: Final = [np.uint64(secrets.randbits(64) | 1) for _ in range(7)]
_FOUR: Final = np.uint64(secrets.randbits(64))
"""Stands for the upper half of an IPv4 address: `32.1.13.184` and `2001:db8::` are not to look alike."""
_HALF = np.uint64(32)


def _table(numbers: tuple[int, ...] | frozenset[int], size: int) -> Flags:
    table = np.zeros(size, bool)
    table[list(numbers)] = True
    return table


_CARRIES = _table((ICMP, TCP, UDP, ICMPV6, *IP_TUNNELS, *_EXTENSIONS), 256)
"""IP protocols that are looked into, or behind which such may come."""
_TUNNEL = _table(UDP_TUNNELS, 65_536)


@dataclass(slots=True)
class Columns:
    """Plain TCP or UDP packets of one batch; all arrays have one item a packet, in the order of the capture."""

    place: Ints
    """Index in the batch."""
    time: Times
    ip: Ints
    """Where the IP header begins in the batch's data."""
    head: Ints
    """Where the TCP or UDP header begins."""
    body: Ints
    """Where the payload begins."""
    end: Ints
    """Where it ends."""
    sport: Ints
    dport: Ints
    source: Hashes
    """Of the addresses alone."""
    destination: Hashes
    flow: Hashes
    """The same for both directions, but for the lowest bit."""
    flags: npt.NDArray[np.uint8]
    """TCP only."""
    seq: npt.NDArray[np.uint32]
    """TCP only."""

    def take(self, which: Ints | Flags) -> Columns:
        """Some of the packets."""
        return Columns(*(getattr(self, name)[which] for name in self.__slots__))

    def __len__(self) -> int:
        return len(self.place)


def split(batch: Batch) -> tuple[Columns, Columns, list[int]]:
    """(plain TCP, plain UDP, indices of odd packets) of a batch."""
    ip, kind, linked = _network(batch)
    header = rows(batch.data, ip, 40)
    first = header[:, 0]
    pairs = header.view(">u2")
    four = (kind == _IPV4) & (first == 0x45) & (pairs[:, 3] & 0x3FFF == 0)
    six = (kind == _IPV6) & (first >> 4 == 6)
    protocol = np.where(six, header[:, 6], header[:, 9])
    size = np.where(six, 40, 20)
    total = np.where(six, pairs[:, 2].astype(np.int64) + 40, pairs[:, 1])
    captured = batch.starts + batch.sizes - ip
    plain = (four | six) & (total <= captured) & (total > size)
    head = ip + size
    transport = rows(batch.data, np.minimum(head, len(batch.data) - 16), 16)
    ports = transport.view(">u2")
    sport, dport = ports[:, 0].astype(np.int64), ports[:, 1].astype(np.int64)
    offset = (transport[:, 12] >> 4).astype(np.int64) << 2
    room = total - size
    tcp = plain & (protocol == TCP) & (offset >= 20) & (offset <= room)
    length = ports[:, 2].astype(np.int64)
    udp = plain & (protocol == UDP) & (length >= 8) & (length <= room) & ~_TUNNEL[sport] & ~_TUNNEL[dport]
    udp &= ~_from_or_to_teredo(batch.data, head, udp & (length >= 48) & (transport[:, 8] >> 4 == 6))
    nothing = (four | six) & (captured >= size) & (total >= size) & ~_CARRIES[protocol] | (kind == _ARP) & linked
    wide = header.view("<u8")
    narrow = header.view("<u4")
    source = _address(np.where(six, wide[:, 1], narrow[:, 3]), np.where(six, wide[:, 2], _FOUR))
    destination = _address(np.where(six, wide[:, 3], narrow[:, 4]), np.where(six, wide[:, 4], _FOUR))
    flow = _flow(source, destination, sport, dport, protocol)
    body = head + np.where(tcp, offset, 8)
    end = ip + size + np.where(tcp, room, length)
    seq = transport.view(">u4")[:, 1].astype(np.uint32)
    columns = Columns(
        np.arange(len(batch)), batch.times, ip, head, body, end, sport, dport, source, destination, flow,
        transport[:, 13], seq,
    )  # fmt: skip
    return columns.take(tcp), columns.take(udp), np.flatnonzero(~(tcp | udp | nothing)).tolist()


def _network(batch: Batch) -> tuple[Ints, Ints, Flags]:
    """(where IP begins, EtherType, whether the frame is long enough for it) of each packet; EtherType 0: odd."""
    starts, data = batch.starts, batch.data
    if (batch.links == ETHERNET).all():
        pairs = rows(data, starts, 24).view(">u2")
        kind = pairs[:, 6].astype(np.int64)
        ip = starts + 14
        for column in (8, 10):
            tagged = (kind == _TAGS[0]) | (kind == _TAGS[1]) | (kind == _TAGS[2])
            if not tagged.any():
                break
            ip += 4 * tagged
            kind = np.where(tagged, pairs[:, column], kind)
    else:
        ip, kind = starts.copy(), np.zeros(len(batch), np.int64)
        for link in np.unique(batch.links).tolist():
            here = batch.links == link
            if link == ETHERNET:
                ip[here] += 14
                kind[here] = rows(data, starts[here] + 12, 2).view(">u2")[:, 0]
            elif link in (_COOKED, _COOKED2):
                ip[here] += 16 if link == _COOKED else 20
                kind[here] = rows(data, starts[here] + (14 if link == _COOKED else 0), 2).view(">u2")[:, 0]
            elif link in _RAW:
                kind[here] = np.where(rows(data, starts[here], 1)[:, 0] >> 4 == 6, _IPV6, _IPV4)
    linked = ip - starts <= batch.sizes
    # A frame that is cut in its link header must not have its kind read out of the next record.
    return np.where(linked, ip, starts), np.where(linked, kind, 0), linked


def _from_or_to_teredo(data: bytearray, head: Ints, maybe: Flags) -> Flags:
    """`tunnel.from_or_to_teredo` of the UDP payloads behind `head`, for those that `maybe` says."""
    found = np.zeros(len(head), bool)
    words = rows(data, head[maybe], 36).view(">u4")
    prefix = int.from_bytes(TEREDO_PREFIX, "big")
    found[maybe] = (words[:, 4] == prefix) | (words[:, 8] == prefix)
    return found


def _address(low: Hashes, high: Hashes) -> Hashes:
    return low.astype(np.uint64) * _ODD[0] + high.astype(np.uint64) * _ODD[1]


def _mixed(value: Hashes) -> Hashes:
    value = (value ^ value >> _HALF) * _ODD[2]
    return value ^ value >> _HALF


def _flow(source: Hashes, destination: Hashes, sport: Ints, dport: Ints, protocol: npt.NDArray[np.uint8]) -> Hashes:
    here = _mixed(source + sport.astype(np.uint64) * _ODD[3])
    there = _mixed(destination + dport.astype(np.uint64) * _ODD[3])
    both = np.minimum(here, there) * _ODD[4] + np.maximum(here, there) * _ODD[5] + protocol * _ODD[6]
    return _mixed(both) & ~np.uint64(1) | (here > there)


def address_hashes(addresses: list[bytes]) -> Hashes:
    """What `Columns.source` and `destination` hold for these 4- or 16-byte addresses."""
    wide = np.frombuffer(b"".join(address.ljust(16, b"\0") for address in addresses), "<u8").reshape(-1, 2)
    six = np.array([len(address) == 16 for address in addresses])
    return _address(wide[:, 0], np.where(six, wide[:, 1], _FOUR))


def flow_hashes(keys: list[tuple[int, bytes]]) -> Hashes:
    """What `Columns.flow` holds for these (protocol, key) pairs; see `tell.ends` for what a key is."""
    halves = [(key[: (len(key) - 4) // 2], key[(len(key) - 4) // 2 : -4]) for _, key in keys]
    source, destination = (address_hashes([pair[side] for pair in halves]) for side in (0, 1))
    ports = np.frombuffer(b"".join(key[-4:] for _, key in keys), ">u2").astype(np.int64).reshape(-1, 2)
    return _flow(source, destination, ports[:, 0], ports[:, 1], np.array([protocol for protocol, _ in keys], np.uint8))
