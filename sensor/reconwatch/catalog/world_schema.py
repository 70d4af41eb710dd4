"""The strict reading of the world's files: every problem of all of them at once, each with its line.

`read_world` reads all five. A service id is checked against the ids that the caller knows; without them, any will do.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from reconwatch.catalog.paths import RequestPath
from reconwatch.catalog.ranges import parse
from reconwatch.catalog.world import (
    Actor,
    CtLog,
    Facts,
    Phrase,
    Reference,
    Registries,
    Resolver,
    Scanner,
    Tool,
    Use,
    pattern_of,
    with_table,
)
from reconwatch.document import Document, DocumentError, Problem, Refused, examine, load

WIDEST = {4: 16, 6: 29}
"""A wider range is no crawler's but a provider's: nobody's list is right about it."""

_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?)+")
_RDNS = re.compile(r"[a-z0-9*-]+(?:\.[a-z0-9-]+)+")
_TECHNIQUE = re.compile(r"T1(?:59[0-9])(?:\.00[0-9])?")
_ZONE = re.compile(r"\.[a-z0-9-]+(?:\.[a-z0-9-]+)*|AS[0-9]+-AS[0-9]+|[0-9a-f.:]+/[0-9]+")


def _url(text: str) -> str:
    if not text.startswith("https://"):
        raise Refused(f"{text!r} is no URL", write="where the fact can be read, as an https URL")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise Refused(f"{text!r} is not a host", write="lower-case A-labels")
    return text


def _ranges(text: str) -> str:
    for cidr in text.split():
        try:
            network = parse(cidr)
        except ValueError as error:
            raise Refused(str(error), write="a network as 203.0.113.0/24") from error
        if network.prefix < WIDEST[network.version]:
            raise Refused(f"{cidr} is wider than /{WIDEST[network.version]}: no crawler's, but a provider's")
    return " ".join(text.split())


def _rdns(text: str) -> str:
    if not _RDNS.fullmatch(text):
        raise Refused(f"{text!r} is no reverse name", write="a suffix, or a pattern with * in its first label")
    return text


def _fingerprint(text: str) -> str:
    if not re.fullmatch(r"ja3:[0-9a-f]{32}|ja4:[a-z0-9]{10}_[0-9a-f]{12}_[0-9a-f]{12}", text):
        raise Refused(f"{text!r} is no fingerprint", write="ja3: or ja4: and the fingerprint")
    return text


def _technique(text: str) -> str:
    if not _TECHNIQUE.fullmatch(text):
        raise Refused(
            f"{text!r} is no technique of reconnaissance", write="T1590 to T1599, with sub-technique if known"
        )
    return text


