"""Hand-built packets and captures, and short ways to read them."""

from __future__ import annotations

import io
import socket
import struct
from collections.abc import Iterable

from reconwatch.account import Account
from reconwatch.events import AnyEvent, Event
from reconwatch.interest import Interest, Lookout
from reconwatch.sources.pcap import CaptureSource
from reconwatch.sources.source import Opening

CLIENT, SERVER, RESOLVER = "10.20.1.11", "198.18.4.2", "10.20.0.53"
CLIENT6, SERVER6 = "2001:db8:acc:1::16", "2001:db8:53::2"
START = 1_795_488_645.0
FIN, SYN, RST, ACK = 1, 2, 4, 16

Timed = tuple[float, bytes]
"""(seconds after START, frame)."""


class Everything(Lookout):
    """Wants all events, and shows URIs as they were sent."""

    def wants(self, event: Event) -> bool:
        return True

    def names(self, name: str) -> bool:
        return True

    def mask(self, host: str, uri: str) -> str:
        return uri


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def ip(src: str, dst: str, protocol: int, payload: bytes, *, ident: int = 0, fragment: int = 0) -> bytes:
    """An IP packet; `fragment` is IPv4's field of flags and offset."""
    ends = packed(src) + packed(dst)
    if ":" in src:
        return struct.pack(">IHBB", 0x60000000, len(payload), protocol, 64) + ends + payload
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident, fragment, 64, protocol, 0) + ends + payload


def ether(packet: bytes, *tags: bytes) -> bytes:
    """An Ethernet frame around an IP packet, with tags (EtherType and two bytes) in between."""
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return b"\x02" * 6 + b"\x04" * 6 + b"".join(tags) + kind + packet


def tcp_header(sport: int, dport: int, seq: int, flags: int, payload: bytes = b"") -> bytes:
    return struct.pack(">HHIIBBHHH", sport, dport, seq % 2**32, 1, 0x50, flags, 64240, 0, 0) + payload


def udp_header(sport: int, dport: int, payload: bytes) -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def udp(payload: bytes, sport: int = 40000, dport: int = 53, src: str = CLIENT, dst: str = RESOLVER) -> bytes:
    """A frame with a datagram."""
    return ether(ip(src, dst, 17, udp_header(sport, dport, payload)))


class Talk:
    """One TCP connection; each call gives the frame of a segment and counts the bytes."""

    def __init__(self, port: int = 443, client_port: int = 40001, client: str = CLIENT, server: str = SERVER) -> None:
        self.ends = (client, server, client_port, port)
        self.sent, self.answered = 4_294_967_000, 77  # the client's numbers wrap soon
        self.first = self.sent + 1

    def up(self, payload: bytes = b"", flags: int = ACK, seq: int | None = None) -> bytes:
        """From the client, at its next sequence number unless `seq` says another."""
        at = self.sent if seq is None else seq
        if seq is None:
            self.sent += len(payload) + bool(flags & (SYN | FIN))
        client, server, client_port, port = self.ends
        return ether(ip(client, server, 6, tcp_header(client_port, port, at, flags, payload)))

    def down(self, payload: bytes = b"", flags: int = ACK) -> bytes:
        """From the server."""
        at = self.answered
        self.answered += len(payload) + bool(flags & (SYN | FIN))
        client, server, client_port, port = self.ends
        return ether(ip(server, client, 6, tcp_header(port, client_port, at, flags, payload)))

    def handshake(self) -> list[bytes]:
        return [self.up(flags=SYN), self.down(flags=SYN | ACK), self.up()]

    def ending(self) -> list[bytes]:
        return [self.up(flags=FIN | ACK), self.down(flags=FIN | ACK), self.up()]

    def whole(self, *payloads: bytes) -> list[bytes]:
        """Handshake, one segment a payload from the client, a word from the server, and the end."""
        return [*self.handshake(), *(self.up(p) for p in payloads), self.down(b"\0ok"), *self.ending()]


def pcap(frames: Iterable[bytes | Timed], link: int = 1, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    """A classic pcap; frames without a time come a millisecond apart."""
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    scale = 1e9 if magic == 0xA1B23C4D else 1e6
    for number, item in enumerate(frames):
        after, frame = item if isinstance(item, tuple) else (number / 1000, item)
        seconds, fraction = divmod(round((START + after) * 1_000_000), 1_000_000)
        out.append(struct.pack(order + "IIII", seconds, int(fraction * scale / 1e6), len(frame), len(frame)) + frame)
    return b"".join(out)


def source(data: bytes, lookout: Lookout | None = None, *, funnel: bool = False) -> tuple[CaptureSource, Account]:
    account = Account("test.pcap")
    lookout = lookout or Everything(Interest(ports=frozenset(range(65_536))))
    return CaptureSource(Opening(io.BytesIO(data), lookout, account, 0, funnel)), account


def read(data: bytes, lookout: Lookout | None = None, *, funnel: bool = False) -> tuple[list[AnyEvent], Account]:
    """All events of a capture, and its account."""
    capture, account = source(data, lookout, funnel=funnel)
    return list(capture), account


def events(frames: Iterable[bytes | Timed], kind: str = "", link: int = 1) -> list[AnyEvent]:
    """The events of frames, of one kind if it is named."""
    return [event for event in read(pcap(frames, link))[0] if kind in ("", event.kind)]


def name(text: str) -> bytes:
    """A DNS name in wire form."""
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".") if part) + b"\0"


def question(text: str, qtype: int = 1, ident: int = 7) -> bytes:
    return struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0) + name(text) + struct.pack(">HH", qtype, 1)


def record(owner: bytes, kind: int, data: bytes, ttl: int = 60) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def response(text: str, records: list[bytes], qtype: int = 1, ident: int = 7) -> bytes:
    head = struct.pack(">HHHHHH", ident, 0x8180, 1, len(records), 0, 0)
    return head + name(text) + struct.pack(">HH", qtype, 1) + b"".join(records)


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">HH", kind, len(data)) + data


def hello_body(server_name: str | None, alpn: tuple[str, ...] = (), padding: int = 0) -> bytes:
    """A ClientHello as a handshake message."""
    extensions = extension(21, bytes(padding)) if padding else b""
    if server_name is not None:
        host = server_name.encode()
        extensions += extension(0, struct.pack(">HBH", len(host) + 3, 0, len(host)) + host)
    if alpn:
        offers = b"".join(bytes([len(a)]) + a.encode() for a in alpn)
        extensions += extension(16, struct.pack(">H", len(offers)) + offers)
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0" + struct.pack(">H", len(extensions))
    return b"\x01" + (len(body) + len(extensions)).to_bytes(3, "big") + body + extensions


def records(handshake: bytes, size: int = 16_384) -> bytes:
    """A handshake message in TLS records of at most `size` bytes."""
    parts = [handshake[at : at + size] for at in range(0, len(handshake), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


def hello(server_name: str | None, alpn: tuple[str, ...] = (), padding: int = 0) -> bytes:
    return records(hello_body(server_name, alpn, padding))
