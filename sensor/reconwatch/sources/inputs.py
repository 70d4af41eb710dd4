"""The inputs of a run: files, folders and streams, each with its account, in the order in which to read them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from reconwatch.account import Account, Warn
from reconwatch.events import AnyEvent
from reconwatch.interest import Lookout
from reconwatch.sources.opener import UNKNOWN, open_source, reading_order

LATEST = 253_402_300_799.0
"""9999-12-31T23:59:59Z: no calendar writes what a damaged or hostile record stamps beyond it."""


@dataclass(frozen=True)
class Inputs:
    """What all inputs of a run share."""

    lookout: Lookout
    funnel: bool
    warn: Warn
    progress: Callable[[int], None]


def read_inputs(origins: Iterable[Path | BinaryIO], shared: Inputs, accounts: list[Account]) -> Iterator[AnyEvent]:
    """The events of all inputs, one input after the other; each one's account is added to `accounts`.

    An input that cannot be opened, or fails while it is read, ends alone. Folders are searched at any depth; a file
    in them whose content is something else is passed over in silence (`Account.passed_over`), but one that was named
    is a failure.
    """
    streams = [origin for origin in origins if not isinstance(origin, Path)]
    for number, stream in enumerate(streams):
        yield from _read(stream, Account("-", shared.warn), number, shared, accounts)
    found = {
        path: sought
        for origin in origins
        if isinstance(origin, Path)
        for path, sought in _files(origin, shared.warn, accounts)
    }
    ordered = sorted(found, key=lambda path: (reading_order(path), path))
    for number, path in enumerate(ordered, len(streams)):
        account = Account(str(path), _quiet_about_others(shared.warn) if found[path] else shared.warn)
        yield from _read(path, account, number, shared, accounts)
        account.passed_over = found[path] and account.skipped.keys() == {UNKNOWN}


def _files(origin: Path, warn: Warn, accounts: list[Account]) -> Iterator[tuple[Path, bool]]:
    """(file, whether it was found in a folder rather than named)."""
    if not origin.is_dir():
        yield origin, False
        return

    def refused(error: OSError) -> None:
        account = Account(str(error.filename), warn)
        account.fail(f"cannot be listed: {(error.strerror or str(error)).lower()}")
        accounts.append(account)

    for folder, folders, files in os.walk(origin, onerror=refused):
        folders.sort()
        yield from ((Path(folder, name), True) for name in sorted(files))


def _quiet_about_others(warn: Warn) -> Warn:
    return lambda line: None if UNKNOWN in line else warn(line)


def _read(
    origin: Path | BinaryIO, account: Account, number: int, shared: Inputs, accounts: list[Account]
) -> Iterator[AnyEvent]:
    accounts.append(account)
    try:
        raw = origin.open("rb", buffering=0) if isinstance(origin, Path) else origin
    except OSError as error:
        account.fail(f"cannot be opened: {(error.strerror or str(error)).lower()}")
        return
    metered = cast(BinaryIO, _Metered(raw, shared.progress))
    source = open_source(metered, shared.lookout, account, number, shared.funnel)
    if source is None:
        return
    try:
        for event in source:
            if 0 <= event.ts <= LATEST:
                yield event
            else:
                account.skip("a time outside the years 1970 to 9999", f"a {event.kind} event of {event.client}")
    except OSError as error:
        account.skip(f"cannot be read further: {error.strerror or error}", f"byte {source.position}")
    finally:
        source.close()


class _Metered(io.RawIOBase):
    """A stream that tells how much of it was read."""

    def __init__(self, raw: BinaryIO, tell: Callable[[int], None]) -> None:
        self._raw = raw
        self._tell = tell

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        count = self._raw.readinto(buffer)  # type: ignore[attr-defined]  # raw and buffered streams have it
        self._tell(count or 0)
        return count or 0

    def seekable(self) -> bool:
        return self._raw.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def close(self) -> None:
        self._raw.close()
        super().close()
