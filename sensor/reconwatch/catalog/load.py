"""Reads the catalog's files, strictly, and keeps what was read in a cache that its content invalidates."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from reconwatch import __version__
from reconwatch.catalog import Catalog
from reconwatch.catalog.services import Blindspot, Service

if TYPE_CHECKING:
    from reconwatch.catalog.world import Facts, World

BLINDSPOTS = "blindspots.yaml"
WORLD = ("actors.yaml", "registries.yaml", "scanners.yaml", "tools.yaml")

Loaded = TypeVar("Loaded")

_SERVICES = msgspec.msgpack.Decoder(tuple[tuple[Service, ...], tuple[Blindspot, ...]])


def load() -> Catalog:
    """The services and blind spots that ship with this version.

    Raises:
        document.DocumentError: a file does not hold; every problem with its place and what to write instead.
    """

    def read(texts: dict[str, str]) -> tuple[tuple[Service, ...], tuple[Blindspot, ...]]:
        from reconwatch.catalog.schema import read_blindspots, read_services  # pydantic: 150 ms that a cache saves

        blindspots = read_blindspots(BLINDSPOTS, texts.pop(BLINDSPOTS))
        return read_services(texts), blindspots

    return Catalog(*_cached("services", dict(_texts()), _SERVICES.decode, msgspec.msgpack.encode, read))


def load_world(catalog: Catalog) -> World:
    """The scanners, tools, actors and registries that ship with this version; their services are the catalog's.

    Raises:
        document.DocumentError: as `load`.
    """
    from reconwatch.catalog.world import World, decode, encode

    def read(texts: dict[str, str]) -> Facts:
        from reconwatch.catalog.world_schema import read_world

        return read_world(texts, catalog.services)

    folder = files("reconwatch.catalog")
    return World(_cached("world", {name: (folder / name).read_bytes() for name in WORLD}, decode, encode, read))


def _cached(
    kind: str,
    texts: dict[str, bytes],
    decode: Callable[[bytes], Loaded],
    encode: Callable[[Loaded], bytes],
    read: Callable[[dict[str, str]], Loaded],
) -> Loaded:
    """What `read` makes of the texts (name -> content), kept in a file that is named by their digest."""
    digest = hashlib.sha256(__version__.encode())
    for name, text in texts.items():
        digest.update(f"\0{name}\0".encode() + text)
    cache = _cache(f"{kind}-{digest.hexdigest()[:32]}.msgpack")
    if cache is not None:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return decode(cache.read_bytes())
    loaded = read({name: text.decode() for name, text in texts.items()})
    if cache is not None:
        with contextlib.suppress(OSError):
            _replace(cache, encode(loaded))
    return loaded


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
