"""Captures for tests of rules: many small conversations, each with ports of its own, so that an alert names its cause.

Checksums are 0: the engine is told not to look at them.
"""

from __future__ import annotations

import random
import struct
import sys
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from tests.conftest import ROOT

sys.path.append(str(ROOT / "pcaps" / "gen"))  # the generators of pcaps/ know how to make a QUIC Initial

from quic_initial import Initials, crypto, transport_parameters
from tls_hello import browser_hello, record, server_hello, tool_hello

NOON = 1_795_521_600
HOST, RESOLVER, PROXY, TRUSTED = "10.20.1.11", "10.20.0.53", "10.20.0.80", "10.20.9.9"
SERVER, STRANGER, WEB, NAMESERVER = "198.18.4.2", "192.0.2.66", "203.0.113.10", "203.0.113.53"
A, AXFR, IXFR = 1, 252, 251


class Wire:
    """The frames of a capture, in the order in which they are made, a millisecond apart."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._conversations = 0

    def write(self, path: Path) -> Path:
        """Write it as a classic pcap file; gives the path."""
        parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)]
        for number, frame in enumerate(self._frames):
            when = divmod(NOON * 1_000_000 + number * 1_000, 1_000_000)
            parts += [struct.pack("<IIII", *when, len(frame), len(frame)), frame]
        path.write_bytes(b"".join(parts))
        return path

    def ports(self, server_port: int) -> tuple[int, int]:
        """The client's port of the next conversation, and the server's."""
        self._conversations += 1
        assert self._conversations < 64_000, "a client has no more ports"
        return 1_024 + self._conversations, server_port

    def udp(self, client: str, server: str, ports: tuple[int, int], payload: bytes) -> None:
        """One datagram."""
        self._packet(client, server, 17, struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload)

    def tcp(self, client: str, server: str, ports: tuple[int, int], flags: int, seq: int = 1, ack: int = 0,
            payload: bytes = b"") -> None:  # fmt: skip
        """One segment."""
        head = struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 64_240, 0, 0)
        self._packet(client, server, 6, head + payload)

    def _packet(self, client: str, server: str, protocol: int, payload: bytes) -> None:
        source, target = _packed(client), _packed(server)
        if len(source) == 4:
            head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol, 0)
        else:
            head = struct.pack(">IHBB", 0x60000000, len(payload), protocol, 64)
        ether = b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + (b"\x08\0" if len(source) == 4 else b"\x86\xdd")
        self._frames.append(ether + head + source + target + payload)

    def open(self, client: str, server: str, server_port: int) -> int:
        """SYN alone; gives the client's port."""
        ports = self.ports(server_port)
        self.tcp(client, server, ports, 0x02)
        return ports[0]

    def ping(self, client: str, server: str) -> None:
        """An ICMP echo request."""
        self._packet(client, server, 1, struct.pack(">BBHHH", 8, 0, 0, 1, 1) + b"ping")

    def conversation(self, client: str, server: str, server_port: int, said: bytes, answer: bytes) -> int:
        """A whole TCP connection; gives the client's port."""
        ports = self.ports(server_port)
        back = ports[::-1]
        self.tcp(client, server, ports, 0x02, 1)
        self.tcp(server, client, back, 0x12, 1, 2)
        self.tcp(client, server, ports, 0x10, 2, 2)
        for at in range(0, len(said), 1_400):
            self.tcp(client, server, ports, 0x18, 2 + at, 2, said[at : at + 1_400])
        end = 2 + len(said)
        self.tcp(server, client, back, 0x10, 2, end)
        self.tcp(server, client, back, 0x18, 2, end, answer)
        self.tcp(client, server, ports, 0x10, end, 2 + len(answer))
        self.tcp(client, server, ports, 0x11, end, 2 + len(answer))
        self.tcp(server, client, back, 0x11, 2 + len(answer), end + 1)
        self.tcp(client, server, ports, 0x10, end + 1, 3 + len(answer))
        return ports[0]

    def dns(self, client: str, name: str, qtype: int = A, *, server: str = RESOLVER) -> int:
        """A query over UDP; gives the client's port."""
        ports = self.ports(53)
        self.udp(client, server, ports, _query(name, qtype))
        return ports[0]

    def dns_over_tcp(self, client: str, name: str, qtype: int, *, server: str) -> int:
        """A query and its refusal; gives the client's port."""
        asked = _query(name, qtype)
        refused = bytes(asked[:2]) + b"\x81\x05" + asked[4:]
        sized = [struct.pack(">H", len(each)) + each for each in (asked, refused)]
        return self.conversation(client, server, 53, *sized)

    def tls(self, client: str, name: str, *, server: str = SERVER) -> int:
        """A hello and its answer; gives the client's port."""
        hello = tool_hello(name)
        session = hello[39 : 39 + hello[38]]
        said = record(22, hello, 0x0301)
        return self.conversation(client, server, 443, said, record(22, server_hello(name, session)) + record(20, b"\1"))

    def quic(self, client: str, name: str, *, server: str = SERVER) -> int:
        """The Initials of a hello; gives the client's port."""
        ports = self.ports(443)
        chance = random.Random(name)
        initials = Initials(chance.randbytes(8), server=False)
        hello = browser_hello(name, quic=transport_parameters(chance))
        for number, at in enumerate(range(0, len(hello), 1_000), start=1):
            self.udp(client, server, ports, initials.packet(number, crypto(at, hello[at : at + 1_000]), 1_250))
        return ports[0]

    def http(self, client: str, host: str, uri: str = "/", *, agent: str = "curl/8", server: str = SERVER) -> int:
        """A request and an empty answer; gives the client's port."""
        said = f"GET {uri} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\r\n".encode()
        return self.conversation(client, server, 80, said, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def whois(self, client: str, line: str, *, server: str = SERVER) -> int:
        """A line and no answer worth the name; gives the client's port."""
        return self.conversation(client, server, 43, f"{line}\r\n".encode(), b"no match\r\n")


@cache
def _packed(address: str) -> bytes:
    return ip_address(address).packed


def _query(name: str, qtype: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", qtype, 1)
