"""How a service does, as one plain value: the loop makes it once a second, and all who watch read nothing else.

Metrics, `/readyz`, the status file and the line in `systemctl status` derive from it, so that they never touch what the
loop is changing.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from reconwatch import __version__
from reconwatch.service import Service
from reconwatch.settings import Settings


class FeedVitals(msgspec.Struct, frozen=True):
    """One item of `sources`."""

    name: str
    lag: int
    """Bytes that are known to wait."""


class SinkVitals(msgspec.Struct, frozen=True):
    """One item of `sinks`."""

    name: str
    waiting: int
    """Notices that it has not had yet."""
    failures: int
    """In a row; 0 if it does well."""
    failed: int
    """Since the service began."""
    sent: int
    """Since the service began."""
    dropped: int
    """Over its whole life."""
    problem: str


class ListVitals(msgspec.Struct, frozen=True):
    """One feed of indicators (`intel`)."""

    name: str
    changed: float | None
    """When its file was last changed, in UTC epoch seconds; None if it cannot be looked at."""
    refused: bool
    """The file was not taken: the last good one goes on."""


class LastNotice(msgspec.Struct, frozen=True):
    """The last that the store took."""

    id: str
    rev: int
    note: str
    verdict: str
    ts: float
    msg: str


class Made(msgspec.Struct, frozen=True):
    """What the settings in use were made of."""

    catalog: str
    """The day of the catalog, as 2026-11-24."""
    lists: tuple[ListVitals, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Made:
        """That of settings."""
        feeds = settings.intelligence.feeds if settings.intelligence is not None else ()
        lists = (ListVitals(each.feed.name, each.changed_at, each.refused is not None) for each in feeds)
        return cls(settings.as_of, tuple(lists))


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. Times are UTC epoch seconds; counts are since the process began, if nothing else is said."""

    version: str
    pid: int
    began: float
    at: float
    """When this was taken."""
    ready: bool
    """It has caught up once."""
    caught_up: bool
    trouble: str | None
    """Why nothing is read at the moment."""
    store: str
    """The path of the database."""
    made: Made
    feeds: tuple[FeedVitals, ...]
    sinks: tuple[SinkVitals, ...]
    notices: tuple[tuple[str, str, int], ...]
    """(note, verdict, how many)."""
    last: LastNotice | None
    events: int
    bytes: int
    chunks: int
    waiting: int
    """Events that wait for earlier ones."""
    disordered: int
    late: int
    ahead: int
    sightings: dict[str, int]
    """Lookups, and what came from outside, that detectors were shown."""
    evicted: dict[str, int]
    """What was let go early because there was too much at once, by what it was; since its state began."""
    skipped: dict[str, int]
    """Records that could not be read, by reason."""
    snapshots: int
    snapshot_seconds: float
    """All of them together."""
    snapshot_at: float
    snapshot_bytes: int
    snapshot_took: float
    """Of the last: when, its state, its duration."""
    store_failures: int
    gaps: int
    gap_seconds: float
    last_gap: tuple[str, float, float] | None
    """(feed, from, to)."""
    reloads: int
    refused_reloads: int
    resident: int
    """Bytes of memory, shared ones included; 0 where the system does not say."""

    @property
    def lag(self) -> int:
        """Bytes that wait, of all feeds."""
        return sum(feed.lag for feed in self.feeds)


def vitals_of(service: Service, made: Made, *, began: float, at: float, ready: bool) -> Vitals:
    """Those of a service now; called by the thread that runs it."""
    live, counts, last = service.live, service.counts, service.last_told
    return Vitals(
        version=__version__,
        pid=os.getpid(),
        began=began,
        at=at,
        ready=ready,
        caught_up=service.caught_up,
        trouble=service.trouble,
        store=str(service.store.path),
        made=made,
        feeds=tuple(FeedVitals(name, lag) for name, lag in service.lag().items()),
        sinks=tuple(
            SinkVitals(each.name, each.waiting, each.failures, each.failed, each.sent, each.dropped, each.problem)
            for each in service.delivery.standings()
        ),
        notices=tuple((note, verdict, count) for (note, verdict), count in sorted(counts.notices.items())),
        last=None if last is None else LastNotice(last.id, last.rev, last.note, last.verdict, last.ts, last.msg),
        events=live.events,
        bytes=counts.bytes,
        chunks=counts.chunks,
        waiting=live.waiting,
        disordered=live.disordered,
        late=live.late,
        ahead=live.ahead,
        sightings=dict(live.sightings),
        evicted=live.evicted,
        skipped=dict(live.unreadable),
        snapshots=counts.snapshots,
        snapshot_seconds=counts.snapshot_seconds,
        snapshot_at=service.last_snapshot[0],
        snapshot_bytes=service.last_snapshot[1],
        snapshot_took=service.last_snapshot[2],
        store_failures=counts.store_failures,
        gaps=counts.gaps,
        gap_seconds=counts.gap_seconds,
        last_gap=service.gaps[-1] if service.gaps else None,
        reloads=counts.reloads,
        refused_reloads=counts.refused_reloads,
        resident=_resident(),
    )


def _resident() -> int:
    """proc_pid_statm(5): the second number, in pages."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
