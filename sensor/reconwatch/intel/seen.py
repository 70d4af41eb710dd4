"""What of a feed has ever matched: kept between runs beside the feed, for `reconwatch check` to say what never did."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from reconwatch import cache
from reconwatch.intel.feeds import kept_file
from reconwatch.site import Feed

MOST_KEPT = 50_000
"""Indicators of a feed of which it is kept that they have matched, at some 60 bytes each: the latest."""

Span = tuple[float, float]
"""First and last time that it matched, in UTC epoch seconds of events. No count: the same capture may be read again."""


def seen(feed: Feed) -> dict[bytes, Span]:
    """Key -> when it first and last matched; empty if that was never kept."""
    file = kept_file(feed, "seen")
    if file is not None:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.msgpack.decode(cache.ours(file), type=dict[bytes, Span])
    return {}


def note_seen(feed: Feed, matched: Mapping[bytes, Span]) -> None:
    """Add what has matched in a run. Runs at the same time wait for each other: none loses what another adds."""
    file = kept_file(feed, "seen")
    if file is None or not matched:
        return
    with contextlib.suppress(OSError), _alone(file):
        known = seen(feed)
        for key, (first, last) in matched.items():
            before = known.get(key, (first, last))
            known[key] = min(first, before[0]), max(last, before[1])
        latest = sorted(known.items(), key=lambda item: (-item[1][1], item[0]))[:MOST_KEPT]
        cache.replace_whole(file, msgspec.msgpack.encode(dict(latest)))


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
