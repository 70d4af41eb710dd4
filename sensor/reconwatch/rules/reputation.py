"""Known crawlers as IP reputation: a list that an engine can load anew while it runs, and few rules (`iprep`).

Suricata wants three things in suricata.yaml for it, which the header of the rules says. A list has at most 60
categories (`SREP_MAX_CATS` in reputation.h): each crawler that fills a database or comes on demand has one of its own,
the others share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconwatch.catalog.world import Scanner, World
from reconwatch.rules.draft import Draft
from reconwatch.rules.parties import NOBODY, Parties
from reconwatch.rules.probes import DAILY, NOT_OURS, TURNED_TO

CATEGORIES, REPUTATIONS = "reconwatch-categories.txt", "reconwatch-reputation.list"

SURE, RENTED = 100, 50
"""Scores, of at most 127: an operator's own range, and an address in a cloud, which may be another's by now."""

SETTINGS = f"""\
default-reputation-path: /etc/suricata/iprep
reputation-categories-file: /etc/suricata/iprep/{CATEGORIES}
reputation-files:
  - {REPUTATIONS}
"""
"""What suricata.yaml must hold."""


@dataclass(frozen=True, slots=True)
class Category:
    """A crawler, or all surveys together."""

    number: int
    short: str
    name: str
    scanners: tuple[Scanner, ...]


def categories(world: World) -> Iterator[Category]:
    """In the order of the catalog; surveys come last."""
    listed = [scanner for scanner in world.facts.scanners if scanner.ranges]
    alone = [scanner for scanner in listed if scanner.kind != "survey"]
    for number, scanner in enumerate(alone, start=1):
        yield Category(number, f"Rw-{scanner.id}"[:31], f"{scanner.name} crawler", (scanner,))
    surveys = tuple(scanner for scanner in listed if scanner.kind == "survey")
    if surveys:
        yield Category(len(alone) + 1, "Rw-survey", "survey of the Internet", surveys)


def files(world: World) -> dict[str, str]:
    """The lists, by name: `number,short name,description` and `address or CIDR,number,score`."""
    every = tuple(categories(world))
    return {
        CATEGORIES: "".join(f"{each.number},{each.short},{each.name.replace(',', ' ')}\n" for each in every),
        REPUTATIONS: "".join(_lines(every)),
    }


def _lines(every: Iterable[Category]) -> Iterator[str]:
    for category in every:
        for scanner in category.scanners:
            score = RENTED if scanner.rented else SURE
            for cidr in scanner.ranges.split():
                address, _, length = cidr.partition("/")
                single = length == ("128" if ":" in address else "32")
                yield f"{address if single else cidr},{category.number},{score}\n"


def reputed(world: World, parties: Parties) -> Iterator[Draft]:
    """The rules, one a category and protocol."""
    if parties.owned == NOBODY:
        return
    for category in categories(world):
        yield Draft(
            key=f"probe/reputation/{category.short[3:]}",
            protocol="ip",
            source=f"{parties.strangers} any",
            destination=f"{parties.owned} any",
            msg=f"{category.name} came, by its reputation",
            options=(NOT_OURS, ("iprep", f"src,{category.short},>,1")),
            classtype="network-scan",
            technique="T1595.001",
            confidence="Medium",
            threshold=DAILY,
            service=category.scanners[0].id if len(category.scanners) == 1 else None,
        )
        yield Draft(
            key=f"probe/reputation/{category.short[3:]}/turned-to",
            protocol="ip",
            source=f"{parties.owned} any",
            destination=f"{parties.world} any",
            msg=f"never alerts: we turned to an address of {category.name}",
            options=(("iprep", f"dst,{category.short},>,1"), *TURNED_TO),
            classtype="misc-activity",
            technique="T1595.001",
            confidence="Low",
        )
