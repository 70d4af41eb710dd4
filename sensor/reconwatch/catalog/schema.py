"""The strict reading of the catalog's files: every problem of every file at once, each with its line."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from publicsuffixlist import PublicSuffixList
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from reconwatch.catalog.services import Blindspot, Example, Query, Service
from reconwatch.document import Document, DocumentError, Problem, Refused, examine, load, validate
from reconwatch.targets import Template, TemplateError

TECHNIQUES = {
    "T1596.001": "DNS/Passive DNS",
    "T1596.002": "WHOIS",
    "T1596.003": "Digital Certificates",
    "T1596.004": "CDNs",
    "T1596.005": "Scan Databases",
}

_HOST = re.compile(r"=?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?)+(?:/[!-~]+)?")


def read_host(text: str) -> str:
    """A host as claims write it. Raises Refused if it is none, or if it would claim everybody's names."""
    if not _HOST.fullmatch(text):
        raise Refused(f"{text!r} is not a host", write="lower-case A-labels, with = in front or /path behind if meant")
    name, slash, _ = text.partition("/")
    if not name.startswith("=") and not slash and _is_public_suffix(name):
        raise Refused(f"{name} is a public suffix: it would claim everybody's names", write=f"={name} or a name below")
    return text


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _is_public_suffix(name: str) -> bool:
    return bool(_suffixes().publicsuffix(name) == name)


def read_reference(text: str) -> str:
    """The URL of a source. Raises Refused if it is none."""
    if not text.startswith("https://") and not text.startswith("http://"):
        raise Refused(f"{text!r} is no URL", write="where the fact can be read, as a URL")
    return text


