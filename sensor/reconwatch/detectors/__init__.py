"""One file a behaviour. `DETECTORS` is the whole list; nothing is found by scanning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconwatch.detectors.bulk_search import BulkSearch
from reconwatch.detectors.database_lookup import DatabaseLookup
from reconwatch.detectors.detector import Detector, Key, Threshold
from reconwatch.detectors.enumeration_sweep import EnumerationSweep
from reconwatch.detectors.targeted_search import TargetedSearch

__all__ = ["DETECTORS", "Detector", "Key", "Threshold", "default_thresholds", "detectors"]

DETECTORS = (DatabaseLookup, TargetedSearch, BulkSearch, EnumerationSweep)


def detectors(thresholds: Mapping[str, Mapping[str, float]] | None = None) -> tuple[Detector[Any], ...]:
    """Every detector, with the site's thresholds (note -> name -> number) in place of its own."""
    given = thresholds or {}
    return tuple(detector(given.get(detector.note)) for detector in DETECTORS)


def default_thresholds() -> dict[str, dict[str, float]]:
    """Note -> name -> default: what a site may change."""
    return {d.note: {name: each.default for name, each in d.thresholds.items()} for d in DETECTORS}
