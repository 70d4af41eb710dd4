"""The inputs of a run: files, folders and streams, each with its account, in the order in which to read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from reconwatch.account import Account, Warn
from reconwatch.events import AnyEvent
from reconwatch.interest import Learned, Lookout
from reconwatch.passing import Doors
from reconwatch.sources.dialect import LAST
from reconwatch.sources.hindsight import Again, Judge, Outcome
from reconwatch.sources.lines import WHOLE_EVERY
from reconwatch.sources.opener import UNKNOWN, looked_into, stream_order
from reconwatch.sources.rotation import Capture, rotations
from reconwatch.sources.textlog.declared import Declared, declared_for
from reconwatch.sources.units import Part, Reader, Task, Unit

WORTH_WORKERS = 64_000_000
"""Bytes of input from which worker processes are worth it: each costs about 0.1 s to begin, in which 15 MB of a capture
or 100 MB of a log are read."""

LOOKED_AT = 64
"""Inputs of a run whose first block is looked at whole for damaged lines: of more, it is every 64th one's."""


@dataclass(frozen=True)
class Inputs:
    """What all inputs of a run share."""

    lookout: Lookout
    funnel: bool
    warn: Warn
    progress: Callable[[int], None]
    jobs: int = 1
    """Processes that read at the same time. What is told does not depend on it."""
    worth_workers: int = WORTH_WORKERS
    declared: tuple[Declared, ...] = ()
    """What the owners of text logs say of them."""
    doors: Doors | None = None
    """See `Lookout.doors`."""


def read_inputs(
    origins: Iterable[Path | BinaryIO], shared: Inputs, accounts: list[Account]
) -> Generator[AnyEvent, None, None]:
    """The events of all inputs, one input after the other; each one's account is added to `accounts`.

    An input that cannot be opened, or fails while it is read, ends alone. Folders are searched at any depth for regular
    files; one whose content is something else is passed over in silence (`Account.passed_over`), but a file that was
    named is a failure then.

    Inputs are read by rank (`names_first`), each with what those of lower rank have taught about addresses. Those of
    one rank do not wait for each other: what one of them teaches about addresses that another one met is applied in a
    second reading of that one (`Hindsight`), so nothing depends on which was read first. Only what is read from a pipe
    cannot be read again; it is read behind the others of its rank.
    """
    found = _found(origins, shared, accounts)
    warned: set[str] = set()

    def warn_once(line: str) -> None:  # what is said of no place is true of all inputs
        if line not in warned:
            warned.add(line)
            shared.warn(line)

    books: dict[int, Account] = {}
    for number, each in enumerate(found):
        warn = _quiet_about_others(warn_once) if each.sought else warn_once
        books[number] = Account(each.name, warn, phase=number % WHOLE_EVERY if number >= LOOKED_AT else 0)
    accounts.extend(books.values())
    ranks = _by_rank(found)
    with ExitStack() as stack:
        reader = partial(Reader, shared.lookout, shared.funnel)
        alone = reader(shared.progress, shared.doors).alone
        together: _Read = alone
        count = min(shared.jobs, max((len(rank) for rank in ranks[:-1]), default=0))
        if count > 1 and sum(unit.size for rank in ranks for unit in rank) >= shared.worth_workers:
            from reconwatch.sources.workers import Crew  # here: most runs need none

            crew = Crew(count, reader, shared.progress)
            stack.callback(crew.close)
            together = crew.read
        yield from _read_ranks(ranks, together, alone, books)
    for number, each in enumerate(found):
        books[number].passed_over = each.sought and books[number].skipped.keys() == {UNKNOWN}


_Read = Callable[[Sequence[Task], Mapping[int, Account]], Generator[AnyEvent, None, list[Outcome]]]


