"""A Redis of a test's own, on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.sources.textlog.servers import free_port, program, running


@contextlib.contextmanager
def serving(folder: Path, port: int, *options: str) -> Iterator[None]:
    """A Redis at a port, which persists each command, from when it listens."""
    command = [
        program("redis-server", "/usr/bin"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
        "--appendonly", "yes", "--appendfsync", "always", "--save", "", *options,
    ]  # fmt: skip
    with running(command, port, folder=folder):
        yield


__all__ = ["free_port", "serving"]
