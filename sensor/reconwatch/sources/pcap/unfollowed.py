"""Servers of connections that are not followed: no answer has named them so far, but another input may."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reconwatch.sources.pcap.batch import Flags, Ints
from reconwatch.sources.pcap.columns import Columns, Hashes
from reconwatch.sources.pcap.tcp_triage import Flows, Hellos
from reconwatch.sources.pcap.transport import ACK, SYN

_HTTPS = 443
"""The only UDP port whose connections mean anything without a name: QUIC."""


class Unfollowed:
    """Those of one batch. Too many are allowed, too few never: some are named by themselves after all."""

    def __init__(self, tcp: Columns, flows: Flows, hellos: Hellos, udp: Columns, fresh: Flags) -> None:
        """`hellos`: of the TCP flows that go as nearly all do; what they name they name by themselves.

        `fresh`: of each UDP packet, whether its flow begins in this batch.
        """
        begun = flows.fresh.copy()
        begun[hellos.flow] = False
        packets = np.flatnonzero(fresh & ((udp.sport == _HTTPS) | (udp.dport == _HTTPS)))
        _, once = np.unique(udp.flow[packets] >> np.uint64(1), return_index=True)
        self._tcp, self._udp = tcp.take(flows.first[begun]), udp.take(packets[once])
        self.firsts = (self._tcp, self._udp)
        """The first packet of each, TCP and UDP."""
        self._left = (np.ones(len(self._tcp), bool), np.ones(len(self._udp), bool))

    def drop(self, hits: tuple[Flags, Flags], behind: int) -> None:
        """Those of `firsts` that `hits` says, if they begin behind place `behind`, are followed."""
        for left, firsts, hit in zip(self._left, self.firsts, hits, strict=True):
            left &= ~(hit & (firsts.place > behind))

    def servers(self, data: bytearray, seen: set[int]) -> Iterator[bytes]:
        """Their addresses as 4 or 16 bytes, each once, but for those whose hashes are in `seen`, to which it adds."""
        tcp, udp = (firsts.take(left) for firsts, left in zip(self.firsts, self._left, strict=True))
        opens, answers = tcp.flags & SYN != 0, tcp.flags & ACK != 0
        to = ((tcp, ~opens | ~answers), (udp, udp.dport == _HTTPS))
        for packets, which in to:
            yield from _fresh(data, packets.ip[which], packets.destination[which], seen, source=False)
        by = ((tcp, ~opens | answers), (udp, udp.sport == _HTTPS))
        for packets, which in by:
            yield from _fresh(data, packets.ip[which], packets.source[which], seen, source=True)


def _fresh(data: bytearray, ip: Ints, hashes: Hashes, seen: set[int], *, source: bool) -> Iterator[bytes]:
    unique, places = np.unique(hashes, return_index=True)
    for value, place in zip(unique.tolist(), ip[places].tolist(), strict=True):
        if value not in seen:
            seen.add(value)
            six = data[place] >> 4 == 6
            size = 16 if six else 4
            at = place + (8 if six else 12) + (0 if source else size)
            yield bytes(data[at : at + size])
