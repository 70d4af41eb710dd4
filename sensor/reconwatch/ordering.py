"""Puts a run's items in order of time without holding them all in memory."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, Generic, Self, TypeVar

import msgspec

Item = TypeVar("Item", bound=msgspec.Struct)

RUN_LENGTH = 50_000
"""Items sorted in memory at once: about 40 MB of events, and 200 runs for ten million."""


class Sorter(Generic[Item]):
    """Collects items in any order, then yields them sorted by `key`; equal keys keep the order of arrival.

    Beyond `RUN_LENGTH` items, sorted runs go to unnamed temporary files (readable by nobody else, gone with the
    process). `kind` is the type to decode them by.
    """

    def __init__(self, kind: object, key: Callable[[Item], object], run_length: int = RUN_LENGTH) -> None:
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._encoder = msgspec.msgpack.Encoder()
        self._key = key
        self._run_length = run_length
        self._items: list[Item] = []
        self._runs: list[BinaryIO] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, item: Item) -> None:
        """Take one item."""
        self._items.append(item)
        if len(self._items) >= self._run_length:
            self._spill()

    def __iter__(self) -> Iterator[Item]:
        self._items.sort(key=self._key)  # type: ignore[arg-type]  # any mutually comparable keys
        if not self._runs:
            return iter(self._items)
        return heapq.merge(*(self._read(run) for run in self._runs), self._items, key=self._key)  # type: ignore[arg-type]

    def _spill(self) -> None:
        self._items.sort(key=self._key)  # type: ignore[arg-type]
        run: BinaryIO = tempfile.TemporaryFile(prefix="reconwatch-")  # noqa: SIM115  lives as long as the sorter
        for item in self._items:
            packed = self._encoder.encode(item)
            run.write(len(packed).to_bytes(4, "little") + packed)
        self._items = []
        self._runs.append(run)

    def _read(self, run: BinaryIO) -> Iterator[Item]:
        run.seek(0)
        while head := run.read(4):
            yield self._decoder.decode(run.read(int.from_bytes(head, "little")))

    def close(self) -> None:
        """Give the temporary files back."""
        for run in self._runs:
            run.close()
        self._runs = []
