"""Captures that follow each other: one interface's packets, in files that were begun anew now and then."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

SHORTEST = 1.0
"""Seconds: nobody begins a new file more often, so captures begun closer together come from several interfaces."""
OVERLAP = 2.0
"""Seconds by which a file may begin before its predecessor ends: writers put few packets out of order, and the
beginning of a file is known to the second only."""
GAP = 60.0
"""Seconds of silence behind which nothing of what is still awaited would come."""

_DIGITS = re.compile(r"\d+")
_UNNUMBERED = re.compile(r"#(?=(?:\.(?:gz|zst))?$)")


class Capture(NamedTuple):
    """What is known of a capture before it is read."""

    path: Path
    begins: float
    """Epoch seconds of the first packet; infinite if there is none."""
    kind: str
    """Container and link type, which the files of a rotation share."""


def rotations(captures: Iterable[Capture]) -> list[list[Capture]]:
    """The captures as they follow each other, those that follow none alone.

    Of a rotation are files of one folder and kind whose names differ in digits only (a counter, a time stamp; tcpdump
    numbers from the second file on), begun one after the other. Whether each goes on where the last one ended is told
    only by reading them: see `goes_on`.
    """
    alike: dict[tuple[Path, str, str], list[Capture]] = {}
    for capture in captures:
        pattern = _UNNUMBERED.sub("", _DIGITS.sub("#", capture.path.name))
        alike.setdefault((capture.path.parent, pattern, capture.kind), []).append(capture)
    return [rotation for group in alike.values() for rotation in _apart(group, 0)]


def goes_on(last: float, begins: float) -> bool:
    """Whether a file that begins at `begins` goes on where one ended whose last packet came at `last`."""
    return last - OVERLAP <= begins <= last + GAP


def _apart(group: list[Capture], number: int) -> list[list[Capture]]:
    """Split by the `number`-th number in their names, and so on, what was not begun one after the other."""
    group = sorted(group, key=lambda capture: (capture.begins, capture.path))
    if all(later.begins - earlier.begins >= SHORTEST for earlier, later in pairwise(group)):
        return [group]
    numbers = [_DIGITS.findall(capture.path.name) for capture in group]
    if number >= max(map(len, numbers)):
        return [[capture] for capture in group]
    parts: dict[str, list[Capture]] = {}
    for capture, found in zip(group, numbers, strict=True):
        parts.setdefault(found[number] if number < len(found) else "", []).append(capture)
    return [rotation for part in parts.values() for rotation in _apart(part, number + 1)]
