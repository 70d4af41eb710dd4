"""What site.yaml gets wrong as a whole: parts that contradict each other, and parts that cannot have been meant."""

from __future__ import annotations

import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from reconwatch.document import nearest
from reconwatch.domains import PLACEHOLDERS, is_shared_suffix
from reconwatch.site import PRIVATE, ROLES, Network
from reconwatch.site_sinks import repeated_sinks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reconwatch.document import Document, Place, Problem
    from reconwatch.site_schema import SiteModel

BAITS = ("name", "address", "path")


def errors_beside_the_model(
    document: Document, thresholds: Mapping[str, Mapping[str, float]] | None
) -> Iterator[Problem]:
    """Errors that no single value shows, found in the raw document so that other errors do not hide them."""
    data = document.data if isinstance(document.data, dict) else {}
    yield from _canary_shapes(document, data.get("canaries"))
    yield from repeated_sinks(document, data.get("sinks"))
    if thresholds is not None:
        yield from _unknown_thresholds(document, data.get("thresholds"), thresholds)


def _canary_shapes(document: Document, canaries: Any) -> Iterator[Problem]:
    for index, canary in enumerate(canaries if isinstance(canaries, list) else ()):
        if not isinstance(canary, dict):
            continue
        given = [bait for bait in BAITS if canary.get(bait) is not None]
        misspelt = any(key not in (*BAITS, "planted", "since") for key in canary)
        if len(given) > 1:
            what = " and ".join(given)
            yield document.problem(("canaries", index), f"one canary has {what}", "one canary for each")
        elif not given and not misspelt:
            yield document.problem(("canaries", index), "a canary without a bait", "its name:, address: or path:")


def _unknown_thresholds(document: Document, given: Any, known: Mapping[str, Mapping[str, float]]) -> Iterator[Problem]:
    for note, values in given.items() if isinstance(given, dict) else ():
        if note not in known:
            yield _unknown(document, ("thresholds", note), f"no detector raises '{note}'", known)
            continue
        for name in values if isinstance(values, dict) else ():
            if name not in known[note]:
                yield _unknown(document, ("thresholds", note, name), f"{note} has no threshold '{name}'", known[note])


def _unknown(document: Document, place: Place, message: str, known: Iterable[str]) -> Problem:
    if close := nearest(str(place[-1]), known):
        return document.problem(place, message, f"'{close}'")
    return document.problem(place, f"{message}; known here: {', '.join(sorted(known)) or 'none'}")


def warnings_of(document: Document, model: SiteModel, now: float) -> Iterator[Problem]:
    """What the author of a valid file would want to know."""
    for place, message, write in chain(
        _repeated(model), _owned(model), _inside(model), _trust(model, now), _canaries(model)
    ):
        yield document.problem(place, message, write, "warning")


Told = tuple["Place", str, str]
"""(place, message, what to write)."""


def _repeated(model: SiteModel) -> Iterator[Told]:
    lists: list[tuple[tuple[str, ...], Sequence[Any]]] = [
        *(
            (("owned", key), getattr(model.owned, key))
            for key in ("domains", "ranges", "asns", "brands", "nameservers", "secondaries")
        ),
        (("inside",), model.inside or ()),
        *((("roles", key), getattr(model.roles, key)) for key in ROLES),
    ]
    for place, values in lists:
        seen = set()
        for index, value in enumerate(values):
            if value in seen:
                yield (*place, index), f"{value} stands in {place[-1]} twice", "it once"
            seen.add(value)
    baits = set()
    for index, canary in enumerate(model.canaries):
        for bait in canary.baits():
            if bait in baits:
                yield ("canaries", index), f"canary {bait[1]} stands here twice", "it once"
            baits.add(bait)


def _owned(model: SiteModel) -> Iterator[Told]:
    owned = model.owned
    if not (owned.domains or owned.ranges or owned.asns or owned.brands):
        yield ("owned",), "nothing is owned: no search can be seen to be about us, and no probe", "your domains"
    for index, domain in enumerate(owned.domains):
        place = ("owned", "domains", index)
        if domain in PLACEHOLDERS:
            yield place, f"{domain} is a placeholder that nobody owns", "your registered domain"
        elif is_shared_suffix(domain):
            yield place, f"{domain} gives its customers names of their own: it would claim them all", "your name in it"
    for index, network in enumerate(owned.ranges):
        if _within(network, PRIVATE):
            yield ("owned", "ranges", index), f"{network} is private: no database can list it", "it under 'inside'"


def _inside(model: SiteModel) -> Iterator[Told]:
    if not _ours(model):
        yield (
            ("inside",),
            "nothing is inside: no lookup will be seen",
            "your networks, or nothing for the private ranges",
        )


def _trust(model: SiteModel, now: float) -> Iterator[Told]:
    today = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
    for index, trust in enumerate(model.trusted):
        place = ("trusted", index)
        if trust.until is not None and trust.until < today:
            message = f"trust of {trust.who} ({trust.reason}) ended {trust.until}; renew or remove it"
            yield (*place, "until"), message, ""
        if trust.directions == ["lookup"] and not any(_meet(trust.who, ours) for ours in _ours(model)):
            message = f"trust of {trust.who} ({trust.reason}) can never apply: it is not inside, so it does no lookup"
            yield (*place, "who"), message, "for: [probe], or an address that is inside"


def _canaries(model: SiteModel) -> Iterator[Told]:
    for index, canary in enumerate(model.canaries):
        place = ("canaries", index)
        if canary.name in model.owned.domains:
            yield (
                (*place, "name"),
                f"canary {canary.name} is your domain itself: everybody touches it",
                "a name under it",
            )
        elif canary.name and not any(canary.name.endswith(f".{domain}") for domain in model.owned.domains):
            yield (*place, "name"), f"canary {canary.name} is under none of owned.domains", "a name under one of them"
        if canary.address and not any(_holds(network, canary.address) for network in model.owned.ranges):
            yield (
                (*place, "address"),
                f"canary {canary.address} is in none of owned.ranges",
                "an address in one of them",
            )
        if canary.planted is None:
            message = "a canary that does not say where it was planted cannot say what leaked"
            yield place, message, "planted: certificate transparency, or wherever it is"


def _ours(model: SiteModel) -> tuple[Network, ...]:
    return (*(PRIVATE if model.inside is None else model.inside), *model.owned.ranges)


def _meet(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _within(network: Network, others: Iterable[Network]) -> bool:
    return any(
        network.version == other.version
        and network.prefixlen >= other.prefixlen
        and network.supernet(new_prefix=other.prefixlen) == other
        for other in others
    )


def _holds(network: Network, address: str) -> bool:
    import ipaddress

    return ipaddress.ip_address(address) in network