def _read_ranks(
    ranks: Sequence[Sequence[Unit]], together: _Read, alone: _Read, accounts: Mapping[int, Account]
) -> Iterator[AnyEvent]:
    learned = Learned()
    read: list[tuple[Task, Outcome, frozenset[str]]] = []
    noting = any(len(units) > 1 for units in ranks[:-1])
    for units in ranks[:-1]:
        tasks = [Task(unit, learned, noting) for unit in units if unit.is_repeatable]
        outcomes = yield from together(tasks, accounts)
        for unit in units:
            if not unit.is_repeatable:
                known = learned.joined(outcome.learned for outcome in outcomes)
                tasks.append(Task(unit, known, noting))
                outcomes += yield from alone(tasks[-1:], accounts)
        lessons = [outcome.learned for outcome in outcomes]
        read += zip(tasks, outcomes, learned.foreign(lessons), strict=True)
        learned = learned.joined(lessons)
    judge = Judge([(outcome, more) for _, outcome, more in read])
    again = [
        replace(task, again=Again(outcome.learned, more))
        for task, outcome, more in read
        if task.unit.is_repeatable and judge.is_concerned(outcome, more)
    ]
    yield from together(again, accounts)
    yield from alone([Task(unit) for unit in ranks[-1]], accounts)


@dataclass(frozen=True)
class _Found:
    order: tuple[int, float]
    name: str
    origin: Path | BinaryIO
    sought: bool = False
    """Found in a folder, not named."""
    kind: str = ""
    """Of a capture: see `Capture.kind`."""
    declared: Declared | None = None


def _found(origins: Iterable[Path | BinaryIO], shared: Inputs, accounts: list[Account]) -> list[_Found]:
    """All inputs, each once, in the order in which they are read."""
    found: list[_Found] = []
    for origin in origins:
        if not isinstance(origin, Path) or (not origin.is_dir() and _is_special(origin)):
            found.append(_streamed(origin, shared))
        elif origin.is_dir():
            found += [_looked_into(path, shared, sought=True) for path in _files(origin, shared, accounts)]
        else:
            found.append(_looked_into(origin, shared))
    distinct = {each.name: each for each in reversed(found)}.values()
    return sorted(distinct, key=lambda each: (each.order, each.name))


def _looked_into(path: Path, shared: Inputs, *, sought: bool = False) -> _Found:
    declared = declared_for(str(path), shared.declared)
    order, kind = looked_into(path, declared)
    return _Found(order, str(path), path, sought, kind, declared)


def _by_rank(found: Sequence[_Found]) -> list[list[Unit]]:
    """The units by rank, in the order of their first inputs; the last are those that are nothing we read."""
    captures = [
        Capture(each.origin, each.order[1], each.kind) for each in found if isinstance(each.origin, Path) and each.kind
    ]
    first_of = {each.path: rotation[0].path for rotation in rotations(captures) for each in rotation}
    parts: dict[object, list[Part]] = {}
    ranks: dict[object, int] = {}
    for number, each in enumerate(found):
        key: object = first_of.get(each.origin, each.origin) if isinstance(each.origin, Path) else number
        parts.setdefault(key, []).append(Part(number, each.name, each.origin, each.order[1], each.declared))
        ranks[key] = each.order[0]
    by_rank: list[list[Unit]] = [[] for _ in range(LAST[0] + 1)]
    for key, members in parts.items():
        by_rank[ranks[key]].append(Unit(tuple(members), sum(_size(part.origin) for part in members)))
    return by_rank


def _size(origin: Path | BinaryIO) -> int:
    try:
        return origin.stat().st_size if isinstance(origin, Path) else 0
    except OSError:
        return 0


def _is_special(path: Path) -> bool:
    """A pipe or device: what is read from it is gone, so it cannot be looked into beforehand and read again."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _streamed(origin: Path | BinaryIO, shared: Inputs) -> _Found:
    name = str(origin) if isinstance(origin, Path) else "-"
    declared = declared_for(name, shared.declared)
    try:
        stream = origin.open("rb", buffering=0) if isinstance(origin, Path) else origin
        order, stream = stream_order(stream, declared)
    except OSError:
        return _Found(LAST, name, origin)
    return _Found(order, name, stream, declared=declared)


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
