"""Cases again whenever a file of theirs changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from reconwatch.rules.cases import Case, Gathered, gather

INTERVAL = 0.5
"""Seconds between two looks: sooner than a person has gone from the editor to the terminal."""

Stamps = Mapping[Path, tuple[int, int] | None]
"""Time of change and size of each file; None for one that is not there."""


def rounds(
    paths: Sequence[Path], rules: Sequence[Path], sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[Gathered, list[Case]]]:
    """First all cases; then, without end, what is there after each change, and the cases that it concerns.

    A change of `rules` concerns all. Files that appear are noticed by their folders.
    """
    gathered = gather(paths)
    before = _stamps(gathered, paths, rules)
    yield gathered, list(gathered.cases)
    while True:
        sleep(INTERVAL)
        if (now := _stamps(gathered, paths, rules)) == before:
            continue
        changed = {path for path, stamp in now.items() if before.get(path) != stamp}
        known = {case.name for case in gathered.cases}
        gathered = gather(paths)
        before = _stamps(gathered, paths, rules)
        concerned = [
            case
            for case in gathered.cases
            if case.name not in known or changed & {*case.inputs()} or changed & {*rules}
        ]
        yield gathered, concerned


def _stamps(gathered: Gathered, paths: Sequence[Path], rules: Sequence[Path]) -> Stamps:
    inputs = {path for case in gathered.cases for path in case.inputs()}
    broken = {Path(problem.file) for problem in gathered.problems}
    folders = {path.parent for path in inputs | broken}
    return {path: _stamp(path) for path in inputs | broken | folders | {*paths, *rules}}


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
