"""What lookups are told by: services, their names, requests and queries, and the clients that give themselves away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconwatch.catalog import Catalog, Service
from reconwatch.catalog.world import Phrase, World
from reconwatch.rules.zeek import script
from reconwatch.sift import transparency
from reconwatch.targets import Template, pieces_of

SERVICES, TOOLS = "services.zeek", "tools.zeek"

_HEAD = """##! {what}
##!
##! Made by `reconwatch rules build --zeek`; do not edit: it is made anew.

@load ../service

"""


def services(catalog: Catalog, world: World) -> dict[str, str]:
    """The files of the catalog that lookups are told by. Pure."""
    del world
    known = {script.string(service.id): _service(service) for service in _sorted(catalog)}
    return {
        SERVICES: _HEAD.format(what="Open technical databases: their names, paths and ports, and how they are asked.")
        + script.entries("ReconWatch::services", known)
        + "\n"
        + tables(catalog)
    }


def tables(catalog: Catalog) -> str:
    """The claims of a catalog, and what to strike out of its requests."""
    interest = catalog.interest()
    hosts: dict[str, str] = {}
    paths: dict[str, list[tuple[str, str]]] = {}
    ports: dict[str, str] = {}
    for service in catalog.services.values():
        for host in service.hosts:
            name, slash, path = host.partition("/")
            if slash:
                paths.setdefault(name.removeprefix("="), []).append(("/" + path, service.id))
            else:
                hosts[name] = service.id
        if service.port is not None:
            ports[f"{service.port}/tcp"] = script.string(service.id)
    secrets: dict[str, set[str]] = {}
    for host, parameter in interest.secrets:
        secrets.setdefault(host, set()).add("".join(filter(str.isalnum, parameter)))
    secret_paths: dict[str, list[str]] = {}
    for host, template in sorted(interest.secret_paths):
        secret_paths.setdefault(host, []).append(template)
    parts = (
        script.entries("ReconWatch::hosts", {script.string(h): script.string(hosts[h]) for h in sorted(hosts)}),
        script.entries("ReconWatch::paths", {script.string(h): _paths(paths[h]) for h in sorted(paths)}),
        script.entries("ReconWatch::ports", ports),
        script.entries(
            "ReconWatch::secrets",
            {script.string(h): script.some(map(script.string, sorted(secrets[h]))) for h in sorted(secrets)},
        ),
        script.entries(
            "ReconWatch::secret_paths",
            {script.string(h): script.vector(map(script.string, secret_paths[h])) for h in sorted(secret_paths)},
        ),
    )
    return "\n".join(filter(None, parts))


def _sorted(catalog: Catalog) -> list[Service]:
    return sorted(catalog.services.values(), key=lambda service: service.id)


def _service(service: Service) -> str:
    fields = {"name": script.string(service.name), "technique": script.string(service.technique)}
    if service.visit == "strong" and service.state == "active":
        fields["strong"] = "T"
    if service.visit == "ordinary":
        fields["ordinary"] = "T"
    if service.asked_in_dns:
        fields["asked_in_dns"] = "T"
    if ct := transparency(service):
        fields["ct"] = script.string(ct)
    if service.not_hosts:
        fields["not_hosts"] = script.some(map(script.string, sorted(service.not_hosts)))
    if queries := list(_queries(service)):
        fields["queries"] = script.vector(queries)
    return script.record("ReconWatch::Service", fields)


def _queries(service: Service) -> Iterator[str]:
    """The templates of a service, those that say most first, as `Catalog.asked` tries them."""
    for layer in ("http", "whois", "dns"):
        forms = [Template(query.layer, query.template) for query in service.queries if query.layer == layer]
        for form in sorted(forms, key=lambda form: form.weight, reverse=True):
            fields = {"layer": script.string(layer), "path": _pieces(form.path_text)}
            if form.parameter_texts:
                fields["parameters"] = script.vector(
                    script.record("ReconWatch::Parameter", {"name": script.string(name), "value": _pieces(text)})
                    for name, text in form.parameter_texts
                )
            yield script.record("ReconWatch::Query", fields)


def _pieces(text: str) -> str:
    return script.vector(map(script.string, pieces_of(text)))


def _paths(claims: Iterable[tuple[str, str]]) -> str:
    longest_first = sorted(claims, key=lambda claim: -len(claim[0]))
    return script.vector(
        script.record("ReconWatch::PathClaim", {"prefix": script.string(p), "service": script.string(s)})
        for p, s in longest_first
    )


def tools(catalog: Catalog, world: World) -> dict[str, str]:
    """The file of clients that are known by what they say of themselves. Pure."""
    del catalog
    agents: list[tuple[Phrase, str]] = []
    lines: list[tuple[Phrase, str]] = []
    for tool in world.facts.tools:
        # What administrators use all day is no sign, but is told from what is.
        name = "" if tool.kind == "everyday" else tool.name
        agents += [(phrase, name) for phrase in tool.agents]
        lines += [(phrase, name) for phrase in tool.whois]
    return {
        TOOLS: _HEAD.format(what="Reconnaissance clients, by their user agents and the flags of their WHOIS lines.")
        + script.value("ReconWatch::tool_agents", _phrases(agents))
        + "\n"
        + script.value("ReconWatch::tool_whois", _phrases(lines))
    }


def _phrases(phrases: list[tuple[Phrase, str]]) -> str:
    ordered = sorted(phrases, key=lambda each: (-len(each[0].text), each[0].text))
    return "vector(\n" + ",\n".join(f"\t{_phrase(phrase, tool)}" for phrase, tool in ordered) + "\n)"


def _phrase(phrase: Phrase, tool: str) -> str:
    """Plain text by whole words: the text that is searched has a blank before and behind it."""
    if phrase.regex:
        pattern = phrase.text.replace("/", r"\/").replace('"', r"\"").replace(r"\s", "[:space:]")
        before = False
    else:
        before = phrase.text[:1].isalnum()
        pattern = "[^0-9A-Za-z]" * before + script.literal(phrase.text) + "[^0-9A-Za-z]" * phrase.text[-1:].isalnum()
    fields = {"form": f"/{pattern}/i", "tool": script.string(tool)}
    if before:
        fields["bordered"] = "T"
    return script.record("ReconWatch::Phrase", fields)
