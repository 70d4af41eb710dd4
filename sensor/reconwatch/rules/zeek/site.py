"""A site as the options of `main.zeek`."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from reconwatch.catalog import Catalog
from reconwatch.catalog.reverse import reverse_service
from reconwatch.rules.zeek import script
from reconwatch.rules.zeek.services import tables
from reconwatch.site import Canary, Network, Site, Trust

SITE = "site.zeek"

_HEAD = """##! What we own and whom we trust: the site of reconwatch as options of the package.
##!
##! Made by `reconwatch rules build --zeek --site`; do not edit: it is made anew. Load it behind the package.

"""


def site_script(site: Site) -> str:
    """All that a site says to Zeek."""
    owned, roles = site.owned, site.roles
    networks: dict[str, tuple[Network, ...]] = {
        "owned_nets": owned.ranges,
        "nameservers": owned.nameservers,
        "secondaries": owned.secondaries,
        "inside_nets": site.inside,
        "resolvers": roles.resolvers,
        "proxies": roles.proxies,
        "nats": roles.nats,
        "mail_servers": roles.mail,
        "own_scanners": roles.scanners,
        "balancers": roles.balancers,
    }
    lines = [_is(name, (script.network(str(each)) for each in networks[name])) for name in networks]
    lines += [
        _is("owned_zones", map(script.string, owned.domains)),
        _is("owned_asns", map(str, owned.asns)),
        _is("owned_brands", map(script.string, owned.brands)),
        script.value("ReconWatch::sees_clients", script.boolean(site.sees_clients)),
        script.value("ReconWatch::zone_spellings", _spellings(owned.domains)),
        script.value("ReconWatch::trusted", _trusted(site.trusted)),
        script.value("ReconWatch::canaries", script.vector(map(_canary, site.canaries))),
    ]
    if owned.ranges:
        reverse = reverse_service(owned.ranges)
        lines += [
            "\n# Reverse names of our own ranges: no database, and watched for walks.\n",
            tables(Catalog([reverse])),
        ]
    return _HEAD + "".join(lines)


def _is(option: str, values: Iterable[str]) -> str:
    return script.value(f"ReconWatch::{option}", script.some(values))


def _spellings(domains: Iterable[str]) -> str:
    """Domains with letters beyond ASCII as people write them; there the A-labels do not show."""
    known = {}
    for domain in domains:
        if "xn--" in domain:
            import idna

            known[idna.decode(domain)] = domain
    return "table(" + ", ".join(f"[{script.string(k)}] = {script.string(v)}" for k, v in sorted(known.items())) + ")"


def _trusted(trusts: Iterable[Trust]) -> str:
    """Of several entries for one network the first that is written is kept: a table holds one."""
    known: dict[str, str] = {}
    for trust in trusts:
        known.setdefault(script.network(str(trust.who)), _trust(trust))
    return "table(" + ",".join(f"\n\t[{who}] = {text}" for who, text in known.items()) + ")"


def _trust(trust: Trust) -> str:
    fields = {"reason": script.string(trust.reason)}
    if trust.since is not None:
        fields["since"] = _midnight(trust.since)
    if trust.until is not None:
        fields["until"] = _midnight(trust.until + datetime.timedelta(days=1))
    fields["lookups"] = script.boolean("lookup" in trust.directions)
    fields["probes"] = script.boolean("probe" in trust.directions)
    return script.record("ReconWatch::Trust", fields)


def _canary(canary: Canary) -> str:
    fields = {"kind": script.string(canary.kind), "value": script.string(canary.value)}
    if canary.planted is not None:
        fields["planted"] = script.string(canary.planted)
    if canary.since is not None:
        fields["since"] = _midnight(canary.since)
    return script.record("ReconWatch::Canary", fields)


def _midnight(day: datetime.date) -> str:
    """The first moment of a day (UTC)."""
    at = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    return f"double_to_time({at.timestamp():.1f})"
