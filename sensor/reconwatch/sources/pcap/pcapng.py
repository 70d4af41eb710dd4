"""pcapng (draft-ietf-opsawg-pcapng): sections of either byte order, interfaces with their own clocks and link types."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import msgspec

from reconwatch.account import Account
from reconwatch.sources.pcap.blocks import Window

SECTION = b"\x0a\x0d\x0d\x0a"
INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
IF_TSRESOL, IF_TSOFFSET = 9, 14

MAX_BLOCK = 16 << 20
"""Longer blocks are taken for damage: a packet has at most 256 KiB, name and secret blocks rarely reach 1 MiB."""

RESYNC_REACH = 4 << 20


class Interface(msgspec.Struct):
    """What an Interface Description Block says of the packets that name it."""

    link: int
    snaplen: int
    tick: float = 1e-6
    """Seconds a unit of a time stamp."""
    offset: int = 0
    """Seconds to add."""


class PcapngReader:
    """The packets of a pcapng file. See `PacketReader`."""

    def __init__(self, window: Window, account: Account) -> None:
        self.number = 0
        self._window = window
        self._account = account
        self._order = "<"
        self._interfaces: list[Interface] = []
        self._last = 0.0

    @property
    def position(self) -> int:
        """Bytes of the input that were consumed whole."""
        return self._window.position

    def __iter__(self) -> Iterator[tuple[float, int, bytes, int]]:
        window = self._window
        while window.has(12):
            at = window.at
            if window.data[at : at + 4] == SECTION and not self._section():
                if not self._resync("a section header has no byte-order magic"):
                    return
                continue
            kind, length = struct.unpack_from(self._order + "II", window.data, at)
            if not 12 <= length <= MAX_BLOCK or length & 3:
                if not self._resync("a block's length is not credible"):
                    return
                continue
            if not window.has(length):
                break
            block, at = window.data, window.at
            if struct.unpack_from(self._order + "I", block, at + length - 4)[0] != length:
                if not self._resync("a block's two lengths differ"):
                    return
                continue
            window.at = at + length
            packet = self._block(kind, block, at + 8, at + length - 4)
            if packet is not None:
                yield packet
        self._cut_end()

    def _cut_end(self) -> None:
        window = self._window
        if len(window.data) > window.at:
            place = f"packet {self.number + 1} at byte {window.position}"
            self._account.skip("the last record is cut", place, "the capture was stopped or copied half-way")
            window.at = len(window.data)

    def _section(self) -> bool:
        order = BYTE_ORDERS.get(self._window.data[self._window.at + 8 : self._window.at + 12])
        if order is None:
            return False
        self._order = order
        self._interfaces = []
        return True

    def _block(self, kind: int, data: bytes, start: int, end: int) -> tuple[float, int, bytes, int] | None:
        if kind == ENHANCED_PACKET:
            return self._packet("IIIII", data, start, end)
        if kind == OLD_PACKET:
            return self._packet("HxxIIII", data, start, end)
        if kind == SIMPLE_PACKET:
            return self._simple(data, start, end)
        if kind == INTERFACE:
            self._interface(data, start, end)
        return None

    def _packet(self, layout: str, data: bytes, start: int, end: int) -> tuple[float, int, bytes, int] | None:
        self.number += 1
        if end - start < 20:
            self._bad("a packet block is too short")
            return None
        index, high, low, captured, length = struct.unpack_from(self._order + layout, data, start)
        if index >= len(self._interfaces):
            self._bad("a packet names an interface that was not described")
            return None
        if captured > end - start - 20:
            self._bad("a packet is longer than its block")
            captured = end - start - 20
        interface = self._interfaces[index]
        self._last = ts = (high << 32 | low) * interface.tick + interface.offset
        return ts, interface.link, data[start + 20 : start + 20 + captured], max(0, length - captured)

    def _simple(self, data: bytes, start: int, end: int) -> tuple[float, int, bytes, int] | None:
        """A Simple Packet Block carries no time: the last known stands in (section 4.4)."""
        self.number += 1
        if not self._interfaces:
            self._bad("a packet names an interface that was not described")
            return None
        if end - start < 4:
            self._bad("a packet block is too short")
            return None
        length = struct.unpack_from(self._order + "I", data, start)[0]
        interface = self._interfaces[0]
        captured = min(length, interface.snaplen or length, end - start - 4)
        return self._last, interface.link, data[start + 4 : start + 4 + captured], max(0, length - captured)

    def _interface(self, data: bytes, start: int, end: int) -> None:
        if end - start < 8:
            self._account.skip("an interface block is too short", f"byte {self._window.position}")
            return
        link, snaplen = struct.unpack_from(self._order + "HxxI", data, start)
        interface = Interface(link, snaplen)
        at = start + 8
        while at + 4 <= end:
            code, size = struct.unpack_from(self._order + "HH", data, at)
            value = data[at + 4 : min(end, at + 4 + size)]
            if code == 0:
                break
            if code == IF_TSRESOL and len(value) == 1:
                interface.tick = 2.0 ** -(value[0] & 0x7F) if value[0] & 0x80 else 10.0 ** -value[0]
            elif code == IF_TSOFFSET and len(value) == 8:
                interface.offset = struct.unpack(self._order + "q", value)[0]
            at += 4 + (size + 3 & ~3)
        self._interfaces.append(interface)

    def _bad(self, reason: str) -> None:
        self._account.skip(reason, f"packet {self.number}")

    def _resync(self, reason: str) -> bool:
        """Move to the next section or packet block whose two lengths agree; False if there is none within reach."""
        window = self._window
        place = window.position
        window.has(RESYNC_REACH)
        data, start = window.data, window.at
        either = re.compile(re.escape(SECTION) + b"|" + re.escape(struct.pack(self._order + "I", ENHANCED_PACKET)))
        for found in either.finditer(data, start + 1, start + RESYNC_REACH):
            if self._credible(found.start()):
                window.at = found.start()
                break
        else:
            self._account.skip(reason, f"byte {place}", "the rest of the capture cannot be read")
            window.at = len(data)
            return False
        self._account.skip(reason, f"byte {place}", f"going on at byte {window.position}; the capture file is damaged")
        return True

    def _credible(self, at: int) -> bool:
        data = self._window.data
        if at + 12 > len(data):
            return False
        order = self._order
        if data[at : at + 4] == SECTION:
            order = BYTE_ORDERS.get(data[at + 8 : at + 12], "")
            if not order:
                return False
        length = struct.unpack_from(order + "I", data, at + 4)[0]
        if length & 3 or not 12 <= length <= MAX_BLOCK or at + length > len(data):
            return False
        return bool(struct.unpack_from(order + "I", data, at + length - 4)[0] == length)
