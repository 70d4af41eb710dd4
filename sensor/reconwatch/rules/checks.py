"""The closed set of checks that a suricata-verify case can make of an engine's output, as its runner means them.

Learnt from suricata-verify's run.py. A value is named by a path of dots and indices (`dns.queries[0].rrname`), and a
last part that starts with two underscores says how it is compared. Two traits of that runner are kept because cases
rely on them: keys of a filter are tried in their order and the first that does not hold ends it, so that a later key
may suppose what an earlier one said; and a comparison that makes no sense (`__find` in a number) fails the case.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

_INDEXED = re.compile(r"(.*)\[(\d+)\]", re.DOTALL)

_NUMERIC: Mapping[str, Callable[[Any, Any], bool]] = {
    "__gt": operator.gt,
    "__gte": operator.ge,
    "__lt": operator.lt,
    "__lte": operator.le,
}
_TEXTUAL: Mapping[str, Callable[[str, str], bool]] = {
    "__find": lambda value, wanted: wanted in value,
    "__startswith": lambda value, wanted: value.startswith(wanted),
    "__endswith": lambda value, wanted: value.endswith(wanted),
}
_LENGTH = "__len"
_CONTAINS = "__contains"
COMPARISONS = (*_NUMERIC, *_TEXTUAL, _CONTAINS)
"""Last parts of a path that stand for no key."""


class CheckError(Exception):
    """A check that cannot be made: its file is missing or damaged, or it compares what cannot be compared."""


def value_at(path: str, found: Any) -> Any:
    """The part of an event that a path names; None if it is not there, or is null.

    `a.__len` is the number of items or characters, -1 of what has none; a comparison at the end is left out.
    Raises CheckError for a path that goes into a number, a null, or the middle of a text or list.
    """
    for part in path.split("."):
        if part == _LENGTH:
            return len(found) if isinstance(found, str | list | dict) else -1
        if part in COMPARISONS:
            return found
        indexed = _INDEXED.fullmatch(part)
        name = indexed[1] if indexed else part
        match found:
            case dict():
                if name not in found:
                    return None
                found = found[name]
            case str() | list() if name not in found:
                return None
            case _:
                raise CheckError(f"'{path}': there is no '{name}' in {_kind(found)}")
        if indexed:
            found = _item(found, int(indexed[2]))
            if found is None:
                return None
    return found


def _item(found: Any, index: int) -> Any:
    return found[index] if isinstance(found, list | str) and index < len(found) else None


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "an object")


def holds(path: str, wanted: Any, found: Any) -> bool:
    """Whether the value at `path` of `found` is as wanted. Raises CheckError as `value_at`, or if it cannot be told."""
    value = value_at(path, found)
    last = path.rpartition(".")[2]
    if (compare := _NUMERIC.get(last)) is not None:
        return _is_number(value) and _is_number(wanted) and compare(value, wanted)
    if (search := _TEXTUAL.get(last)) is not None:
        if not isinstance(value, str) or not isinstance(wanted, str):
            raise CheckError(f"'{path}': {_kind(wanted)} cannot be looked for in {_kind(value)}")
        return search(value, wanted)
    if last == _CONTAINS:
        return _contains(path, value, wanted)
    return bool(value == wanted)


def _contains(path: str, value: Any, wanted: Any) -> bool:
    if isinstance(value, list) or (isinstance(value, str | dict) and isinstance(wanted, str)):
        return wanted in value
    raise CheckError(f"'{path}': {_kind(wanted)} cannot be contained in {_kind(value)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def matches(match: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether an event is one of those that a filter's `match` describes. Raises CheckError as `holds`."""
    for key, wanted in match.items():
        if key in ("has-key", "not-has-key"):
            paths = wanted if isinstance(wanted, list) else [wanted]
            here = [value_at(path, event) is not None for path in paths]
            if not (all(here) if key == "has-key" else not any(here)):
                return False
        elif not holds(key, wanted, event):
            return False
    return True


def lines_of(path: Path) -> Iterator[Any]:
    """The JSON values of a file, one a line. Raises CheckError if there is no such file, or a line is no JSON."""
    decode = msgspec.json.decode
    try:
        file = path.open("rb")
    except OSError as error:
        raise CheckError(f"{path.name} was not written") from error
    with file:
        for number, line in enumerate(file, start=1):
            try:
                yield decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                yield _odd_line(path.name, number, line)


def _odd_line(name: str, number: int, line: bytes) -> Any:
    """What Python's reader takes and a strict one does not: NaN, lone surrogates."""
    try:
        return json.loads(line)
    except ValueError as error:
        raise CheckError(f"{name}, line {number}: not JSON: {error}") from error


@dataclass(slots=True)
class Filter:
    """A filter check while its file is read: how many events matched, or why that cannot be said."""

    match: Mapping[str, Any]
    wanted: Any
    """The count that was expected."""
    found: int = 0
    problem: str = ""

    def observe(self, event: Any) -> None:
        """Count an event that matches."""
        if self.problem:
            return
        try:
            self.found += matches(self.match, event)
        except CheckError as error:
            self.problem = str(error)

    def miss(self) -> str:
        """What was not as expected; empty if all was."""
        if self.problem:
            return f"{self.problem} (in filter {_told(self.match)})"
        if self.found == self.wanted:
            return ""
        return f"expected {self.wanted} events, got {self.found}, for filter {_told(self.match)}"


LONGEST_FILTER = 240
"""Characters of a filter that a report repeats: enough to know it by; its line is told as well."""


def _told(value: object) -> str:
    """A filter as its line in the report."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= LONGEST_FILTER else f"{text[: LONGEST_FILTER - 1]}…"


@dataclass(slots=True)
class FilterPass:
    """All filters over one file: it is read once, however many look at it."""

    path: Path
    filters: list[Filter] = field(default_factory=list)

    def run(self) -> None:
        """Read the file. Raises CheckError as `lines_of`."""
        for event in lines_of(self.path):
            for each in self.filters:
                each.observe(event)


def stats_misses(wanted: Mapping[str, Any], eve: Path) -> list[str]:
    """What in the last `stats` event of an EVE file is not as wanted.

    Raises CheckError if there is none, or as `value_at`.
    """
    last = None
    for event in lines_of(eve):
        if isinstance(event, dict) and event.get("event_type") == "stats":
            last = event.get("stats")
    if last is None:
        raise CheckError("there is no stats event")
    misses = []
    for path, value in wanted.items():
        compare = path.rpartition(".")[2]
        found = value_at(path, last)
        as_wanted = holds(path, value, last) if compare in _NUMERIC else found == value
        if not as_wanted:
            misses.append(f"stats: expected {path} to be {value}, got {found}")
    return misses


def same_content(expected: Path, written: Path) -> str:
    """Why two files are not the same; empty if they are."""
    try:
        left, right = expected.read_bytes(), written.read_bytes()
    except OSError as error:
        return f"cannot compare with {expected.name}: {error.filename}: {error.strerror}"
    if left == right:
        return ""
    at = first_difference(left.splitlines(), right.splitlines())
    return f"{written.name} is not as {expected.name}: line {at} differs"


def first_difference(left: Sequence[bytes], right: Sequence[bytes]) -> int:
    """The number, counted from 1, of the first line in which two texts differ; the one after the shorter's last."""
    for number, (one, other) in enumerate(zip(left, right, strict=False), start=1):
        if one != other:
            return number
    return min(len(left), len(right)) + 1
