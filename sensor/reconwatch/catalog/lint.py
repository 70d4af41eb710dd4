"""What `catalog lint` checks: small named checks over the catalog's files, each with what to write instead.

A catalog is a folder with `services/*.yaml`, perhaps `nursery/*.yaml`, and the files beside them (`load.BLINDSPOTS`,
`load.WORLD`). A check sees a `Shelf`: the files as far as they could be read, so that one wrong file hides nothing of
the others.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import msgspec

from reconwatch.catalog import Catalog, Example, Service
from reconwatch.catalog.load import BLINDSPOTS, WORLD
from reconwatch.catalog.paths import Paths
from reconwatch.catalog.schema import (
    TECHNIQUES,
    FileModel,
    NurseryModel,
    ReadFile,
    out_of_order,
    read_blindspots,
    read_host,
    read_reference,
    repeated_hosts,
    repeated_ids,
)
from reconwatch.catalog.services import Query
from reconwatch.catalog.world import Facts
from reconwatch.catalog.world_schema import read_world
from reconwatch.document import Document, DocumentError, Place, Problem, Refused, examine, in_order, load
from reconwatch.targets import Question, Template

OLDEST = datetime.timedelta(days=180)
"""Hosts and forms of APIs live for years, ranges for months: half a year is where a list begins to mislead."""

FILES = {
    "T1596.001": "dns_passive_dns.yaml",
    "T1596.002": "whois_rdap.yaml",
    "T1596.003": "digital_certificates.yaml",
    "T1596.004": "cdns.yaml",
    "T1596.005": "scan_databases.yaml",
}
"""Sub-technique -> its file: a file's name says what it holds."""


class Shelf:
    """The files of one catalog (path within it -> content), read as far as they can be."""

    def __init__(self, texts: Mapping[str, bytes], today: datetime.date) -> None:
        self.texts = texts
        self.today = today
        self.unread: list[Problem] = []
        self.documents: list[Document] = []
        self.services: list[ReadFile] = []
        self.nursery: list[ReadFile] = []
        for name in sorted(texts):
            self._read(name)

    def _read(self, name: str) -> None:
        try:
            document = load(self._text(name), name)
        except DocumentError as error:
            self.unread += error.problems
            return
        self.documents.append(document)
        model: FileModel | NurseryModel | None = None
        problems: list[Problem] = []
        if name.startswith("services/"):
            model, problems = examine(document, FileModel)
        elif name.startswith("nursery/"):
            model, problems = examine(document, NurseryModel)
        self.unread += problems
        if model is not None:
            (self.services if name.startswith("services/") else self.nursery).append((document, model))

    def _text(self, name: str) -> str:
        try:
            return self.texts[name].decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.texts[name].count(b"\n", 0, error.start) + 1
            raise DocumentError([Problem(name, line, "not UTF-8", "the file in UTF-8")]) from error

    def entries(self) -> Iterator[tuple[Document, Place, Service]]:
        """Every service of a file that reads, with its place."""
        for document, model in self.services:
            for i, service in enumerate(model.services):
                yield document, ("services", i), service.typed(model.technique)

    @cached_property
    def catalog(self) -> Catalog:
        """The services of all files that read."""
        return Catalog(service for _, _, service in self.entries())

    @cached_property
    def world(self) -> Facts | tuple[Problem, ...]:
        """The other lists, or what is wrong with them."""
        absent = [name for name in WORLD if name not in self.texts]
        if absent:
            return tuple(Problem(name, None, "is missing", "it, if only with an empty list") for name in absent)
        try:
            return read_world({name: self._text(name) for name in WORLD}, self.catalog.services)
        except DocumentError as error:
            return error.problems


@dataclass(frozen=True, slots=True)
class Check:
    """One rule. A problem it finds says what to write, else the recommendation does."""

    name: str
    recommendation: str
    check: Callable[[Shelf], Iterable[Problem]]


def lint(folder: Path | None = None, today: datetime.date | None = None) -> list[Problem]:
    """Everything that is wrong with the shipped catalog, or with the one in `folder`, in the order of the files."""
    return lint_texts(texts_of(folder), today)


def lint_texts(texts: Mapping[str, bytes], today: datetime.date | None = None) -> list[Problem]:
    """As `lint`, of files that were read already (path within the catalog -> content)."""
    shelf = Shelf(texts, today or datetime.datetime.now(datetime.UTC).date())
    found = [_advised(problem, check) for check in CHECKS for problem in check.check(shelf)]
    return list(in_order(found))


