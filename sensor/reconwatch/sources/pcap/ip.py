"""IPv4 and IPv6 to transport payloads: options, extension headers, fragments, tunnels.

Checksums are not looked at: a tap in front of an offloading card sees them wrong (RFC 1071 sums are not security).
"""

from __future__ import annotations

from struct import unpack_from

from reconwatch.account import Account
from reconwatch.sources.pcap.link import NOT_IP
from reconwatch.sources.pcap.tunnel import IP_TUNNELS, UDP_TUNNELS, from_or_to_teredo, inside_ip, inside_udp

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
CUT = "cut by the snap length of the capture; what is there is read"
MAX_TUNNELS = 4
"""Tunnels in tunnels; three are seen in practice (GTP in GRE in IP)."""

MAX_HELD = 512
"""Datagrams in pieces at a time: 512 of at most 64 KiB bound the memory at 32 MiB."""

MAX_PIECES = 1024
"""Pieces of one datagram; 64 KiB in the smallest legal MTU of IPv4 (68 bytes) make 1,366, honest ones under 50."""

FRAGMENT_LIFE = 30.0
"""Seconds after which a datagram's identifier counts as used anew (RFC 791 suggests 15, RFC 8200 60)."""

_SKIPPED = frozenset({0, 43, 60, 135, 139, 140})
"""Extension headers of 8-byte units (RFC 8200, 6275, 7401, 5533)."""

Transport = tuple[int, bytes, bytes, int, int, int]
"""(protocol, source and destination address, data, start of the transport header in it, end, bytes cut off)."""


class _Pieces:
    """One datagram in pieces."""

    __slots__ = ("pieces", "since", "total")

    def __init__(self, since: float) -> None:
        self.since = since
        self.total: int | None = None
        self.pieces: list[tuple[int, bytes]] = []

    def whole(self) -> bytes | None:
        """The payload, once every byte of it is there; of overlapping pieces the first to come wins."""
        if self.total is None:
            return None
        reach = 0
        for offset, piece in sorted(self.pieces, key=lambda p: p[0]):
            if offset > reach:
                return None
            reach = max(reach, offset + len(piece))
        if reach < self.total:
            return None
        payload = bytearray(reach)
        for offset, piece in reversed(self.pieces):
            payload[offset : offset + len(piece)] = piece
        return bytes(payload[: self.total])


