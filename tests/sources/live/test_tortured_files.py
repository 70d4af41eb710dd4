"""A writer that appends, rotates, packs, moves and cuts at random, and a reader killed at random: each line once.

What is asserted is the bytes of all chunks by stream and offset, as they would be in the store.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sources.live.taking import Clock, Service

from reconwatch.sources.live.files import GRACE, LONGEST_AWAY, FilesFeed
from reconwatch.sources.live.places import archive_of


class Writer:
    """Suricata with logrotate: one open file, which goes on being written under any name until it is reopened."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "logs" / "eve.json"
        self.old = folder / "old"
        self.log.parent.mkdir()
        self.old.mkdir()
        self.written: list[bytes] = []
        self._rotations = 0
        self._half = b""
        self._closed: list[Path] = []
        self._kept: list[BinaryIO] = []
        self._open_under: Path = self.log
        self._file = self.log.open("ab", buffering=0)

    def append(self, count: int) -> None:
        """Some lines, and half of another."""
        self._end_line()
        for _ in range(count):
            line = b'{"event_type":"dns","number":%d,"pad":"%s"}' % (
                len(self.written),
                b"x" * (len(self.written) * 37 % 400),
            )
            self.written.append(line)
            self._file.write(line + b"\n")
        half = b'{"event_type":"tls","number":%d}' % len(self.written)
        self.written.append(half)
        self._file.write(half[:9])
        self._half = half[9:] + b"\n"

    def _end_line(self) -> None:
        self._file.write(self._half)
        self._half = b""

    def rename(self, _count: int) -> None:
        """The first half of a rotation: the writer does not know."""
        if self._open_under == self.log:
            self._rotations += 1
            self._open_under = self.log.with_name(f"eve.json.{self._rotations}")
            self.log.rename(self._open_under)

    def reopen(self, _count: int) -> None:
        """The second: the writer ends its line in the old file, and opens a new one."""
        if self._open_under != self.log:
            self._end_line()
            self._file.close()
            self._closed.append(self._open_under)
            self._file = self.log.open("ab", buffering=0)
            self._open_under = self.log

    def pack(self, count: int) -> None:
        """Of a rotated file a packed one is made, beside it or in the archive, and it is removed."""
        plain = [path for path in self._closed if path.suffix not in (".gz", ".zst")]
        if not plain:
            return
        path = plain[count % len(plain)]
        suffix = (".gz", ".zst")[count % 2]
        packed = (self.old if count % 3 else path.parent) / (path.name + suffix)
        data = path.read_bytes()
        packed.write_bytes(gzip.compress(data) if suffix == ".gz" else zstandard.ZstdCompressor().compress(data))
        path.unlink()
        self._closed[self._closed.index(path)] = packed

    def move(self, count: int) -> None:
        """A rotated file goes to the archive, perhaps over a border of file systems: a copy with its times."""
        here = [path for path in self._closed if path.parent != self.old]
        if not here:
            return
        path = here[count % len(here)]
        target = self.old / path.name
        if count % 2:
            path.rename(target)
        else:
            shutil.copy2(path, target)
            self._kept.append(path.open("rb"))  # so that no new file gets its inode, as between two file systems
            path.unlink()
        self._closed[self._closed.index(path)] = target

    def copytruncate(self, count: int) -> None:
        """As logrotate does where a writer cannot be told; what comes between the copy and the cut is lost."""
        self._end_line()
        self._rotations += 1
        copy = self.log.with_name(f"eve.json.{self._rotations}")
        shutil.copy(self.log, copy)
        self._closed.append(copy)
        if count % 2:
            self.append(count)
            self._end_line()
        os.truncate(self.log, 0)

    def end(self) -> None:
        self._end_line()
        for file in (self._file, *self._kept):
            file.close()

    def survivors(self) -> Iterator[bytes]:
        for path in (self.log, *self._closed):
            if path.exists():
                data = path.read_bytes()
                match path.suffix:
                    case ".gz":
                        data = gzip.decompress(data)
                    case ".zst":
                        data = zstandard.ZstdDecompressor().decompress(data, max_output_size=1 << 24)
                yield from data.splitlines()


@contextmanager
def tortured() -> Iterator[tuple[Writer, Service]]:
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder))
        clock = Clock()
        live = str(writer.log)

        def make() -> FilesFeed:
            return FilesFeed("eve", [live], [*archive_of(live), *archive_of(live, f"{writer.old}/")], "start", clock)

        service = Service(make, clock)
        service.keeps()
        yield writer, service
        service.killed()


ROTATING = ("append", "append", "rename", "reopen", "pack", "move")
CUTTING = ("append", "append", "copytruncate", "pack")
READING = ("take", "take", "time", "long", "mark", "restart", "down", "up")


def play(writer: Writer, service: Service, doings: list[tuple[str, int]]) -> None:
    down = False
    for what, count in doings:
        match what:
            case "down" if not down:
                service.killed()
                down = True
            case "up" if down:
                service.starts()
                down = False
            case "restart" if not down:
                service.restarts()
            case "mark" if not down:
                service.keeps()
            case "take" if not down:
                for _ in range(count % 7):
                    service.step(room=(100, 1000, 70_000)[count % 3])
            case "time" | "long":
                service.clock.passes(count / 4 if what == "time" else 3 * GRACE)
            case _ if hasattr(writer, what):
                getattr(writer, what)(count)
    if down:
        service.starts()
    writer.end()
    service.takes(3 * GRACE)
    service.takes(LONGEST_AWAY + 2 * GRACE, step=30)


def doings(writing: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(st.sampled_from(writing + READING), st.integers(0, 30)), max_size=60)


@given(doings(ROTATING))
@settings(max_examples=150)
def test_every_line_of_a_log_that_is_rotated_packed_and_moved_is_read_once(doings: list[tuple[str, int]]) -> None:
    with tortured() as (writer, service):
        play(writer, service, doings)
        assert Counter(service.lines) == Counter(writer.written)
        assert service.gaps == []
        assert service.told == []
        service.keeps()
        service.restarts()
        assert service.takes(3 * GRACE) == []


@given(doings(CUTTING))
@settings(max_examples=150)
def test_every_line_that_survives_a_cut_in_place_is_read_once(doings: list[tuple[str, int]]) -> None:
    with tortured() as (writer, service):
        play(writer, service, doings)
        read = Counter(service.lines)
        assert max(read.values(), default=1) == 1
        assert set(writer.survivors()) <= set(read) <= set(writer.written)
