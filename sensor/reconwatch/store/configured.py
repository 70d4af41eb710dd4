"""The sinks and the retention that a site names."""

from __future__ import annotations

from pathlib import Path

from reconwatch.broker.connection import Login
from reconwatch.site import Site
from reconwatch.site_outlets import SinkSetting
from reconwatch.store.lane import Backlog
from reconwatch.store.output import Output
from reconwatch.store.outputs import FileOutput, Wanted
from reconwatch.store.retention import Retention
from reconwatch.store.syslog import SyslogOutput
from reconwatch.store.zeek import ZeekOutput


def outputs_of(site: Site) -> list[Output]:
    """A sink for each item of `sinks`, in its order; none is opened before `Delivery` has it."""
    return [_output(sink) for sink in site.sinks]


def _output(sink: SinkSetting) -> Output:
    wanted = Wanted(sink.verdict, frozenset(sink.notes))
    if sink.syslog is not None:
        return SyslogOutput(sink.syslog, wanted, name=sink.name)
    if sink.zeek is not None:
        return ZeekOutput(Login(sink.zeek, sink.ca_file), wanted, name=sink.name)
    return FileOutput(Path(sink.file or ""), sink.format, name=sink.name, wanted=wanted)


def backlogs_of(site: Site) -> dict[str, Backlog]:
    """How much may wait for each sink, by its name."""
    return {sink.name: Backlog(notices=sink.backlog) for sink in site.sinks}


def retention_of(site: Site) -> Retention:
    """How long notices are kept."""
    return Retention(site.store.days, site.store.megabytes * 1_000_000)
