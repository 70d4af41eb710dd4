"""Addresses of which anything is known, told from strangers' as fast as Python can."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import chain
from socket import AF_INET, AF_INET6, inet_pton

from reconwatch.site import Network


class Special:
    """Networks and addresses of which anything is known; nearly all who come lie in none.

    They come by the million, each once, so a miss must be cheap (0.2 us): no tree, no cache.
    """

    def __init__(
        self, networks: Iterable[Network], ranges: Iterable[tuple[bytes, bytes]], baits: Iterable[str]
    ) -> None:
        spans = [(network[0].packed, network[-1].packed) for network in networks]
        spans += [(packed, packed) for packed in (ip_address(bait).packed for bait in baits)]
        ranges = list(ranges)
        self._spans = {size: _joined(spans, ranges, size) for size in (4, 16)}
        self._near = frozenset(_halves(*self._spans[4]))
        """The upper halves of IPv4 addresses that lie in one: some 2,000, so that few have to be looked for."""

    def holds(self, ip: str) -> bool:
        """Whether an address lies in one of them. True for what is no address."""
        try:
            packed = inet_pton(AF_INET6, ip) if ":" in ip else inet_pton(AF_INET, ip)
        except (OSError, ValueError):
            return True
        if len(packed) == 4 and packed[:2] not in self._near:
            return False
        firsts, lasts = self._spans[len(packed)]
        at = bisect_right(firsts, packed) - 1
        return at >= 0 and packed <= lasts[at]


def _joined(
    spans: Iterable[tuple[bytes, bytes]], ranges: Iterable[tuple[bytes, bytes]], size: int
) -> tuple[list[bytes], list[bytes]]:
    """The spans of one address family without overlaps, in order: first addresses, and last ones."""
    firsts: list[bytes] = []
    lasts: list[bytes] = []
    for first, last in sorted(span for span in chain(spans, ranges) if len(span[0]) == size):
        if lasts and first <= lasts[-1]:
            lasts[-1] = max(last, lasts[-1])
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts


def _halves(firsts: list[bytes], lasts: list[bytes]) -> Iterator[bytes]:
    """The upper halves of all addresses in spans of IPv4."""
    for first, last in zip(firsts, lasts, strict=True):
        for half in range(int.from_bytes(first[:2], "big"), int.from_bytes(last[:2], "big") + 1):
            yield half.to_bytes(2, "big")
