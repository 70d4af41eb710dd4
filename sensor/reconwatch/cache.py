"""What was read and judged once, kept in the user's cache folder under a digest of all that it depends on.

Losing a file of the cache costs time and nothing else: one that is missing, cut off or foreign is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec

from reconwatch import __version__

Loaded = TypeVar("Loaded")

MOST_FILES = 24
"""Of each kind; the oldest go. A site is read anew each day, and each of its former texts has left a file."""
MOST_BYTES = 64_000_000
"""Of each kind, beside the newest."""


def cached(
    kind: str,
    content: Mapping[str, bytes],
    decode: Callable[[bytes], Loaded],
    encode: Callable[[Loaded], bytes | None],
    read: Callable[[], Loaded],
) -> Loaded:
    """What `read` returns, which depends on the content (name -> bytes) and on our code alone.

    What it raises is not kept, nor what `encode` returns None for.
    """
    file = _file(kind, content)
    if file is not None:
        with contextlib.suppress(OSError, ValueError, msgspec.DecodeError):
            return decode(ours(file))
    loaded = read()
    if file is not None and (raw := encode(loaded)) is not None:
        with contextlib.suppress(OSError):
            replace_whole(file, raw)
            _keep_newest(file.parent, kind)
    return loaded


def _file(kind: str, content: Mapping[str, bytes]) -> Path | None:
    """Where it lies: in a folder of the user's own, never in one that others can write to; None without a home."""
    home = folder()
    if home is None:
        return None
    digest = hashlib.sha256(f"{__version__}\0{code()}".encode())
    for name, part in content.items():
        digest.update(f"\0{name}\0{len(part)}\0".encode() + part)
    return home / f"{kind}-{digest.hexdigest()[:32]}.cache"


def folder() -> Path | None:
    """The user's own folder for what is kept between runs; None without a home."""
    home = os.environ.get("XDG_CACHE_HOME") or (os.environ["HOME"] + "/.cache" if os.environ.get("HOME") else None)
    return Path(home) / "reconwatch" if home else None


def ours(file: Path) -> bytes:
    """What we wrote. Another's is refused: root with a user's home must not take from it what a sieve is to do."""
    with file.open("rb") as stream:
        if os.fstat(stream.fileno()).st_uid != os.geteuid():
            raise PermissionError(f"{file} belongs to another user")
        return stream.read()


@lru_cache(maxsize=1)
def code() -> str:
    """All our modules as they lie on disk: between two releases the version stays and what they decide may not."""
    modules = (f"{where}/{name}" for where, _, names in os.walk(Path(__file__).parent) for name in names)
    return "\0".join(stamp(path) for path in sorted(modules) if path.endswith(".py"))


def stamp(path: str) -> str:
    """A file, its size and the time of its last change; of one that cannot be looked at the path alone."""
    with contextlib.suppress(OSError):
        status = os.stat(path)  # noqa: PTH116  # a hundred paths at every start
        return f"{path} {status.st_size} {status.st_mtime_ns}"
    return path


def replace_whole(path: Path, content: bytes) -> None:
    """Write whole or not at all: another process may read or write the same file now."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=path.name[: path.name.index("-") + 1], dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _keep_newest(where: Path, kind: str) -> None:
    """Forget the oldest files of a kind, among them what a killed process left half-written."""
    files = [(file, file.stat()) for file in where.glob(f"{kind}-*")]
    files.sort(key=lambda each: each[1].st_mtime_ns, reverse=True)
    total = 0
    for number, (file, status) in enumerate(files):
        total += status.st_size
        if number >= MOST_FILES or (number and total > MOST_BYTES):
            file.unlink(missing_ok=True)
