"""What probes are told by: paths that scanners ask web servers for, and the clients that ask."""

from __future__ import annotations

from reconwatch.catalog import Catalog
from reconwatch.catalog.paths import RequestPath
from reconwatch.catalog.world import World
from reconwatch.rules.zeek import script
from reconwatch.rules.zeek.scanners import agents

PATHS = "paths.zeek"

_HEAD = """##! Paths that scanners ask web servers for, whole or by beginnings, and the agents of scanning clients.
##!
##! Made by `reconwatch rules build --zeek`; do not edit: it is made anew.

@load ../probing

"""


def paths(catalog: Catalog, world: World) -> dict[str, str]:
    """The file of the catalog that scanners' requests are known by. Pure."""
    del catalog
    whole: dict[str, set[str]] = {}
    begin: dict[str, str] = {}
    for entry in world.facts.paths:
        for path in map(str.lower, entry.paths):
            if path.endswith("*"):
                begin[path[:-1]] = entry.id
            else:
                whole.setdefault(path, set()).add(entry.id)
    said = [(phrase, tool) for tool in world.facts.tools for phrase in tool.agents]
    said.sort(key=lambda each: (-len(each[0].text), each[0].text))
    clients = [(phrase, "" if tool.kind == "everyday" else tool.name, world.tries_words(tool)) for phrase, tool in said]
    known = {script.string(e.id): _sought(e, world) for e in sorted(world.facts.paths, key=lambda entry: entry.id)}
    parts = (
        script.entries("ReconWatch::sought", known),
        script.entries(
            "ReconWatch::sought_paths",
            {script.string(p): script.some(map(script.string, sorted(whole[p]))) for p in sorted(whole)},
        ),
        script.entries(
            "ReconWatch::sought_beginnings", {script.string(p): script.string(begin[p]) for p in sorted(begin)}
        ),
        script.value("ReconWatch::scanning_agents", agents(clients)),
    )
    return {PATHS: _HEAD + "\n".join(parts)}


def _sought(entry: RequestPath, world: World) -> str:
    fields = {"what": script.string(entry.what)}
    if entry.strong:
        fields["strong"] = "T"
    tool = world.tool(entry.tool) if entry.tool else None
    if tool is not None:
        fields["tool"] = script.string(tool.name)
        if world.tries_words(tool):
            fields["words"] = "T"
    return script.record("ReconWatch::Sought", fields)
