"""Which tool a sweep over services most resembles.

Each service weighs by its rarity among the tools: w(s) = ln((N + 1) / (max(n, 1) + 1/2)), N tools, n of them know s.
crt.sh, which nearly all ask, weighs next to nothing; a database that one tool alone asks weighs most, and so does one
that no tool asks, against all of them. For a sweep S and a tool with the services T (K of them without a key, F
formerly):

    explained = w(S & (T | F)) / w(S)                      how much of the sweep the tool accounts for
    shown     = max(w(S & T) / w(T), w(S & K) / w(K))      how much of the tool the sweep shows; K: run without keys
    score     = 1.25 explained shown / (0.25 explained + shown)     (F with beta 1/2: explaining counts double)

A tool whose source asks one service after the other (`ordered`) gives up to 5 % for services out of that order: enough
to part two that are alike, never enough to make one.

It answers only if the sweep shares FEWEST services with the tool and the score reaches THRESHOLD; all within TIE of
the best are a tie. How the numbers were chosen, and what they cost, is measured in tests/catalog/test_world.py and
told in docs/catalog-world.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from math import log
from typing import NamedTuple

FEWEST = 4
THRESHOLD = 0.7
TIE = 0.03
ORDER = 0.05


class _Known(NamedTuple):
    name: str
    services: tuple[str, ...]
    keyless: frozenset[str]
    excused: frozenset[str]
    ordered: bool


class Attribution:
    """The tools' services, weighed."""

    def __init__(self, tools: Iterable[tuple[str, Sequence[str], Collection[str], Collection[str], bool]]) -> None:
        """`tools`: (id, services, keyless, former, ordered)."""
        self._tools = [
            _Known(name, tuple(services), frozenset(keyless), frozenset(former) | frozenset(services), ordered)
            for name, services, keyless, former, ordered in tools
            if services
        ]
        self._known = Counter(service for tool in self._tools for service in tool.excused)

    def weight(self, service: str) -> float:
        """How much a service tells tools apart."""
        return log((len(self._tools) + 1) / (max(self._known[service], 1) + 0.5))

    def likely(self, services: Collection[str], order: Sequence[str] = ()) -> list[tuple[str, float]]:
        """(id, score) of the best and of whatever ties with it, best first; empty below the threshold."""
        sweep = frozenset(services)
        if len(sweep) < FEWEST:
            return []
        scored = [
            (tool.name, round(self._score(tool, sweep, order), 4))
            for tool in self._tools
            if len(sweep.intersection(tool.services)) >= FEWEST
        ]
        best = max((score for _, score in scored), default=0.0)
        if best < THRESHOLD:
            return []
        return sorted(((name, score) for name, score in scored if score >= best - TIE), key=lambda s: (-s[1], s[0]))

    def _score(self, tool: _Known, sweep: frozenset[str], order: Sequence[str]) -> float:
        explained = self._share(sweep, tool.excused)
        shown = max(self._share(frozenset(tool.services), sweep), self._share(tool.keyless, sweep))
        if not explained or not shown:
            return 0.0
        score = 1.25 * explained * shown / (0.25 * explained + shown)
        return score * (1 - ORDER * disorder(tool.services, order)) if tool.ordered else score

    def _share(self, whole: Collection[str], part: Collection[str]) -> float:
        total = sum(map(self.weight, whole))
        return sum(self.weight(service) for service in whole if service in part) / total if total else 0.0


def disorder(listed: Sequence[str], seen: Sequence[str]) -> float:
    """The share of pairs that were seen the other way round than listed; 0 if fewer than two were seen."""
    place = {service: n for n, service in enumerate(listed)}
    first = [place[service] for service in dict.fromkeys(seen) if service in place]
    pairs = list(combinations(first, 2))
    return sum(a > b for a, b in pairs) / len(pairs) if pairs else 0.0
