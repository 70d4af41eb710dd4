"""What strangers' addresses are called, by the DNS answers that the inputs show: never by asking.

Whoever looks an address up does so when its owner has come and gone. So names are learned from the whole of the inputs
before they are asked for, and what is known then does not depend on the order of the answers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from reconwatch.events import DnsAnswer
from reconwatch.targets import unreversed

LASTS = 86_400.0
"""Seconds before and after an answer for which it is taken to be true. A server looks its visitors up at once, a
report over its log does in the night; an address in a cloud may be somebody else's next week."""

MOST_ADDRESSES = 50_000
"""Addresses of which names are kept, at 1 kB. Only names of crawlers are: there are some hundreds in a day."""
MOST_NAMES = 8
"""Names of one address that are kept, the smallest."""
MOST_SPANS = 400
"""Stretches of time of one name: an answer every third day for three years."""

_ZONES = (".in-addr.arpa", ".ip6.arpa")


class Called(NamedTuple):
    """What an address is called."""

    name: str
    confirmed: bool
    """The name was seen to give the address back: not only who holds the address says so, but who holds the name."""


class ReverseNames:
    """Answers in, names out."""

    KEPT = ("_names", "_largest")

    def __init__(self, matters: Callable[[str], bool]) -> None:
        """`matters`: whether a name is one of interest; others are not kept."""
        self._matters = lru_cache(maxsize=4_096)(matters)
        self._names: dict[str, dict[str, _Name]] = {}
        self._largest: str | None = None
        """The largest address that is kept, once there were too many."""

    def learn(self, answer: DnsAnswer) -> None:
        """Take what an answer says of addresses and names of interest."""
        if answer.pointers and (ip := reversed_address(answer.name)) is not None:
            for name in filter(self._matters, answer.pointers):
                if (known := self._known(ip, name)) is not None:
                    known.points.add(answer.ts)
        for ip, _ in answer.addresses if self._matters(answer.name) else ():
            if (known := self._known(ip, answer.name)) is not None:
                known.gives.add(answer.ts)

    def forget(self, before: float) -> None:
        """Let go of what was true only before a time (UTC epoch seconds): a run may take years."""
        for ip, names in list(self._names.items()):
            for text, name in list(names.items()):
                name.points.forget(before)
                name.gives.forget(before)
                if not (name.points or name.gives):
                    del names[text]
            if not names:
                del self._names[ip]
        self._largest = None

    def called(self) -> list[str]:
        """The addresses that PTR answers gave a name, sorted."""
        self._drop(MOST_ADDRESSES)
        return sorted(ip for ip, names in self._names.items() if any(name.points for name in names.values()))

    def at(self, ip: str, ts: float) -> Called | None:
        """What an address is called at a time (UTC epoch seconds): of several names one that is confirmed."""
        names = self._names.get(ip)
        if names is None:
            return None
        valid = [Called(text, name.gives.cover(ts)) for text, name in names.items() if name.points.cover(ts)]
        return min(valid, key=lambda called: (not called.confirmed, called.name), default=None)

    def _known(self, ip: str, text: str) -> _Name | None:
        """What is known of a name of an address; None if there is no room for it."""
        names = self._names.get(ip)
        if names is None:
            if self._largest is not None and ip > self._largest:
                return None
            names = self._names[ip] = {}
            if len(self._names) > 2 * MOST_ADDRESSES:
                self._drop(MOST_ADDRESSES)
        known = names.get(text)
        if known is None:
            known = names[text] = _Name()
            if len(names) > MOST_NAMES:
                del names[max(names)]
        return known

    def _drop(self, most: int) -> None:
        """Keep the smallest addresses: which they are does not depend on the order in which they came."""
        if len(self._names) > most:
            kept = sorted(self._names)[:most]
            self._names = {ip: self._names[ip] for ip in kept}
            self._largest = kept[-1]


class _Spans:
    """Times of answers, as stretches (first, last) of such as are no further apart than both last."""

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []

    def __bool__(self) -> bool:
        return bool(self._spans)

    def add(self, ts: float) -> None:
        first = last = ts
        apart = []
        for span in self._spans:
            if span[0] - 2 * LASTS <= last and first <= span[1] + 2 * LASTS:
                first, last = min(first, span[0]), max(last, span[1])
            else:
                apart.append(span)
        self._spans = sorted((*apart, (first, last)))[:MOST_SPANS]

    def forget(self, before: float) -> None:
        self._spans = [span for span in self._spans if span[1] + LASTS >= before]

    def cover(self, ts: float) -> bool:
        return any(first - LASTS <= ts <= last + LASTS for first, last in self._spans)


class _Name:
    """One name of one address: when a PTR answer called the address so, and when the name gave the address."""

    __slots__ = ("gives", "points")

    def __init__(self) -> None:
        self.points, self.gives = _Spans(), _Spans()


def reversed_address(name: str) -> str | None:
    """The address that a reverse name stands for; None for a zone, and for what is none."""
    for zone in _ZONES:
        if name.endswith(zone):
            found = unreversed(name.removesuffix(zone))
            return found.value if found is not None and found.kind == "ip" else None
    return None
