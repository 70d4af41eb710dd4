"""Tunnels in clear text: where the inner IP header begins. Inner traffic is what people did; the tunnel is a wire."""

from __future__ import annotations

from reconwatch.sources.pcap.link import NOT_IP, ethernet, ethertype

IPIP, IP6, GRE, ETHERIP, MPLS = 4, 41, 47, 97, 137
IP_TUNNELS = frozenset({IPIP, IP6, GRE, ETHERIP, MPLS})

GTP, TEREDO, GRE_IN_UDP, VXLAN, AYIYA, GENEVE = 2152, 3544, 4754, 4789, 5072, 6081
UDP_TUNNELS = frozenset({GTP, TEREDO, GRE_IN_UDP, VXLAN, AYIYA, GENEVE})

TEREDO_PREFIX = b"\x20\x01\x00\x00"
"""2001::/32 (RFC 4380 section 2.6)."""


def inside_ip(protocol: int, data: bytes, at: int) -> int:
    """Offset of the IP header inside an IP payload of `protocol` that begins at `at`, or NOT_IP."""
    if protocol in (IPIP, IP6):
        return ethertype(data, 0x0800, at)
    if protocol == GRE:
        return _gre(data, at)
    if protocol == ETHERIP:  # RFC 3378: version 3 and 12 reserved bits
        return ethernet(data, at + 2)
    if protocol == MPLS:
        return ethertype(data, 0x8847, at)
    return NOT_IP


def _gre(data: bytes, at: int) -> int:
    """RFC 2784, 2890 (version 0), 2637 (version 1: PPP), and the three ERSPAN types."""
    if at + 4 > len(data):
        return NOT_IP
    flags, kind = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
    sequenced = bool(flags & 0x1000)
    at += 4
    if flags & 7 == 1:
        at += 4 + 4 * sequenced + 4 * bool(flags & 0x0080)
        return ethertype(data, 0x8864, at - 6) if kind == 0x880B else NOT_IP
    at += 4 * (bool(flags & 0x8000 or flags & 0x4000) + bool(flags & 0x2000) + sequenced)
    if kind == 0x88BE:
        return ethernet(data, at + 8 * sequenced)
    if kind == 0x22EB:
        return ethernet(data, at + 12 + 8 * (data[at + 11 : at + 12] != b"" and data[at + 11] & 1))
    return ethertype(data, kind, at)


def inside_udp(port: int, data: bytes, at: int) -> int:
    """Offset of the IP header inside a UDP payload to or from a tunnel's `port`, or NOT_IP if it holds none."""
    if at + 8 >= len(data):
        return NOT_IP
    if port == VXLAN:  # RFC 7348: the flag that a network identifier is present, and reserved zeros
        return ethernet(data, at + 8) if data[at] & 0x08 and data[at + 7] == 0 else NOT_IP
    if port == GENEVE:  # RFC 8926
        if data[at] >> 6:
            return NOT_IP
        return ethertype(data, int.from_bytes(data[at + 2 : at + 4], "big"), at + 8 + 4 * (data[at] & 0x3F))
    if port == GRE_IN_UDP:  # RFC 8086
        return _gre(data, at)
    if port == GTP:
        return _gtp(data, at)
    if port == AYIYA:
        return _ayiya(data, at)
    return _teredo(data, at)


def from_or_to_teredo(data: bytes, at: int) -> bool:
    """Whether a UDP payload at `at` is an IPv6 packet from or to a Teredo address.

    Only Teredo's servers have a port of their own: to relays and to each other clients send from any port to any.
    """
    return data[at] >> 4 == 6 and TEREDO_PREFIX in (data[at + 8 : at + 12], data[at + 24 : at + 28])


def _gtp(data: bytes, at: int) -> int:
    """GTPv1-U G-PDU (3GPP TS 29.281 section 5), with its optional part and extension headers."""
    flags = data[at]
    if flags >> 4 != 3 or data[at + 1] != 0xFF:
        return NOT_IP
    at += 8
    if flags & 7:
        following, at = data[at + 3 : at + 4], at + 4
        while flags & 4 and following not in (b"", b"\0"):
            size = 4 * int.from_bytes(data[at : at + 1], "big")
            if not size:
                return NOT_IP
            following, at = data[at + size - 1 : at + size], at + size
    return ethertype(data, 0x0800, at)


def _ayiya(data: bytes, at: int) -> int:
    """AYIYA (draft-massar-v6ops-ayiya section 4): of its operations, 1 forwards a packet."""
    if data[at + 2] & 15 != 1 or data[at + 3] not in (IPIP, IP6):
        return NOT_IP
    identity, signature = 1 << (data[at] >> 4), 4 * (data[at + 1] >> 4)
    return ethertype(data, 0x0800, at + 8 + identity + signature)


def _teredo(data: bytes, at: int) -> int:
    """RFC 4380 section 5.1.1: authentication and origin indications may precede the IPv6 packet."""
    if data[at : at + 2] == b"\x00\x01":
        at += 13 + sum(data[at + 2 : at + 4])
    if data[at : at + 2] == b"\x00\x00":
        at += 8
    return at if at < len(data) and data[at] >> 4 == 6 else NOT_IP
