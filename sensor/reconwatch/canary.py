"""A new bait: an unguessable name that looks like one of ours, and where to plant it."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterator
from typing import Literal, NamedTuple

from reconwatch.document import Refused
from reconwatch.domains import LONGEST_NAME, read_owned_domain

Place = Literal["ct", "dns", "whois", "ptr"]
Style = Literal["environment", "service", "host"]

PLANTED = {"ct": "certificate transparency", "dns": "passive DNS", "whois": "WHOIS", "ptr": "reverse DNS"}
"""Place -> what site.yaml says of it."""

WORDS = {
    "environment": ("staging", "preprod", "uat", "qa", "dev", "test"),
    "service": ("vpn", "portal", "git", "jira", "grafana", "backup"),
    "host": ("web", "app", "srv", "db", "edge", "node"),
}
"""Style -> how such names begin: what somebody who looks us up would try next."""

BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
DRAWN = 7
"""Characters of the name that are drawn: 35 bits. A million guesses a second would need nine hours of our name servers;
and whoever guesses so shows as DNS_Enumeration or Name_Probe long before."""


class Bait(NamedTuple):
    """A bait that is not planted yet."""

    name: str
    place: Place
    since: datetime.date


def new(domain: str, place: Place, style: Style = "environment", today: datetime.date | None = None) -> Bait:
    """A name under `domain` that nobody can guess. Raises Refused for what is no domain of one organisation."""
    owned = read_owned_domain(domain)
    drawn = "".join(secrets.choice(BASE32) for _ in range(DRAWN))
    name = f"{secrets.choice(WORDS[style])}-{drawn}.{owned}"
    if len(name) > LONGEST_NAME:
        raise Refused(f"{owned} leaves no room for a name under it", write="a shorter domain")
    return Bait(name, place, today or datetime.datetime.now(datetime.UTC).date())


def instructions(bait: Bait) -> Iterator[str]:
    """What to plant where, and the lines of site.yaml; lines for a person, commands indented."""
    yield f"bait: {bait.name}"
    yield ""
    yield from _STEPS[bait.place](bait.name)
    yield ""
    yield "Tell nobody the name and look it up nowhere else: whoever uses it has it from there. Add to site.yaml:"
    yield ""
    yield "  canaries:"
    yield f"    - {{name: {bait.name}, planted: {PLANTED[bait.place]}, since: {bait.since}}}"


def _record(name: str) -> Iterator[str]:
    yield "DNS record, so that those who find the name come by (an address of yours; no wildcard beside it):"
    yield f"  {name}. 300 IN A <address>"


def _ct(name: str) -> Iterator[str]:
    yield from _record(name)
    yield "Certificate for this name alone, from an authority that logs: one of"
    yield f"  certbot certonly --manual --preferred-challenges dns -d {name}"
    yield (
        f"  openssl req -new -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr"
        f' -subj / -addext "subjectAltName=DNS:{name}"'
    )
    yield "The authority itself asks for the name's CAA record while it issues: that touch is its own."


def _dns(name: str) -> Iterator[str]:
    yield from _record(name)
    yield "Passive DNS takes it from resolvers that sell or share what they see; ask one, once, from outside:"
    yield f"  dig {name} A @9.9.9.9"
    yield "Secondary servers and whoever may transfer the zone know it too."


def _whois(name: str) -> Iterator[str]:
    yield from _record(name)
    yield f"  {name}. 300 IN MX 10 {name}."
    yield "WHOIS contact, at your registrar or in your RIR's database (not one that it redacts):"
    yield f"  e-mail: hostmaster@{name}"


def _ptr(name: str) -> Iterator[str]:
    yield "Reverse name of an address of yours that serves nothing, and the same forward:"
    yield f"  <address reversed>.in-addr.arpa. 3600 IN PTR {name}."
    yield f"  {name}. 300 IN A <address>"


_STEPS = {"ct": _ct, "dns": _dns, "whois": _whois, "ptr": _ptr}