def texts_of(folder: Path | None) -> dict[str, bytes]:
    """The files that make up a catalog: what else lies in the folder is no part of it. Raises OSError."""
    root = folder or Path(str(files("reconwatch.catalog")))
    found = [root / name for name in (BLINDSPOTS, *WORLD)] + [
        path for part in ("services", "nursery") for path in sorted((root / part).glob("*.yaml"))
    ]
    return {str(path.relative_to(root)): path.read_bytes() for path in found if path.is_file()}


def _advised(problem: Problem, check: Check) -> Problem:
    return problem if problem.advice else msgspec.structs.replace(problem, advice=check.recommendation)


# ---------------------------------------------------------------- the checks


def _reads(shelf: Shelf) -> Iterator[Problem]:
    yield from shelf.unread
    if not any(name.startswith("services/") for name in shelf.texts):
        yield Problem("services", None, "there are no services", "services/*.yaml")
    if BLINDSPOTS not in shelf.texts:
        yield Problem(BLINDSPOTS, None, "is missing", "it, if only with an empty list")
        return
    try:
        read_blindspots(BLINDSPOTS, shelf.texts[BLINDSPOTS].decode("utf-8", "replace"))
    except DocumentError as error:
        yield from error.problems


def _ranges(shelf: Shelf) -> Iterable[Problem]:
    # With a file of services unread, its ids would all be called unknown.
    return shelf.world if not shelf.unread and isinstance(shelf.world, tuple) else ()


def _named_for_technique(shelf: Shelf) -> Iterator[Problem]:
    for document, model in (*shelf.services, *shelf.nursery):
        name = document.name.rpartition("/")[2]
        if FILES.get(model.technique) != name:
            yield document.problem(("technique",), f"{model.technique} does not live in {name}", FILES[model.technique])


def _techniques(shelf: Shelf) -> Iterator[Problem]:
    for document, data in _data(shelf):
        technique = data.get("technique")
        if technique is not None and technique not in TECHNIQUES:
            yield document.problem(("technique",), f"{technique} is no sub-technique of T1596")


def _public_suffixes(shelf: Shelf) -> Iterator[Problem]:
    return _refused(shelf, ("hosts", "not_hosts"), read_host)


def _references(shelf: Shelf) -> Iterator[Problem]:
    return _refused(shelf, ("references",), read_reference)


def _refused(shelf: Shelf, keys: Iterable[str], read: Callable[[str], str]) -> Iterator[Problem]:
    """What one reader of the schema refuses, told even where the rest of the file does not read."""
    for document, data in _data(shelf):
        services = data.get("services")
        for i, service in enumerate(services if isinstance(services, list) else ()):
            for key in keys if isinstance(service, dict) else ():
                values = service.get(key)
                for n, value in enumerate(values if isinstance(values, list) else ()):
                    try:
                        read(str(value))
                    except Refused as refusal:
                        yield document.problem(("services", i, key, n), refusal.message, refusal.write)


def _data(shelf: Shelf) -> Iterator[tuple[Document, dict[str, object]]]:
    """The raw content of the files of services."""
    for document in shelf.documents:
        if document.name.startswith(("services/", "nursery/")) and isinstance(document.data, dict):
            yield document, document.data


def _shadowed(shelf: Shelf) -> Iterator[Problem]:
    for document, place, service in shelf.entries():
        for n, host in enumerate(service.hosts):
            name, slash, path = host.removeprefix("=").partition("/")
            found = shelf.catalog.by_url(name, slash + path) if slash else shelf.catalog.by_name(name)
            if found is None or found.id != service.id:
                who = f"{found.id} claims it" if found else "its own not_hosts exclude it"
                yield document.problem((*place, "hosts", n), f"{host} never reaches {service.id}: {who}")


def _examples_fire(shelf: Shelf) -> Iterator[Problem]:
    for document, place, service in shelf.entries():
        for n, example in enumerate(service.match):
            claimed = claimed_by(shelf.catalog, example)
            here = (*place, "match", n)
            if claimed is None or claimed.id != service.id:
                who = claimed.id if claimed else "nobody"
                yield document.problem(here, f"{example.text} is claimed by {who}, not by {service.id}")
            elif example.targets is not None:
                asked = shelf.catalog.asked(service, example.layer, asking_part(example)) or ()
                named = sorted(each.value for each in asked)
                if named != sorted(example.targets):
                    yield document.problem(
                        here, f"{example.text} asks about {', '.join(named) or 'nothing'}", ", ".join(example.targets)
                    )


def _counter_examples_stay_silent(shelf: Shelf) -> Iterator[Problem]:
    for document, place, service in shelf.entries():
        for n, example in enumerate(service.no_match):
            claimed = claimed_by(shelf.catalog, example)
            if claimed is not None and claimed.id == service.id:
                yield document.problem((*place, "no_match", n), f"{example.text} is claimed by {service.id}")


