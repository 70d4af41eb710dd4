"""Many indicators in little memory: one run of bytes, and numbers beside it, found by a hash.

A million names take some 80 MB; as Python objects they would take six times that. What was compiled is kept as bytes
and is read back without looking at a single indicator.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

LAYOUT = 1
"""Of what `Compiled.packed` writes."""

MOST_SOURCES = 65_535
"""Sources that one feed names; of more, those behind are told by the feed's own name."""

ALWAYS, FOREVER = float("-inf"), float("inf")


class Facts(NamedTuple):
    """What a feed says of an indicator."""

    confidence: int
    """0 to 100."""
    since: float = ALWAYS
    """UTC epoch seconds; from then on."""
    until: float = FOREVER
    """Before then."""
    source: str = ""


def hashed(key: bytes) -> int:
    """64 bits of a key, the same in every run. What is found by it is compared whole."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")


class Builder:
    """Takes indicators one by one."""

    def __init__(self) -> None:
        self._blob = bytearray()
        self._ends = array("Q")
        self._hashes = array("Q")
        self._confidence = array("B")
        self._since, self._until = array("d"), array("d")
        self._source = array("H")
        self._sources: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, key: bytes, facts: Facts) -> None:
        """Take one."""
        confidence, since, until, source = facts
        number = self._sources.get(source)
        if number is None:
            number = self._sources[source] = len(self._sources) if len(self._sources) < MOST_SOURCES else 0
        self._blob += key
        self._ends.append(len(self._blob))
        self._hashes.append(hashed(key))
        self._confidence.append(confidence)
        self._since.append(since)
        self._until.append(until)
        self._source.append(number)

    def finish(self) -> Compiled:
        """All of them, ordered by hash; what was said twice is said once, with the highest confidence."""
        hashes = np.frombuffer(self._hashes, np.uint64) if len(self) else np.zeros(0, np.uint64)
        ends = np.frombuffer(self._ends, np.uint64).astype(np.int64) if len(self) else np.zeros(0, np.int64)
        starts = np.concatenate([[0], ends[:-1]]).astype(np.int64) if len(self) else ends
        order = np.argsort(hashes, kind="stable")
        compiled = Compiled(
            bytes(self._blob), starts[order], ends[order], hashes[order],
            np.array(self._confidence, np.uint8)[order], np.array(self._since, np.float64)[order],
            np.array(self._until, np.float64)[order], np.array(self._source, np.uint16)[order],
            list(self._sources) or [""],
        )  # fmt: skip
        return compiled.without(compiled.repeated())


class _Header(msgspec.Struct, array_like=True):
    layout: int
    size: int
    count: int
    sources: list[str]


Numbers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


class Compiled:
    """Indicators, found by key. Row numbers are of no meaning beyond this value."""

    def __init__(
        self, blob: bytes, starts: Numbers, ends: Numbers, hashes: Hashes, confidence: npt.NDArray[np.uint8],
        since: npt.NDArray[np.float64], until: npt.NDArray[np.float64], source: npt.NDArray[np.unsignedinteger],
        sources: list[str],
    ) -> None:  # fmt: skip
        self.blob, self.starts, self.ends, self.hashes = blob, starts, ends, hashes
        self.confidence, self.since, self.until, self.source, self.sources = confidence, since, until, source, sources
        self._sorted = array("Q", hashes.tobytes())

    def __len__(self) -> int:
        return len(self.starts)

    def rows(self, key: bytes) -> Iterator[int]:
        """Where a key stands: one row for each time span or source that was told of it."""
        value = hashed(key)
        row = bisect_left(self._sorted, value)
        while row < len(self._sorted) and self._sorted[row] == value:
            if self.key(row) == key:
                yield row
            row += 1

    def __contains__(self, key: bytes) -> bool:
        return any(True for _ in self.rows(key))

    def key(self, row: int) -> bytes:
        """The key of a row."""
        return self.blob[self.starts[row] : self.ends[row]]

    def facts(self, row: int) -> Facts:
        """What is said of it."""
        return Facts(
            int(self.confidence[row]), float(self.since[row]), float(self.until[row]), self.sources[self.source[row]]
        )

    @property
    def kinds(self) -> npt.NDArray[np.uint8]:
        """The first byte of every key."""
        return np.frombuffer(self.blob, np.uint8)[self.starts] if len(self) else np.zeros(0, np.uint8)

    def of_kind(self, *kinds: int) -> Numbers:
        """The rows whose keys begin with one of these bytes."""
        return np.flatnonzero(np.isin(self.kinds, kinds))

    def packed_networks(self, kind: int, size: int) -> tuple[npt.NDArray[np.uint8], Numbers]:
        """(addresses of `size` bytes, lengths of prefixes) of the networks of a kind."""
        rows = self.of_kind(kind)
        if not len(rows):
            return np.zeros((0, size), np.uint8), np.zeros(0, np.int64)
        data = np.frombuffer(self.blob, np.uint8)
        at = self.starts[rows]
        return data[at[:, None] + 1 + np.arange(size)], data[at + 1 + size].astype(np.int64)

    def repeated(self) -> npt.NDArray[np.bool_]:
        """Rows that say of a key no more than another does: the same span, from the same source."""
        again = np.zeros(len(self), bool)
        best: dict[tuple[bytes, float, float, int], int] = {}
        last = -1
        for row in np.flatnonzero(self.hashes[1:] == self.hashes[:-1]).tolist() if len(self) > 1 else ():
            for each in (row, row + 1):
                if each <= last:
                    continue
                last = each
                same = (self.key(each), float(self.since[each]), float(self.until[each]), int(self.source[each]))
                known = best.get(same)
                if known is not None and self.confidence[known] >= self.confidence[each]:
                    again[each] = True
                    continue
                if known is not None:
                    again[known] = True
                best[same] = each
        return again

    def without(self, rows: npt.NDArray[np.bool_]) -> Compiled:
        """The same but for some rows."""
        if not rows.any():
            return self
        left = ~rows
        return Compiled(
            self.blob, self.starts[left], self.ends[left], self.hashes[left], self.confidence[left], self.since[left],
            self.until[left], self.source[left], self.sources,
        )  # fmt: skip

    def counts(self) -> Counter[int]:
        """Keys by their first byte; a key that stands in several rows counts once."""
        first = np.ones(len(self), bool)
        if len(self) > 1:
            first[1:] = self.hashes[1:] != self.hashes[:-1]
        values, numbers = np.unique(self.kinds[first], return_counts=True)
        return Counter(dict(zip(values.tolist(), numbers.tolist(), strict=True)))

    def packed(self) -> list[bytes | memoryview]:
        """As parts of bytes, one behind the other, for `unpacked`."""
        header = msgspec.msgpack.encode(_Header(LAYOUT, len(self.blob), len(self), self.sources))
        columns = (self.starts, self.ends, self.hashes, self.since, self.until, self.source, self.confidence)
        parts = [np.ascontiguousarray(each).data.cast("B") for each in columns] if len(self) else []
        return [len(header).to_bytes(4, "little"), header, *parts, self.blob]

    @classmethod
    def unpacked(cls, raw: memoryview) -> Compiled:
        """What `packed` wrote. Raises ValueError or msgspec.DecodeError for anything else."""
        size = int.from_bytes(raw[:4], "little")
        header = msgspec.msgpack.decode(raw[4 : 4 + size], type=_Header)
        count, at = header.count, 4 + size
        if header.layout != LAYOUT or len(raw) != at + count * 43 + header.size or not header.sources:
            raise ValueError("not compiled indicators")
        columns: list[npt.NDArray[Any]] = []
        for kind in (np.int64, np.int64, np.uint64, np.float64, np.float64, np.uint16, np.uint8):
            width = np.dtype(kind).itemsize * count
            columns.append(np.frombuffer(raw[at : at + width], kind).copy())
            at += width
        starts, ends, hashes, since, until, source, confidence = columns
        blob = bytes(raw[at:])
        if count and (starts.min() < 0 or (ends <= starts).any() or ends.max() > len(blob)):
            raise ValueError("not compiled indicators")
        if count and (source.max() >= len(header.sources) or (hashes[1:] < hashes[:-1]).any()):
            raise ValueError("not compiled indicators")
        return cls(blob, starts, ends, hashes, confidence, since, until, source, header.sources)


def joined(parts: list[Compiled]) -> Compiled:
    """All of them as one."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Builder().finish()
    shift = np.cumsum([0, *(len(part.blob) for part in parts[:-1])])
    sources: dict[str, int] = {}
    for part in parts:
        for source in part.sources:
            sources.setdefault(source, len(sources))
    renumbered = [np.array([sources[each] for each in part.sources], np.int64)[part.source] for part in parts]
    hashes = np.concatenate([part.hashes for part in parts])
    order = np.argsort(hashes, kind="stable")
    return Compiled(
        b"".join(part.blob for part in parts),
        np.concatenate([part.starts + by for part, by in zip(parts, shift, strict=True)])[order],
        np.concatenate([part.ends + by for part, by in zip(parts, shift, strict=True)])[order],
        hashes[order],
        np.concatenate([part.confidence for part in parts])[order],
        np.concatenate([part.since for part in parts])[order],
        np.concatenate([part.until for part in parts])[order],
        np.concatenate(renumbered).astype(np.uint32)[order],
        list(sources),
    )
