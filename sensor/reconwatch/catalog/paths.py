"""Paths that scanners ask web servers for: data, and the index that finds them in a request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

import msgspec

LONGEST = 1_024
"""Of a longer request only the beginning is read: its sender chooses it."""


class RequestPath(msgspec.Struct, frozen=True):
    """One thing that scanners look for, under the paths where they look."""

    id: str
    what: str
    """What it looks for, as it stands in a sentence: `a Git repository`."""
    paths: tuple[str, ...]
    """Whole paths, or beginnings that end in `*`; with a `?`, query and all. Case and escapes do not matter."""
    strong: bool = False
    """Only a scanner asks for it; else people, products and monitors do too."""
    test: bool = False
    """No server has it: the scanner tests how the server answers."""
    tool: str = ""
    """Id of the tool that alone asks for it; empty if several do."""
    references: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    no_match: tuple[str, ...] = ()


class Paths:
    """Finds what a request asks for."""

    def __init__(self, entries: Iterable[RequestPath]) -> None:
        self._whole: dict[str, list[RequestPath]] = {}
        begin = []
        for entry in entries:
            for path in map(str.lower, entry.paths):
                if path.endswith("*"):
                    begin.append((path[:-1], entry))
                else:
                    self._whole.setdefault(path, []).append(entry)
        self._begin = tuple(begin)
        self._beginnings = tuple(text for text, _ in begin)
        self.of = lru_cache(maxsize=4_096)(self._of)

    def _of(self, uri: str, decoded: bool = False) -> tuple[RequestPath, ...]:
        """What a request line's target asks for; `decoded`: its escapes are gone already."""
        asked, mark, query = uri[:LONGEST].partition("#")[0].partition("?")
        path = re.sub("//+", "/", asked if decoded else unquote(asked)).lower()
        whole = path + mark + query.lower()
        found = self._whole.get(path) or self._whole.get(path.rstrip("/")) or self._whole.get(whole) or ()
        known = {entry.id: entry for entry in found}
        if whole.startswith(self._beginnings):
            known |= {entry.id: entry for text, entry in self._begin if whole.startswith(text)}
        return tuple(known[name] for name in sorted(known))