def _forms_are_shown(shelf: Shelf) -> Iterator[Problem]:
    for document, place, service in shelf.entries():
        for n, query in enumerate(service.queries):
            if not any(_shows(query, example) for example in service.match):
                yield document.problem((*place, "queries", n), f"no example of {service.id} shows {query.template}")


NAMING = ("{ip}", "{range}", "{domain}", "{asn}", "{base64}", "{reversed}")
"""Placeholders that must have named something. Free text may be a company's name, which is no target yet."""


def _shows(query: Query, example: Example) -> bool:
    if example.layer != query.layer:
        return False
    named = Template(query.layer, query.template).read(Question(query.layer, asking_part(example)))
    return bool(named) or (named is not None and not any(kind in query.template for kind in NAMING))


def _fresh(shelf: Shelf) -> Iterator[Problem]:
    for document in shelf.documents:
        as_of = document.data.get("as_of") if isinstance(document.data, dict) else None
        if not isinstance(as_of, datetime.date):
            continue
        if as_of > shelf.today:
            yield document.problem(("as_of",), f"{as_of} is still to come", severity="warning")
        elif shelf.today - as_of > OLDEST:
            days = (shelf.today - as_of).days
            yield document.problem(("as_of",), f"last gone through {days} days ago", severity="warning")


def _nursery_is_apart(shelf: Shelf) -> Iterator[Problem]:
    ids = {service.id for _, _, service in shelf.entries()}
    hosts = {host: service.id for _, _, service in shelf.entries() for host in service.hosts}
    for document, model in shelf.nursery:
        for i, service in enumerate(model.services):
            if service.id in ids:
                yield document.problem(("services", i), f"{service.id} is a service already")
            for host in service.hosts:
                if host in hosts:
                    yield document.problem(("services", i), f"host {host} is claimed by {hosts[host]} already")


def _path_examples(shelf: Shelf) -> Iterator[Problem]:
    if isinstance(shelf.world, tuple):
        return
    index = Paths(shelf.world.paths)
    document = next(document for document in shelf.documents if document.name == "paths.yaml")
    for i, path in enumerate(shelf.world.paths):
        for key, examples, wanted in (("match", path.match, True), ("no_match", path.no_match, False)):
            for n, example in enumerate(examples):
                if (path in index.of(example)) != wanted:
                    told = "does not ask for" if wanted else "asks for"
                    yield document.problem(("paths", i, key, n), f"{example} {told} {path.what}")


CHECKS = (
    Check("files read", "what docs/catalog.md says", _reads),
    Check("techniques exist", "one of " + ", ".join(TECHNIQUES), _techniques),
    Check("files are named for their technique", "the entries in the file of their technique", _named_for_technique),
    Check("sorted", "the entries in the order of their ids", lambda shelf: out_of_order(shelf.services)),
    Check("ids are unique", "another id", lambda shelf: repeated_ids(shelf.services)),
    Check("no host is claimed twice", "the host once", lambda shelf: repeated_hosts(shelf.services)),
    Check("public-suffix-safe", "the whole host, with =", _public_suffixes),
    Check("references are URLs", "where the fact can be read, as a URL", _references),
    Check("no entry is shadowed", "a longer name, a path, or nothing", _shadowed),
    Check("examples fire", "a host or a query form that fits, or another example", _examples_fire),
    Check("counter-examples stay silent", "not_hosts, or a narrower host", _counter_examples_stay_silent),
    Check("every query form is shown", "a match example of this form", _forms_are_shown),
    Check("scanners, tools, actors, registries and paths read", "what docs/catalog-world.md says", _ranges),
    Check("examples of paths hold", "a path that fits, or another example", _path_examples),
    Check("gone through within 180 days", "the day on which the whole file was gone through again", _fresh),
    Check("nursery entries are apart", "it out of nursery/: it is proven", _nursery_is_apart),
)
"""Every check, in the order in which they run."""


# ---------------------------------------------------------------- examples


def claimed_by(catalog: Catalog, example: Example) -> Service | None:
    """Whom the request of an example goes to."""
    match example.layer:
        case "http":
            host = example.text.partition("://")[2].partition("/")[0].partition("?")[0]
            return catalog.by_url(host.rpartition("@")[2].partition(":")[0], asking_part(example))
        case "whois":
            return catalog.by_name(example.text.partition(" ")[0]) or catalog.by_port(43)
    return catalog.by_name(example.text)


def asking_part(example: Example) -> str:
    """What of an example a template reads: origin form, line or query name; nothing of a server name."""
    match example.layer:
        case "http":
            return "/" + example.text.partition("://")[2].partition("/")[2].partition("#")[0]
        case "whois":
            return example.text.partition(" ")[2]
        case "dns":
            return example.text.lower()
    return ""
