"""Link layers: where in a frame the IP header begins.

Link type numbers are those of https://www.tcpdump.org/linktypes.html, EtherTypes those of IEEE 802 and RFC 9542.
"""

from __future__ import annotations

from collections.abc import Callable

ETHERNET = 1
NOT_IP = -1
"""The frame is well-formed as far as we look, and carries something else (ARP, spanning tree, 802.11 control, ...)."""
UNKNOWN = -2
"""The link type is not one that is read."""

MAX_TAGS = 8
"""Nested tags, labels and inner Ethernet headers followed in one frame; QinQ under MPLS under PBB makes five."""

_IP = frozenset({0x0800, 0x86DD})
_TAGS = {0x8100: 2, 0x88A8: 2, 0x9100: 2, 0x9200: 2, 0x8926: 4}
"""Bytes before the next EtherType: 802.1Q, 802.1ad and their predecessors; VN-Tag."""
_MPLS = frozenset({0x8847, 0x8848})
_ENCLOSED = {0x6558: 0, 0x8903: 2, 0x88E7: 4}
"""A whole Ethernet frame inside: transparent bridging, Cisco FabricPath (a 2-byte tag), 802.1ah (a 4-byte one)."""


def _two(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 2], "big")


def _version(frame: bytes, at: int) -> int:
    """`at`, if an IP header may begin there."""
    return at if at < len(frame) and frame[at] >> 4 in (4, 6) else NOT_IP


def ethertype(frame: bytes, kind: int, at: int, depth: int = 0) -> int:
    """Where the IP header is, given that a payload of EtherType `kind` begins at `at`."""
    while depth < MAX_TAGS:
        depth += 1
        if kind in _IP:
            return _version(frame, at)
        if kind in _TAGS:
            at += _TAGS[kind]
            kind, at = _two(frame, at), at + 2
        elif kind == 0x8864:  # PPPoE session (RFC 2516): 6 bytes, then the PPP protocol
            return _ppp(frame, at + 6)
        elif kind in _MPLS:
            return _mpls(frame, at, depth)
        elif kind in _ENCLOSED:
            at += _ENCLOSED[kind]
            kind, at = _two(frame, at + 12), at + 14
        elif kind <= 1500 and frame[at : at + 6] == b"\xaa\xaa\x03\x00\x00\x00":  # LLC and SNAP (RFC 1042)
            kind, at = _two(frame, at + 6), at + 8
        elif kind <= 1500 and frame[at : at + 2] == b"\x06\x06":  # LLC with IP's own service access point
            return _version(frame, at + 3)
        else:
            return NOT_IP
    return NOT_IP


def _mpls(frame: bytes, at: int, depth: int) -> int:
    while at + 4 < len(frame):
        bottom = frame[at + 2] & 1
        at += 4
        if bottom:
            if frame[at] >> 4 in (4, 6):
                return at
            if frame[at] >> 4 == 0:  # a pseudowire: control word, then an Ethernet frame (RFC 4448)
                at += 4
            return ethertype(frame, _two(frame, at + 12), at + 14, depth)
    return NOT_IP


def _ppp(frame: bytes, at: int) -> int:
    if frame[at : at + 2] == b"\xff\x03":
        at += 2
    if at < len(frame) and frame[at] & 1:  # a compressed protocol field (RFC 1661 section 6.5)
        return _version(frame, at + 1) if frame[at] in (0x21, 0x57) else NOT_IP
    return _version(frame, at + 2) if _two(frame, at) in (0x0021, 0x0057) else NOT_IP


def ethernet(frame: bytes, at: int = 0, depth: int = 0) -> int:
    """Where the IP header of an Ethernet frame that begins at `at` is."""
    return ethertype(frame, _two(frame, at + 12), at + 14, depth)


def _wlan(frame: bytes, at: int = 0) -> int:
    """802.11 data frames in clear text."""
    if at + 24 > len(frame) or frame[at] & 0x0C != 0x08 or frame[at] & 0x40 or frame[at + 1] & 0x40:
        return NOT_IP
    start = at + 24
    if frame[at + 1] & 3 == 3:
        start += 6
    if frame[at] & 0x80:  # quality of service; bit 7 says that A-MSDU subframes follow
        if frame[start : start + 1] >= b"\x80":
            start += 14
        start += 2
        if frame[at + 1] & 0x80:
            start += 4
    for begin in (start, start + 2):  # some cards pad the header to four bytes
        if frame[begin : begin + 6] == b"\xaa\xaa\x03\x00\x00\x00":
            return ethertype(frame, _two(frame, begin + 6), begin + 8)
    return NOT_IP


def _radiotap(frame: bytes) -> int:
    return _wlan(frame, int.from_bytes(frame[2:4], "little"))


def _nflog(frame: bytes) -> int:
    """TLVs behind a 4-byte header; type 9 is the packet."""
    at = 4
    while at + 4 <= len(frame):
        size, kind = int.from_bytes(frame[at : at + 2], "little"), int.from_bytes(frame[at + 2 : at + 4], "little")
        if kind == 9:
            return _version(frame, at + 4)
        if size < 4:
            break
        at += size + 3 & ~3
    return NOT_IP


def _cooked(frame: bytes) -> int:
    return ethertype(frame, _two(frame, 14), 16)


def _cooked2(frame: bytes) -> int:
    return ethertype(frame, _two(frame, 0), 20)


def _raw(frame: bytes) -> int:
    return _version(frame, 0)


def _family(frame: bytes) -> int:
    """A 4-byte address family in some host's byte order: the IP version itself tells more."""
    return _version(frame, 4)


_LINKS: dict[int, Callable[[bytes], int]] = {
    0: _family,  # NULL
    108: _family,  # LOOP
    ETHERNET: ethernet,
    9: lambda frame: _ppp(frame, 0),
    10: lambda frame: ethertype(frame, 0, 13),  # FDDI: always with LLC
    50: lambda frame: _ppp(frame, 0),
    51: lambda frame: _ppp(frame, 6),
    104: lambda frame: ethertype(frame, _two(frame, 2), 4),  # Cisco HDLC
    105: _wlan,
    113: _cooked,
    127: _radiotap,
    239: _nflog,
    276: _cooked2,
    **dict.fromkeys((12, 14, 101, 228, 229), _raw),
}


def network(link: int, frame: bytes) -> int:
    """Offset of the IP header in a frame of link type `link`, or NOT_IP, or UNKNOWN."""
    read = _LINKS.get(link)
    return UNKNOWN if read is None else read(frame)
