"""Packets, a block of them at a time: where each one lies, and what its record says of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]


def begins(values: npt.NDArray[np.generic]) -> Flags:
    """Which values of a sorted array are the first of their kind."""
    first = np.ones(len(values), bool)
    first[1:] = values[1:] != values[:-1]
    return first


def rows(data: bytearray, at: Ints, width: int) -> Bytes:
    """`width` bytes of `data` from each offset of `at` on, copied into the rows of one array (len(at), width).

    A look at so many bytes as one opaque item is a single copy each, whatever their alignment.
    """
    items = np.ndarray(len(data) - width + 1, np.dtype((np.void, width)), data, strides=(1,))
    return items[at].view(np.uint8).reshape(len(at), width)


_COLUMNS = ("numbers", "starts", "sizes", "cut", "times", "links")


class Batch:
    """Consecutive packets of one capture, in its order. All arrays are as long as there are packets.

    `data` is the reader's buffer: it is overwritten when the next batch is asked for.
    """

    __slots__ = ("data", *_COLUMNS)

    def __init__(
        self, data: bytearray, numbers: Ints, starts: Ints, sizes: Ints, cut: Ints, times: Times, links: Ints
    ) -> None:
        self.data = data
        """Holds the packets, and at least `blocks.SLACK` bytes behind the last of them."""
        self.numbers = numbers
        """Of the packets in the capture, counted from 1; those that cannot be read have one too, and are not here."""
        self.starts = starts
        """Where each packet begins in `data`."""
        self.sizes = sizes
        """Bytes that were captured of each."""
        self.cut = cut
        """Bytes of each that were on the wire and were not captured."""
        self.times = times
        """Epoch seconds."""
        self.links = links
        """Link types (https://www.tcpdump.org/linktypes.html)."""

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, which: list[int]) -> Batch:
        """Some of the packets."""
        return Batch(self.data, *(getattr(self, name)[which] for name in _COLUMNS))

    def packets(self) -> Iterator[tuple[int, float, int, bytes, int]]:
        """Each packet alone: (number, time, link type, captured bytes, bytes cut off)."""
        data = self.data
        columns = (self.numbers, self.times, self.links, self.starts, self.starts + self.sizes, self.cut)
        for number, ts, link, start, end, cut in zip(*(column.tolist() for column in columns), strict=True):
            yield number, ts, link, bytes(data[start:end]), cut
