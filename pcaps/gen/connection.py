"""A TCP connection from handshake to teardown, with a clock of its own."""

from __future__ import annotations

import zlib
from typing import Any

from cast import Party
from scapy.layers.inet import TCP
from scapy.packet import Raw
from tape import Tape

WINDOW = 64_240
ONE_WAY = 0.006
"""Seconds between the tap and the server."""
GAP = 0.000_03
"""Seconds between two segments of one flight."""


class Tcp:
    """One connection: made when created, then `say` and `hear`, then `close`. `now` is the time at the client."""

    def __init__(self, tape: Tape, at: float, client: Party, server: Party, server_port: int) -> None:
        seed = zlib.crc32(f"{client.ip} {server.ip} {server_port} {at:.6f}".encode())
        self._tape, self._client, self._server = tape, client, server
        self._ports = (32768 + seed % 28000, server_port)
        self._next = [seed ^ 0x5A5A5A5A, (seed * 2654435761 + 1) & 0xFFFFFFFF]
        self.mss = 1440 if client.version == 6 else 1460
        self.now = at
        options = [("MSS", self.mss), ("NOP", None), ("NOP", None), ("SAckOK", b""), ("NOP", None), ("WScale", 7)]
        self._send(0, "S", options=options)
        self.now += 2 * ONE_WAY
        self._send(1, "SA", options=options)
        self.now += GAP
        self._send(0, "A")

    def _send(self, side: int, flags: str, payload: bytes = b"", options: Any = ()) -> None:
        ends = (self._client, self._server) if side == 0 else (self._server, self._client)
        segment = TCP(
            sport=self._ports[side],
            dport=self._ports[1 - side],
            seq=self._next[side],
            ack=self._next[1 - side] if "A" in flags else 0,
            flags=flags,
            window=WINDOW,
            options=list(options),
        )
        self._tape.record(self.now, *ends, segment / Raw(payload) if payload else segment)
        self._next[side] = (self._next[side] + len(payload) + ("S" in flags) + ("F" in flags)) & 0xFFFFFFFF

    def _flight(self, side: int, data: bytes, cuts: tuple[int, ...]) -> None:
        starts = sorted({*range(0, len(data), self.mss), *cuts})
        for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
            self._send(side, "PA" if end == len(data) else "A", data[start:end])
            self.now += GAP

    def say(self, data: bytes, *cuts: int) -> None:
        """The client sends; `cuts` are further places at which one segment ends and the next begins."""
        self._flight(0, data, cuts)
        self.now += 2 * ONE_WAY
        self._send(1, "A")

    def hear(self, data: bytes, after: float = 0.02) -> None:
        """The server sends, having thought about it for `after` seconds."""
        self.now += after
        self._flight(1, data, ())
        self._send(0, "A")

    def close(self, by: int = 0) -> None:
        """Both sides say FIN, the client first unless `by` is 1."""
        self.now += 0.005
        self._send(by, "FA")
        self.now += ONE_WAY
        self._send(1 - by, "FA")
        self.now += ONE_WAY
        self._send(by, "A")
