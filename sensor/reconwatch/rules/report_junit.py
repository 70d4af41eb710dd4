"""Outcomes as JUnit XML, which every CI shows: a test case each; a failure is a miss, an error was not judged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from xml.etree import ElementTree

from reconwatch.rules.outcome import Outcome, Verdict
from reconwatch.sinks.wire_text import visible

SUITE = "reconwatch rules test"


def junit(outcomes: Iterable[Outcome]) -> bytes:
    r"""The XML document, in UTF-8.

    `time` is the engine's CPU seconds. What XML cannot hold (controls in a rule's message) is spelled `\x1b`.
    """
    outcomes = list(outcomes)
    verdicts = [outcome.verdict for outcome in outcomes]
    counts = {
        "tests": str(len(outcomes)),
        "failures": str(verdicts.count(Verdict.FAIL)),
        "errors": str(verdicts.count(Verdict.ERROR)),
        "skipped": str(verdicts.count(Verdict.SKIP)),
        "time": f"{sum(outcome.cpu for outcome in outcomes):.3f}",
    }
    top = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(top, "testsuite", {"name": SUITE, **counts})
    for outcome in outcomes:
        _case(suite, outcome)
    ElementTree.indent(top)
    document: bytes = ElementTree.tostring(top, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(suite: ElementTree.Element, outcome: Outcome) -> None:
    folder, _, name = outcome.name.rpartition("/")
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": visible(folder.replace("/", ".")) or "cases",
            "name": visible(name),
            "file": visible(str(PurePath(outcome.file))),
            "time": f"{outcome.cpu:.3f}",
        },
    )
    told = [*map(str, outcome.misses), *outcome.why]
    match outcome.verdict:
        case Verdict.SKIP:
            ElementTree.SubElement(case, "skipped", {"message": visible(outcome.reason)})
        case Verdict.FAIL | Verdict.ERROR:
            kind = "failure" if outcome.verdict is Verdict.FAIL else "error"
            told += [str(each) for each in outcome.rejected]
            attributes = {
                "message": visible(_first_line(told)),
                "type": outcome.misses[0].kind if outcome.misses else "",
            }
            ElementTree.SubElement(case, kind, attributes).text = _lines(told)
        case _:
            told = [outcome.reason, *map(str, outcome.rejected)]
    rest = [*outcome.notes, *(f"{each.sid}: {each.count} ({each.message})" for each in outcome.alerts)]
    if text := _lines([*(told if outcome.verdict in (Verdict.PASS, Verdict.SHOWN) else ()), *rest]):
        ElementTree.SubElement(case, "system-out").text = text


def _first_line(told: list[str]) -> str:
    return told[0].partition("\n")[0] if told else ""


def _lines(told: Iterable[str]) -> str:
    return "\n".join(visible(line) for each in told if each for line in each.split("\n"))
