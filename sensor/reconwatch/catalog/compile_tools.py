"""Computes tools.yaml from lists of what tools contact.

    python -m reconwatch.catalog.compile_tools [--as-of DATE] LIST.jsonl... > tools.yaml

A row of a list is one of these, told apart by its keys:

- `tool source_file example_url status evidence repo rev [key]`: a request in a tool's source. The catalog says which
  service it goes to; requests to nobody's host fall away. `status` other than active, or evidence that was not read in
  the tool's own source, puts the service under `former`. A `{key}` in the URL, or `key: true`, says that it needs one.
- `tool source_file key repo rev`, without URL: whatever this source file contacts needs a key.
- `tool user_agent|whois`: what the client says of itself; `{version}` stands for one word.
- `tool name [client]`: how people call the tool, and its kind if it is not a client of databases.
- `ua_substring category tool`: a prober's user agent; taken if two lists have it.
- `tool ordered source_file repo rev`: this source asks one service after the other, in the order of its rows.
- `type fingerprint tool`: JA3 or JA4 of a hello.

The same lists, named in any order, give the same text.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reconwatch.catalog import Catalog
from reconwatch.catalog.schema import read_services

Row = Mapping[str, Any]

LINK_LISTS = frozenset({"osint-framework", "awesome-osint"})
"""Lists of links for people, which no program walks."""

NOT_A_SIGN = frozenset({("dnsrecon", "bingbot")})
"""(tool, word of a user agent) that others send far more often: the tool pretends to be them."""

OPERATORS = frozenset({"Censys"})
"""Not tools, though fingerprints are listed for them: they stand in scanners.yaml."""


def rows_of(paths: Iterable[Path]) -> list[Row]:
    """The rows of all lists, in an order that does not depend on the order of the files."""
    rows = []
    for path in sorted(paths, key=lambda path: path.name):
        rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return rows


def compile_tools(rows: Sequence[Row], catalog: Catalog, as_of: datetime.date) -> str:
    """The text of tools.yaml."""
    drafts: dict[str, _Draft] = defaultdict(_Draft)
    keyed = {(row["tool"], row["source_file"]) for row in rows if row.get("key") and "source_file" in row}
    for row in rows:
        if "tool" not in row or row["tool"] in LINK_LISTS or "ua_substring" in row or "fingerprint" in row:
            continue
        drafts[row["tool"]].learn(row, catalog, keyed)
    _learn_probers(rows, drafts)
    _learn_fingerprints(rows, drafts)
    lines = [
        "# Client programs, computed by compile_tools from lists of what their sources contact. Do not edit: add a row",
        "# to a list, and compile again.",
        f"as_of: {as_of}",
        "tools:",
    ]
    for name in sorted(drafts):
        if drafts[name].tells_something:
            lines += drafts[name].lines(name)
    return "\n".join(lines) + "\n"


class _Draft:
    """What the rows say of one tool."""

    def __init__(self) -> None:
        self.name = ""
        self.kind = "recon"
        self.active: dict[str, bool] = {}
        """Service -> needs a key, in the order of the rows."""
        self.former: set[str] = set()
        self.ordered = False
        self.agents: set[str] = set()
        self.whois: set[str] = set()
        self.tls: set[str] = set()
        self.references: set[str] = set()

    @property
    def tells_something(self) -> bool:
        return bool(self.active or self.former or self.agents or self.whois or self.tls)

    def learn(self, row: Row, catalog: Catalog, keyed: set[tuple[str, str]]) -> None:
        self.name = row.get("name") or self.name
        self.kind = row.get("client") or self.kind
        self.ordered = self.ordered or bool(row.get("ordered"))
        if "example_url" in row:
            self._learn_request(row, catalog, (row["tool"], row["source_file"]) in keyed)
        if "user_agent" in row and not any((row["tool"], word) in NOT_A_SIGN for word in _words(row["user_agent"])):
            self.agents.add(row["user_agent"])
            self.references.add(_reference(row))
        if "whois" in row:
            self.whois.add(row["whois"])
            self.references.add(_reference(row))

    def _learn_request(self, row: Row, catalog: Catalog, keyed: bool) -> None:
        service = service_of(row["example_url"], catalog)
        if service is None:
            return
        self.references.add(f"https://github.com/{row['repo']}/tree/{row['rev']}")
        if row.get("status", "active") != "active" or row.get("evidence", "file") != "file":
            self.former.add(service)
            return
        needs_key = keyed or "{key}" in row["example_url"]
        self.active[service] = self.active.get(service, True) and needs_key

    def lines(self, tool: str) -> list[str]:
        services = list(self.active) if self.ordered else sorted(self.active)
        lines = [f"  - id: {tool}", f"    name: {json.dumps(self.name or tool)}", f"    kind: {self.kind}"]
        if self.ordered:
            lines.append("    ordered: true")
        lines += _flow("services", services)
        lines += _flow("keyless", [service for service in services if not self.active[service]])
        lines += _flow("former", sorted(self.former - set(self.active)))
        lines += _flow("agents", [_phrase(agent) for agent in sorted(self.agents)])
        lines += _flow("whois", [_phrase(line) for line in sorted(self.whois)])
        lines += _flow("tls", [f'"{fingerprint}"' for fingerprint in sorted(self.tls)])
        return [*lines, *_flow("references", sorted(self.references))]


def service_of(url: str, catalog: Catalog) -> str | None:
    """The id of the service that a request in a tool's source goes to."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].partition(":")[0].lower()
    service = catalog.by_url(host, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    return service.id if service else None


def _learn_probers(rows: Iterable[Row], drafts: dict[str, _Draft]) -> None:
    """User agents of probing tools that two lists agree on: one list alone holds words that anybody may say."""
    known: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.get("category") == "scanner-tool" and not row.get("regex") and len(row["ua_substring"]) >= len("nmap"):
            known[_id(row["tool"])].append(row)
    for key, said in known.items():
        draft = drafts.get(key)
        if len({row["source_repo"] for row in said}) < 2 or (draft and draft.active):
            continue
        shortest = min(said, key=lambda row: (len(row["ua_substring"]), row["ua_substring"]))
        drafts[key].name = drafts[key].name or shortest["tool"]
        drafts[key].kind = "prober"
        drafts[key].agents.add(shortest["ua_substring"])
        drafts[key].references.update(map(_reference, said))


def _learn_fingerprints(rows: Iterable[Row], drafts: dict[str, _Draft]) -> None:
    for row in rows:
        if "fingerprint" not in row or row["tool"] in OPERATORS:
            continue
        draft = drafts[_id(row["tool"])]
        draft.name = draft.name or row["tool"]
        draft.kind = draft.kind if draft.active else "prober"
        draft.tls.add(f"{row['type']}:{row['fingerprint']}")
        draft.references.add(_reference(row))


def _id(name: str) -> str:
    key = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return "zgrab2" if key == "zgrab" else key


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def _reference(row: Row) -> str:
    """Where the row was read. Rows without revision name a path, sometimes with others behind it and a tag."""
    path = str(row.get("source_path") or row["source_file"])
    tag = re.search(r"\((v[0-9.]+)\)", path)
    revision = row.get("rev") or (tag[1] if tag else "HEAD")
    return f"https://github.com/{row.get('source_repo') or row['repo']}/blob/{revision}/{re.split(r'[, ]', path)[0]}"


def _phrase(text: str) -> str:
    """A phrase of tools.yaml: plain, or a regular expression where the text has a part that changes."""
    if "{" not in text:
        return json.dumps(text)
    parts = re.split(r"\{[a-z]+\}", text)
    pattern = r"[^\s;)]+".join(re.sub(r"([.+*?()|\[\]^$\\])", r"\\\1", part) for part in parts)
    return f"{{regex: {json.dumps(pattern)}}}"


def _flow(key: str, items: Sequence[str]) -> list[str]:
    """A sequence on one line if it fits, else wrapped."""
    if not items:
        return []
    line = f"    {key}: [{', '.join(items)}]"
    if len(line) <= 118:
        return [line]
    if key in ("agents", "whois", "references", "tls"):
        return [f"    {key}:", *(f"      - {item}" for item in items)]
    lines, line = [f"    {key}: ["], "     "
    for item in items:
        if len(line) + len(item) > 116:
            lines, line = [*lines, line], "     "
        line += f" {item},"
    return [*lines, line, "    ]"]


def _catalog() -> Catalog:
    """The services alone: a tools.yaml that does not hold must not keep anyone from compiling a better one."""
    folder = files("reconwatch.catalog") / "services"
    texts = {item.name: item.read_text(encoding="utf-8") for item in folder.iterdir() if item.name.endswith(".yaml")}
    return Catalog(read_services(dict(sorted(texts.items()))))


def main(arguments: Sequence[str]) -> None:
    """Compile the lists named on the command line to standard output."""
    as_of = datetime.datetime.now(tz=datetime.UTC).date()
    paths = list(arguments)
    if paths[:1] == ["--as-of"]:
        as_of = datetime.date.fromisoformat(paths[1])
        paths = paths[2:]
    sys.stdout.write(compile_tools(rows_of(map(Path, paths)), _catalog(), as_of))


if __name__ == "__main__":
    main(sys.argv[1:])
