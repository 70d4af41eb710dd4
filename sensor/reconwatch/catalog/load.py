"""Reads the catalog's files, strictly, and keeps what was read in a cache that its content invalidates."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reconwatch.cache import cached
from reconwatch.catalog import Catalog
from reconwatch.catalog.services import Blindspot, Service

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from reconwatch.catalog.world import Facts, World

BLINDSPOTS = "blindspots.yaml"
WORLD = ("actors.yaml", "paths.yaml", "registries.yaml", "scanners.yaml", "tools.yaml")

_SERVICES = msgspec.msgpack.Decoder(tuple[tuple[Service, ...], tuple[Blindspot, ...]])


def load(folder: Path | None = None) -> Catalog:
    """The services and blind spots of the catalog in `folder` (see `chosen`), else those that ship with this version.

    Raises:
        document.DocumentError: a file does not hold; every problem with its place and what to write instead.
    """
    content = dict(_texts(folder))

    def read() -> tuple[tuple[Service, ...], tuple[Blindspot, ...]]:
        from reconwatch.catalog.schema import read_blindspots, read_services  # pydantic: 150 ms that a cache saves

        texts = _decoded(content)
        blindspots = read_blindspots(BLINDSPOTS, texts.pop(BLINDSPOTS))
        return read_services(texts), blindspots

    return Catalog(*cached("services", content, _SERVICES.decode, msgspec.msgpack.encode, read))


def load_world(catalog: Catalog, folder: Path | None = None) -> World:
    """The scanners, tools, actors, registries and paths beside the services; their services are the catalog's.

    Raises:
        document.DocumentError: as `load`.
    """
    from reconwatch.catalog.world import World, decode, encode

    root = _root(folder)
    content = {name: (root / name).read_bytes() for name in WORLD}

    def read() -> Facts:
        from reconwatch.catalog.world_schema import read_world

        return read_world(_decoded(content), catalog.services)

    return World(cached("world", content, decode, encode, read))


def home() -> Path | None:
    """Where a site's own, updated catalog lives; None without a home."""
    data = os.environ.get("XDG_DATA_HOME") or (os.environ["HOME"] + "/.local/share" if os.environ.get("HOME") else None)
    return Path(data) / "reconwatch" / "catalog" if data else None


def chosen(folder: Path | None = None) -> Path | None:
    """The folder to `load`: the one that was named, else the updated one at `home`, else None: what ships.

    An updated catalog that is older than what ships, or lacks a file of it, is passed over: the package was renewed
    since.

    Raises:
        document.DocumentError: others could write to it: a catalog decides whom we notice.
        OSError: a folder that was named cannot be read.
    """
    found = folder or home()
    if found is None or (folder is None and not found.is_dir()):
        return None
    beside, found = found.absolute().parent, found.resolve(strict=True)
    _trust({beside, found.parent}, found)
    if folder is None and not all((found / name).is_file() for name in (BLINDSPOTS, *WORLD)):
        return None
    if folder is None and newest(dict(_texts(found)).values()) < newest(dict(_texts(None)).values()):
        return None
    return found


_AS_OF = re.compile(rb"^as_of: ([0-9]{4}-[0-9]{2}-[0-9]{2})", re.MULTILINE)


def newest(texts: Iterable[bytes]) -> bytes:
    """The latest `as_of` of the files, as it is written there; read without YAML, which would take 500 ms."""
    return max((found[1] for text in texts if (found := _AS_OF.search(text))), default=b"")


def as_of(folder: Path | None = None) -> str:
    """The latest day for which something in a catalog was said to hold, as 2026-11-24; empty if nothing says so."""
    return newest(dict(_texts(folder)).values()).decode()


def _trust(around: set[Path], folder: Path) -> None:
    """Refuse a catalog that others than its owner (we or root) could change, or replace in the folders around it."""
    from reconwatch.document import DocumentError, Problem

    problems = []
    for path in (*around, folder, *sorted(folder.rglob("*"))):
        status = path.lstat()
        # Below a sticky folder (/tmp) nobody can replace what is another's.
        shared = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
        if shared and not stat.S_ISLNK(status.st_mode):
            problems.append(Problem(str(path), None, "everybody can write to it", "chmod o-w"))
        elif path not in around and status.st_uid not in (0, os.geteuid()):
            problems.append(Problem(str(path), None, "belongs to another user", "chown"))
    if problems:
        raise DocumentError(problems)


def _decoded(content: dict[str, bytes]) -> dict[str, str]:
    return {name: text.decode() for name, text in content.items()}


def _root(folder: Path | None) -> Traversable:
    """Where the files lie; a link is followed once, so that an update meanwhile does not mix two sets."""
    return folder.resolve() if folder is not None else files("reconwatch.catalog")


def _texts(folder: Path | None) -> Iterator[tuple[str, bytes]]:
    catalog = _root(folder)
    yield BLINDSPOTS, (catalog / BLINDSPOTS).read_bytes()
    for item in sorted((catalog / "services").iterdir(), key=lambda item: item.name):
        if item.name.endswith(".yaml"):
            yield item.name, item.read_bytes()
