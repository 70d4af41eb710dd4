"""One file a behaviour. `DETECTORS` is the whole list; nothing is found by scanning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconwatch.detectors.bulk_search import BulkSearch
from reconwatch.detectors.canary_touched import CanaryTouched
from reconwatch.detectors.ct_log_scraping import CtLogScraping
from reconwatch.detectors.database_lookup import DatabaseLookup
from reconwatch.detectors.detector import Detector, Key, Threshold
from reconwatch.detectors.dns_enumeration import DnsEnumeration
from reconwatch.detectors.enumeration_sweep import EnumerationSweep, Likely
from reconwatch.detectors.exposed_name_probed import ExposedNameProbed
from reconwatch.detectors.indicator_match import IndicatorMatch
from reconwatch.detectors.name_probe import NameProbe
from reconwatch.detectors.probed import ProbeDetector
from reconwatch.detectors.recon_tool import ReconTool
from reconwatch.detectors.reverse_sweep import ReverseSweep
from reconwatch.detectors.scanner_crawl import ScannerCrawl
from reconwatch.detectors.scans import Scans
from reconwatch.detectors.service_probe import ServiceProbe
from reconwatch.detectors.targeted_search import TargetedSearch
from reconwatch.detectors.zone_transfer import ZoneTransfer
from reconwatch.sightings import Probe, Sighting

__all__ = ["DETECTORS", "Detector", "Key", "Likely", "Threshold", "default_thresholds", "detectors"]

DETECTORS = (
    DatabaseLookup,
    TargetedSearch,
    BulkSearch,
    EnumerationSweep,
    CtLogScraping,
    ReverseSweep,
    ReconTool,
)


PROBE_DETECTORS: tuple[type[ProbeDetector[Any]], ...] = (
    ScannerCrawl,
    ZoneTransfer,
    DnsEnumeration,
    NameProbe,
    ServiceProbe,
    CanaryTouched,
    ExposedNameProbed,
    IndicatorMatch,
)
"""Of single probes; scans are told from contacts (`scans.Scans`)."""


def probe_detectors(thresholds: Mapping[str, Mapping[str, float]] | None = None) -> tuple[Detector[Any, Probe], ...]:
    """Every detector of probes, with the site's thresholds (note -> name -> number) in place of its own."""
    given = thresholds or {}
    return tuple(each(given.get(each.note)) for each in PROBE_DETECTORS)


def detectors(
    thresholds: Mapping[str, Mapping[str, float]] | None = None, likely: Likely = lambda used, order: ()
) -> tuple[Detector[Any, Sighting], ...]:
    """Every detector of lookups, with the site's thresholds (note -> name -> number) in place of its own.

    `likely` tells which tool a sweep resembles; without it, sweeps are attributed to none.
    """
    given = thresholds or {}
    return tuple(
        EnumerationSweep(given.get(each.note), likely) if each is EnumerationSweep else each(given.get(each.note))
        for each in DETECTORS
    )


def default_thresholds() -> dict[str, dict[str, float]]:
    """Note -> name -> default: what a site may change."""
    given = dict(Scans.thresholds)
    given |= {each.note: each.thresholds for each in DETECTORS}
    given |= {each.note: each.thresholds for each in PROBE_DETECTORS}
    return {note: {name: each.default for name, each in named.items()} for note, named in given.items()}