Technique = Literal["T1596.001", "T1596.002", "T1596.003", "T1596.004", "T1596.005"]
Host = Annotated[str, AfterValidator(read_host)]
Reference = Annotated[str, AfterValidator(read_reference)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class QueryModel(_Model):
    """One template: its layer is the key."""

    http: str | None = None
    whois: str | None = None
    dns: str | None = None

    @model_validator(mode="after")
    def _one_readable_template(self) -> QueryModel:
        given = self.model_dump(exclude_none=True)
        if len(given) != 1:
            raise Refused("a query is one template", write="http:, whois: or dns: and the template")
        layer, template = next(iter(given.items()))
        try:
            Template(layer, template)
        except TemplateError as error:
            raise Refused(str(error)) from error
        return self

    def typed(self) -> Query:
        """As the catalog keeps it."""
        ((layer, template),) = self.model_dump(exclude_none=True).items()
        return msgspec.convert({"layer": layer, "template": template}, Query)


class ExampleModel(_Model):
    """One request: its layer is the key."""

    http: str | None = None
    tls: str | None = None
    dns: str | None = None
    whois: str | None = None
    targets: list[str] | None = None

    @model_validator(mode="after")
    def _one_request(self) -> ExampleModel:
        if len(self.model_dump(exclude_none=True, exclude={"targets"})) != 1:
            raise Refused("an example is one request", write="http:, tls:, dns: or whois: and the request")
        return self

    def typed(self) -> Example:
        """As the catalog keeps it."""
        ((layer, text),) = self.model_dump(exclude_none=True, exclude={"targets"}).items()
        return msgspec.convert({"layer": layer, "text": text, "targets": self.targets}, Example)


class ServiceModel(_Model):
    """One entry of a file; the fields are described in docs/catalog.md."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    name: str = Field(min_length=1)
    operator: str = Field(min_length=1)
    hosts: list[Host]
    not_hosts: list[str] = []
    port: int | None = Field(default=None, ge=1, le=65535)
    interface: list[Literal["web", "api", "whois", "rdap", "dns", "postgresql", "ct-log"]] = Field(min_length=1)
    visit: Literal["strong", "weak"] = "strong"
    state: Literal["active", "retired"] = "active"
    queries: list[QueryModel] = []
    secrets: list[str] = []
    benign: list[str] = []
    references: list[Reference] = Field(min_length=1)
    match: list[ExampleModel] = Field(min_length=1)
    no_match: list[ExampleModel] = Field(min_length=1)

    @model_validator(mode="after")
    def _claims_something(self) -> ServiceModel:
        if not self.hosts and self.port is None:
            raise Refused(f"{self.id} claims nothing", write="hosts: or port:")
        if self.state == "retired" and self.visit != "weak":
            raise Refused(f"{self.id} is retired: nobody can search there any more", write="visit: weak")
        return self

    def typed(self, technique: str) -> Service:
        """As the catalog keeps it."""
        return Service(
            id=self.id,
            name=self.name,
            operator=self.operator,
            technique=technique,
            hosts=tuple(self.hosts),
            not_hosts=tuple(self.not_hosts),
            port=self.port,
            interface=tuple(self.interface),
            visit=self.visit,
            state=self.state,
            queries=tuple(query.typed() for query in self.queries),
            secrets=tuple(self.secrets),
            benign=tuple(self.benign),
            references=tuple(self.references),
            match=tuple(example.typed() for example in self.match),
            no_match=tuple(example.typed() for example in self.no_match),
        )


class UnprovenModel(ServiceModel):
    """An entry of nursery/: as any other, but what proves it may still be missing."""

    references: list[Reference] = []
    match: list[ExampleModel] = []
    no_match: list[ExampleModel] = []


class FileModel(_Model):
    """One file: the services of one sub-technique."""

    as_of: datetime.date
    technique: Technique
    services: list[ServiceModel]


class NurseryModel(_Model):
    """One file of nursery/."""

    as_of: datetime.date
    technique: Technique
    services: list[UnprovenModel]


class BlindspotModel(_Model):
    """One entry of blindspots.yaml."""

    id: Literal["doh", "ech", "private-relay"]
    tells: str = Field(min_length=1)
    hosts: list[Host] = Field(min_length=1)
    references: list[Reference] = Field(min_length=1)


class BlindspotsModel(_Model):
    """The file blindspots.yaml."""

    as_of: datetime.date
    blindspots: list[BlindspotModel]


def read_blindspots(name: str, text: str) -> tuple[Blindspot, ...]:
    """The content of blindspots.yaml.

    Raises:
        DocumentError: everything that is wrong with it.
    """
    model = validate(load(text, name), BlindspotsModel)
    return tuple(Blindspot(b.id, b.tells, tuple(b.hosts), tuple(b.references)) for b in model.blindspots)


def read_services(texts: Mapping[str, str]) -> tuple[Service, ...]:
    """The services of all files (name -> text).

    Raises:
        DocumentError: everything that is wrong, in all files, among it ids and hosts that are claimed twice.
    """
    problems: list[Problem] = []
    read: list[tuple[Document, FileModel]] = []
    for name, text in texts.items():
        document = load(text, name)
        model, found = examine(document, FileModel)
        problems += found
        if model is not None:
            read.append((document, model))
    for rule in (out_of_order, repeated_ids, repeated_hosts):
        problems += rule(read)
    if any(problem.severity == "error" for problem in problems):
        raise DocumentError(problems)
    return tuple(service.typed(model.technique) for _, model in read for service in model.services)


ReadFile = tuple[Document, FileModel | NurseryModel]
"""A file of services with the places of what it says."""


def out_of_order(files: Iterable[ReadFile]) -> Iterator[Problem]:
    """Entries that stand before one that their id comes after."""
    for document, model in files:
        for i, (before, after) in enumerate(pairwise(service.id for service in model.services), start=1):
            if before > after:
                yield document.problem(("services", i), f"{after} is not in order", f"it before {before}")


def repeated_ids(files: Iterable[ReadFile]) -> Iterator[Problem]:
    """Ids that an earlier entry has."""
    return _repeated(files, lambda service: [f"id {service.id}"])


def repeated_hosts(files: Iterable[ReadFile]) -> Iterator[Problem]:
    """Hosts that an earlier entry claims in the same spelling."""
    return _repeated(files, lambda service: [f"host {host}" for host in service.hosts])


def _repeated(files: Iterable[ReadFile], claims: Callable[[ServiceModel], list[str]]) -> Iterator[Problem]:
    claimed: dict[str, str] = {}
    for document, model in files:
        for i, service in enumerate(model.services):
            for what in claims(service):
                if what in claimed:
                    yield document.problem(("services", i), f"{what} is claimed by {claimed[what]} too", "it once")
                claimed[what] = f"{service.id} ({document.name})"
