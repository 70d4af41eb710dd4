"""The sinks and the retention that a site names."""

from __future__ import annotations

from pathlib import Path

from reconwatch.site import Site
from reconwatch.store.lane import Backlog
from reconwatch.store.output import Output
from reconwatch.store.outputs import FileOutput, Wanted
from reconwatch.store.retention import Retention


def outputs_of(site: Site) -> list[Output]:
    """A sink for each item of `sinks`, in its order; none is opened before `Delivery` has it."""
    return [
        FileOutput(Path(sink.path), sink.format, name=sink.name, wanted=Wanted(sink.verdict, frozenset(sink.notes)))
        for sink in site.sinks
    ]


def backlogs_of(site: Site) -> dict[str, Backlog]:
    """How much may wait for each sink, by its name."""
    return {sink.name: Backlog(notices=sink.backlog) for sink in site.sinks}


def retention_of(site: Site) -> Retention:
    """How long notices are kept."""
    return Retention(site.store.days, site.store.megabytes * 1_000_000)
