"""Lines of a log, and what is done with a file of them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import zstandard
from tests.sources.live.taking import Service

Following = Callable[..., Service]
"""What the fixture `follow` is."""


def lines(first: int, last: int, width: int = 20) -> list[bytes]:
    return [b'{"event_type":"dns","n":%0*d}' % (width, number) for number in range(first, last + 1)]


def text(first: int, last: int, width: int = 20) -> bytes:
    return b"".join(line + b"\n" for line in lines(first, last, width))


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def put_away(log: Path, where: Path, packing: str) -> None:
    """As logrotate and zeekctl do: renamed or packed beside, and the old one removed."""
    if packing == "none":
        log.rename(where)
        return
    data = log.read_bytes()
    told = log.stat()
    packed = gzip.compress(data) if packing == "gzip" else zstandard.ZstdCompressor().compress(data)
    suffix = ".gz" if packing == "gzip" else ".zst"
    where.with_name(where.name + suffix).write_bytes(packed)
    os.utime(where.with_name(where.name + suffix), ns=(told.st_atime_ns, told.st_mtime_ns))
    log.unlink()
