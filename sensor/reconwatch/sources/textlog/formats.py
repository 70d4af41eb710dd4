"""The formats of text lines that reconwatch reads."""

from __future__ import annotations

from collections.abc import Iterable

from reconwatch.sources.textlog.bind import BindFormat
from reconwatch.sources.textlog.combined import CombinedFormat
from reconwatch.sources.textlog.declared import Declared
from reconwatch.sources.textlog.dnsmasq import DnsmasqFormat
from reconwatch.sources.textlog.haproxy import HaproxyFormat
from reconwatch.sources.textlog.line import LineFormat, readable
from reconwatch.sources.textlog.mapped import MappedFormat
from reconwatch.sources.textlog.squid import SquidFormat
from reconwatch.sources.textlog.syslog import without_prefix
from reconwatch.sources.textlog.unbound import UnboundFormat
from reconwatch.sources.textlog.w3c import W3cFormat
from reconwatch.sources.textlog.windows_dns import WindowsDnsFormat

FORMATS: tuple[type[LineFormat], ...] = (
    SquidFormat,
    BindFormat,
    UnboundFormat,
    HaproxyFormat,
    CombinedFormat,
    WindowsDnsFormat,
    DnsmasqFormat,
    W3cFormat,
    MappedFormat,
)
"""Asked in this order whose line it is: the stricter first."""


def format_of(lines: Iterable[bytes], declared: Declared | None = None) -> type[LineFormat] | None:
    """The format of a log that begins with some lines; None if they are of none."""
    if declared is not None and declared.format is not None:
        return next(each for each in FORMATS if each.name == declared.format)
    for line in lines:
        text, _ = without_prefix(readable(line))
        for each in FORMATS:
            if text and each.recognises(text):
                return each
    return None
