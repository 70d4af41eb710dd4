"""What a service is made of, read from its files as one: site, catalog and feeds; looked at before it is taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconwatch.catalog import Catalog
from reconwatch.catalog.load import as_of, chosen, load, load_world
from reconwatch.catalog.world import World
from reconwatch.detectors import default_thresholds
from reconwatch.document import Problem
from reconwatch.site import Site, load_site

if TYPE_CHECKING:
    from reconwatch.intel import Intelligence

SHRUNK = 0.5
"""A reload that leaves less than so much of the networks, names or services is taken for an accident."""


@dataclass(frozen=True)
class Settings:
    """All that may change while a service runs."""

    site: Site
    catalog: Catalog
    world: World
    intelligence: Intelligence | None
    warnings: tuple[Problem, ...]
    as_of: str = ""
    """The latest day for which something of the catalog was said to hold, as 2026-11-24."""


def settings(path: Path) -> Settings:
    """Read everything anew. Raises DocumentError with every error of the first document that has any."""
    site = load_site(path, thresholds=default_thresholds())
    folder = chosen()
    catalog = load(folder)
    world = load_world(catalog, folder)
    intelligence = None
    warnings = list(site.warnings)
    if site.intel:
        from reconwatch.intel import Intelligence

        intelligence = Intelligence.of(site)
        warnings += intelligence.problems()
    return Settings(site, catalog, world, intelligence, tuple(warnings), as_of(folder))


def refusals(old: Settings, new: Settings) -> list[str]:
    """Why new settings are not to be taken in place of the old ones without a person's word: a line each.

    An editor that saves half a file, or a template that was filled from an empty list, makes a legal site that owns
    nothing.
    """
    told = []
    for what, before, after in (
        ("owned domains", len(old.site.owned.domains), len(new.site.owned.domains)),
        ("owned addresses", _addresses(old.site), _addresses(new.site)),
        ("services of the catalog", len(old.catalog.services), len(new.catalog.services)),
    ):
        if after < SHRUNK * before:
            told.append(f"{what}: {after:,} instead of {before:,}; restart the service if that is meant")
    if new.site.sources != old.site.sources:
        told.append("`sources` has changed: that takes a restart")
    if any(getattr(new.site, key) != getattr(old.site, key) for key in ("sinks", "store", "service")):
        told.append("`sinks`, `store` or `service` has changed: that takes a restart")
    return told


def _addresses(site: Site) -> int:
    return sum(network.num_addresses for network in site.owned.ranges)
