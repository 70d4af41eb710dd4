"""What `reconwatch check` says of feeds: their age, their size, and what of them has never matched."""

from __future__ import annotations

import time
from collections import Counter

import msgspec

from reconwatch.document import Problem
from reconwatch.intel.feeds import LoadedFeed
from reconwatch.intel.indicator import KINDS, kind_of
from reconwatch.intel.intelligence import Intelligence
from reconwatch.intel.seen import seen
from reconwatch.prose import counted, shortened
from reconwatch.site import Site

DAY = 86_400.0
WORDS = {
    "ip": ("address", "addresses"), "ja3": ("JA3", "JA3"), "ja4": ("JA4", "JA4"), "url": ("URL", "URLs"),
    "agent": ("user agent", "user agents"),
}  # fmt: skip


def coverage(site: Site, now: float) -> tuple[list[str], list[Problem]]:
    """(a line for each feed, what is wrong with them); `now` in UTC epoch seconds.

    A feed of which nothing is left to use is an error: its owner believes to be looking for it.
    """
    found = Intelligence.of(site)
    told, problems = [], []
    for feed in found.feeds:
        told.append(_line(feed, now))
        refused = feed.refused
        if refused is not None:
            problems.append(refused if feed.read_at is not None else msgspec.structs.replace(refused, severity="error"))
        problems += feed.passed
        problems += _aged(feed, site, now)
    problems += found.own()
    if out := found.taken_out():
        told.append(f"no indicators after all: {', '.join(f'{number:,} {why}' for why, number in sorted(out.items()))}")
    return told, problems


def _line(feed: LoadedFeed, now: float) -> str:
    listed = feed.indicators
    count = len(listed) + len(feed.patterns)
    name = f"feed {feed.feed.name}: "
    if feed.read_at is None:
        return name + "nothing to use"
    age = "" if feed.changed_at is None else f", changed {_ago(now - feed.changed_at)} ago"
    size = f"{feed.size:,} bytes of {feed.form}{age}"
    if feed.benign:
        return f"{name}{counted(count, 'entry', 'entries')} that are no indicators, {size}"
    kinds: Counter[str] = Counter(kind_of(listed.key(row)) for row in range(len(listed)))
    parts = [counted(kinds[kind], *WORDS.get(kind, (kind,))) for kind in KINDS if kinds[kind]]
    ended = int((listed.until <= now).sum())
    over = f"; {ended:,} of them not valid any more" if ended else ""
    return f"{name}{counted(count, 'indicator')} ({shortened(parts, len(parts))}){over}, {size}; {_matched(feed)}"


def _matched(feed: LoadedFeed) -> str:
    known = {key: span for key, span in seen(feed.feed).items() if key in feed.indicators}
    distinct = sum(feed.indicators.counts().values())
    if not known:
        return "not one has ever matched"
    last = time.strftime("%Y-%m-%d", time.gmtime(max(last for _, last in known.values())))
    return f"{len(known):,} have matched (last {last}), {distinct - len(known):,} never"


def _aged(feed: LoadedFeed, site: Site, now: float) -> list[Problem]:
    if feed.changed_at is None or now - feed.changed_at < feed.feed.max_age * DAY:
        return []
    message = f"feed {feed.feed.name} has not changed for {_ago(now - feed.changed_at)}"
    advice = "a larger max_age, if it is not meant to be renewed"
    return [Problem(site.path or feed.feed.path, feed.feed.line, message, advice, "warning")]


def _ago(seconds: float) -> str:
    return counted(int(seconds // DAY), "day") if seconds >= DAY else counted(max(0, int(seconds // 3600)), "hour")