class Datagrams:
    """Gets at transport payloads; keeps the fragments of those that came in pieces."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._held: dict[tuple[bytes, int, int], _Pieces] = {}

    def read(self, ts: float, frame: bytes, at: int, place: int) -> Transport | None:
        """The TCP segment, UDP datagram or ICMP message in the IP packet at `frame[at:]`; None for anything else.

        `place` is the packet's number, for warnings.
        """
        for _ in range(MAX_TUNNELS):
            found = self._four(ts, frame, at, place) if frame[at] >> 4 == 4 else self._six(ts, frame, at, place)
            if found is None:
                return None
            protocol, _, frame, start, end, _ = found
            if protocol == UDP:
                ports = (
                    int.from_bytes(frame[start + 2 : start + 4], "big"),
                    int.from_bytes(frame[start : start + 2], "big"),
                )
                port = next((p for p in ports if p in UDP_TUNNELS), None)
                if port is not None:
                    at = inside_udp(port, frame, start + 8)
                else:
                    at = start + 8 if start + 48 <= end and from_or_to_teredo(frame, start + 8) else NOT_IP
                if at == NOT_IP or not _plausible(frame, at, end):
                    return found
            elif protocol in IP_TUNNELS:
                at = inside_ip(protocol, frame, start)
                if at == NOT_IP:
                    return None
            else:
                return found if protocol in (TCP, ICMP, ICMPV6) else None
        self.account.skip("tunnels are nested too deeply", f"packet {place}")
        return None

    def _four(self, ts: float, frame: bytes, at: int, place: int) -> Transport | None:
        size = len(frame)
        header = (frame[at] & 15) * 4
        if header < 20 or at + header > size:
            self.account.skip("an IP header is malformed or cut", f"packet {place}")
            return None
        length, ident, fragment = unpack_from(">HHH", frame, at + 2)
        # Segmentation offload leaves 0 as the length of what is longer than 64 KiB.
        end = at + length if length else size
        if end < at + header:
            self.account.skip("an IP header is malformed or cut", f"packet {place}")
            return None
        start, cut = at + header, max(0, end - size)
        ends, protocol = frame[at + 12 : at + 20], frame[at + 9]
        if fragment & 0x3FFF:
            offset, more = (fragment & 0x1FFF) * 8, bool(fragment & 0x2000)
            return self._fragment(ts, (ends, ident, protocol), offset, more, frame[start : min(end, size)], cut)
        return protocol, ends, frame, start, min(end, size), cut

    def _six(self, ts: float, frame: bytes, at: int, place: int) -> Transport | None:
        size = len(frame)
        if frame[at] >> 4 != 6 or at + 40 > size:
            self.account.skip("an IP header is malformed or cut", f"packet {place}")
            return None
        length = int.from_bytes(frame[at + 4 : at + 6], "big")
        end = at + 40 + length if length else size
        start, cut, ends, following = at + 40, max(0, end - size), frame[at + 8 : at + 40], frame[at + 6]
        end = min(end, size)
        while start + 8 <= end:
            if following in _SKIPPED:
                if following == 43:
                    ends = _routed(ends, frame, start)
                elif following == 60:
                    ends = _home(ends, frame, start, end)
                following, start = frame[start], start + 8 * (frame[start + 1] + 1)
            elif following == 51:  # authentication header (RFC 4302): 4-byte units
                following, start = frame[start], start + 4 * (frame[start + 1] + 2)
            elif following == 44:
                following, place_in, ident = unpack_from(">BxHI", frame, start)
                start += 8
                if place_in & 0xFFF9:  # neither an offset nor more to come: an atomic fragment (RFC 6946)
                    offset, more, payload = place_in & 0xFFF8, bool(place_in & 1), frame[start:end]
                    whole = self._fragment(ts, (ends, ident, following), offset, more, payload, cut)
                    return whole if whole is None or following in (TCP, UDP, ICMPV6) else None
            else:
                return following, ends, frame, start, end, cut
        return None

    def _fragment(
        self, ts: float, key: tuple[bytes, int, int], offset: int, more: bool, payload: bytes, cut: int
    ) -> Transport | None:
        held = self._held.get(key)
        if held is None or ts - held.since > FRAGMENT_LIFE:
            if len(self._held) >= MAX_HELD:
                del self._held[next(iter(self._held))]
                self.account.blind["fragments_lost"] += 1
            held = self._held[key] = _Pieces(ts)
        if cut:
            self.account.hidden("cut_packets", "a fragment", CUT)
        if len(held.pieces) >= MAX_PIECES or offset + len(payload) > 65_535:
            del self._held[key]
            self.account.blind["fragments_lost"] += 1
            return None
        held.pieces.append((offset, payload))
        if not more:
            held.total = offset + len(payload)
        whole = held.whole() if held.total is not None else None
        if whole is None:
            return None
        del self._held[key]
        return key[2], key[0], whole, 0, len(whole), 0


def _routed(ends: bytes, frame: bytes, at: int) -> bytes:
    """`ends` with the last address of a source route as destination, while one is left (RFC 2460, 6275: types 0, 2)."""
    size, kind, left = frame[at + 1] * 8, frame[at + 2], frame[at + 3]
    if kind in (0, 2) and left and size >= 16 and at + 8 + size <= len(frame):
        return ends[:16] + frame[at + 8 + size - 16 : at + 8 + size]
    return ends


def _home(ends: bytes, frame: bytes, at: int, end: int) -> bytes:
    """`ends` with the Home Address among destination options, if there is one, as source (RFC 6275 section 6.3).

    The transport checksum is over it: the mobile node speaks as who it is at home, wherever it is.
    """
    end = min(end, at + 8 * (frame[at + 1] + 1))
    at += 2
    while at + 2 <= end:
        if frame[at] == 0xC9 and frame[at + 1] == 16 and at + 18 <= end:
            return frame[at + 2 : at + 18] + ends[16:]
        at += 1 if frame[at] == 0 else 2 + frame[at + 1]  # type 0 is one byte of padding
    return ends


def _plausible(frame: bytes, at: int, end: int) -> bool:
    """Whether what begins at `at` in a UDP payload can be an IP header: ports alone prove no tunnel.

    Its length may say more than there is: a mirror may cut what it encapsulates.
    """
    if frame[at] >> 4 == 4:
        return at + 20 <= end and frame[at] & 15 >= 5 and int.from_bytes(frame[at + 2 : at + 4], "big") >= 20
    return at + 40 <= end
