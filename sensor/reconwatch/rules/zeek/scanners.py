"""What probes are told by: crawlers, their networks, agents and reverse names."""

from __future__ import annotations

from collections.abc import Iterable

from reconwatch.catalog import Catalog
from reconwatch.catalog.world import Phrase, Scanner, World
from reconwatch.rules.zeek import script

SCANNERS = "scanners.zeek"

_HEAD = """##! Crawlers that fill databases or survey the internet: their addresses, and how they call themselves.
##!
##! Made by `reconwatch rules build --zeek`; do not edit: it is made anew.

@load ../probing

"""


def scanners(catalog: Catalog, world: World) -> dict[str, str]:
    """The file of the catalog that crawlers are known by. Pure."""
    del catalog
    every = sorted(world.facts.scanners, key=lambda scanner: scanner.id)
    networks = {script.network(cidr): script.string(scanner.id) for scanner in every for cidr in scanner.ranges.split()}
    names = {script.string(name): script.string(scanner.id) for scanner in every for name in sorted(scanner.rdns)}
    said = [(phrase, scanner.id) for scanner in every for phrase in scanner.agents]
    said.sort(key=lambda each: (-len(each[0].text), each[0].text))
    parts = (
        script.entries("ReconWatch::crawlers", {script.string(each.id): _crawler(each) for each in every}),
        script.entries("ReconWatch::crawler_nets", networks),
        script.entries("ReconWatch::crawler_names", names),
        script.value("ReconWatch::crawler_agents", agents((phrase, name, False) for phrase, name in said)),
    )
    return {SCANNERS: _HEAD + "\n".join(parts)}


def _crawler(scanner: Scanner) -> str:
    fields = {
        "name": script.string(scanner.name),
        "operator": script.string(scanner.operator),
        "kind": script.string(scanner.kind),
    }
    if scanner.databases:
        fields["databases"] = script.vector(map(script.string, sorted(scanner.databases)))
    if scanner.rented:
        fields["rented"] = "T"
    return script.record("ReconWatch::Crawler", fields)


def agents(phrases: Iterable[tuple[Phrase, str, bool]]) -> str:
    """A vector of what user agents hold: (text, whose it is, whether that tries word lists), the longest first."""
    return script.vector(f"\n\t{_agent(*each)}" for each in phrases)


def _agent(phrase: Phrase, who: str, words: bool) -> str:
    """Zeek looks at the agent between two blanks: its patterns know no borders of words."""
    if phrase.regex:
        pattern = phrase.text.replace("/", r"\/").replace("$", r"\ $")
    else:
        border = "[^0-9A-Za-z]"
        before, after = border * phrase.text[0].isalnum(), border * phrase.text[-1].isalnum()
        pattern = before + script.literal(phrase.text) + after
    fields = {"form": f"/{pattern}/i", "who": script.string(who)}
    if words:
        fields["words"] = "T"
    return script.record("ReconWatch::Agent", fields)
