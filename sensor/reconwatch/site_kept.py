"""A site that was read, as bytes for the cache: to import pydantic and YAML alone takes a quarter of a start."""

from __future__ import annotations

import datetime
from importlib.machinery import PathFinder
from ipaddress import ip_network
from typing import Any

import msgspec

from reconwatch.cache import stamp
from reconwatch.document import Problem
from reconwatch.site import Canary, Direction, Feed, Log, Owned, Roles, Site, Thresholds, Trust
from reconwatch.site_outlets import Keeping, SinkSetting, Watching

PACKAGES = ("idna", "publicsuffixlist", "pydantic", "yaml")
"""Packages that have a say in what a site may hold; the cache forgets what another version of them said."""

Written = tuple[str, ...]
"""Networks as text: a decoder cannot choose between two types that are not its own."""


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """A site as plain data."""

    domains: tuple[str, ...]
    asns: tuple[int, ...]
    brands: tuple[str, ...]
    hosted: bool
    issuers: tuple[str, ...]
    networks: tuple[Written, ...]
    """Ours, nameservers, secondaries, inside; then of each role."""
    trusted: tuple[tuple[str, str, datetime.date | None, datetime.date | None, tuple[Direction, ...]], ...]
    canaries: tuple[Canary, ...]
    logs: tuple[Log, ...]
    sources: tuple[dict[str, Any], ...]
    sinks: tuple[SinkSetting, ...]
    store: Keeping
    service: Watching
    intel: tuple[Feed, ...]
    thresholds: Thresholds
    sees_clients: bool
    path: str | None
    warnings: tuple[Problem, ...]


_ENCODER = msgspec.msgpack.Encoder(enc_hook=str)
_DECODER = msgspec.msgpack.Decoder(_Kept)


def judges() -> str:
    """Which versions of others' packages decide what a site may hold, found without importing them."""
    specs = map(PathFinder.find_spec, PACKAGES)
    return "\0".join(stamp(spec.origin) for spec in specs if spec is not None and spec.origin is not None)


def encode(site: Site) -> bytes | None:
    """The site for a cache; None if it would not come back as it is."""
    owned = site.owned
    roles = (getattr(site.roles, key) for key in Roles.__struct_fields__)
    values = (
        owned.domains, owned.asns, owned.brands, owned.hosted, owned.issuers,
        (owned.ranges, owned.nameservers, owned.secondaries, site.inside, *roles),
        tuple((trust.who, trust.reason, trust.since, trust.until, trust.directions) for trust in site.trusted),
        site.canaries, site.logs, site.sources, site.sinks, site.store, site.service, site.intel, site.thresholds,
        site.sees_clients, site.path, site.warnings,
    )  # fmt: skip
    try:
        raw = _ENCODER.encode(values)
    except (OverflowError, UnicodeEncodeError):  # of a source, say: a number of more than 64 bits
        return None
    back = decode(raw)  # of a source, say: a date comes back as text
    return raw if (back, back.warnings) == (site, site.warnings) else None


def decode(raw: bytes) -> Site:
    """The site of a cache. Raises ValueError or msgspec.DecodeError if it is damaged or of another kind."""
    kept = _DECODER.decode(raw)
    ranges, nameservers, secondaries, inside, *roles = (tuple(map(ip_network, each)) for each in kept.networks)
    return Site(
        owned=Owned(kept.domains, ranges, kept.asns, kept.brands, nameservers, secondaries, kept.hosted, kept.issuers),
        inside=inside,
        roles=Roles(*roles),
        trusted=tuple(Trust(ip_network(who), why, since, until, ways) for who, why, since, until, ways in kept.trusted),
        canaries=kept.canaries,
        logs=kept.logs,
        sources=kept.sources,
        sinks=kept.sinks,
        store=kept.store,
        service=kept.service,
        intel=kept.intel,
        thresholds=kept.thresholds,
        sees_clients=kept.sees_clients,
        path=kept.path,
        warnings=kept.warnings,
    )
