"""Tells names that were read off a list from names that people and programs happen to ask for.

What a resolver relays of many clients does not exist either, once something goes wrong: typing errors, search suffixes
behind other names, the names of an inside that is not served outside, the random names by which browsers find out
whether answers are forged, and floods of random names. None of it comes in alphabetical order, and none of it holds the
words that only lists of guesses hold side by side.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

First = tuple[float, str]
"""When a name was first asked for, and by which source."""

NEAR, FAR = 8, 64
"""Names are compared with one so many places on: tools ask in parallel, so that neighbours change places."""

_LISTED = """
adserver alpha apache awstats bbs beta beta2 cdn1 cdn2 chat cpanel cvs demo demo2 dns1 dns2 dns3 dns4 forum forums
ftp1 ftp2 gallery imap1 img1 img2 irc jabber mail1 mail2 mail3 mail4 media1 mssql mx1 mx2 mx3 mx4 mysql new news2 ns3
ns4 ns5 ns6 old old2 phpmyadmin pop1 pop2 pop3 radio relay1 relay2 secure1 secure2 shop1 smtp1 smtp2 smtp3 sql static1
stats streaming svn temp tv v6 video vps vps1 wap webdisk webstats whm www1 www2 www3 www4 www5
"""
GUESSES = frozenset(_LISTED.split())
"""Alternatives to each other that no one place has: `ns3` to `ns6`, `www1` to `www5`, three databases, `whm`. The words
of an inside that leaks (`intranet`, `jira`, `vpn`, `dc1`, `web2`, `db1`) and of mail programs that guess (`imap`,
`smtp`, `autodiscover`) are not among them."""


def in_order(firsts: Mapping[str, First]) -> float:
    """The share of names asked before one that also comes later in the alphabet; of random names it is a half.

    Of what was asked at the same moment nobody can say which came first, so it does not count; 0 if that is most of it.
    """
    asked = sorted((first[0], name) for name, first in firsts.items())
    lag = max(NEAR, min(FAR, len(asked) // 10))
    pairs = [(a, b) for a, b in zip(asked, asked[lag:], strict=False) if a[0] < b[0]]
    return sum(a[1] < b[1] for a, b in pairs) / len(pairs) if 2 * len(pairs) >= len(asked) > 0 else 0.0


def guesses(names: Collection[str]) -> int:
    """How many of the names are words of lists."""
    return len(GUESSES.intersection(names))


def busiest(
    absent: Mapping[str, First], present: Mapping[str, First], span: float, share: float
) -> tuple[dict[str, First], int]:
    """(the most absent names first asked for within `span` seconds, the present ones meanwhile).

    Only spans in which at least `share` of the names are absent; ({}, 0) if there is none.
    """
    missing = sorted((first[0], name) for name, first in absent.items())
    found = sorted(first[0] for first in present.values())
    best: tuple[int, int, int] = (0, 0, 0)
    low = found_low = found_high = 0
    for high, (ts, _) in enumerate(missing):
        while missing[low][0] < ts - span:
            low += 1
        found_high = _until(found, found_high, ts)
        found_low = _until(found, found_low, missing[low][0])
        many, others = high - low + 1, max(0, found_high - found_low)
        if many > best[1] - best[0] and many >= share * (many + others):
            best = (low, high + 1, others)
    return {name: absent[name] for _, name in missing[best[0] : best[1]]}, best[2]


def _until(times: Sequence[float], at: int, ts: float) -> int:
    """The number of times that lie before `ts`, of which `at` are known to."""
    while at < len(times) and times[at] < ts:
        at += 1
    return at
