"""Addresses and ranges of ours as runs of numbers, of which it is quickly told whether two lists meet."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_network

from reconwatch.sightings import Target

Run = tuple[int, int]
"""The first and the last address, as numbers; the IP version stands above the highest bit of an IPv6 address."""

VERSION = 128
BLOCK = {4: 8, 6: 80}
"""Bits within a network that a run is looked for in: a /24, and in IPv6 a /48."""


def run_of(target: Target) -> Run | None:
    """The addresses that an `ip` or a `range` stands for, as far as they are ours; None if it cannot be read."""
    run = _run(target.value)
    if run is None or target.kind == "ip":
        return run
    ours = _run(target.asset)
    if ours is None:
        return run
    first, last = max(run[0], ours[0]), min(run[1], ours[1])
    return (first, last) if first <= last else run


@lru_cache(maxsize=65_536)  # addresses of ours come again and again, and reading one costs 2 us
def _run(text: str) -> Run | None:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    first = int(network.network_address) | network.version << VERSION
    return first, first + network.num_addresses - 1


def runs(each: Iterable[Run]) -> tuple[Run, ...]:
    """In order, those that touch put together."""
    merged: list[Run] = []
    for first, last in sorted(each):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def overlap(these: Sequence[Run], those: Sequence[Run]) -> bool:
    """Whether two ordered lists share an address."""
    if len(those) < len(these):
        these, those = those, these
    if len(these) * 8 < len(those):
        # The last that begins before the end: no other can reach back further, since none touch.
        at = (bisect_right(those, last, key=_first) - 1 for _, last in these)
        return any(n >= 0 and those[n][1] >= first for n, (first, _) in zip(at, these, strict=True))
    i = j = 0
    while i < len(these) and j < len(those):
        if these[i][1] < those[j][0]:
            i += 1
        elif those[j][1] < these[i][0]:
            j += 1
        else:
            return True
    return False


def _first(run: Run) -> int:
    return run[0]


def addresses(each: Iterable[Run]) -> Iterator[int]:
    """Every address of the runs."""
    for first, last in each:
        yield from range(first, last + 1)


def blocks(each: Iterable[Run]) -> Iterator[int]:
    """Every network that the runs lie in, once."""
    seen = -1
    for first, last in sorted(each):
        bits = BLOCK[first >> VERSION]
        for block in range(max(first >> bits, seen + 1), (last >> bits) + 1):
            yield block
            seen = block
