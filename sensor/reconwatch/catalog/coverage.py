"""How much of what real tools contact the catalog claims: the measurement of `catalog coverage`.

It reads endpoint lists, JSON lines of three kinds, told apart by their columns:

    {"host", "example_url", "kind", "attack", "core", "status", ...}    a tool's endpoint
    {"host", "zones"}  {"host", "scopes"}                               a WHOIS or RDAP server
    {"url", "operator", ...}                                            a certificate log

What counts: registries, and endpoints that are `core` and `active`. A row is claimed by its URL, else by its host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from reconwatch.document import Problem

if TYPE_CHECKING:
    from reconwatch.catalog import Catalog
    from reconwatch.catalog.world import World

NEVER_BY_HOST = ("search-engine", "code-search")
"""Kinds that are no T1596, on hosts that everybody visits."""


class Row(msgspec.Struct, frozen=True):
    """One line of an endpoint list."""

    file: str
    line: int
    kind: str
    host: str
    url: str
    technique: str | None
    counts: bool


class Judged(msgspec.Struct, frozen=True):
    """A row and what the catalog says of it."""

    row: Row
    service: str | None
    technique: str | None

    @property
    def agrees(self) -> bool:
        """Claimed, with the technique of the list; a list without one agrees with any."""
        return self.technique is not None and self.row.technique in (None, self.technique)

    def __str__(self) -> str:
        row = self.row
        said = f"{row.file}:{row.line}: {row.kind}: {row.url or row.host}"
        return f"{said} is {self.technique} here ({self.service}), not {row.technique}" if self.technique else said


class Coverage(msgspec.Struct, frozen=True):
    """The measurement. All shares are of distinct hosts; a host is as good as the worst of its rows."""

    hosts: dict[str, int]
    """Kind -> hosts that count."""
    missed: tuple[Judged, ...]
    """Rows that nobody claims."""
    misattributed: tuple[Judged, ...]
    """Rows that are claimed for another sub-technique."""
    forbidden: tuple[Judged, ...]
    """Search engines and code search that a service claims by host."""
    bad: tuple[Problem, ...]
    """Lines that could not be read."""
    passed: dict[str, int]
    """File -> rows of other lists, which hold no endpoints."""
    total: int
    """Distinct hosts that count, over all kinds."""

    @property
    def claimed(self) -> float:
        """The share of hosts that are claimed; 1 if there are none."""
        return self._share({each.row.host for each in self.missed})

    @property
    def right(self) -> float:
        """The share of hosts that are claimed with the right sub-technique; what is missed is not right."""
        return self._share({each.row.host for each in (*self.missed, *self.misattributed)})

    def _share(self, without: set[str]) -> float:
        return 1.0 - len(without) / self.total if self.total else 1.0

    def lines(self) -> Iterator[str]:
        """For people: the shares, then what is missed, by kind."""
        yield f"{self.total} hosts: {self.claimed:.1%} claimed, {self.right:.1%} with the right sub-technique"
        missed_of = {kind: {each.row.host for each in self.missed if each.row.kind == kind} for kind in self.hosts}
        for kind, hosts in sorted(self.hosts.items()):
            yield f"  {kind}: {hosts - len(missed_of[kind])} of {hosts}"
        for title, judged in (
            ("missed", self.missed),
            ("other sub-technique", self.misattributed),
            ("claimed by host, which everybody visits", self.forbidden),
        ):
            if judged:
                yield f"{title}:"
                yield from (f"  {each}" for each in sorted(judged, key=lambda each: (each.row.kind, each.row.host)))
        if self.bad:
            yield "not read:"
            yield from (f"  {problem}" for problem in self.bad)
        for file, rows in self.passed.items():
            yield f"{file}: {rows} rows that are no endpoints"


def coverage(catalog: Catalog, files: Iterable[Path], world: World | None = None) -> Coverage:
    """Measure the catalog against endpoint lists; a certificate log may also be claimed by the world's list of logs.

    Raises OSError if a file cannot be read. A line that cannot be read is counted, located and passed over.
    """
    rows: list[Row] = []
    bad: list[Problem] = []
    passed: Counter[str] = Counter()
    for path in files:
        for read in _rows(path):
            match read:
                case Row():
                    rows.append(read)
                case Problem():
                    bad.append(read)
                case _:
                    passed[str(path)] += 1
    judged = [_judge(catalog, world, row) for row in rows if row.counts]
    hosts = {(each.row.kind, each.row.host) for each in judged}
    return Coverage(
        hosts=dict(Counter(kind for kind, _ in hosts)),
        missed=tuple(each for each in judged if each.technique is None),
        misattributed=tuple(each for each in judged if each.technique is not None and not each.agrees),
        forbidden=tuple(_forbidden(catalog, rows)),
        bad=tuple(bad),
        passed=dict(passed),
        total=len({each.row.host for each in judged}),
    )


# ---------------------------------------------------------------- reading


def _rows(path: Path) -> Iterator[Row | Problem | None]:
    """The rows of one list; None for a row that is no endpoint."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                data = msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                yield Problem(str(path), number, f"not JSON: {error}")
                continue
            if not isinstance(data, dict):
                yield Problem(str(path), number, "a row must be an object")
                continue
            try:
                yield _row(str(path), number, data)
            except msgspec.ValidationError as error:
                yield Problem(str(path), number, f"not a row of an endpoint list: {error}")


class _Endpoint(msgspec.Struct):
    host: str
    example_url: str
    kind: str
    core: bool
    status: str
    attack: str | None = None


class _Registry(msgspec.Struct):
    host: str


class _Log(msgspec.Struct):
    url: str


def _row(file: str, line: int, data: dict[str, Any]) -> Row | None:
    if "example_url" in data:
        end = msgspec.convert(data, _Endpoint)
        counts = end.core and end.status == "active"
        return Row(file, line, end.kind, _name(end.host), end.example_url, end.attack, counts)
    for column, kind in (("zones", "whois"), ("scopes", "rdap")):
        if column in data:
            host = msgspec.convert(data, _Registry).host
            return Row(file, line, kind, _name(host), "", "T1596.002", counts=True)
    if "url" in data and "operator" in data:
        url = msgspec.convert(data, _Log).url
        return Row(file, line, "ct-log", _origin(url)[0], url, "T1596.003", counts=True)
    return None


def _name(host: str) -> str:
    return host.lower().strip(".")


def _origin(url: str) -> tuple[str, str]:
    """(host, origin form) of a URL, whose placeholders may stand anywhere."""
    rest = url.partition("://")[2]
    authority, slash, path = rest.partition("/")
    if not slash:
        authority, question, path = rest.partition("?")
        path = question + path
    return _name(authority.rpartition("@")[2].partition(":")[0]), "/" + path


# ---------------------------------------------------------------- judging


def _judge(catalog: Catalog, world: World | None, row: Row) -> Judged:
    host, uri = _origin(row.url) if row.url else (row.host, "/")
    service = catalog.by_url(host, uri) or catalog.by_name(row.host)
    if service is not None:
        return Judged(row, service.id, service.technique)
    if world is not None and row.kind == "ct-log" and world.ct_log_of(host, uri) is not None:
        return Judged(row, "ct-logs", "T1596.003")
    return Judged(row, None, None)


def _forbidden(catalog: Catalog, rows: Iterable[Row]) -> Iterator[Judged]:
    for row in rows:
        service = catalog.by_name(row.host) if row.kind in NEVER_BY_HOST else None
        if service is not None:
            yield Judged(row, service.id, service.technique)
