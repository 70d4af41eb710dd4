"""pcapng (draft-ietf-opsawg-pcapng): sections of either byte order, interfaces with their own clocks and link types."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import msgspec
import numpy as np

from reconwatch.account import Account
from reconwatch.sources.pcap.batch import Batch, rows
from reconwatch.sources.pcap.blocks import Window

SECTION = b"\x0a\x0d\x0d\x0a"
INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
IF_TSRESOL, IF_TSOFFSET = 9, 14

ENHANCED_SIZE = 32
"""Bytes of an Enhanced Packet Block without packet and options (section 4.3)."""

SHORT_RUN = 64
"""So few Enhanced Packet Blocks in a row are cheaper read one by one."""

MAX_BLOCK = 16 << 20
"""Longer blocks are taken for damage: a packet has at most 256 KiB, name and secret blocks rarely reach 1 MiB."""

RESYNC_REACH = 4 << 20


_Packet = tuple[int, int, int, int, float, int]
"""(number, start, bytes captured, bytes cut off, time, link type)."""


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
        self._single: list[_Packet] = []
        """Packets of the window that were read one by one, and are in no batch yet."""

    @property
    def position(self) -> int:
        """Bytes of the input that were consumed whole."""
        return self._window.position

    def __iter__(self) -> Iterator[Batch]:
        window = self._window
        while window.has(12):
            wrong, needed = "", 0
            while not wrong and not needed:
                heads = self._run()
                if len(heads) >= SHORT_RUN:
                    yield from self._singles()
                    yield self._batch(heads)
                    continue
                for at in heads:
                    self._packet("IIIII", at + 8, at + self._length(at) - 4)
                wrong, needed = self._block()
            yield from self._singles()
            if wrong and not self._resync(wrong):
                return
            if needed and not window.has(needed):
                break
        self._cut_end()

    def _cut_end(self) -> None:
        window = self._window
        if window.end > window.at:
            place = f"packet {self.number + 1} at byte {window.position}"
            self._account.skip("the last record is cut", place, "the capture was stopped or copied half-way")
            window.at = window.end

    def _length(self, at: int) -> int:
        length: int = struct.unpack_from(self._order + "I", self._window.data, at + 4)[0]
        return length

    def _run(self) -> list[int]:
        """Where sound Enhanced Packet Blocks begin that follow each other in the window; moves behind them."""
        window, head_at = self._window, struct.Struct(self._order + "II").unpack_from
        data, at, last = window.data, window.at, window.end - ENHANCED_SIZE
        heads: list[int] = []
        append = heads.append
        while at <= last:
            kind, length = head_at(data, at)
            if kind != ENHANCED_PACKET or length & 3 or not ENHANCED_SIZE <= length <= window.end - at:
                break
            append(at)
            at += length
        if not heads:
            return heads
        starts = np.array(heads)
        fields = rows(data, starts, 28).view(self._order + "u4").astype(np.int64)
        lengths = fields[:, 1]
        again = rows(data, starts + lengths - 4, 4).view(self._order + "u4")[:, 0]
        sound = (again == lengths) & (fields[:, 2] < len(self._interfaces)) & (fields[:, 5] <= lengths - ENHANCED_SIZE)
        if not sound.all():
            del heads[int(np.argmin(sound)) :]
            at = int(starts[len(heads)])
        window.at = at
        return heads

    def _batch(self, heads: list[int]) -> Batch:
        """The packets of sound Enhanced Packet Blocks (section 4.3)."""
        starts = np.array(heads)
        fields = rows(self._window.data, starts, 28).view(self._order + "u4").astype(np.int64)
        index, captured = fields[:, 2], fields[:, 5]
        ticks = np.array([interface.tick for interface in self._interfaces])[index]
        offsets = np.array([interface.offset for interface in self._interfaces])[index]
        units = fields[:, 3].astype(np.uint64) << np.uint64(32) | fields[:, 4].astype(np.uint64)
        times = units.astype(np.float64) * ticks + offsets
        self._last = float(times[-1])
        links = np.array([interface.link for interface in self._interfaces])[index]
        numbers = np.arange(self.number + 1, self.number + 1 + len(heads))
        self.number += len(heads)
        cut = np.maximum(fields[:, 6] - captured, 0)
        return Batch(self._window.data, numbers, starts + 28, captured, cut, times, links)

    def _singles(self) -> Iterator[Batch]:
        """What was read one by one, as a batch."""
        if not self._single:
            return
        numbers, starts, sizes, cut, times, links = (np.array(column) for column in zip(*self._single, strict=True))
        self._single.clear()
        yield Batch(self._window.data, numbers, starts, sizes, cut, times.astype(np.float64), links)

    def _block(self) -> tuple[str, int]:
        """Read one block of any kind; (what is wrong with it, bytes that must be at hand to read it)."""
        window = self._window
        data, at = window.data, window.at
        if window.end - at < 12:
            return "", 12
        if data[at : at + 4] == SECTION and not self._section():
            return "a section header has no byte-order magic", 0
        kind, length = struct.unpack_from(self._order + "II", data, at)
        if not 12 <= length <= MAX_BLOCK or length & 3:
            return "a block's length is not credible", 0
        if window.end - at < length:
            return "", length
        if struct.unpack_from(self._order + "I", data, at + length - 4)[0] != length:
            return "a block's two lengths differ", 0
        window.at = at + length
        start, end = at + 8, at + length - 4
        if kind == ENHANCED_PACKET:
            self._packet("IIIII", start, end)
        elif kind == OLD_PACKET:
            self._packet("HxxIIII", start, end)
        elif kind == SIMPLE_PACKET:
            self._simple(start, end)
        elif kind == INTERFACE:
            self._interface(data, start, end)
        return "", 0

    def _section(self) -> bool:
        order = BYTE_ORDERS.get(bytes(self._window.data[self._window.at + 8 : self._window.at + 12]))
        if order is None:
            return False
        self._order = order
        self._interfaces = []
        return True

    def _packet(self, layout: str, start: int, end: int) -> None:
        self.number += 1
        if end - start < 20:
            self._bad("a packet block is too short")
            return
        index, high, low, captured, length = struct.unpack_from(self._order + layout, self._window.data, start)
        if index >= len(self._interfaces):
            self._bad("a packet names an interface that was not described")
            return
        if captured > end - start - 20:
            self._account.skip("a packet is longer than its block", f"packet {self.number}")
            captured = end - start - 20
        interface = self._interfaces[index]
        self._last = ts = (high << 32 | low) * interface.tick + interface.offset
        self._single.append((self.number, start + 20, captured, max(0, length - captured), ts, interface.link))

    def _simple(self, start: int, end: int) -> None:
        """A Simple Packet Block carries no time: the last known stands in (section 4.4)."""
        self.number += 1
        if not self._interfaces:
            self._bad("a packet names an interface that was not described")
            return
        if end - start < 4:
            self._bad("a packet block is too short")
            return
        length = struct.unpack_from(self._order + "I", self._window.data, start)[0]
        interface = self._interfaces[0]
        captured = min(length, interface.snaplen or length, end - start - 4)
        self._single.append((self.number, start + 4, captured, max(0, length - captured), self._last, interface.link))

    def _interface(self, data: bytearray, start: int, end: int) -> None:
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
        """A packet that cannot be read: it is counted, and in no batch."""
        self._account.skip(reason, f"packet {self.number}")

    def _resync(self, reason: str) -> bool:
        """Move to the next section or packet block whose two lengths agree; False if there is none within reach."""
        window = self._window
        place = window.position
        window.has(RESYNC_REACH)
        data, start = window.data, window.at
        either = re.compile(re.escape(SECTION) + b"|" + re.escape(struct.pack(self._order + "I", ENHANCED_PACKET)))
        for found in either.finditer(data, start + 1, min(window.end, start + RESYNC_REACH)):
            if self._credible(found.start()):
                window.at = found.start()
                break
        else:
            self._account.skip(reason, f"byte {place}", "the rest of the capture cannot be read")
            window.at = window.end
            return False
        self._account.skip(reason, f"byte {place}", f"going on at byte {window.position}; the capture file is damaged")
        return True

    def _credible(self, at: int) -> bool:
        data, size = self._window.data, self._window.end
        if at + 12 > size:
            return False
        order = self._order
        if data[at : at + 4] == SECTION:
            order = BYTE_ORDERS.get(bytes(data[at + 8 : at + 12]), "")
            if not order:
                return False
        length = struct.unpack_from(order + "I", data, at + 4)[0]
        if length & 3 or not 12 <= length <= MAX_BLOCK or at + length > size:
            return False
        return bool(struct.unpack_from(order + "I", data, at + length - 4)[0] == length)
