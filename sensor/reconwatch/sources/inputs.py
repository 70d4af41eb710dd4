"""The inputs of a run: files, folders and streams, each with its account, in the order in which to read them."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from reconwatch.account import Account, Warn
from reconwatch.events import AnyEvent
from reconwatch.interest import Lookout
from reconwatch.sources.dialect import LAST
from reconwatch.sources.lines import WHOLE_EVERY
from reconwatch.sources.opener import UNKNOWN, open_source, reading_order, stream_order

LOOKED_AT = 64
"""Inputs of a run whose first block is looked at whole for damaged lines: of more, it is every 64th one's."""

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

    An input that cannot be opened, or fails while it is read, ends alone. Folders are searched at any depth for regular
    files; one whose content is something else is passed over in silence (`Account.passed_over`), but a file that was
    named is a failure then.
    """
    found: list[_Found] = []
    for origin in origins:
        if not isinstance(origin, Path) or (not origin.is_dir() and _is_special(origin)):
            found.append(_streamed(origin))
        elif origin.is_dir():
            found += [_Found(reading_order(path), str(path), path, True) for path in _files(origin, shared, accounts)]
        else:
            found.append(_Found(reading_order(origin), str(origin), origin))
    distinct = {each.name: each for each in reversed(found)}.values()
    for number, each in enumerate(sorted(distinct, key=lambda each: (each.order, each.name))):
        warn = _quiet_about_others(shared.warn) if each.sought else shared.warn
        account = Account(each.name, warn, phase=number % WHOLE_EVERY if number >= LOOKED_AT else 0)
        yield from _read(each.origin, account, number, shared, accounts)
        account.passed_over = each.sought and account.skipped.keys() == {UNKNOWN}


@dataclass(frozen=True)
class _Found:
    order: tuple[int, float]
    name: str
    origin: Path | BinaryIO
    sought: bool = False
    """Found in a folder, not named."""


def _is_special(path: Path) -> bool:
    """A pipe or device: what is read from it is gone, so it cannot be looked into beforehand and read again."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _streamed(origin: Path | BinaryIO) -> _Found:
    name = str(origin) if isinstance(origin, Path) else "-"
    try:
        stream = origin.open("rb", buffering=0) if isinstance(origin, Path) else origin
        order, stream = stream_order(stream)
    except OSError:
        return _Found(LAST, name, origin)
    return _Found(order, name, stream)


def _files(origin: Path, shared: Inputs, accounts: list[Account]) -> Iterator[Path]:
    """The regular files of a folder; a pipe among them would be waited for, for ever."""

    def refused(error: OSError) -> None:
        account = Account(str(error.filename), shared.warn)
        account.fail(f"cannot be listed: {(error.strerror or str(error)).lower()}")
        accounts.append(account)

    for folder, folders, files in os.walk(origin, onerror=refused):
        folders.sort()
        yield from (path for name in sorted(files) if not _is_special(path := Path(folder, name)))


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
