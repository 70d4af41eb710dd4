"""Outcomes as SARIF 2.1.0 (OASIS), which code hosts show beside the line: the case's, or that of a rejected rule."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from reconwatch import __version__
from reconwatch.rules.outcome import Miss, Outcome, Verdict
from reconwatch.sinks.wire_text import json_line, visible

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "expectation": "A rule did not alert as its case expects.",
        "check": "A check of a suricata-verify case does not hold.",
        "rule": "The engine does not accept a rule.",
        "engine": "The engine crashed, hung or gave up.",
        "case": "A case cannot be run as it is written.",
    }
)
"""What each kind of miss is a violation of: SARIF's rules."""


def sarif(outcomes: Iterable[Outcome]) -> bytes:
    """The document, in UTF-8.

    A result that several cases share (a rule that is not accepted) is told once. Paths below the current folder are
    relative to it, as code hosts want them.
    """
    results = list({json_line(each): each for each in _results(outcomes)}.values())
    ids = list(KINDS)
    rules = [{"id": kind, "shortDescription": {"text": text}} for kind, text in KINDS.items()]
    for each in results:
        each["ruleIndex"] = ids.index(each["ruleId"])
    driver = {"name": "reconwatch", "version": __version__, "rules": rules}
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }
    return json_line(document).encode() + b"\n"


def _results(outcomes: Iterable[Outcome]) -> Iterator[dict[str, Any]]:
    for outcome in outcomes:
        if outcome.verdict in (Verdict.FAIL, Verdict.ERROR):
            for miss in outcome.misses:
                yield _result(miss, outcome.name, outcome.why)
        for miss in outcome.rejected:
            yield _result(miss)


def _result(miss: Miss, case: str = "", why: Iterable[str] = ()) -> dict[str, Any]:
    lines = [miss.message, *(line for line in why if miss.sid is not None and str(miss.sid) in line)]
    text = "\n".join(visible(line) for each in lines for line in each.split("\n"))
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(miss.file)}}
    if miss.line is not None:
        place["region"] = {"startLine": miss.line}
    found: dict[str, Any] = {
        "ruleId": miss.kind if miss.kind in KINDS else "case",
        "level": "error",
        "message": {"text": f"{visible(case)}: {text}" if case else text},
        "locations": [{"physicalLocation": place}],
    }
    if miss.sid is not None:
        found["properties"] = {"sid": miss.sid}
    return found


def _uri(file: Path) -> str:
    """A relative reference below the current folder, else a file URI."""
    absolute = Path(os.path.abspath(file))  # noqa: PTH100 (resolve() would leave a checkout that links elsewhere)
    try:
        return quote(absolute.relative_to(Path.cwd()).as_posix())
    except ValueError:
        return absolute.as_uri()