def _service(text: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("services")
    if known is not None and text not in known:
        raise Refused(f"{text!r} is no service of the catalog", write="the id of an entry in services/*.yaml")
    return text


def _tool(text: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("tools")
    if known is not None and text not in known:
        raise Refused(f"{text!r} is no tool of the catalog", write="the id of an entry in tools.yaml")
    return text


def _zones(text: object) -> object:
    if not isinstance(text, str):
        return text
    for zone in text.split():
        if not _ZONE.fullmatch(zone):
            raise Refused(f"{zone!r} is no zone", write=".tld, a CIDR, or AS64496-AS64511")
    return tuple(text.split())


def _phrase(given: object) -> object:
    return {"text": given} if isinstance(given, str) else given


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Url = Annotated[str, AfterValidator(_url)]
Host = Annotated[str, AfterValidator(_host)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
ServiceId = Annotated[str, AfterValidator(_service)]
ToolId = Annotated[str, AfterValidator(_tool)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
Technique = Annotated[str, AfterValidator(_technique)]
Zones = Annotated[tuple[str, ...], BeforeValidator(_zones)]
Scopes = Annotated[
    tuple[str, ...], BeforeValidator(lambda text: tuple(text.split()) if isinstance(text, str) else text)
]


class PhraseModel(_Model):
    """Plain text, or `regex:`."""

    text: str = Field(default="", max_length=200)
    regex: str = ""

    @model_validator(mode="after")
    def _one_that_compiles(self) -> PhraseModel:
        if bool(self.text) == bool(self.regex):
            raise Refused("a phrase is a text or a regex", write="the text, or {regex: ...}")
        try:
            pattern = re.compile(pattern_of(self.typed()))
        except re.error as error:
            raise Refused(f"{self.regex!r} is no regular expression: {error}") from error
        if pattern.groups:
            raise Refused(f"{self.regex!r} has a group", write="(?:...) for it")
        if pattern.search("") or len(self.text or self.regex) < 4:
            raise Refused(f"{self.text or self.regex!r} says too little", write="more of it")
        return self

    def typed(self) -> Phrase:
        """As the catalog keeps it."""
        return Phrase(self.regex, regex=True) if self.regex else Phrase(self.text)


PhraseGiven = Annotated[PhraseModel, BeforeValidator(_phrase)]


class ReferenceModel(_Model):
    """A URL with the day of what was read there."""

    url: Url
    date: datetime.date


class ScannerModel(_Model):
    """One entry of scanners.yaml."""

    id: Id
    name: str = Field(min_length=1)
    operator: str = Field(min_length=1)
    kind: Literal["database", "survey", "on-demand"]
    databases: list[ServiceId] = []
    rented: bool = False
    ranges: Annotated[str, AfterValidator(_ranges)] = ""
    rdns: list[Annotated[str, AfterValidator(_rdns)]] = []
    agents: list[PhraseGiven] = []
    tls: list[Fingerprint] = []
    note: str = ""
    references: list[ReferenceModel] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_told(self) -> ScannerModel:
        if not (self.ranges or self.rdns or self.agents):
            raise Refused(f"{self.id} cannot be recognised", write="ranges:, rdns: or agents:")
        return self

    def typed(self) -> Scanner:
        """As the catalog keeps it."""
        return Scanner(
            id=self.id,
            name=self.name,
            operator=self.operator,
            kind=self.kind,
            databases=tuple(self.databases),
            rented=self.rented,
            ranges=self.ranges,
            rdns=tuple(self.rdns),
            agents=tuple(phrase.typed() for phrase in self.agents),
            tls=tuple(self.tls),
            note=self.note,
            references=tuple(Reference(each.url, each.date) for each in self.references),
        )


class ScannersModel(_Model):
    """The file scanners.yaml."""

    as_of: datetime.date
    scanners: list[ScannerModel]


class ToolModel(_Model):
    """One entry of tools.yaml."""

    id: Id
    name: str = Field(min_length=1)
    kind: Literal["recon", "prober", "everyday"]
    ordered: bool = False
    services: list[ServiceId] = []
    keyless: list[ServiceId] = []
    former: list[ServiceId] = []
    agents: list[PhraseGiven] = []
    whois: list[PhraseGiven] = []
    tls: list[Fingerprint] = []
    references: list[Url] = Field(min_length=1)

    @model_validator(mode="after")
    def _holds_together(self) -> ToolModel:
        if not (self.services or self.former or self.agents or self.whois or self.tls):
            raise Refused(f"{self.id} cannot be recognised", write="services:, agents:, whois: or tls:")
        if strange := sorted(set(self.keyless) - set(self.services)):
            raise Refused(f"{strange[0]} is contacted without a key, but not contacted", write="it in services: too")
        return self

    def typed(self) -> Tool:
        """As the catalog keeps it."""
        return Tool(
            id=self.id,
            name=self.name,
            kind=self.kind,
            services=tuple(self.services),
            keyless=tuple(self.keyless),
            former=tuple(self.former),
            ordered=self.ordered,
            agents=tuple(phrase.typed() for phrase in self.agents),
            whois=tuple(phrase.typed() for phrase in self.whois),
            tls=tuple(self.tls),
            references=tuple(self.references),
        )


class ToolsModel(_Model):
    """The file tools.yaml."""

    as_of: datetime.date
    tools: list[ToolModel]


class UseModel(_Model):
    """One technique of an actor."""

    technique: Technique
    reason: str = Field(min_length=10, max_length=200)


class ActorModel(_Model):
    """One entry of actors.yaml."""

    id: str = Field(pattern=r"^[GC][0-9]{4}$")
    name: str = Field(min_length=1)
    aliases: list[str] = []
    uses: list[UseModel] = Field(min_length=1)

    def typed(self) -> Actor:
        """As the catalog keeps it."""
        return Actor(self.id, self.name, tuple(Use(u.technique, u.reason) for u in self.uses), tuple(self.aliases))


class ActorsModel(_Model):
    """The file actors.yaml."""

    as_of: datetime.date
    attack_version: str = Field(pattern=r"^[0-9]+\.[0-9]+$")
    references: list[Url] = Field(min_length=1)
    actors: list[ActorModel]


class CtLogModel(_Model):
    """One log."""

    url: str = Field(pattern=r"^[a-z0-9.-]+(/[!-~]+)?$")
    description: str = ""
    state: str = ""


class CtLogsModel(_Model):
    """The logs of one operator by one interface."""

    operator: str = Field(min_length=1)
    api: Literal["rfc6962", "static"]
    logs: list[CtLogModel] = Field(min_length=1)


class RegistriesModel(_Model):
    """The file registries.yaml."""

    as_of: datetime.date
    references: list[ReferenceModel] = Field(min_length=1)
    whois: dict[Host, Zones]
    whois_web: dict[Host, Zones]
    rdap: dict[Host, Scopes]
    ct_logs: list[CtLogsModel]
    doh: list[str]
    """`host/path` each."""

    def typed(self) -> Registries:
        """As the catalog keeps it."""
        return Registries(
            whois=self.whois,
            whois_web=self.whois_web,
            rdap=self.rdap,
            ct_logs=tuple(
                CtLog(log.url, group.operator, group.api, log.description, log.state)
                for group in self.ct_logs
                for log in group.logs
            ),
            doh=tuple(Resolver(host, slash + path) for host, slash, path in (url.partition("/") for url in self.doh)),
        )


class PathModel(_Model):
    """One entry of paths.yaml."""

    id: Id
    what: str = Field(min_length=3, max_length=80)
    paths: list[Annotated[str, Field(pattern=r"^/[^*]{2,}\*?$")]] = Field(min_length=1)
    weight: Literal["strong", "weak", "test"]
    tool: ToolId | None = None
    references: list[Url] = Field(min_length=1)
    match: list[str] = Field(min_length=1)
    no_match: list[str] = Field(min_length=1)

    def typed(self) -> RequestPath:
        """As the catalog keeps it."""
        return RequestPath(
            id=self.id,
            what=self.what,
            paths=tuple(self.paths),
            strong=self.weight != "weak",
            test=self.weight == "test",
            tool=self.tool or "",
            references=tuple(self.references),
            match=tuple(self.match),
            no_match=tuple(self.no_match),
        )


class PathsModel(_Model):
    """The file paths.yaml."""

    as_of: datetime.date
    wordlists: list[ToolId]
    paths: list[PathModel]


Model = TypeVar("Model", bound=BaseModel)
Found = TypeVar("Found")


def _read(
    name: str, text: str, model: type[Model], services: Collection[str] | None = None,
    tools: Collection[str] | None = None,
) -> tuple[Document, Model | None, list[Problem]]:  # fmt: skip
    document = load(text, name)
    context = {key: frozenset(ids) for key, ids in (("services", services), ("tools", tools)) if ids is not None}
    found, problems = examine(document, model, context=context)
    return document, found, problems


def _settled(model: Model | None, problems: Iterable[Problem]) -> Model:
    problems = list(problems)
    if model is None or any(problem.severity == "error" for problem in problems):
        raise DocumentError(problems)
    return model


def read_scanners(name: str, text: str, services: Collection[str] | None = None) -> tuple[Scanner, ...]:
    """The content of scanners.yaml. Raises DocumentError: everything that is wrong, overlapping ranges among it."""
    document, model, problems = _read(name, text, ScannersModel, services)
    if model is not None:
        problems += _out_of_order(document, "scanners", [scanner.id for scanner in model.scanners])
        problems += _overlapping(document, model)
    return tuple(scanner.typed() for scanner in _settled(model, problems).scanners)


def read_tools(name: str, text: str, services: Collection[str] | None = None) -> tuple[Tool, ...]:
    """The content of tools.yaml. Raises DocumentError: everything that is wrong."""
    document, model, problems = _read(name, text, ToolsModel, services)
    if model is not None:
        problems += _out_of_order(document, "tools", [tool.id for tool in model.tools])
    return tuple(tool.typed() for tool in _settled(model, problems).tools)


def read_actors(name: str, text: str) -> tuple[tuple[Actor, ...], str]:
    """The content of actors.yaml: the actors, and the version of ATT&CK. Raises DocumentError."""
    document, model, problems = _read(name, text, ActorsModel)
    if model is not None:
        problems += _out_of_order(document, "actors", [actor.id for actor in model.actors])
    model = _settled(model, problems)
    return tuple(actor.typed() for actor in model.actors), model.attack_version


def read_registries(name: str, text: str) -> Registries:
    """The content of registries.yaml. Raises DocumentError: everything that is wrong."""
    _, model, problems = _read(name, text, RegistriesModel)
    return _settled(model, problems).typed()


def read_paths(
    name: str, text: str, tools: Collection[str] | None = None
) -> tuple[tuple[RequestPath, ...], tuple[str, ...]]:
    """The content of paths.yaml: the paths, and the ids of the tools that try word lists. Raises DocumentError."""
    document, model, problems = _read(name, text, PathsModel, tools=tools)
    if model is not None:
        problems += _out_of_order(document, "paths", [path.id for path in model.paths])
    model = _settled(model, problems)
    return tuple(path.typed() for path in model.paths), tuple(model.wordlists)


def read_world(texts: Mapping[str, str], services: Collection[str] | None = None) -> Facts:
    """The facts of the five files (name -> text), ready for `World`. Raises DocumentError with the problems of all."""
    problems: list[Problem] = []
    scanners = _or_problems(problems, lambda: read_scanners(*_named(texts, "scanners.yaml"), services))
    tools = _or_problems(problems, lambda: read_tools(*_named(texts, "tools.yaml"), services))
    actors = _or_problems(problems, lambda: read_actors(*_named(texts, "actors.yaml")))
    registries = _or_problems(problems, lambda: read_registries(*_named(texts, "registries.yaml")))
    ids = None if tools is None else {tool.id for tool in tools}
    paths = _or_problems(problems, lambda: read_paths(*_named(texts, "paths.yaml"), ids))
    if scanners is None or tools is None or actors is None or registries is None or paths is None:
        raise DocumentError(problems)
    as_of = {name: _as_of(text) for name, text in sorted(texts.items())}
    return with_table(Facts(scanners, tools, *actors, registries, as_of, paths=paths[0], wordlists=paths[1]))


def _named(texts: Mapping[str, str], name: str) -> tuple[str, str]:
    if name not in texts:
        raise DocumentError([Problem(name, None, "is missing")])
    return name, texts[name]


def _or_problems(problems: list[Problem], read: Callable[[], Found]) -> Found | None:
    """What `read` gives; None, with its problems added to the others, if it refuses."""
    try:
        return read()
    except DocumentError as error:
        problems += error.problems
        return None


def _as_of(text: str) -> datetime.date:
    """The day that a file which was read without an error gives itself."""
    given = re.search(r"^as_of: *([0-9-]{10}) *$", text, re.MULTILINE)
    return datetime.date.fromisoformat(given[1]) if given else datetime.date.min


def _out_of_order(document: Document, key: str, ids: list[str]) -> list[Problem]:
    return [
        document.problem((key, i), f"{ids[i]} is not in order, or stands twice", f"it once, before {ids[i - 1]}")
        for i in range(1, len(ids))
        if ids[i - 1] >= ids[i]
    ]


def _overlapping(document: Document, model: ScannersModel) -> list[Problem]:
    """Ranges that two scanners claim, or one claims twice: whose they are must be decided where they are written."""
    claims = sorted(
        (network.version, network.first, network.last, cidr, n)
        for n, scanner in enumerate(model.scanners)
        for cidr in scanner.ranges.split()
        for network in (parse(cidr),)
    )
    problems = []
    before = claims[0] if claims else None
    for claim in claims[1:]:
        assert before is not None
        if claim[0] == before[0] and claim[1] <= before[2]:
            owner = model.scanners[before[4]].id
            problems.append(
                document.problem(
                    ("scanners", claim[4], "ranges"),
                    f"{claim[3]} lies in {before[3]} of {owner}",
                    "it where it belongs, once",
                )
            )
        if claim[0] != before[0] or claim[2] > before[2]:
            before = claim
    return problems
