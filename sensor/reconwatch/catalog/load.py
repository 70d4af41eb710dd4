"""Reads the catalog's files, strictly, and keeps what was read in a cache that its content invalidates."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import msgspec

from reconwatch import __version__
from reconwatch.catalog import Catalog
from reconwatch.catalog.services import Blindspot, Service

BLINDSPOTS = "blindspots.yaml"

_DECODER = msgspec.msgpack.Decoder(tuple[tuple[Service, ...], tuple[Blindspot, ...]])


def load() -> Catalog:
    """The catalog that ships with this version.

    Raises:
        document.DocumentError: a file does not hold; every problem with its place and what to write instead.
    """
    texts = dict(_texts())
    digest = hashlib.sha256(__version__.encode())
    for name, text in texts.items():
        digest.update(f"\0{name}\0".encode() + text)
    cache = _cache(f"catalog-{digest.hexdigest()[:32]}.msgpack")
    if cache is not None:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return Catalog(*_DECODER.decode(cache.read_bytes()))
    from reconwatch.catalog.schema import read_blindspots, read_services  # pydantic: 150 ms that a warm cache saves

    blindspots = read_blindspots(BLINDSPOTS, texts.pop(BLINDSPOTS).decode())
    services = read_services({name: text.decode() for name, text in texts.items()})
    if cache is not None:
        with contextlib.suppress(OSError):
            _replace(cache, msgspec.msgpack.encode((services, blindspots)))
    return Catalog(services, blindspots)


def _texts() -> Iterator[tuple[str, bytes]]:
    catalog = files("reconwatch.catalog")
    yield BLINDSPOTS, (catalog / BLINDSPOTS).read_bytes()
    folder = catalog / "services"
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.name.endswith(".yaml"):
            yield item.name, item.read_bytes()


def _cache(name: str) -> Path | None:
    """Where a cache file may lie: in a folder of the user's own, never in one that others can write to."""
    home = os.environ.get("XDG_CACHE_HOME") or (os.environ["HOME"] + "/.cache" if os.environ.get("HOME") else None)
    return Path(home) / "reconwatch" / name if home else None


def _replace(path: Path, content: bytes) -> None:
    """Write whole or not at all: another process may read or write the same file now."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
