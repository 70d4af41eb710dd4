"""Classic pcap (draft-ietf-opsawg-pcap), in both byte orders, with micro- or nanoseconds, and the modified variant."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import msgspec
import numpy as np

from reconwatch.account import Account
from reconwatch.sources.pcap.batch import Batch, rows
from reconwatch.sources.pcap.blocks import Window

FILE_HEADER = 24
MAX_RECORD = 262_144
"""libpcap's MAXIMUM_SNAPLEN: no sane writer makes longer records, so a longer one is a damaged header."""

RESYNC_REACH = 4 << 20
"""How far to look for the next credible record header behind a damaged one before giving the rest up."""


class Layout(msgspec.Struct, frozen=True):
    """How the records of one variant are written."""

    order: str
    fraction: int
    """Fractions of a second in a record's second field."""
    header: int
    """Length of a record header: 16, or 24 in the variant of Alexey Kuznetsov's patches (magic a1b2cd34)."""


LAYOUTS = {
    b"\xd4\xc3\xb2\xa1": Layout("<", 1_000_000, 16),
    b"\xa1\xb2\xc3\xd4": Layout(">", 1_000_000, 16),
    b"\x4d\x3c\xb2\xa1": Layout("<", 1_000_000_000, 16),
    b"\xa1\xb2\x3c\x4d": Layout(">", 1_000_000_000, 16),
    b"\x34\xcd\xb2\xa1": Layout("<", 1_000_000, 24),
    b"\xa1\xb2\xcd\x34": Layout(">", 1_000_000, 24),
}


class PcapReader:
    """The packets of a classic pcap. See `PacketReader`."""

    def __init__(self, window: Window, account: Account) -> None:
        self.number = 0
        self._window = window
        self._account = account
        self._layout = LAYOUTS[bytes(window.data[:4])]
        self._record = struct.Struct(self._layout.order + "IIII")
        self._captured = struct.Struct(self._layout.order + "I").unpack_from
        self._link = 0
        self._seconds = 0

    @property
    def position(self) -> int:
        """Bytes of the input that were consumed whole."""
        return self._window.position

    def __iter__(self) -> Iterator[Batch]:
        window = self._window
        if not window.has(FILE_HEADER):
            self._account.fail("the file header is cut: the capture holds no packets")
            return
        # The upper bits of the field tell the length of a frame check sequence (draft, section 4).
        self._link = struct.unpack_from(self._layout.order + "I", window.data, 20)[0] & 0xFFFF
        window.at = FILE_HEADER
        while True:
            heads = self._walk()
            if heads:
                yield self._batch(heads)
            if not self._refill():
                break
        yield from self._tail()

    def _walk(self) -> list[int]:
        """Where the records begin that lie whole in the window; moves behind them."""
        window, header, captured_at = self._window, self._layout.header, self._captured
        data, at, last = window.data, window.at, window.end - self._layout.header
        heads: list[int] = []
        append = heads.append
        while at <= last:
            (captured,) = captured_at(data, at + 8)
            if captured > MAX_RECORD:
                break
            append(at)
            at += captured + header
        if at > window.end:
            at = heads.pop()
        window.at = at
        return heads

    def _batch(self, heads: list[int]) -> Batch:
        data, header = self._window.data, self._layout.header
        at = np.array(heads)
        fields = rows(data, at, 16).view(self._layout.order + "u4")
        seconds, captured, length = fields[:, 0], fields[:, 2].astype(np.int64), fields[:, 3].astype(np.int64)
        times = seconds + fields[:, 1] * (1 / self._layout.fraction)
        self._seconds = int(seconds[-1])
        numbers = np.arange(self.number + 1, self.number + 1 + len(heads))
        self.number += len(heads)
        cut = np.maximum(length - captured, 0)
        return Batch(data, numbers, at + header, captured, cut, times, np.full(len(heads), self._link))

    def _refill(self) -> bool:
        """Get to a next whole record: by reading on, or by searching for one. False when there is none."""
        window, header = self._window, self._layout.header
        if not window.has(header):
            return False
        captured = self._record.unpack_from(window.data, window.at)[2]
        if captured <= MAX_RECORD and window.has(header + captured):
            return True
        place = window.position
        self.number += 1
        if self._resync():
            self._account.skip(
                "a record's length is not credible",
                f"packet {self.number} at byte {place}",
                f"going on at byte {window.position}; the capture file is damaged",
            )
            return True
        self.number -= 1
        return False

    def _tail(self) -> Iterator[Batch]:
        """What is left when no whole record follows: nothing, or one cut record whose bytes are still read."""
        window, header = self._window, self._layout.header
        window.has(header + MAX_RECORD)
        rest = window.end - window.at
        if not rest:
            return
        place = f"packet {self.number + 1} at byte {window.position}"
        if rest < header:
            self.number += 1
            self._account.skip("the last record is cut", place, "the capture was stopped or copied half-way")
            return
        captured, length = self._record.unpack_from(window.data, window.at)[2:]
        if captured > MAX_RECORD:
            self.number += 1
            self._account.skip("a record's length is not credible", place, "the rest of the capture cannot be read")
            return
        self._account.skip("the last record is cut", place, "the capture was stopped or copied half-way")
        batch = self._batch([window.at])
        batch.sizes[0] = rest - header
        batch.cut[0] = max(length, captured) - (rest - header)
        yield batch

    def _resync(self) -> bool:
        """Move the window to the next credible record within reach.

        Records of one capture share the upper half of their seconds (18 hours), which makes a cheap first test;
        two credible headers in a row, or one that ends with the file, make the second.
        """
        window = self._window
        window.has(RESYNC_REACH)
        if not self.number or not self._seconds:
            return False
        shift = 2 if self._layout.order == "<" else 0
        halves = [struct.pack(self._layout.order + "H", (self._seconds >> 16) + n & 0xFFFF) for n in (0, 1)]
        either = re.compile(b"|".join(re.escape(half) for half in halves), re.DOTALL)
        stop = min(window.end, window.at + RESYNC_REACH)
        for found in either.finditer(window.data, window.at + 1 + shift, stop):
            if self._credible(found.start() - shift):
                window.at = found.start() - shift
                return True
        return False

    def _credible(self, at: int, follow: bool = True) -> bool:
        data, size, header = self._window.data, self._window.end, self._layout.header
        if at + header > size:
            return at == size and not follow
        seconds, fraction, captured, length = self._record.unpack_from(data, at)
        if fraction >= self._layout.fraction or not 14 <= captured <= min(length, MAX_RECORD):
            return False
        if length > 4 * MAX_RECORD or not -1 <= (seconds >> 16) - (self._seconds >> 16) <= 1:
            return False
        return not follow or self._credible(at + header + captured, follow=False)
