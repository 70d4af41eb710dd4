"""The vitals of a service in the text format of Prometheus 0.0.4.

The format is a few lines, and every number comes from one frozen value: a client library would keep a second registry
of its own beside it, with locks.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from reconwatch.sinks.wire_text import visible
from reconwatch.vitals import Vitals

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]
Samples = Iterable[tuple[Labels, float]]
Family = tuple[str, str, str, Samples]
"""Name, type, help, samples."""

_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_ESCAPED_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


def exposition(vitals: Vitals) -> bytes:
    """What `/metrics` answers."""
    return "".join(_written(family) for family in families(vitals)).encode()


def _written(family: Family) -> str:
    name, kind, told, samples = family
    lines = [f"# HELP {name} {told.translate(_ESCAPED_HELP)}\n# TYPE {name} {kind}\n"]
    for labels, value in samples:
        within = ",".join(f'{key}="{visible(each).translate(_ESCAPED)}"' for key, each in labels.items())
        lines.append(f"{name}{{{within}}} {_number(value)}\n" if within else f"{name} {_number(value)}\n")
    return "".join(lines)


def _number(value: float) -> str:
    """As Go's ParseFloat reads it: `+Inf`, `-Inf` and `NaN` are the words of the format."""
    if value != value or value in (float("inf"), float("-inf")):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def families(vitals: Vitals) -> Iterator[Family]:
    """Every metric there is, with its help; a family without a sample says that there is nothing of its kind."""
    yield from _run(vitals)
    yield from _input(vitals)
    yield from _output(vitals)
    yield from _state(vitals)


def _one(name: str, kind: str, told: str, value: float) -> Family:
    return f"reconwatch_{name}", kind, told, (({}, value),)


def _run(vitals: Vitals) -> Iterator[Family]:
    version = {"version": vitals.version, "catalog": vitals.made.catalog}
    yield "reconwatch_info", "gauge", "Always 1; what runs.", ((version, 1),)
    yield "process_start_time_seconds", "gauge", "When the process began, in UTC epoch seconds.", (({}, vitals.began),)
    yield "process_resident_memory_bytes", "gauge", "Memory, shared pages included.", (({}, vitals.resident),)
    yield _one(
        "vitals_timestamp_seconds", "gauge", "When these numbers were taken: the loop does so each second.", vitals.at
    )
    yield _one(
        "trouble", "gauge", "1 while the store keeps nothing and so nothing is read.", vitals.trouble is not None
    )
    yield _one("caught_up", "gauge", "1 if nothing waits to be read.", vitals.caught_up)
    yield _one("reloads_total", "counter", "Reloads that were taken.", vitals.reloads)
    yield _one("reloads_refused_total", "counter", "Reloads that were refused.", vitals.refused_reloads)
    if vitals.made.catalog:
        told = "The latest day for which something of the catalog was said to hold."
        yield _one("catalog_timestamp_seconds", "gauge", told, _midnight(vitals.made.catalog))
    changed = [({"feed": each.name}, each.changed) for each in vitals.made.lists if each.changed is not None]
    told = "When the file of a feed of indicators was last changed, at the last reload."
    yield "reconwatch_indicators_timestamp_seconds", "gauge", told, changed
    refused = [({"feed": each.name}, float(each.refused)) for each in vitals.made.lists]
    yield (
        "reconwatch_indicators_refused",
        "gauge",
        "1 if the feed's file was not taken: the last good one goes on.",
        refused,
    )


def _input(vitals: Vitals) -> Iterator[Family]:
    lags = [({"feed": feed.name}, feed.lag) for feed in vitals.feeds]
    yield "reconwatch_lag_bytes", "gauge", "Bytes that wait to be read.", lags
    yield _one("read_bytes_total", "counter", "Bytes read.", vitals.bytes)
    yield _one("chunks_total", "counter", "Pieces in which they were read.", vitals.chunks)
    yield _one(
        "events_total", "counter", "Events that were looked at: those that the sieve let through.", vitals.events
    )
    yield _one("events_waiting", "gauge", "Events that wait for earlier ones.", vitals.waiting)
    told = "Events that came after later ones had been judged."
    yield _one("events_disordered_total", "counter", told, vitals.disordered)
    yield _one("events_late_total", "counter", "Events of windows that were over, left out.", vitals.late)
    yield _one("events_ahead_total", "counter", "Events stamped more than an hour ahead, left out.", vitals.ahead)
    seen = [({"direction": direction}, count) for direction, count in sorted(vitals.sightings.items())]
    yield "reconwatch_sightings_total", "counter", "Lookups and probes that detectors were shown.", seen
    gone = [({"what": what}, count) for what, count in sorted(vitals.evicted.items())]
    yield "reconwatch_evicted_total", "counter", "What was let go early because there was too much at once.", gone
    skipped = [({"reason": reason}, count) for reason, count in sorted(vitals.skipped.items())]
    yield "reconwatch_skipped_total", "counter", "Records that could not be read.", skipped
    yield _one("gaps_total", "counter", "Spans in which an input may have lost something.", vitals.gaps)
    yield _one("gap_seconds_total", "counter", "How long they were together.", vitals.gap_seconds)


def _output(vitals: Vitals) -> Iterator[Family]:
    said = [({"note": note, "verdict": verdict}, count) for note, verdict, count in vitals.notices]
    yield "reconwatch_notices_total", "counter", "Notices that the store took, every revision.", said
    if vitals.last is not None:
        told = "The time of the last notice that the store took."
        yield _one("last_notice_timestamp_seconds", "gauge", told, vitals.last.ts)
    for name, kind, told in (
        ("waiting", "gauge", "Notices that a sink has not had yet."),
        ("failures", "gauge", "Failures of a sink in a row; 0 if it does well."),
        ("failed", "counter", "Failures of a sink."),
        ("sent", "counter", "Notices that a sink took."),
        ("dropped", "counter", "Notices that a sink never had, because too many waited; over its whole life."),
    ):
        samples = [({"sink": sink.name}, float(getattr(sink, name))) for sink in vitals.sinks]
        yield f"reconwatch_sink_{name}{'_total' if kind == 'counter' else ''}", kind, told, samples


def _state(vitals: Vitals) -> Iterator[Family]:
    yield _one(
        "store_failures_total", "counter", "How often the store could not keep something.", vitals.store_failures
    )
    yield _one("state_bytes", "gauge", "What is being watched, in the last snapshot.", vitals.snapshot_bytes)
    yield _one("snapshot_timestamp_seconds", "gauge", "When the last snapshot was taken.", vitals.snapshot_at)
    yield _one("snapshot_duration_seconds", "gauge", "How long the last snapshot took.", vitals.snapshot_took)
    yield _one("snapshots_total", "counter", "Snapshots taken.", vitals.snapshots)
    yield _one("snapshot_seconds_total", "counter", "How long they took together.", vitals.snapshot_seconds)


def _midnight(day: str) -> float:
    return float(calendar.timegm(time.strptime(day, "%Y-%m-%d")))
